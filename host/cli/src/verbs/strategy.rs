//! `strategy`: tells a running `serve` what to do, over its admin socket, and prints what came of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::args::Common;
use crate::report::{Block, Cell, Document, Section};
use crate::verbs::document;
use crate::verbs::output::{self, Output};
use crate::verbs::progress::{lasting, left};
use keyhole_log::error::Error;
use keyhole_log::error::codes::CODES;
use keyhole_log::visible::visible;
use keyhole_runtime::registry::is_path;
use keyhole_service::client::{Client, Problem};
use keyhole_service::orders::{Done, Order};
use keyhole_service::status::{Liar, Stage, Staged, Standing, State};

/// How often `stage` and `shadow` look how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// From one line about a stage to the next: often enough to see it move.
const EVERY: Duration = Duration::from_secs(3);

/// What is said once of a strategy that is staged.
const ON_IDLE_TIME: &str = "it is checked, filled and proven on idle time only: pages go first, so it takes longer where \
                            the service is busy. Ctrl-C ends the waiting, and not the work";

/// Options of `strategy`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The service's admin socket [default: admin.sock in the state folder].
    #[arg(long, global = true, env = "KEYHOLE_ADMIN", value_name = "SOCKET")]
    pub admin: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs of `strategy`.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Say what serves, what served before, and what is on its way.
    List,
    /// Take a strategy in: it is checked, its scratch is filled, and it is proven equal to the reference.
    Stage {
        /// A component file, or the name of a strategy that the binary or the policy knows.
        strategy: String,
        /// The name that it will have, of a stanza of the policy's.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Do not wait for the proof.
        #[arg(long)]
        no_wait: bool,
    },
    /// Compare a proven strategy with the one that serves, on live requests.
    Shadow {
        /// The strategy.
        name: String,
        /// The share of live requests that it is asked as well, above 0 and at most 1.
        #[arg(long, default_value_t = 0.1, value_name = "S")]
        share: f64,
        /// How many requests are compared.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
        requests: u64,
        /// Do not wait for the end of the shadow.
        #[arg(long)]
        no_wait: bool,
    },
    /// Make a strategy the active one: one whose shadow saw no difference, or that served before.
    Promote {
        /// The strategy.
        name: String,
        /// Only if it is this staging of it, as `list` shows it after the #.
        #[arg(long, value_name = "N")]
        revision: Option<u64>,
    },
    /// Make the strategy that served before the active one again.
    Rollback,
    /// Let go of a strategy that does not serve, once it has answered what it began.
    Drain {
        /// The strategy.
        name: String,
    },
    /// Let a strategy be staged again that once served a wrong page.
    Pardon {
        /// The digest of its component, or at least its first eight digits, as `list` shows it.
        digest: String,
    },
}

/// Runs the verb: 0 if it was carried out, 1 if the answer is no.
pub fn run(common: &Common, args: Args, output: &mut Output) -> Result<u8, Error> {
    let socket = match args.admin {
        Some(socket) => socket,
        None => common.state_folder()?.join("admin.sock"),
    };
    let admin = Client { socket };
    let by = Some(keyhole_service::decisions::user());
    let (order, waits) = match args.verb {
        Verb::List => (Order::List, false),
        Verb::Stage { strategy, name, no_wait } => {
            (Order::Stage { strategy: absolute(&strategy)?, name, by }, !no_wait)
        }
        Verb::Shadow { name, share, requests, no_wait } => {
            (Order::Shadow { name, share, requests, by }, !no_wait)
        }
        Verb::Promote { name, revision } => (Order::Promote { name, revision, by }, false),
        Verb::Rollback => (Order::Rollback { by }, false),
        Verb::Drain { name } => (Order::Drain { name, by }, false),
        Verb::Pardon { digest } => (Order::Pardon { digest, by }, false),
    };
    let mut done = match admin.order(&order)? {
        Ok(done) => done,
        Err(problem) => return Ok(refused(&problem, common.json)),
    };
    if waits && let Done::Staged(staged) = done {
        match wait(&admin, common, *staged)? {
            Ok(staged) => done = Done::Staged(Box::new(staged)),
            Err(problem) => return Ok(refused(&problem, common.json)),
        }
    }
    output.show(&done, || text(common, &done))?;
    Ok(u8::from(matches!(done, Done::Staged(staged) if staged.stage == Stage::Failed)))
}

