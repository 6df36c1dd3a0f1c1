//! The catalog: which events there are, and which properties each may have.

/// A compiled catalog.
#[derive(Debug, Default)]
pub struct Catalog {}
