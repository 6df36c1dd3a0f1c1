//! gzip and deflate by libdeflate, which unpacks whole buffers at a time.
//!
//! It does not tell how much of its input it used. Where a stream ends in a checksum of what came
//! out, its end is found by looking for that checksum: it is the first place where the input, cut
//! there, still unpacks. The first candidate is nearly always the end of the body, and then needs
//! no proof.

use libdeflater::{Adler32, DecompressionError, Decompressor, crc32};
use memchr::memmem;

use super::{Failure, Room};

/// RFC 1952: header, an empty stream, CRC and size.
const GZIP_LEAST: usize = 18;
/// Candidates that may turn out false. By chance there is none in 2^32 bodies; many are an attack.
const FALSE_ENDS: usize = 4;

/// Unpacks all members of a gzip body.
pub(super) fn gzip(
    state: &mut Decompressor,
    wire: &[u8],
    room: &mut Room<'_>,
) -> Result<(), Failure> {
    // The last member's size, which is mostly the only member's; `expect` bounds what it may claim.
    let size = wire
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    room.expect(size as usize)?;
    let mut rest = wire;
    while !rest.is_empty() || wire.is_empty() {
        let unpack = |state: &mut Decompressor, wire: &[u8], out: &mut [u8]| {
            state.gzip_decompress(wire, out)
        };
        let count = whole(state, rest, room, unpack)?;
        let out = &room.free()[..count];
        let mut footer = [0; 8];
        footer[..4].copy_from_slice(&crc32(out).to_le_bytes());
        // The format's size is modulo 2^32; limits are far below.
        footer[4..].copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        let end = end_of(
            state,
            rest,
            GZIP_LEAST - footer.len(),
            &footer,
            &mut room.free()[..count],
            unpack,
        )?;
        room.fill(count);
        rest = &rest[end..];
    }
    Ok(())
}

/// Unpacks a zlib or a raw deflate body: clients disagree about which of the two `deflate` is.
pub(super) fn deflate(
    state: &mut Decompressor,
    wire: &[u8],
    room: &mut Room<'_>,
) -> Result<(), Failure> {
    if looks_like_zlib(wire) {
        match zlib(state, wire, room) {
            Err(Failure::Corrupt) => {}
            done => return done,
        }
    }
    raw(state, wire, room)
}

fn looks_like_zlib(wire: &[u8]) -> bool {
    wire.first_chunk::<2>()
        .is_some_and(|&head| head[0] & 0x0f == 8 && u16::from_be_bytes(head) % 31 == 0)
}

fn zlib(state: &mut Decompressor, wire: &[u8], room: &mut Room<'_>) -> Result<(), Failure> {
    let unpack =
        |state: &mut Decompressor, wire: &[u8], out: &mut [u8]| state.zlib_decompress(wire, out);
    let count = whole(state, wire, room, unpack)?;
    let mut sum = Adler32::new();
    sum.update(&room.free()[..count]);
    let footer = sum.sum().to_be_bytes();
    let end = end_of(state, wire, 2, &footer, &mut room.free()[..count], unpack)?;
    room.fill(count);
    if end == wire.len() {
        Ok(())
    } else {
        Err(Failure::Corrupt)
    }
}

/// Without a checksum, the end is right if a byte less is not enough.
fn raw(state: &mut Decompressor, wire: &[u8], room: &mut Room<'_>) -> Result<(), Failure> {
    let unpack =
        |state: &mut Decompressor, wire: &[u8], out: &mut [u8]| state.deflate_decompress(wire, out);
    let count = whole(state, wire, room, unpack)?;
    let out = &mut room.free()[..count];
    if unpack(state, &wire[..wire.len() - 1], out).is_ok() {
        return Err(Failure::Corrupt);
    }
    // The attempt may have left something else in its place.
    unpack(state, wire, out).map_err(|_| Failure::Corrupt)?;
    room.fill(count);
    Ok(())
}

type Unpacked = Result<usize, DecompressionError>;

/// Unpacks one stream, making room until it fits. Gives the size.
fn whole(
    state: &mut Decompressor,
    wire: &[u8],
    room: &mut Room<'_>,
    unpack: impl Fn(&mut Decompressor, &[u8], &mut [u8]) -> Unpacked,
) -> Result<usize, Failure> {
    loop {
        match unpack(state, wire, room.free()) {
            Ok(count) => return Ok(count),
            Err(DecompressionError::BadData) => return Err(Failure::Corrupt),
            Err(DecompressionError::InsufficientSpace) => room.grow()?,
        }
    }
}

/// Where the stream that unpacked to `out` ends: behind the first `footer` (searched from `least`
/// on) up to which it unpacks.
fn end_of(
    state: &mut Decompressor,
    wire: &[u8],
    least: usize,
    footer: &[u8],
    out: &mut [u8],
    unpack: impl Fn(&mut Decompressor, &[u8], &mut [u8]) -> Unpacked,
) -> Result<usize, Failure> {
    let mut from = least;
    for attempt in 0..FALSE_ENDS {
        let searched = wire.get(from..).ok_or(Failure::Corrupt)?;
        let found = memmem::find(searched, footer).ok_or(Failure::Corrupt)?;
        let end = from + found + footer.len();
        if attempt == 0 && end == wire.len() || unpack(state, &wire[..end], out).is_ok() {
            return Ok(end);
        }
        from += found + 1;
    }
    Err(Failure::Corrupt)
}
