//! The integration tests: real files, real processes, the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]

mod architecture;
mod audit;
mod codes;
mod collector;
mod command_line;
mod contract;
mod cursors;
mod decisions;
mod diff;
mod documented_commands;
mod documents;
mod faults;
mod histories;
mod hostile;
mod journal_modes;
mod killed;
mod live_writer;
mod loading;
mod log_itself;
mod odd_cells;
mod page_checks;
mod policy;
mod report;
mod scratch;
mod selftest;
mod serve;
mod service;
mod storms;
mod support;
mod wrong_strategies;
