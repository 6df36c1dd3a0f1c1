//! Buffers of requests, used again by later ones, so that a request costs no large allocations.
//!
//! A buffer is empty when it is handed out, whatever it held before. What is kept is bounded in
//! bytes, and a large buffer is not kept at all: one huge body must not stay in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Slot;

/// Buffers that nobody uses at the moment. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pool(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    texts: Vec<Vec<u8>>,
    slots: Vec<Vec<Slot>>,
    /// Bytes of all of them.
    held: usize,
}

impl Pool {
    /// The largest buffer that is kept.
    const LARGEST: usize = 1 << 20;
    /// The most that is kept in all.
    const MOST: usize = 8 << 20;

    /// An empty buffer with room for so many bytes, for texts.
    pub fn text(&self, bytes: usize) -> Vec<u8> {
        let mut shelf = self.shelf();
        let mut text = shelf.texts.pop().unwrap_or_default();
        shelf.held -= text.capacity();
        drop(shelf);
        text.reserve_exact(bytes);
        text
    }

    /// Takes a buffer for texts back.
    pub fn keep_text(&self, mut text: Vec<u8>) {
        text.clear();
        let size = text.capacity();
        if fits(size) {
            let mut shelf = self.shelf();
            if shelf.takes(size) {
                shelf.texts.push(text);
            }
        }
    }

    /// An empty buffer for slots.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut shelf = self.shelf();
        let slots = shelf.slots.pop().unwrap_or_default();
        shelf.held -= size_of_slots(&slots);
        slots
    }

    /// Takes a buffer for slots back.
    pub(super) fn keep_slots(&self, mut slots: Vec<Slot>) {
        slots.clear();
        let size = size_of_slots(&slots);
        if fits(size) {
            let mut shelf = self.shelf();
            if shelf.takes(size) {
                shelf.slots.push(slots);
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that is done under the lock can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Whether there is room for a buffer of this size; then it is counted.
    fn takes(&mut self, size: usize) -> bool {
        let takes = self.held + size <= Pool::MOST;
        if takes {
            self.held += size;
        }
        takes
    }
}

/// Whether a buffer of this size may be kept at all.
fn fits(size: usize) -> bool {
    (1..=Pool::LARGEST).contains(&size)
}

fn size_of_slots(slots: &Vec<Slot>) -> usize {
    slots.capacity() * size_of::<Slot>()
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
        let again = pool.clone().text(10);
        assert!(again.is_empty());
        assert_eq!(again.capacity(), room);
        assert_eq!(pool.text(0).capacity(), 0, "it was handed out already");
        let mut slots = pool.slots();
        slots.resize(10, Slot::default());
        pool.keep_slots(slots);
        assert!(pool.slots().is_empty());
        assert_eq!(pool.shelf().held, 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pool = Pool::default();
        pool.keep_text(Vec::with_capacity(Pool::LARGEST + 1));
        assert_eq!(pool.text(0).capacity(), 0, "too large");
        for _ in 0..100 {
            pool.keep_text(Vec::with_capacity(Pool::LARGEST / 2));
            pool.keep_slots(Vec::with_capacity(1000));
        }
        let shelf = pool.shelf();
        let texts: usize = shelf.texts.iter().map(Vec::capacity).sum();
        let slots: usize = shelf.slots.iter().map(size_of_slots).sum();
        assert_eq!(shelf.held, texts + slots);
        assert!(shelf.held <= Pool::MOST, "{}", shelf.held);
        assert!(shelf.held > Pool::MOST / 2, "{}", shelf.held);
    }
}
