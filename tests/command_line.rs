//! The conventions of the command line: streams, exit codes, errors, and what each verb promises.

mod conversation;
mod errors;
mod inspect;
mod interrupted;
mod requests;
mod results;
