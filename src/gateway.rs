//! The data path: take a request, run the stages, deliver, account.
