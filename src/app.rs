//! Builds everything, connects it, waits, drains: the only file that knows all parts.
