//! WASI, inert: no files, network, environment or arguments, a clock that stands still, numbers that look
//! random and are always the same, output that ends in the ledger's notes.
//!
//! Made when a strategy first calls it, so that one without WASI pays nothing. What could wait, waits for
//! nothing: time does not pass here, so a timer that is not due never will be.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::io::poll as io_poll;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamError, StreamResult, subscribe};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use keyhole_log::limits::NOTE_BYTES;

/// Things of WASI that one instance may hold at once: streams and pollables.
const THINGS: usize = 256;

/// Bytes of one answer of a source of random numbers.
const RANDOM_BYTES: u64 = 4096;

/// Bytes that one write to an output may have.
const WRITE_BYTES: usize = 4096;

/// The seed of what looks random: the same for every call, so that a page depends on its request alone.
const SEED: &[u8] = b"keyhole: these are not secrets";

/// One instance's WASI.
pub struct Inert {
    pub(crate) context: WasiCtx,
    pub(crate) table: ResourceTable,
    /// The first bytes that were written to standard output or error.
    pub(crate) output: Arc<Mutex<Vec<u8>>>,
    /// Which of [`WASI`](keyhole_log::grants::WASI) was called, a bit each.
    pub(crate) used: u32,
}

impl Inert {
    pub(crate) fn new() -> Self {
        let output = Arc::new(Mutex::new(Vec::new()));
        let mut table = ResourceTable::new();
        table.set_max_capacity(THINGS);
        let context = WasiCtxBuilder::new()
            .stdout(Sink(Arc::clone(&output)))
            .stderr(Sink(Arc::clone(&output)))
            .wall_clock(Stopped)
            .monotonic_clock(Stopped)
            .secure_random(Deterministic::new(numbers(b"secure")))
            .insecure_random(Deterministic::new(numbers(b"insecure")))
            .insecure_random_seed(0x6b65_7968_6f6c_6500)
            .max_random_size(RANDOM_BYTES)
            .build();
        Self { context, table, output, used: 0 }
    }
}

fn numbers(purpose: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    (0..8u8)
        .flat_map(|block| {
            Sha256::new().chain_update(SEED).chain_update(purpose).chain_update([block]).finalize()
        })
        .collect()
}

/// The table alone, for interfaces that need nothing else.
pub(crate) struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// A clock that stands still, at the beginning of 1970: two readings of one call are equal, and so are
/// those of two calls.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(HostWallClock::now(self).as_nanos()).unwrap_or_default()
    }
}

/// Timers and waiting, where time does not pass.
pub(crate) struct Still<'a>(pub(crate) &'a mut ResourceTable);

impl Still<'_> {
    fn timer(&mut self, due: bool) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.0.push(Timer { due })?;
        subscribe(self.0, timer)
    }
}

impl HasData for Still<'static> {
    type Data<'a> = Still<'a>;
}

struct Timer {
    due: bool,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        if !self.due {
            std::future::pending::<()>().await;
        }
    }
}

impl monotonic_clock::Host for Still<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(HostMonotonicClock::now(&Stopped))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(HostMonotonicClock::resolution(&Stopped))
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when == 0)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(duration == 0)
    }
}

impl poll::Host for Still<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        now(io_poll::Host::poll(self.0, pollables))
    }
}

impl poll::HostPollable for Still<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        now(io_poll::HostPollable::ready(self.0, pollable))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        now(io_poll::HostPollable::block(self.0, pollable))
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        io_poll::HostPollable::drop(self.0, pollable)
    }
}

/// What is ready now. To wait for anything else would be to wait for ever, on a worker of the host's: the
/// strategy traps instead.
fn now<T>(answer: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(wasmtime::Error::msg("it waits for a clock that stands still (wasi:io/poll)")),
    }
}

