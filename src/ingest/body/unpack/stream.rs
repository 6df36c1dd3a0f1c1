//! br and zstd, which unpack step by step.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use zstd::zstd_safe::{
    DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_frame_content_size,
};

use super::{Failure, Room};

/// RFC 9659: a body may not ask for a window of more than 8 MiB.
const WINDOW_LOG: u32 = 23;

/// Unpacks a br body. The state is not kept: it holds nothing worth keeping.
pub(super) fn brotli(wire: &[u8], room: &mut Room<'_>) -> Result<(), Failure> {
    let alloc = StandardAlloc::default;
    // "Strict": without the large windows that are no part of RFC 7932.
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let (mut left, mut position, mut total) = (wire.len(), 0, 0);
    loop {
        room.grow()?;
        let out = room.free();
        let (mut free, mut written) = (out.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut position,
            wire,
            &mut free,
            &mut written,
            out,
            &mut total,
            &mut state,
        );
        room.fill(written);
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::ResultSuccess
            | BrotliResult::NeedsMoreInput
            | BrotliResult::ResultFailure => return Err(Failure::Corrupt),
        }
    }
}

/// Unpacks all frames of a zstd body.
pub(super) fn zstd(state: &mut DCtx<'_>, wire: &[u8], room: &mut Room<'_>) -> Result<(), Failure> {
    state
        .reset(ResetDirective::SessionAndParameters)
        .map_err(|_| Failure::Corrupt)?;
    state
        .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
        .map_err(|_| Failure::Corrupt)?;
    // A byte more than the frame says, so that its end is seen without more room.
    if let Ok(Some(size)) = get_frame_content_size(wire) {
        room.expect(
            usize::try_from(size)
                .unwrap_or(usize::MAX)
                .saturating_add(1),
        )?;
    }
    let mut input = InBuffer::around(wire);
    let mut open = true;
    while open || input.pos() < wire.len() {
        if room.free().is_empty() {
            room.grow()?;
        }
        let before = input.pos();
        let mut output = OutBuffer::around(room.free());
        let hint = state
            .decompress_stream(&mut output, &mut input)
            .map_err(|_| Failure::Corrupt)?;
        let written = output.pos();
        room.fill(written);
        open = hint > 0;
        if open && written == 0 && input.pos() == before {
            return Err(Failure::Corrupt);
        }
    }
    Ok(())
}
