//! `strategy`: tells a running `serve` what to do, over its admin socket, and prints what came of it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Common, StrategyArgs, StrategyVerb};
use crate::commands::output::{self, Output};
use crate::error::Error;
use crate::report::visible;
use crate::service::orders::{Done, Order, PATH};
use crate::service::status::{Stage, Staged, Standing, State};

/// The most that is read of an answer.
const MOST_BYTES: u64 = 4 << 20;

/// How long an answer may take: a drain waits for requests, and a check for its child.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often `stage` and `shadow` look how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// Runs the verb: 0 if it was carried out, 1 if the answer is no.
pub fn run(common: &Common, args: StrategyArgs) -> Result<u8, Error> {
    let socket = match args.admin {
        Some(socket) => socket,
        None => super::state_folder(common)?.join("admin.sock"),
    };
    let admin = Admin { socket };
    let by = Some(crate::decisions::user());
    let (order, waits) = match args.verb {
        StrategyVerb::List => (Order::List, false),
        StrategyVerb::Stage { strategy, name, no_wait } => {
            (Order::Stage { strategy: absolute(&strategy)?, name, by }, !no_wait)
        }
        StrategyVerb::Shadow { name, share, requests, no_wait } => {
            (Order::Shadow { name, share, requests, by }, !no_wait)
        }
        StrategyVerb::Promote { name, revision } => (Order::Promote { name, revision, by }, false),
        StrategyVerb::Rollback => (Order::Rollback { by }, false),
        StrategyVerb::Drain { name } => (Order::Drain { name, by }, false),
    };
    let mut done = match admin.order(&order)? {
        Ok(done) => done,
        Err(problem) => return Ok(problem.print(common.json)),
    };
    if waits && let Done::Staged(staged) = done {
        match admin.wait(common, *staged)? {
            Ok(staged) => done = Done::Staged(Box::new(staged)),
            Err(problem) => return Ok(problem.print(common.json)),
        }
    }
    let mut output = Output::open(common)?;
    if common.json {
        output.json(&done)?;
    } else {
        output.write(text(&done).as_bytes())?;
    }
    output.flush()?;
    Ok(u8::from(matches!(done, Done::Staged(staged) if staged.stage == Stage::Failed)))
}

/// A service's admin socket.
struct Admin {
    socket: PathBuf,
}

/// Why an order was not carried out, as the service says it.
struct Problem {
    status: u16,
    body: Value,
}

impl Admin {
    fn order(&self, order: &Order) -> Result<Result<Done, Problem>, Error> {
        let body = serde_json::to_string(order).map_err(|error| Error::Engine(error.to_string()))?;
        let (status, answer) = self.exchange(&body)?;
        let broken = |what: String| Error::Engine(format!("{}: {what}", self.socket.display()));
        if status == 200 {
            let done = serde_json::from_slice(&answer);
            return done
                .map(Ok)
                .map_err(|error| broken(format!("its answer is not one of this version: {error}")));
        }
        let body = serde_json::from_slice(&answer).map_err(|_| broken(format!("it answered {status}")))?;
        Ok(Err(Problem { status, body }))
    }

    /// Looks how far a strategy is until that comes to an end, and says so meanwhile.
    fn wait(&self, common: &Common, first: Staged) -> Result<Result<Staged, Problem>, Error> {
        let (mut staged, mut said) = (first, String::new());
        loop {
            if matches!(staged.stage, Stage::Proven | Stage::Ready | Stage::Failed) {
                return Ok(Ok(staged));
            }
            let far = far(&staged);
            if far != said {
                output::remark(common, &far);
                said = far;
            }
            std::thread::sleep(LOOK);
            crate::interrupt::check()?;
            let state = match self.order(&Order::List)? {
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

    /// One request and its answer: status and body.
    fn exchange(&self, body: &str) -> Result<(u16, Vec<u8>), Error> {
        let failed = |source| Error::io(&self.socket, source);
        let mut stream = UnixStream::connect(&self.socket).map_err(|source| {
            Error::io(&self.socket, source).during("is `keyhole serve` running? --admin names its socket")
        })?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer).map_err(failed)?;
        parse(&answer).ok_or_else(|| {
            let what = "its answer is not HTTP: is it the admin socket of `keyhole serve`?";
            Error::Engine(format!("{}: {what}", self.socket.display()))
        })
    }
}

/// Status and body of an answer that ends with its connection.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let body = answer.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = first.next()?.parse().ok()?;
    let chunked = lines.any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked")
        })
    });
    Some((status, if chunked { joined(body)? } else { body.to_vec() }))
}

