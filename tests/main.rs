//! The integration tests: real files, real processes, the real binary.

mod command_line;
mod contract;
mod cursors;
mod faults;
mod killed;
mod live_writer;
mod scratch;
mod support;
mod wrong_strategies;
