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

use keyhole::engine::Engine;
use keyhole::error::Error;
use keyhole::log::Log;
use keyhole::page::{Filter, Page, PageRequest, Pager, Position};
use keyhole::policy::Grants;
use keyhole::selftest::zoo;
use keyhole::strategy::{Instances, Strategy, Worker};

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
    let filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    let request = PageRequest { filter, position: Position::Page(1), page_size, up_to: None };
    Worker::new(engine, strategy, Instances::Fresh, log, None).page(&request)
}
