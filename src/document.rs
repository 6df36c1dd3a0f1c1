//! What people write, one file per kind, and how it compiles: pure, and all problems at once.

pub mod diagnostic;
pub mod scope;

pub use crate::unit;
