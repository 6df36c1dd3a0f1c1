//! What people write, one file per kind, and how it compiles: pure, and all problems at once.

pub mod condition;
pub mod diagnostic;
pub mod executer;
pub mod one_or_many;
pub mod scope;
pub mod text;

pub use crate::unit;
