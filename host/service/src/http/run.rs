//! The life of the server: listens, answers, reads its policy again at SIGHUP, and at SIGTERM ends in good order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;
use crate::log::Log;
use crate::policy::Policy;
use crate::serve::book::Book;
use crate::serve::figures::Figures;
use crate::serve::front::{Front, Guests};
use crate::serve::listeners::{self, Lines};
use crate::serve::logs::Logs;
use crate::serve::rates::{Places, Rates};
use crate::serve::socket::Socket;
use crate::service::Service;
use crate::service::status::Drained;

/// How often clients that have been quiet are forgotten.
const FORGET: Duration = Duration::from_secs(10);

/// The share of the deadline in which requests may be answered; the rest is for the answers to be taken.
const ANSWERING: f64 = 0.7;

/// How a service is served.
pub struct Options {
    /// Where viewers connect.
    pub listen: SocketAddr,
    /// Where operators do.
    pub admin: Option<PathBuf>,
    /// The tokens that viewers are let in by.
    pub token_file: Option<PathBuf>,
    /// Whether viewers of other machines are let in without a token.
    pub no_auth: bool,
    /// Requests a second of one viewer; 0 for no limit.
    pub rate: u32,
    /// How long the end may take.
    pub deadline: Duration,
    /// Whether logs are JSON.
    pub json: bool,
    /// Whether they are warnings alone.
    pub quiet: bool,
}

/// How it ended.
pub struct Ended {
    /// What became of the requests that were on their way.
    pub drained: Drained,
    /// Connections that were cut.
    pub cut: usize,
    /// Whether it was interrupted (Ctrl-C) rather than told to end.
    pub interrupted: bool,
}

impl Options {
    /// Refuses what would show the log to whoever finds the address.
    pub fn check(&self) -> Result<(), Error> {
        if self.token_file.is_some() && self.no_auth {
            return Err(Error::bad_request("--token-file and --no-auth contradict each other"));
        }
        if self.listen.ip().is_loopback() || self.token_file.is_some() || self.no_auth {
            return Ok(());
        }
        Err(Error::bad_request(format!(
            "{} is reached from other machines: let viewers in by a --token-file, or let everybody in with --no-auth",
            self.listen
        )))
    }
}

/// Serves until a signal ends it. `prepare` makes the service, once the address is this process's own; while its
/// scratch is filled it listens already, and says that it is not ready. `policy` reads the policy again.
pub fn run(
    options: &Options,
    log: Log,
    state: PathBuf,
    prepare: impl FnOnce() -> Result<Service, Error>,
    policy: impl Fn() -> Result<Policy, Error> + Send + Sync + 'static,
) -> Result<Ended, Error> {
    options.check()?;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(2))
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|source| Error::io("the threads of the server", source))?;
    let logs = Logs::begin(options.json, options.quiet)?;
    let ended = runtime.block_on(async {
        let guests = Guests::of(options.token_file.clone())?;
        let failed = |source| Error::io(options.listen.to_string(), source);
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let socket = options.admin.as_deref().map(Socket::listen).transpose()?;
        let signals = Signals::new()?;
        let front = Arc::new(Front {
            service: prepare()?,
            book: Book::new(log, state),
            guests,
            loopback: address.ip().is_loopback(),
            rates: Rates::new(options.rate),
            places: Places::new(),
            figures: Figures::new(),
            ending: AtomicBool::new(false),
        });
        tracing::info!(address = %address, admin = options.admin.as_ref().map(|path| path.display().to_string()), "listening");
        serve(options, front, listener, socket, signals, Arc::new(policy)).await
    });
    logs.flush();
    runtime.shutdown_background();
    ended
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let of = |kind| signal(kind).map_err(|source| Error::io("the signal handlers", source));
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }
}

async fn serve(
    options: &Options,
    front: Arc<Front>,
    listener: TcpListener,
    socket: Option<Socket>,
    mut signals: Signals,
    policy: Arc<dyn Fn() -> Result<Policy, Error> + Send + Sync>,
) -> Result<Ended, Error> {
    let (stop, stopped) = watch::channel(false);
    let (viewers, operators) = (Lines::of_viewers(), Lines::of_operators());
    tracing::info!(connections = viewers.limit(), "connections of viewers that there may be");
    let mut tasks = vec![tokio::spawn(listeners::viewers(
        listener,
        viewers.clone(),
        Arc::clone(&front),
        stopped.clone(),
    ))];
    if let Some(socket) = socket {
        tasks.push(tokio::spawn(listeners::operators(
            socket,
            operators.clone(),
            Arc::clone(&front),
            stopped,
        )));
    }
    let service = front.service.clone();
    let mut filled = spawn_blocking(move || service.fill());
    let mut serves = false;
    let mut round = interval(FORGET);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = loop {
        tokio::select! {
            outcome = &mut filled, if !serves => {
                let panicked = |panic| Err(Error::Engine(format!("the start of the service failed: {panic}")));
                if let Err(error) = outcome.unwrap_or_else(panicked) {
                    break Err(error);
                }
                serves = true;
                tracing::info!(strategy = front.service.active().map(|(name, _)| name.to_string()), "serving");
            }
            _ = signals.terminate.recv() => break Ok(false),
            _ = signals.interrupt.recv() => break Ok(true),
            _ = signals.hang_up.recv() => reload(&front, &policy).await,
            _ = round.tick() => front.rates.forget(),
        }
    };
    let until = Instant::now() + options.deadline;
    tracing::info!(deadline_ms = options.deadline.as_millis(), "ending");
    front.ending.store(true, Relaxed);
    let _ = stop.send(true);
    for task in tasks {
        // It ends at once; what it held is closed with it.
        let _ = task.await;
    }
    let interrupted = told?;
    let (service, patience) = (front.service.clone(), options.deadline.mul_f64(ANSWERING));
    let drained = spawn_blocking(move || service.shutdown(patience)).await;
    let drained =
        drained.map_err(|panic| Error::Engine(format!("the end of the service failed: {panic}")))?;
    let left = || until.saturating_duration_since(Instant::now());
    let cut = viewers.settle(left()).await + operators.settle(left()).await;
    Ok(Ended { drained, cut, interrupted })
}

/// Reads policy and tokens again: both are put in force, or neither is.
async fn reload(front: &Arc<Front>, policy: &Arc<dyn Fn() -> Result<Policy, Error> + Send + Sync>) {
    let (front, policy) = (Arc::clone(front), Arc::clone(policy));
    let reloaded = spawn_blocking(move || {
        let tokens = front.guests.read()?;
        let reloaded = front.service.reload(policy()?)?;
        front.guests.put(tokens);
        Ok::<_, Error>(reloaded)
    })
    .await;
    match reloaded {
        Ok(Ok(reloaded)) => tracing::info!(
            policy = reloaded.policy, active = reloaded.active, revoked = ?reloaded.revoked,
            regranted = ?reloaded.regranted, needs_restart = ?reloaded.needs_restart, "the policy was read again"
        ),
        Ok(Err(error)) => {
            tracing::error!(code = error.code(), error = %error, "the policy was not read again: the one before stays in force");
        }
        Err(panic) => tracing::error!(error = %panic, "reading the policy again failed"),
    }
}
