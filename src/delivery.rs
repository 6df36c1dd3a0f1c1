//! Getting records to safety: lanes, budgets, breakers, pending batches.