/// Looks how far a strategy is until that comes to an end, and says so meanwhile.
fn wait(admin: &Client, common: &Common, first: Staged) -> Result<Result<Staged, Problem>, Error> {
    let (mut staged, mut told) = (first, Told::default());
    if staged.shadow.is_none() {
        output::remark(common, &format!("{}: {ON_IDLE_TIME}", named(&staged.name, &staged.digest)));
    }
    loop {
        if matches!(staged.stage, Stage::Proven | Stage::Ready | Stage::Failed) {
            return Ok(Ok(staged));
        }
        if let Some(line) = told.line(&staged, Instant::now()) {
            output::remark(common, &line);
        }
        std::thread::sleep(LOOK);
        keyhole_log::interrupt::check()?;
        let state = match admin.order(&Order::List)? {
            Ok(Done::List(state)) => state,
            Ok(_) => return Err(Error::Engine("the service answered another order".to_owned())),
            Err(problem) => return Ok(Err(problem)),
        };
        let found = state.staged.into_iter().find(|other| other.revision == staged.revision);
        let Some(found) = found else {
            let why = "it was staged again, promoted, or drained meanwhile".to_owned();
            return Err(Error::NotReady { name: staged.name, why });
        };
        staged = found;
    }
}

/// What was last said of a strategy on its way.
#[derive(Default)]
struct Told {
    at: Option<Instant>,
    line: String,
    /// What is being done, since when, and how much of it was done then.
    doing: Option<(String, Instant, u64)>,
}

impl Told {
    /// What to say of it now, with what remains: at once where another stage begins, and else every few seconds.
    fn line(&mut self, staged: &Staged, now: Instant) -> Option<String> {
        let (what, done, all) = match (&staged.shadow, &staged.progress) {
            (Some(shadow), _) => ("shadow", shadow.compared, shadow.requests),
            // Behind the colon stands which stream is compared.
            (None, Some(doing)) => (doing.what.split(':').next().unwrap_or_default(), doing.done, doing.all),
            (None, None) => ("", 0, 0),
        };
        let is_another = self.doing.as_ref().is_none_or(|doing| doing.0 != what);
        if is_another {
            self.doing = Some((what.to_owned(), now, done));
        }
        if !is_another && self.at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return None;
        }
        let mut line = progress(staged);
        if let Some((_, since, before)) = &self.doing
            && let Some(left) =
                left(done.saturating_sub(*before), all.saturating_sub(done), now.duration_since(*since))
        {
            line += &format!(", about {} left", lasting(left));
        }
        if line == self.line {
            return None;
        }
        (self.at, self.line) = (Some(now), line.clone());
        Some(line)
    }
}

/// Prints why an order was not carried out as an error, and returns the exit code.
fn refused(problem: &Problem, json: bool) -> u8 {
    let field = |name: &str| problem.body.get(name).filter(|value| value.is_string());
    let message = field("detail").or_else(|| field("title"));
    let mut error = json!({
        "code": field("code"), "message": message.unwrap_or(&"it was not carried out".into()),
        "where": field("where"), "fix": field("fix"),
    });
    if let Some(lines) = field("lines") {
        error["lines"] = lines.clone();
    }
    output::print_problem(&error, json);
    exit_code(field("code").and_then(Value::as_str))
}

/// The exit code that the list has for a code; 2 for what only a server says.
fn exit_code(code: Option<&str>) -> u8 {
    CODES.iter().find(|listed| Some(listed.code) == code).map_or(2, |listed| listed.exit)
}

/// A path as the service, which runs elsewhere, finds it; a name as it is.
fn absolute(strategy: &str) -> Result<String, Error> {
    let path = Path::new(strategy);
    if !is_path(strategy) {
        return Ok(strategy.to_owned());
    }
    let absolute = std::path::absolute(path).map_err(|source| Error::io(path, source))?;
    absolute.into_os_string().into_string().map_err(|path| {
        Error::bad_request(format!("{}: a path that is not text cannot be sent", path.display()))
    })
}

fn text(common: &Common, done: &Done) -> String {
    match done {
        Done::List(state) => document::text(common, &list(state)),
        Done::Staged(staged) => format!("{}\n", progress(staged)),
        Done::Swapped(swap) => format!(
            "{}: {} serves, where {} did; the swap took {} µs\n",
            visible(&swap.why),
            visible(swap.to.as_deref().unwrap_or("nothing")),
            visible(swap.from.as_deref().unwrap_or("nothing")),
            swap.took_us
        ),
        Done::Drained(standing) => format!("let go: {}\n", standing_line(standing)),
        Done::Pardoned(liar) => format!("pardoned, and may be staged again: {}\n", liar_line(liar)),
    }
}

