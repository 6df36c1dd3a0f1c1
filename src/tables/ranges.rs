//! Ranges as files give them, in any order and overlapping, made flat.
//!
//! At each address the smallest range that covers it wins (of nested CIDRs the longest prefix);
//! of equally large ones the one given last. The result is a list of runs: where each starts and
//! its row, neighbours differing. Both families live in 128 bits, IPv4 in the upper 32, so that
//! one code serves both.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use crate::tables::rows::RowId;

/// From one address to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u128,
    pub(crate) end: u128,
    pub(crate) row: RowId,
}

/// A stretch of addresses with the same row, up to the start of the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u128,
    pub(crate) row: Option<RowId>,
}

/// All ranges of the files so far, by family.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    pub(crate) v4: Vec<Range>,
    pub(crate) v6: Vec<Range>,
}

/// The two ends of a range are of different families.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MixedFamilies;

impl Ranges {
    /// How many, both families.
    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Adds `first..=last`; the caller has checked that they are in order. IPv6 ranges that lie in
    /// `::ffff:0:0/96` are IPv4 ranges.
    pub(crate) fn push(
        &mut self,
        first: IpAddr,
        last: IpAddr,
        row: RowId,
    ) -> Result<(), MixedFamilies> {
        let (first, last) = match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(_)) | (IpAddr::V4(_), IpAddr::V6(_)) => (first, last),
            same => same,
        };
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.push(Range {
                start: u128::from(first.to_bits()) << 96,
                end: u128::from(last.to_bits()) << 96 | u128::MAX >> 32,
                row,
            }),
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                self.v6.push(Range {
                    start: first.to_bits(),
                    end: last.to_bits(),
                    row,
                });
            }
            _ => return Err(MixedFamilies),
        }
        Ok(())
    }
}

/// Resolves overlaps. The runs cover the whole space; the first starts at 0.
pub(crate) fn flatten(mut ranges: Vec<Range>) -> Vec<Run> {
    let mut order: Vec<u32> = Vec::new();
    if !ranges.is_sorted_by_key(|range| range.start) {
        order = sorted_order(&ranges);
        ranges = order.iter().map(|&given| ranges[given as usize]).collect();
    }
    let given = |index: usize| order.get(index).map_or(index, |&given| given as usize);
    let mut runs: Vec<Run> = Vec::with_capacity(ranges.len() + 1);
    // Ranges that have begun, most specific on top: size, then the later given, with their index.
    let mut open: BinaryHeap<(Reverse<u128>, usize, usize)> = BinaryHeap::new();
    let mut next = 0;
    let mut position = 0;
    loop {
        while let Some(range) = ranges.get(next).filter(|range| range.start == position) {
            open.push((Reverse(range.end - range.start), given(next), next));
            next += 1;
        }
        while open
            .peek()
            .is_some_and(|&(_, _, top)| ranges[top].end < position)
        {
            open.pop();
        }
        let top = open.peek().map(|&(_, _, top)| ranges[top]);
        let row = top.map(|range| range.row);
        if runs.last().is_none_or(|run| run.row != row) {
            runs.push(Run {
                start: position,
                row,
            });
        }
        let closes = top.and_then(|range| range.end.checked_add(1));
        let opens = ranges.get(next).map(|range| range.start);
        position = match (closes, opens) {
            (Some(closes), Some(opens)) => closes.min(opens),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => break,
        };
    }
    runs.shrink_to_fit();
    runs
}

fn sorted_order(ranges: &[Range]) -> Vec<u32> {
    let count = u32::try_from(ranges.len()).expect("a file of at most 1 GiB has fewer lines");
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_key(|&index| ranges[index as usize].start);
    order
}
