//! Device mapping: many identifiers to one device id.
