//! What people write, one file per kind, and how it compiles: all problems at once.
