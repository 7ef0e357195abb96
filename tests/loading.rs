//! Untrusted bytes: what is no strategy is refused with a reason, whatever it is instead, and what served
//! before still serves.

mod bombs;
mod bytes;
mod cached;
mod files;
mod proposals;
mod wasi;

use std::path::Path;
use std::sync::Arc;

use keyhole_lab::selftest::cases::newest;
use keyhole_lab::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::grants::Instances;
use keyhole_log::model::{Page, Pager};
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;

/// An honest strategy that is not built in.
fn honest() -> Vec<u8> {
    zoo::component("honest").unwrap()
}

fn load(engine: &Engine, bytes: &[u8], grants: Grants) -> Result<Arc<Strategy>, Error> {
    Strategy::load(engine, "test", Path::new("test.wasm"), bytes, grants)
}

/// Why these bytes are refused. Anything but a refusal is a failure.
fn reasons(engine: &Engine, bytes: &[u8]) -> Vec<String> {
    match load(engine, bytes, Grants::local()) {
        Err(Error::Refused { reasons, .. }) => reasons,
        Err(error) => panic!("not a refusal: {error}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// The newest events of a log, or none of them.
fn ask(engine: &Engine, strategy: &Arc<Strategy>, log: &Log, page_size: u32) -> Result<Page, Error> {
    Worker::new(engine, strategy, Instances::Fresh, log, None).page(&newest(page_size))
}
