//! The binary: parses the command line, runs the verb beside the signals, prints an error.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use keyhole::cli::Cli;
use keyhole::commands::{self, output};
use keyhole::error::Error;
use keyhole::interrupt;

/// How long an interrupted verb may take to put its temporary files away.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.common.json;
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(beside_signals(cli));
            // A verb that does not end in time is left behind.
            runtime.shutdown_background();
            outcome
        }
        Err(source) => Err(Error::io("the signal handler", source)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        // Whoever read our output has seen enough.
        Err(Error::Io { path, source })
            if path.as_os_str() == output::STDOUT && source.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::print_error(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs the verb on a thread of its own and waits for it, or for Ctrl-C.
async fn beside_signals(cli: Cli) -> Result<u8, Error> {
    let mut verb = tokio::task::spawn_blocking(move || commands::run(cli));
    let ended = tokio::select! {
        ended = &mut verb => ended,
        _ = tokio::signal::ctrl_c() => {
            interrupt::request();
            match tokio::time::timeout(GRACE, verb).await {
                Ok(_) | Err(_) => return Err(Error::Interrupted),
            }
        }
    };
    ended.unwrap_or_else(|panic| Err(Error::Engine(format!("the verb ended without a result: {panic}"))))
}