/// An output whose first bytes are kept for the operator; the rest is taken and thrown away.
#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl IsTerminal for Sink {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Sink {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // The third preview's way to write, which is not linked.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Sink {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_BYTES {
            return Err(StreamError::trap("it writes more than it was allowed to"));
        }
        if let Ok(mut kept) = self.0.lock() {
            let room = NOTE_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::tests::{paging, state};

    #[test]
    fn numbers_look_random_and_are_the_same_in_every_call() {
        let (secure, insecure) = (numbers(b"secure"), numbers(b"insecure"));
        assert_eq!((secure.len(), insecure.len()), (256, 256));
        assert_eq!(secure, numbers(b"secure"));
        assert_ne!(secure, insecure);
        assert_ne!(secure[..32], secure[32..64]);
    }

    #[test]
    fn no_clock_moves() {
        assert_eq!(HostWallClock::now(&Stopped), Duration::ZERO);
        assert_eq!(HostWallClock::resolution(&Stopped), Duration::from_secs(1));
        let mut state = state(None);
        let mut still = state.still();
        assert_eq!(monotonic_clock::Host::now(&mut still).unwrap(), 0);
        assert_eq!(monotonic_clock::Host::resolution(&mut still).unwrap(), 1_000_000_000);
    }

    #[test]
    fn a_timer_is_due_at_once_or_never_and_whoever_waits_for_one_that_never_is_traps() {
        let mut state = state(None);
        let mut still = state.still();
        let timers = [
            (monotonic_clock::Host::subscribe_instant(&mut still, 0).unwrap(), true),
            (monotonic_clock::Host::subscribe_duration(&mut still, 0).unwrap(), true),
            (monotonic_clock::Host::subscribe_instant(&mut still, 1).unwrap(), false),
            (monotonic_clock::Host::subscribe_duration(&mut still, 1).unwrap(), false),
        ];
        for (timer, due) in timers {
            let borrow = || Resource::new_borrow(timer.rep());
            assert_eq!(poll::HostPollable::ready(&mut still, borrow()).unwrap(), due);
            assert_eq!(poll::HostPollable::block(&mut still, borrow()).is_ok(), due);
            assert_eq!(poll::Host::poll(&mut still, vec![borrow()]).ok(), due.then(|| vec![0]));
            poll::HostPollable::drop(&mut still, timer).unwrap();
        }
        assert_eq!(still.0.iter_mut().count(), 0, "a timer that is let go of takes up no room");
    }

    #[test]
    fn an_instance_holds_so_many_things_and_no_more() {
        let mut state = state(None);
        let held = (0..=THINGS).take_while(|_| state.table().push(()).is_ok()).count();
        assert_eq!(held, THINGS);
    }

    #[test]
    fn an_output_keeps_its_first_bytes_and_takes_no_long_write() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut sink = Sink(Arc::clone(&kept));
        assert!(!sink.is_terminal());
        assert_eq!(sink.check_write().unwrap(), WRITE_BYTES);
        sink.write(Bytes::from(vec![b'a'; NOTE_BYTES - 1])).unwrap();
        sink.write(Bytes::from(vec![b'b'; WRITE_BYTES])).unwrap();
        sink.flush().unwrap();
        assert!(sink.write(Bytes::from(vec![b'c'; WRITE_BYTES + 1])).is_err());
        let kept = kept.lock().unwrap();
        assert_eq!((kept.len(), kept.last()), (NOTE_BYTES, Some(&b'b')));
    }

    #[test]
    fn what_a_call_did_with_wasi_ends_in_its_ledger() {
        let (_folder, mut state) = paging();
        state.using("wasi:cli/stdout").using("wasi:random/random").using("wasi:nothing/such");
        let inert = state.inert();
        inert.output.lock().unwrap().extend_from_slice(b"said\x1b");
        for _ in 0..2 {
            state.keep_output();
        }
        let ledger = &state.session.as_ref().unwrap().ledger;
        assert_eq!(ledger.wasi().collect::<Vec<_>>(), ["wasi:cli/stdout", "wasi:random/random"]);
        assert_eq!(ledger.notes(), "said\\u{1b}");
    }
}
