//! The admin port: health, revision, explain, metrics.
