//! `serve`: pages over HTTP until a signal ends it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::args::Common;
use crate::results::Protected;
use crate::verbs::Setup;
use crate::verbs::output::Output;
use keyhole_log::error::Error;
use keyhole_runtime::policy::Policy;
use keyhole_service::http::{self, Ended, Options};
use keyhole_service::{Config, Service};

/// Options of `serve`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where viewers connect. Another address than the loopback's needs --token-file or --no-auth.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Where operators connect: a Unix socket that nobody but this user may use. Nowhere else are
    /// strategies staged or metrics shown.
    #[arg(long, value_name = "SOCKET")]
    pub admin: Option<PathBuf>,
    /// Let viewers in by these tokens alone, one a line; read again at SIGHUP, as the policy is.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let everybody in, from other machines, too.
    #[arg(long, conflicts_with = "token_file")]
    pub no_auth: bool,
    /// Requests a second of one viewer, twice as many at once; 0 for no limit.
    #[arg(long, default_value_t = keyhole_service::http::RATE, value_name = "N")]
    pub rate: u32,
    /// Seconds that the end may take, after SIGTERM.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub deadline: u64,
}

/// What is printed at the end.
#[derive(Serialize)]
struct Report<'a> {
    had: u64,
    finished: u64,
    cut: u64,
    connections_cut: usize,
    head: Option<&'a str>,
}

/// Runs the verb.
pub fn run(common: Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let options = Options {
        listen: args.listen,
        admin: args.admin.clone(),
        token_file: args.token_file.clone(),
        no_auth: args.no_auth,
        rate: args.rate,
        deadline: Duration::from_secs(args.deadline),
        json: common.json,
        quiet: common.quiet,
    };
    // Before the engine is made: a mistake is told at once.
    options.check()?;
    if let Some(socket) = &args.admin {
        let mut log = Protected::default();
        log.log(&common.data);
        log.check_folder(socket)?;
    }
    let setup = Setup::new(common)?;
    let log = setup.log()?;
    let config = Config {
        policy: setup.policy.clone(),
        engine: setup.engine.clone(),
        log: log.clone(),
        state: setup.state().to_owned(),
        cache: setup.cache().to_owned(),
        instances: setup.common.instances,
        workers: None,
        queue: None,
    };
    let file = setup.common.policy.clone();
    let ended = http::run(
        &options,
        log,
        setup.state().to_owned(),
        || Service::prepare(config),
        move || Policy::load(file.as_deref()),
    )?;
    let Ended { drained, cut, interrupted } = &ended;
    let report = Report {
        had: drained.had,
        finished: drained.finished,
        cut: drained.cut,
        connections_cut: *cut,
        head: drained.head.as_deref(),
    };
    output.show(&report, || in_words(&report))?;
    Ok(if *interrupted { 130 } else { 0 })
}

fn in_words(report: &Report<'_>) -> String {
    let Report { had, finished, cut, connections_cut, head } = report;
    let head = head.unwrap_or("could not be written: see the logs");
    format!(
        "drained: {had} requests were on their way, {finished} answered, {cut} cut; {connections_cut} connections cut\n\
         decision log: {head}\n"
    )
}
