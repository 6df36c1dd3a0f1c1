//! What people write, one file per kind, and how it compiles: pure, and all problems at once.

pub mod catalog;
pub mod condition;
pub mod device;
pub mod diagnostic;
pub mod digest;
pub mod enrich;
pub mod executer;
pub mod index;
pub mod moment;
pub mod one_or_many;
pub mod paths;
pub mod producers;
pub mod repo;
pub mod route;
pub mod samples;
pub mod schema;
pub mod schemas;
pub mod scope;
pub mod set;
pub mod shape;
pub mod switches;
pub mod tables;
pub mod text;
pub mod validate;

pub use crate::unit;
