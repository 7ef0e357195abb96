//! `page`: one request, or a stream of them as a conversation.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::args::time;
use crate::report::{self, views};
use crate::verbs::output::{self, Output};
use crate::verbs::{Setup, document, ledger, why_empty};
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::model::{Filter, PageRequest, Pager, Position};
use keyhole_log::units::micros;
use keyhole_log::visible::visible;
use keyhole_runtime::page::{Cursors, Worker, parse, render};
use keyhole_runtime::policy::lines;
use keyhole_service::decisions::Denials;

/// Options of `page`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
    /// First second of the window [default: the beginning of time].
    #[arg(long, value_parser = time, allow_negative_numbers = true, value_name = "T", conflicts_with = "queries")]
    pub from: Option<i64>,
    /// Last second of the window [default: the end of time].
    #[arg(long, value_parser = time, allow_negative_numbers = true, value_name = "T", conflicts_with = "queries")]
    pub to: Option<i64>,
    /// Only this actor's events.
    #[arg(long, allow_negative_numbers = true, value_name = "N", conflicts_with = "queries")]
    pub actor: Option<i64>,
    /// Only events of this action.
    #[arg(long, value_name = "A", conflicts_with = "queries")]
    pub action: Option<String>,
    /// Page number, from 1 [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", conflicts_with_all = ["queries", "after"])]
    pub page: Option<u64>,
    /// Continue after the page whose `next` this is.
    #[arg(long, value_name = "CURSOR", conflicts_with = "queries")]
    pub after: Option<String>,
    /// Events on the page.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), default_value_t = 50, value_name = "N")]
    pub page_size: u32,
    /// Requests as JSON Lines, from a file or from standard input (-); each is answered before the
    /// next is read.
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// Add what each request did: statements, plans, denials, costs, notes.
    #[arg(long)]
    pub ledger: bool,
}

/// Runs the verb.
pub fn run(setup: &Setup, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let log = setup.log()?;
    let cursors = setup.cursors(&log)?;
    let strategy = setup.strategy(&args.strategy)?;
    let mut worker = setup.worker(&strategy, setup.common.instances, &log)?;
    let json = setup.common.json;
    let mut answer =
        Answer { args, json, cursors: &cursors, text: Vec::new(), output, denials: Denials::default() };
    let outcome = answer_all(setup, &log, args, &mut worker, &mut answer);
    // Also where the run ended with an error: the denial may be what it ended with.
    setup.record_denials(&strategy, std::mem::take(&mut answer.denials));
    outcome
}

fn answer_all(
    setup: &Setup,
    log: &Log,
    args: &Args,
    worker: &mut Worker,
    answer: &mut Answer<'_>,
) -> Result<u8, Error> {
    let Some(path) = &args.queries else {
        let request = single(args, answer.cursors)?;
        let empty = answer.give(worker, &request, args.ledger && answer.json)?;
        if args.ledger && !answer.json {
            let refreshed = ledger::refreshed(worker.scratch());
            if let Some((ledger, limits)) = worker.explained() {
                let text = document::text(&setup.common, &ledger::document(ledger, limits, refreshed));
                answer.output.write(format!("\n{text}").as_bytes())?;
            }
        }
        answer.output.flush()?;
        if let Some(high_water) = empty.filter(|_| !setup.common.quiet)
            && let Ok(Some(why)) = why_empty::why(setup, log, worker, &request, high_water)
        {
            setup.remark(&format!("keyhole: the page is empty: {}", visible(&why)));
        }
        return Ok(0);
    };
    let cursors = answer.cursors;
    let mut answered = false;
    each_query(path, Some(cursors), |request| {
        answered = true;
        answer.give(worker, &request, args.ledger).map(drop)
    })?;
    if !answered {
        setup.remark(&format!("keyhole: nothing was answered: there is no request in {}", path.display()));
    }
    Ok(0)
}

