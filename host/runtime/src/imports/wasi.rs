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
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::limits::NOTE_BYTES;
use crate::linker::WASI;
use crate::state::State;

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
    context: WasiCtx,
    table: ResourceTable,
    output: Arc<Mutex<Vec<u8>>>,
    /// Which of [`WASI`] was called, a bit each.
    used: u32,
}

impl Inert {
    fn new() -> Self {
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

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let inert = self.inert();
        WasiCtxView { ctx: &mut inert.context, table: &mut inert.table }
    }
}

impl State {
    fn inert(&mut self) -> &mut Inert {
        self.wasi.get_or_insert_with(|| Box::new(Inert::new()))
    }

    /// Counts a call of an interface of [`WASI`].
    pub(crate) fn using(&mut self, interface: &str) -> &mut Self {
        if let Some(place) = WASI.iter().position(|known| *known == interface) {
            self.inert().used |= 1 << place;
        }
        self
    }

    /// The table of what WASI handed out.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.inert().table
    }

    /// The same, for timers and waiting.
    pub(crate) fn still(&mut self) -> Still<'_> {
        Still(self.table())
    }

    /// Enters what a call did with WASI into its ledger: which interfaces it called, and among its notes
    /// what it wrote.
    pub(crate) fn keep_output(&mut self) {
        let (Some(inert), Some(session)) = (self.wasi.as_deref_mut(), self.session.as_deref_mut()) else {
            return;
        };
        session.ledger.wasi |= std::mem::take(&mut inert.used);
        if let Ok(mut output) = inert.output.lock() {
            session.note(&String::from_utf8_lossy(&output));
            output.clear();
        }
    }
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
pub(crate) struct Still<'a>(&'a mut ResourceTable);

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