fn list(state: &State) -> Document {
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut fact = |name: &str, words: String| facts.push((name.to_owned(), words.into()));
    fact("active", state.active.as_ref().map_or_else(|| "nothing".to_owned(), standing_line));
    state.good.iter().for_each(|good| fact("good", standing_line(good)));
    for staged in &state.staged {
        let text = progress(staged);
        for (line, name) in text.lines().zip(std::iter::once("staged").chain(std::iter::repeat(""))) {
            fact(name, line.trim_start().to_owned());
        }
    }
    state.retiring.iter().for_each(|retiring| fact("retiring", standing_line(retiring)));
    state.liars.iter().for_each(|liar| fact("kept out", liar_line(liar)));
    state.troubles.iter().for_each(|trouble| fact("trouble", trouble.message.clone()));
    fact("swaps", state.swaps.to_string());
    Document {
        title: "strategies".to_owned(),
        verdict: None,
        sections: vec![Section::new("").with(Block::KeyValues(facts))],
    }
}

/// A proven liar, with all of its digest, which a pardon asks for.
fn liar_line(liar: &Liar) -> String {
    let [name, digest, kind] = [&liar.name, &liar.digest, &liar.kind].map(|text| visible(text));
    format!("{name} (sha256:{digest}) served a wrong page at {}: {kind}", visible(&liar.at))
}

fn standing_line(standing: &Standing) -> String {
    let Standing { in_flight, answered, breaker, .. } = standing;
    let mut line = format!(
        "{}: {answered} answered, {in_flight} in flight, {} of {} failures",
        named(&standing.name, &standing.digest),
        breaker.failures,
        breaker.allowed
    );
    if let Some(scratch) = &standing.scratch {
        line += &format!(", scratch {} bytes", scratch.bytes);
        if scratch.lag > 0 {
            line += &format!(" and {} events behind, which its pages read from the log", scratch.lag);
        }
        let scrub = &scratch.scrub;
        line += &format!(", {} of {} compared with the log", scrub.compared, scrub.of);
        match &scrub.ended {
            Some(ended) => line += &format!(", all of it last at {ended}"),
            None => line += ", all of it not yet",
        }
        if scrub.found > 0 {
            line += &format!(", whose history was found changed {} times", scrub.found);
        }
        if scrub.faults > 0 {
            line += &format!(", {} payloads found changed or no line of their own", scrub.faults);
        }
    }
    line
}

/// How far a strategy on its way is, in one line; and if it failed, what shows it.
fn progress(staged: &Staged) -> String {
    let name = named(&staged.name, &staged.digest);
    let mut line = format!("{name} #{}: {}", staged.revision, stage(staged.stage));
    if let Some(progress) = &staged.progress {
        line += &format!(", {}", visible(&progress.what));
        if progress.all > 0 {
            line += &format!(" {} of {}", progress.done, progress.all);
        }
    }
    if staged.proven_pages > 0 {
        line += &format!(", {} pages proven", staged.proven_pages);
    }
    if let Some(shadow) = &staged.shadow {
        line += &format!(", {} of {} compared in shadow", shadow.compared, shadow.requests);
        line += &format!(", {} dropped, {} undecided", shadow.dropped, shadow.undecided);
    }
    if let Some(failure) = &staged.failure {
        line += &format!("\n  {}: {}", visible(&failure.kind), visible(&failure.message));
        if let Some(smallest) = &failure.smallest {
            line += &format!("\n  smallest request: {}", visible(&smallest.to_string()));
        }
        if let Some(repeat) = &failure.repeat {
            line += &format!("\n  to see it again: {}", visible(repeat));
        }
    }
    line
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Staged => "staged",
        Stage::Checked => "checked",
        Stage::Indexed => "indexed",
        Stage::Proven => "proven",
        Stage::Shadow => "in shadow",
        Stage::Ready => "ready to be promoted",
        Stage::Active => "serves",
        Stage::Failed => "failed",
    }
}

fn named(name: &str, digest: &str) -> String {
    format!("{} (sha256:{})", visible(name), digest.chars().take(12).collect::<String>())
}
