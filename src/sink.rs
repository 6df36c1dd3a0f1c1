//! Clients of what records are produced to: Kafka clusters and files.
