//! `hash` and `mask`: what names a person goes, what tells persons apart may stay.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::event::{EventMut, FieldId, Json};
use crate::pipeline::executer::set::text_of;
use crate::pipeline::executer::{Scratch, Trouble, put};
use crate::secret::{Reference, Secret};

/// Values to their digests.
#[derive(Debug)]
pub struct Hash {
    /// Which fields.
    pub fields: Box<[FieldId]>,
    /// Which digest.
    pub digest: Digest,
    /// Without white space around and with small letters.
    pub normalize: bool,
    /// So many of its hex digits.
    pub length: usize,
}

/// A digest.
#[derive(Debug)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// MD5.
    Md5,
    /// HMAC-SHA-256.
    Keyed(Keyed),
}

/// A key that is known by its place, and bound to its value outside of compiling.
#[derive(Debug)]
pub struct Keyed {
    reference: Reference,
    key: ArcSwapOption<Hmac<Sha256>>,
}

impl Keyed {
    /// Not bound yet.
    pub fn new(reference: Reference) -> Self {
        let key = ArcSwapOption::empty();
        Self { reference, key }
    }

    /// Where the key stands.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Takes the key from now on; without one, no digest is made.
    pub(super) fn bind(&self, secret: Option<&Secret>) {
        let key = |secret: &Secret| Hmac::new_from_slice(secret.expose().as_bytes()).ok();
        self.key.store(secret.and_then(key).map(Arc::new));
    }
}

impl Hash {
    pub(super) fn keyed(&self) -> Option<&Keyed> {
        match &self.digest {
            Digest::Keyed(keyed) => Some(keyed),
            Digest::Sha256 | Digest::Md5 => None,
        }
    }

    pub(super) fn run(&self, event: &mut EventMut<'_>) -> Result<(), Trouble> {
        each(event, &self.fields, |event, field| self.one(event, field))
    }

    /// Without its key the field goes: what should not be seen is not let through.
    fn one(&self, event: &mut EventMut<'_>, field: FieldId) -> Result<(), Trouble> {
        let Some(value) = event.get(field).filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let Some(hex) = self.hex(value) else {
            event.remove(field);
            return Err(Trouble::new(field, "the key of the hash could not be had"));
        };
        let hex = &hex[..self.length.min(hex.len())];
        put(event, field, |_, out| {
            out.push(b'"');
            out.extend_from_slice(hex);
            out.push(b'"');
        })
    }

    fn hex(&self, value: Json<'_>) -> Option<Hex> {
        let mut text = text_of(value);
        if self.normalize {
            text = text.trim().to_lowercase().into();
        }
        let bytes = text.as_bytes();
        Some(match &self.digest {
            Digest::Sha256 => Hex::of(&Sha256::digest(bytes)),
            Digest::Md5 => Hex::of(&Md5::digest(bytes)),
            Digest::Keyed(keyed) => {
                let mut mac = Hmac::clone(keyed.key.load().as_ref()?);
                mac.update(bytes);
                Hex::of(&mac.finalize().into_bytes())
            }
        })
    }
}

/// Works on every field, also after trouble with one; no earlier value under a repeated key stays.
fn each(
    event: &mut EventMut<'_>,
    fields: &[FieldId],
    mut work: impl FnMut(&mut EventMut<'_>, FieldId) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    event.unify();
    event.together(|event| {
        let mut result = Ok(());
        for field in fields {
            event.catch_up(*field);
            let done = work(event, *field);
            result = result.and(done);
        }
        result
    })
}

/// Hex digits of a digest, on the stack.
struct Hex {
    digits: [u8; 64],
    len: usize,
}

impl Hex {
    fn of(digest: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = Self {
            digits: [0; 64],
            len: digest.len() * 2,
        };
        for (pair, byte) in hex.digits.chunks_exact_mut(2).zip(digest) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl std::ops::Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

/// Characters of strings to others.
#[derive(Debug)]
pub struct Mask {
    /// Which fields.
    pub fields: Box<[FieldId]>,
    /// How many characters stay at the beginning.
    pub first: usize,
    /// How many at the end.
    pub last: usize,
    /// What stands for a masked character.
    pub with: Box<str>,
    /// What stands for all of them.
    pub replace: Option<Box<str>>,
}

impl Mask {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let masked = &mut scratch.text;
        each(event, &self.fields, |event, field| {
            let Some(value) = event.get(field).filter(|value| !value.is_null()) else {
                return Ok(());
            };
            masked.clear();
            self.write(&text_of(value), masked);
            put(event, field, |_, out| Json::write_str(out, masked))
        })
    }

    fn write(&self, text: &str, out: &mut String) {
        let count = text.chars().count();
        let (first, last) = if self.first + self.last < count {
            (self.first, self.last)
        } else {
            (0, 0)
        };
        out.extend(text.chars().take(first));
        match &self.replace {
            Some(replace) => out.push_str(replace),
            None => out.extend((first + last..count).map(|_| &*self.with)),
        }
        out.extend(text.chars().skip(count - last));
    }
}
