//! `page`: one request, or a stream of them as a conversation.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use serde_json::Value;

use crate::cli::PageArgs;
use crate::commands::output::Output;
use crate::commands::recorded::Denials;
use crate::commands::{Setup, ledger};
use crate::error::Error;
use crate::page::{Cursors, Filter, PageRequest, Pager, Position, parse, render};
use crate::policy::lines;
use crate::strategy::Worker;
use crate::units::micros;

/// Runs the verb.
pub fn run(setup: &Setup, args: &PageArgs) -> Result<u8, Error> {
    let log = setup.log()?;
    let cursors = setup.cursors(&log)?;
    let strategy = setup.strategy(&args.strategy)?;
    let mut worker = setup.worker(&strategy, setup.common.instances, &log)?;
    let mut output = setup.output()?;
    let json = setup.common.json;
    let mut answer = Answer {
        args,
        json,
        cursors: &cursors,
        text: Vec::new(),
        output: &mut output,
        denials: Denials::default(),
    };
    let outcome = answer_all(args, &mut worker, &mut answer);
    // Also where the run ended with an error: the denial may be what it ended with.
    setup.record_denials(&strategy, std::mem::take(&mut answer.denials));
    outcome
}

fn answer_all(args: &PageArgs, worker: &mut Worker, answer: &mut Answer<'_>) -> Result<u8, Error> {
    let Some(path) = &args.queries else {
        let request = single(args, answer.cursors)?;
        answer.give(worker, &request, args.ledger && answer.json)?;
        if args.ledger && !answer.json {
            let ledger = worker.explained().map(|(ledger, limits)| ledger::readable(ledger, limits));
            answer.output.write(ledger.unwrap_or_default().as_bytes())?;
            answer.output.write(ledger::scratch_readable(worker.scratch()).as_bytes())?;
        }
        answer.output.flush()?;
        return Ok(0);
    };
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|source| Error::io(path, source))?))
    };
    for (line, number) in lines.lines().zip(1u64..) {
        crate::interrupt::check()?;
        let line = line.map_err(|source| Error::io(path, source).during(format!("line {number}")))?;
        if line.trim().is_empty() {
            continue;
        }
        parse::request(&line, Some(answer.cursors))
            .and_then(|request| answer.give(worker, &request, args.ledger))
            .map_err(|error| error.during(format!("line {number} of {}", path.display())))?;
    }
    Ok(0)
}

struct Answer<'a> {
    args: &'a PageArgs,
    json: bool,
    cursors: &'a Cursors,
    text: Vec<u8>,
    output: &'a mut Output,
    denials: Denials,
}

impl Answer<'_> {
    /// Answers one request as one line, handed over before the next request is read.
    fn give(&mut self, worker: &mut Worker, request: &PageRequest, with_ledger: bool) -> Result<(), Error> {
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
                        eprintln!("{}", serde_json::json!({"ledger": ledger::json(ledger, limits)}));
                    } else {
                        eprint!("{}", ledger::readable(ledger, limits));
                    }
                }
                return Err(granting(worker, error));
            }
        };
        self.text.clear();
        render::render(&page, self.cursors.next(&page).as_deref(), &mut self.text);
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
        self.output.flush()
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

fn single(args: &PageArgs, cursors: &Cursors) -> Result<PageRequest, Error> {
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
