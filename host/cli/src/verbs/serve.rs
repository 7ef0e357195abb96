//! `serve`: pages over HTTP until a signal ends it.

use std::time::Duration;

use serde::Serialize;

use crate::cli::{Common, ServeArgs};
use crate::commands::Setup;
use crate::error::Error;
use crate::policy::Policy;
use crate::serve::{self, Ended, Options};
use crate::service::{Config, Service};

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
pub fn run(common: Common, args: &ServeArgs) -> Result<u8, Error> {
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
    let setup = Setup::new(common)?;
    let log = setup.log()?;
    let mut output = setup.output()?;
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
    let ended = serve::run(
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
    if setup.common.json {
        output.json(&report)?;
    } else {
        output.line(&in_words(&report))?;
    }
    output.flush()?;
    Ok(if *interrupted { 130 } else { 0 })
}

fn in_words(report: &Report<'_>) -> String {
    let Report { had, finished, cut, connections_cut, head } = report;
    let head = head.unwrap_or("could not be written: see the logs");
    format!(
        "drained: {had} requests were on their way, {finished} answered, {cut} cut; {connections_cut} connections cut\n\
         decision log: {head}"
    )
}
