//! THE DATA PATH: take a request, run the stages, deliver, account.

mod books;
pub mod receipt;
