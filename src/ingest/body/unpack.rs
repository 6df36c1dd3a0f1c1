//! Unpacking a whole body into room that the limits allow, and no more.
//!
//! An unpacker is given a [`Room`]: it fills what is there and asks for more. Room ends one byte
//! beyond the limit, so that a body of exactly the limit passes, and one byte more is noticed
//! without being kept. Nothing is ever returned of a body that is truncated, corrupt, or followed
//! by anything.

mod deflate;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use libdeflater::Decompressor;
use zstd::zstd_safe::DCtx;

use crate::ingest::body::{Coding, Error, Full, Limits, Permit, spare};

/// The least that is made room for at once.
const STEP: usize = 4096;

/// State of unpackers, kept from one body to the next. Unpacking does not wait, so there are never
/// more of them than threads that serve requests.
#[derive(Default)]
pub struct Unpackers {
    deflate: Mutex<Vec<Decompressor>>,
    zstd: Mutex<Vec<DCtx<'static>>>,
}

impl Unpackers {
    /// Unpacks all of `wire`, charging the permit for what it takes.
    pub fn unpack(
        &self,
        coding: Coding,
        wire: &[u8],
        limits: Limits,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let mut room = Room::new(wire.len(), limits, permit);
        match coding {
            Coding::Gzip => lend(&self.deflate, Decompressor::new, |state| {
                deflate::gzip(state, wire, &mut room)
            }),
            Coding::Deflate => lend(&self.deflate, Decompressor::new, |state| {
                deflate::deflate(state, wire, &mut room)
            }),
            Coding::Brotli => stream::brotli(wire, &mut room),
            Coding::Zstd => lend(&self.zstd, DCtx::create, |state| {
                stream::zstd(state, wire, &mut room)
            }),
        }
        .and_then(|()| room.finish())
        .map_err(|failure| failure.into_error(coding, wire.len(), limits))
    }
}

impl fmt::Debug for Unpackers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpackers").finish_non_exhaustive()
    }
}

/// Lends state to one use of it.
fn lend<T, R>(kept: &Mutex<Vec<T>>, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
    let idle = kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut state = idle.unwrap_or_else(make);
    let result = work(&mut state);
    kept.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(state);
    result
}

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Truncated, corrupt, or followed by something else.
    Corrupt,
    /// Larger than the limits allow.
    TooLarge,
    /// No room in the budget.
    Overloaded(Full),
}

impl Failure {
    fn into_error(self, coding: Coding, packed: usize, limits: Limits) -> Error {
        match self {
            Self::Corrupt => Error::Corrupt(coding),
            Self::TooLarge if limits.decoded <= packed.saturating_mul(limits.ratio) => {
                Error::Decoded {
                    limit: limits.decoded,
                }
            }
            Self::TooLarge => Error::Ratio {
                limit: limits.ratio,
            },
            Self::Overloaded(full) => Error::Overloaded(full),
        }
    }
}

/// Where an unpacker writes. It grows as far as limits and budget allow.
#[derive(Debug)]
pub(super) struct Room<'a> {
    bytes: Vec<u8>,
    filled: usize,
    /// The size as sent, to guess from.
    packed: usize,
    /// The most that a body may come to.
    most: usize,
    permit: &'a mut Permit,
}

impl<'a> Room<'a> {
    fn new(packed: usize, limits: Limits, permit: &'a mut Permit) -> Self {
        let most = limits.decoded.min(packed.saturating_mul(limits.ratio));
        Self {
            bytes: Vec::new(),
            filled: 0,
            packed,
            most,
            permit,
        }
    }

    /// Room to write to.
    pub(super) fn free(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// The first `count` free bytes have been written.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled += count;
    }

    /// Makes more room, at least twice what there is.
    pub(super) fn grow(&mut self) -> Result<(), Failure> {
        if self.bytes.len() > self.most {
            return Err(Failure::TooLarge);
        }
        let guess = self.packed.saturating_mul(4).max(STEP);
        self.expect(guess.max(self.bytes.len() * 2))
    }

    /// Makes room for so much in all, as the body says itself; for no more than is allowed.
    pub(super) fn expect(&mut self, total: usize) -> Result<(), Failure> {
        let total = total.min(self.most.saturating_add(1));
        if self.bytes.is_empty() {
            // Memory that comes zeroed need not be zeroed again.
            self.pay(total + spare(total))?;
            self.bytes = vec![0; total + spare(total)];
            self.bytes.truncate(total);
        } else if total > self.bytes.len() {
            self.reserve(total + spare(total))?;
            self.bytes.resize(total, 0);
        }
        Ok(())
    }

    /// What was written, with spare room behind it.
    fn finish(mut self) -> Result<Vec<u8>, Failure> {
        if self.filled > self.most {
            return Err(Failure::TooLarge);
        }
        self.bytes.truncate(self.filled);
        self.reserve(self.filled + spare(self.filled))?;
        Ok(self.bytes)
    }

    fn reserve(&mut self, capacity: usize) -> Result<(), Failure> {
        self.pay(capacity)?;
        self.bytes
            .reserve_exact(capacity.saturating_sub(self.bytes.len()));
        Ok(())
    }

    /// Charges what the buffer will take more than it does.
    fn pay(&mut self, capacity: usize) -> Result<(), Failure> {
        let more = capacity.saturating_sub(self.bytes.capacity());
        self.permit.add(more).map_err(Failure::Overloaded)
    }
}
