//! Buffers of requests, used again by later ones, so that a request costs no large allocations.
//!
//! A buffer is empty when it is handed out, whatever it held before. What is kept is bounded in
//! bytes, and a large buffer is not kept at all: one huge body must not stay in memory.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Place, Slot};

/// Buffers that nobody uses at the moment. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pool(Arc<Shelves>);

#[derive(Debug, Default)]
struct Shelves {
    texts: Shelf<u8>,
    /// Apart from the texts: a body that was handed one of these small ones would have to grow it.
    drafts: Shelf<u8>,
    slots: Shelf<Slot>,
    places: Shelf<Place>,
}

/// Buffers of one type.
#[derive(Debug)]
struct Shelf<T>(Mutex<Kept<T>>);

#[derive(Debug)]
struct Kept<T> {
    buffers: Vec<Vec<T>>,
    /// Bytes of all of them.
    held: usize,
}

impl Pool {
    /// An empty buffer with room for so many bytes, for texts.
    pub fn text(&self, bytes: usize) -> Vec<u8> {
        let mut text = self.0.texts.take();
        text.reserve_exact(bytes);
        text
    }

    /// Takes a buffer for texts back.
    pub fn keep_text(&self, text: Vec<u8>) {
        self.0.texts.keep(text);
    }

    pub(super) fn draft(&self) -> Vec<u8> {
        self.0.drafts.take()
    }

    pub(super) fn keep_draft(&self, draft: Vec<u8>) {
        self.0.drafts.keep(draft);
    }

    pub(super) fn slots(&self) -> Vec<Slot> {
        self.0.slots.take()
    }

    pub(super) fn keep_slots(&self, slots: Vec<Slot>) {
        self.0.slots.keep(slots);
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.0.places.take()
    }

    pub(super) fn keep_places(&self, places: Vec<Place>) {
        self.0.places.keep(places);
    }
}

impl<T> Shelf<T> {
    /// The largest buffer that is kept, in bytes.
    const LARGEST: usize = 1 << 20;
    /// The most that is kept in all.
    const MOST: usize = 4 << 20;

    fn take(&self) -> Vec<T> {
        // Nothing that is done under the lock can panic half way.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = kept.buffers.pop().unwrap_or_default();
        kept.held -= bytes(&buffer);
        buffer
    }

    fn keep(&self, mut buffer: Vec<T>) {
        buffer.clear();
        let size = bytes(&buffer);
        if size == 0 || size > Self::LARGEST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.held + size <= Self::MOST {
            kept.held += size;
            kept.buffers.push(buffer);
        }
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            buffers: Vec::new(),
            held: 0,
        }))
    }
}

fn bytes<T>(buffer: &Vec<T>) -> usize {
    buffer.capacity() * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_with_its_room() {
        let pool = Pool::default();
        let mut text = pool.text(100);
        text.extend_from_slice(b"somebody's");
        let room = text.capacity();
        pool.keep_text(text);
        let other = pool.clone();
        let again = other.text(10);
        assert!(again.is_empty());
        assert_eq!(again.capacity(), room);
        assert_eq!(pool.text(0).capacity(), 0, "it was handed out already");
        let mut slots = pool.slots();
        slots.resize(10, Slot::default());
        pool.keep_slots(slots);
        let again = pool.slots();
        assert!(again.is_empty() && again.capacity() >= 10);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let shelf = Shelf::<u64>::default();
        let (largest, most) = (Shelf::<u64>::LARGEST, Shelf::<u64>::MOST);
        shelf.keep(Vec::with_capacity(largest / 8 + 1));
        assert_eq!(shelf.take().capacity(), 0, "too large");
        for _ in 0..100 {
            shelf.keep(Vec::with_capacity(largest / 16));
        }
        let kept = shelf.0.lock().unwrap();
        let bytes: usize = kept.buffers.iter().map(bytes).sum();
        assert_eq!(kept.held, bytes);
        assert!(bytes <= most && bytes > most / 2, "{bytes}");
    }
}
