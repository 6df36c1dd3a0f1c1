//! Enrichment data loaded whole: the IP table.

/// The tables of a revision.
#[derive(Debug, Default)]
pub struct Tables {}