/// Calls `each` with every request of a file of JSON Lines, or of standard input (-). An error names the line.
pub(super) fn each_query(
    path: &Path,
    cursors: Option<&Cursors>,
    mut each: impl FnMut(PageRequest) -> Result<(), Error>,
) -> Result<(), Error> {
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|source| Error::io(path, source))?))
    };
    for (line, number) in lines.lines().zip(1u64..) {
        keyhole_log::interrupt::check()?;
        let line = line.map_err(|source| Error::io(path, source).during(format!("line {number}")))?;
        if !line.trim().is_empty() {
            parse::request(&line, cursors)
                .and_then(&mut each)
                .map_err(|error| error.during(format!("line {number} of {}", path.display())))?;
        }
    }
    Ok(())
}

struct Answer<'a> {
    args: &'a Args,
    json: bool,
    cursors: &'a Cursors,
    text: Vec<u8>,
    output: &'a mut Output,
    denials: Denials,
}

impl Answer<'_> {
    /// Answers one request as one line, handed over before the next request is read; a single one as a table, where
    /// people read it. Of a page without events, the largest id of the log that it saw.
    fn give(
        &mut self,
        worker: &mut Worker,
        request: &PageRequest,
        with_ledger: bool,
    ) -> Result<Option<i64>, Error> {
        let began = Instant::now();
        let answered = worker.page(request);
        let took = began.elapsed();
        if let Some(ledger) = worker.ledger() {
            self.denials.add(ledger, request);
        }
        let page = match answered {
            Ok(page) => page,
            Err(error) => {
                if self.args.ledger
                    && let Some((ledger, limits)) = worker.explained()
                {
                    if self.json {
                        output::say(&serde_json::json!({"ledger": ledger::json(ledger, limits)}).to_string());
                    } else {
                        let document = ledger::document(ledger, limits, None);
                        let text = report::text(&document, report::screen().0, false);
                        output::say(&format!("\n{}", text.trim_end()));
                    }
                }
                let error = error.with_way_on(|place| self.cursors.way_on(place, &request.filter));
                return Err(granting(worker, error));
            }
        };
        let (next, empty) = (self.cursors.next(&page), page.is_empty().then_some(page.high_water));
        if self.args.queries.is_none() && self.output.is_read_by_people() {
            let (width, colour) = report::screen();
            let text = report::text(&views::page::document(&page, next.as_deref()), width, colour);
            self.output.write(text.as_bytes())?;
            self.output.flush()?;
            return Ok(empty);
        }
        self.text.clear();
        render::render(&page, next.as_deref(), &mut self.text);
        let scratch = if with_ledger { ledger::scratch_json(worker.scratch()) } else { Value::Null };
        if with_ledger && let Some((ledger, limits)) = worker.explained() {
            self.text.pop();
            let mut ledger = ledger::json(ledger, limits);
            ledger["us"]["page"] = micros(took).into();
            ledger["scratch"] = scratch;
            self.text.extend_from_slice(format!(", \"ledger\": {ledger}}}").as_bytes());
        }
        self.text.push(b'\n');
        self.output.write(&self.text)?;
        self.output.flush()?;
        Ok(empty)
    }
}

/// The error, with the lines of a policy that would have granted everything that the request was denied.
fn granting(worker: &Worker, error: Error) -> Error {
    let strategy = worker.strategy();
    let lines = worker
        .ledger()
        .filter(|_| error.blames_strategy())
        .and_then(|ledger| lines::for_denials(&strategy.name, &strategy.grants, ledger.denials()));
    match lines {
        Some(lines) => Error::Ungranted { lines, source: Box::new(error) },
        None => error,
    }
}

fn single(args: &Args, cursors: &Cursors) -> Result<PageRequest, Error> {
    let filter = Filter {
        from_ts: args.from.unwrap_or(i64::MIN),
        to_ts: args.to.unwrap_or(i64::MAX),
        actor_id: args.actor,
        action: args.action.clone(),
    };
    let (position, up_to) = match &args.after {
        Some(cursor) => {
            let (key, up_to) = cursors.read(cursor, &filter)?;
            (Position::After(key), Some(up_to))
        }
        None => (Position::Page(args.page.unwrap_or(1)), None),
    };
    Ok(PageRequest { filter, position, page_size: args.page_size, up_to })
}