/// The pieces of a chunked body, put together.
fn joined(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = std::str::from_utf8(body.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        let piece = body.get(end + 2..)?;
        whole.extend_from_slice(piece.get(..size)?);
        body = piece.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

impl Problem {
    /// Prints it as an error, and returns the exit code.
    fn print(&self, json: bool) -> u8 {
        let field = |name: &str| self.body.get(name).and_then(Value::as_str);
        let message = field("detail").or_else(|| field("title")).unwrap_or("it was not carried out");
        if json {
            let mut object = serde_json::json!({
                "code": field("code"), "message": message, "where": field("where"), "fix": field("fix"),
            });
            if let Some(lines) = field("lines") {
                object["lines"] = lines.into();
            }
            eprintln!("{object}");
        } else {
            eprintln!("keyhole: {message}");
            for (word, text) in [("where", field("where")), ("to mend it", field("fix"))] {
                if let Some(text) = text {
                    eprintln!("  {word}: {text}");
                }
            }
            if let Some(lines) = field("lines") {
                eprintln!("{}", lines.trim_end());
            }
        }
        if matches!(self.status, 404 | 409 | 422) { 1 } else { 2 }
    }
}

/// A path as the service, which runs elsewhere, finds it; a name as it is.
fn absolute(strategy: &str) -> Result<String, Error> {
    let path = Path::new(strategy);
    let is_path = strategy.contains('/') || path.extension().is_some_and(|extension| extension == "wasm");
    if !is_path {
        return Ok(strategy.to_owned());
    }
    let absolute = std::path::absolute(path).map_err(|source| Error::io(path, source))?;
    absolute.into_os_string().into_string().map_err(|path| {
        Error::bad_request(format!("{}: a path that is not text cannot be sent", path.display()))
    })
}

fn text(done: &Done) -> String {
    match done {
        Done::List(state) => list(state),
        Done::Staged(staged) => format!("{}\n", far(staged)),
        Done::Swapped(swap) => format!(
            "{}: {} serves, where {} did; the swap took {} µs\n",
            visible(&swap.why),
            visible(swap.to.as_deref().unwrap_or("nothing")),
            visible(swap.from.as_deref().unwrap_or("nothing")),
            swap.took_us
        ),
        Done::Drained(standing) => format!("let go: {}\n", standing_line(standing)),
    }
}

fn list(state: &State) -> String {
    let mut lines = Vec::new();
    match &state.active {
        Some(active) => lines.push(format!("active    {}", standing_line(active))),
        None => lines.push("active    nothing".to_owned()),
    }
    lines.extend(state.good.iter().map(|good| format!("good      {}", standing_line(good))));
    lines.extend(state.staged.iter().map(|staged| format!("staged    {}", far(staged))));
    lines.extend(state.retiring.iter().map(|retiring| format!("retiring  {}", standing_line(retiring))));
    lines.extend(state.troubles.iter().map(|trouble| format!("trouble   {}", visible(&trouble.message))));
    lines.push(format!("swaps     {}", state.swaps));
    lines.join("\n") + "\n"
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
        line += &format!(", scratch {} bytes and {} events behind", scratch.bytes, scratch.lag);
    }
    line
}

/// How far a strategy on its way is, in one line; and if it failed, what shows it.
fn far(staged: &Staged) -> String {
    let name = named(&staged.name, &staged.digest);
    let mut line = format!("{name} #{}: {}", staged.revision, stage(staged.stage));
    if let Some(progress) = &staged.progress {
        line += &format!(", {} {} of {}", visible(&progress.what), progress.done, progress.all);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let plain = b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse(plain), Some((409, b"{}".to_vec())));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Some((200, b"abc0123456789".to_vec())));
        for length in 0..chunked.len() - 4 {
            let cut = parse(&chunked[..length]);
            assert!(cut.is_none(), "{length}: {cut:?}");
        }
        for bad in ["", "\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
