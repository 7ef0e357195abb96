//! The binary: parses the command line, runs the verb beside the signals, prints an error.

use std::process::ExitCode;
use std::time::Duration;

use keyhole::cli::{self, Cli, Verb};
use keyhole::report;
use keyhole::verbs::{child, output};
use keyhole_log::error::Error;
use keyhole_log::sqlite_memory;
use keyhole_log::{interrupt, temporary};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long an interrupted verb may take to put its temporary files away.
const GRACE: Duration = Duration::from_secs(10);

/// The same for `page`, which has little to put away and may be waiting for a request.
const GRACE_OF_PAGE: Duration = Duration::from_millis(500);

/// The signal of a file that grows beyond what the process may write.
const SIGXFSZ: i32 = 25;

/// Looks whether standard output is closed before the standard library puts /dev/null in its place, which cannot be
/// told from one that was wished for. Only system calls: nothing else is set up yet.
#[allow(unsafe_code, reason = "the one place that the system looks for what is to run before `main`")]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look_at_stdout;

extern "C" fn look_at_stdout() {
    let is_there = |path: &str| rustix::fs::lstat(path).is_ok();
    if is_there("/proc/self/fd") && !is_there("/proc/self/fd/1") {
        output::stdout_was_closed();
    }
}

fn main() -> ExitCode {
    // Before anything opens a database.
    if !sqlite_memory::count() {
        let error = Error::Engine("SQLite was in use before its memory could be counted".to_owned());
        output::print_error(&error, false);
        return ExitCode::from(error.exit_code());
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return misuse(&error),
    };
    let json = cli.common.json;
    if let Some(Verb::Child(child::Verb::CompileComponent(_))) = &cli.verb {
        // One thread and nothing open: it is about to take its own rights away.
        return ended(cli::run(cli), json);
    }
    if let Some(Verb::Serve(_)) = &cli.verb {
        // It has threads of its own, and answers signals itself.
        return ended(cli::run(cli), json);
    }
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(beside_signals(cli));
            // A verb that does not end in time is left behind.
            runtime.shutdown_background();
            outcome
        }
        Err(source) => Err(Error::io("the signal handler", source)),
    };
    ended(outcome, json)
}

fn ended(outcome: Result<u8, Error>, json: bool) -> ExitCode {
    // What a thread holds that did not end in time.
    temporary::remove_all();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// A command line that cannot be parsed, or one that asks for help.
fn misuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let (_, colour) = report::screen();
        let help = error.render();
        let text = if colour { help.ansi().to_string() } else { help.to_string() };
        return ended(output::print(&text).map(|()| 0), is_json());
    }
    if !is_json() {
        error.exit();
    }
    let text = error.to_string();
    let words = text.split("\n\n").next().unwrap_or_default();
    let words =
        words.strip_prefix("error: ").unwrap_or(words).split_whitespace().collect::<Vec<_>>().join(" ");
    let error = Error::bad_request(words);
    output::print_error(&error, true);
    ExitCode::from(error.exit_code())
}

/// Whether errors are to be JSON, where there is no parsed command line to ask for the switch.
fn is_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// Whether whoever read our output has seen enough.
fn is_closed_pipe(error: &Error) -> bool {
    match error {
        Error::During { source, .. } => is_closed_pipe(source),
        Error::Io { path, source } => {
            path.as_os_str() == output::STDOUT && source.kind() == std::io::ErrorKind::BrokenPipe
        }
        _ => false,
    }
}

/// Runs the verb on a thread of its own and waits for it, or for a signal that ends it.
async fn beside_signals(cli: Cli) -> Result<u8, Error> {
    let grace = if matches!(cli.verb, Some(Verb::Page(_))) { GRACE_OF_PAGE } else { GRACE };
    let failed = |source| Error::io("the signal handler", source);
    // A file that may not grow any more is an error to whoever writes to it, and not the end of the process.
    let _too_large = signal(SignalKind::from_raw(SIGXFSZ)).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = hang_up().map_err(failed)?;
    let mut verb = tokio::task::spawn_blocking(move || cli::run(cli));
    let ended = tokio::select! {
        ended = &mut verb => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
        _ = terminated.recv() => None,
        () = received(&mut hung_up) => None,
    };
    let Some(ended) = ended else {
        interrupt::request();
        // Its outcome does not matter any more; that it ended in time does not either.
        let _ = tokio::time::timeout(grace, verb).await;
        return Err(Error::Interrupted);
    };
    ended.unwrap_or_else(|panic| Err(Error::Engine(format!("the verb ended without a result: {panic}"))))
}

/// The signal of a terminal that goes; None where whoever started this, `nohup` say, has it ignored.
fn hang_up() -> std::io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let kind = SignalKind::hangup();
    let is_ignored = ignored & (1 << (kind.as_raw_value() - 1)) != 0;
    (!is_ignored).then(|| signal(kind)).transpose()
}

/// Waits for a signal; for ever where there is none to wait for.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
