//! Enrichment data loaded whole: the IP table.
