//! `page`: one request, or a stream of them as a conversation.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::cli::PageArgs;
use crate::commands::Setup;
use crate::commands::output::Output;
use crate::error::Error;
use crate::ledger::{Ledger, micros};
use crate::page::{Cursors, Filter, Page, PageRequest, Pager, Position, parse, render};
use crate::strategy::Worker;

/// Runs the verb.
pub fn run(setup: &Setup, args: &PageArgs) -> Result<u8, Error> {
    let log = setup.log()?;
    let cursors = setup.cursors(&log)?;
    let strategy = setup.strategy(&args.strategy)?;
    let mut worker = setup.worker(&strategy, setup.common.instances, &log)?;
    let mut output = setup.output()?;
    let mut answer = Answer { args, cursors: &cursors, text: Vec::new(), output: &mut output };
    let Some(path) = &args.queries else {
        let request = single(args, &cursors)?;
        answer.give(&mut worker, &request, args.ledger && setup.common.json)?;
        if args.ledger && !setup.common.json {
            let ledger = worker.explained_ledger().map(readable).unwrap_or_default();
            answer.output.write(ledger.as_bytes())?;
        }
        output.flush()?;
        return Ok(0);
    };
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|source| Error::io(path, source))?))
    };
    for (line, number) in lines.lines().zip(1u64..) {
        crate::interrupt::check()?;
        let line = line.map_err(|source| Error::io(path, source))?;
        if line.trim().is_empty() {
            continue;
        }
        parse::request(&line, Some(&cursors))
            .and_then(|request| answer.give(&mut worker, &request, args.ledger))
            .map_err(|error| error.during(format!("line {number} of {}", path.display())))?;
    }
    Ok(0)
}

struct Answer<'a> {
    args: &'a PageArgs,
    cursors: &'a Cursors,
    text: Vec<u8>,
    output: &'a mut Output,
}

impl Answer<'_> {
    /// Answers one request as one line, handed over before the next request is read.
    fn give(&mut self, worker: &mut Worker, request: &PageRequest, with_ledger: bool) -> Result<(), Error> {
        let answered = worker.page(request);
        let page = match answered {
            Ok(page) => page,
            Err(error) => {
                if self.args.ledger
                    && let Some(ledger) = worker.explained_ledger()
                {
                    eprint!("{}", readable(ledger));
                }
                return Err(error);
            }
        };
        self.text.clear();
        render::render(&page, next(&page, self.cursors).as_deref(), &mut self.text);
        if with_ledger && let Some(ledger) = worker.explained_ledger() {
            self.text.pop();
            self.text.extend_from_slice(format!(", \"ledger\": {}}}", as_json(ledger)).as_bytes());
        }
        self.text.push(b'\n');
        self.output.write(&self.text)?;
        self.output.flush()
    }
}

/// The cursor of the next page: there is one if and only if this page is full.
pub fn next(page: &Page, cursors: &Cursors) -> Option<String> {
    let last = page.last_key().filter(|_| page.is_full())?;
    Some(cursors.mint(last, page.request.up_to.unwrap_or(page.high_water), &page.request.filter))
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

fn as_json(ledger: &Ledger) -> serde_json::Value {
    let calls: serde_json::Map<String, serde_json::Value> = ledger
        .calls()
        .map(|(name, count, time)| (name.to_owned(), serde_json::json!({"count": count, "us": micros(time)})))
        .collect();
    let phases = &ledger.phases;
    serde_json::json!({
        "high_water": ledger.high_water, "covered": ledger.covered, "proved": ledger.proved,
        "statements": ledger.statements().collect::<Vec<_>>(), "other_runs": ledger.other_runs,
        "calls": calls, "rows": ledger.rows, "handles": ledger.handles,
        "payload_reads": ledger.payload_reads, "payload_bytes": ledger.payload_bytes,
        "boundary_bytes": ledger.boundary_bytes, "memory": ledger.memory,
        "denied": ledger.denied,
        "denials": ledger.denials().map(|(rule, object)| serde_json::json!({"rule": rule, "object": object})).collect::<Vec<_>>(),
        "notes": ledger.notes(),
        "us": {
            "snapshot": micros(phases.snapshot), "instantiate": micros(phases.instantiate),
            "strategy": micros(phases.strategy), "host_calls": micros(phases.host_calls),
            "check": micros(phases.check), "log_lock": micros(phases.log_lock), "payloads": micros(phases.payloads),
        },
    })
}

fn readable(ledger: &Ledger) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    line("\nledger".to_owned());
    let covered = ledger.covered.map_or(String::new(), |covered| format!(", scratch covers {covered}"));
    line(format!("  snapshot   events up to {}{covered}", ledger.high_water));
    let proved = if ledger.proved {
        "proved complete between its ends"
    } else {
        "not proved complete: its span is long"
    };
    line(format!("  page       {proved}"));
    for statement in ledger.statements() {
        line(format!("  statement  {}", statement.sql));
        line(format!(
            "             {} runs, {} rows, {} steps, {} full-scan steps, {} sorts, {} automatic indexes",
            statement.runs,
            statement.rows,
            statement.vm_steps,
            statement.full_scan_steps,
            statement.sorts,
            statement.automatic_indexes
        ));
        for step in &statement.plan {
            line(format!("             plan: {step}"));
        }
    }
    for (name, count, time) in ledger.calls() {
        line(format!("  call       {name}: {count} times, {:.1} us", micros(time)));
    }
    line(format!(
        "  used       {} rows, {} handles, {} payloads of {} bytes, {} bytes into the strategy, {} bytes of memory",
        ledger.rows,
        ledger.handles,
        ledger.payload_reads,
        ledger.payload_bytes,
        ledger.boundary_bytes,
        ledger.memory
    ));
    for (rule, object) in ledger.denials() {
        line(format!("  denied     {rule}: {object}"));
    }
    if !ledger.notes().is_empty() {
        line(format!("  note       {}", ledger.notes()));
    }
    let phases = &ledger.phases;
    line(format!(
        "  time       snapshot {:.1}, instance {:.1}, strategy {:.1} (host calls {:.1}), check {:.1}, payloads {:.1} us; log locked {:.1} us",
        micros(phases.snapshot),
        micros(phases.instantiate),
        micros(phases.strategy),
        micros(phases.host_calls),
        micros(phases.check),
        micros(phases.payloads),
        micros(phases.log_lock)
    ));
    text
}
