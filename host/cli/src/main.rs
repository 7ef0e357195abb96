//! The binary: parses the command line, runs the verb beside the signals, prints an error.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use keyhole::cli::{self, Cli, Verb};
use keyhole::verbs::{child, output};
use keyhole_log::error::Error;
use keyhole_log::interrupt;
use keyhole_log::sqlite_memory;

/// How long an interrupted verb may take to put its temporary files away.
const GRACE: Duration = Duration::from_secs(10);

/// The same for `page`, which has no temporary files and may be waiting for a request.
const GRACE_OF_PAGE: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    // Before anything opens a database.
    if !sqlite_memory::count() {
        let error = Error::Engine("SQLite was in use before its memory could be counted".to_owned());
        output::print_error(&error, false);
        return ExitCode::from(error.exit_code());
    }
    let cli = match Cli::try_parse() {
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
    // There is no parsed command line to ask for the switch.
    if !error.use_stderr() || !std::env::args_os().any(|argument| argument == "--json") {
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

/// Runs the verb on a thread of its own and waits for it, or for Ctrl-C.
async fn beside_signals(cli: Cli) -> Result<u8, Error> {
    let grace = if matches!(cli.verb, Some(Verb::Page(_))) { GRACE_OF_PAGE } else { GRACE };
    let mut verb = tokio::task::spawn_blocking(move || cli::run(cli));
    let ended = tokio::select! {
        ended = &mut verb => ended,
        _ = tokio::signal::ctrl_c() => {
            interrupt::request();
            match tokio::time::timeout(grace, verb).await {
                Ok(_) | Err(_) => return Err(Error::Interrupted),
            }
        }
    };
    ended.unwrap_or_else(|panic| Err(Error::Engine(format!("the verb ended without a result: {panic}"))))
}
