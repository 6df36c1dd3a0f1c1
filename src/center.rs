//! Where documents come from: a directory (and, with Nacos, the config center).
