//! The life of the server: listens, answers, reads its policy again at SIGHUP, and at SIGTERM ends in good order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::auth::AuthTokens;
use super::connections::{AdminSocket, Connections, accept};
use super::logs::Logs;
use super::metrics::Metrics;
use super::middleware;
use super::state::{AppState, CursorKeys};
use super::throttle::{ConcurrencyLimit, RateLimit};
use crate::Service;
use crate::status::Drained;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_runtime::policy::Policy;

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
        let auth = AuthTokens::open(options.token_file.clone())?;
        let failed = |source| Error::io(options.listen.to_string(), source);
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let socket = options.admin.as_deref().map(AdminSocket::listen).transpose()?;
        let handler = |kind| signal(kind).map_err(|source| Error::io("the signal handlers", source));
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [terminate, interrupt, hang_up] = signals.map(handler);
        let signals = [terminate?, interrupt?, hang_up?];
        let app = Arc::new(AppState {
            service: prepare()?,
            cursor_keys: CursorKeys::new(log, state),
            auth,
            loopback: address.ip().is_loopback(),
            rate: RateLimit::new(options.rate),
            concurrency: ConcurrencyLimit::new(),
            metrics: Metrics::new(),
            ending: AtomicBool::new(false),
        });
        tracing::info!(address = %address, admin = options.admin.as_ref().map(|path| path.display().to_string()), "listening");
        serve(app, listener, socket, signals, options.deadline, Arc::new(policy)).await
    });
    logs.wait_until_written();
    runtime.shutdown_background();
    ended
}

/// Reads the policy.
type ReadPolicy = Arc<dyn Fn() -> Result<Policy, Error> + Send + Sync>;

async fn serve(
    app: Arc<AppState>,
    listener: TcpListener,
    socket: Option<AdminSocket>,
    [mut terminate, mut interrupt, mut hang_up]: [Signal; 3],
    deadline: Duration,
    policy: ReadPolicy,
) -> Result<Ended, Error> {
    let (stop, stopped) = watch::channel(false);
    let viewers = Connections::of_viewers(app.metrics.connections.clone());
    let operators = Connections::of_operators();
    tracing::info!(connections = viewers.limit(), "connections of viewers that there may be");
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, viewers.clone(), middleware::viewers(&app), stopped.clone()));
    if let Some(socket) = socket {
        tasks.spawn(accept(socket, operators.clone(), middleware::operators(&app), stopped));
    }
    let service = app.service.clone();
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
                tracing::info!(strategy = app.service.active().map(|(name, _)| name.to_string()), "serving");
            }
            _ = terminate.recv() => break Ok(false),
            _ = interrupt.recv() => break Ok(true),
            _ = hang_up.recv() => reload(&app, &policy).await,
            _ = round.tick() => {
                app.rate.forget();
                app.concurrency.forget();
            }
        }
    };
    let until = Instant::now() + deadline;
    tracing::info!(deadline_ms = deadline.as_millis(), "ending");
    app.ending.store(true, Relaxed);
    let _ = stop.send(true);
    // They end at once; what they held is closed with them.
    while tasks.join_next().await.is_some() {}
    let interrupted = told?;
    let (service, patience) = (app.service.clone(), deadline.mul_f64(ANSWERING));
    let drained = spawn_blocking(move || service.shutdown(patience)).await;
    let drained =
        drained.map_err(|panic| Error::Engine(format!("the end of the service failed: {panic}")))?;
    let left = || until.saturating_duration_since(Instant::now());
    let cut = viewers.settle(left()).await + operators.settle(left()).await;
    Ok(Ended { drained, cut, interrupted })
}

/// Reads policy and tokens again: both are put in force, or neither is.
async fn reload(app: &Arc<AppState>, policy: &ReadPolicy) {
    let (app, policy) = (Arc::clone(app), Arc::clone(policy));
    let reloaded = spawn_blocking(move || {
        let tokens = app.auth.read()?;
        let reloaded = app.service.reload(policy()?)?;
        app.auth.put_in_force(tokens);
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
