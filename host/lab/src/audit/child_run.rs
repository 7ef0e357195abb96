//! A child run: the same requests in a process of their own, with fuel counted, each answer as a digest.
//!
//! What an audit compares between child runs is everything that may not depend on where and when a strategy
//! runs: another process, a pool slot that others have used, scratch filled anew, a warm instance.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Options;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_runtime::page::Worker;
use keyhole_runtime::page::{parse, render};

/// Failures after which a pass ends: each may have used up a whole time limit.
const FAILURES: usize = 4;

/// How often a wait looks whether it is over, or is to end.
const LOOK: Duration = Duration::from_millis(10);

/// How often a request that came too late is asked again: the machine may be busy with something else.
const LATE_TRIES: usize = 2;

/// What a child run is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChildRun {
    requests: Vec<Value>,
    /// The passes, in order.
    passes: Vec<Pass>,
    /// How long all of them may take.
    seconds: f64,
}

/// One way through the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// Fresh instances, in order.
    Fresh,
    /// The same backwards, in pool slots that the pass before has used.
    Again,
    /// One warm instance, each request asked twice in a row.
    Warm,
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// In which pass.
    pub pass: Pass,
    /// Which request, from 0.
    pub request: usize,
    /// SHA-256 of the answer as a client sees it.
    pub digest: String,
    /// How many events.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Fuel burnt.
    pub fuel: Option<u64>,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: u64,
    /// The snapshot, and how much of it scratch covered: what may differ, and then explains other fuel.
    pub snapshot: (i64, Option<i64>),
    /// What an operator observes, where it failed.
    pub failed: Option<String>,
}

/// What came of an audit's child runs.
pub(super) struct ChildRuns {
    /// All passes on the whole log, in one process.
    pub(super) first: Vec<Answer>,
    /// The fresh pass, in another process.
    pub(super) other: Vec<Answer>,
    /// The fresh pass on scratch that was filled anew, for a strategy with an index.
    pub(super) refilled: Option<Vec<Answer>>,
    /// The fresh pass of the measured requests on the first half of the log.
    pub(super) half: Vec<Answer>,
}

impl ChildRun {
    /// A child run of these requests.
    pub(super) fn new(requests: &[PageRequest], passes: &[Pass], seconds: f64) -> Result<Self, Error> {
        let requests = requests.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        let requests = requests.map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self { requests, passes: passes.to_vec(), seconds })
    }

    /// Starts it on the log in the first folder, with scratch in the second, and waits for its answers.
    pub(super) fn start(
        &self,
        options: &Options<'_>,
        data: &Path,
        scratch: &Path,
    ) -> Result<Vec<Answer>, Error> {
        let failed = |source| Error::io("the process of a trial", source);
        // The very program that is running, even where its file was replaced meanwhile, with a verb that only
        // audits use.
        let mut command = Command::new("/proc/self/exe");
        command.args(["audit-trial", options.strategy, "--json"]);
        let folders = [
            ("--scratch", scratch),
            ("--data", data),
            ("--cache", options.cache),
            ("--state", options.state),
        ];
        let policy = options.policy.file.as_deref().map(|policy| ("--policy", policy));
        for (option, path) in folders.into_iter().chain(policy) {
            command.arg(option).arg(path);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let orders = serde_json::to_vec(self).map_err(|error| Error::Engine(error.to_string()))?;
        let (status, stdout, stderr) = run_to_its_end(&mut command, &orders).map_err(failed)?;
        keyhole_log::interrupt::check()?;
        if !status.success() {
            let said = String::from_utf8_lossy(&stderr);
            let said = said.lines().last().unwrap_or("nothing");
            return Err(Error::Engine(format!("the process of a trial ended with {status}: {said}")));
        }
        let answers = String::from_utf8_lossy(&stdout);
        let answer = |line: &str| {
            serde_json::from_str(line)
                .map_err(|error| Error::Engine(format!("a trial answered {line}: {error}")))
        };
        answers.lines().map(answer).collect()
    }

    /// Reads what is to be done.
    pub fn read(from: &mut dyn Read) -> Result<Self, Error> {
        serde_json::from_reader(from).map_err(|error| Error::bad_request(format!("not a job: {error}")))
    }

    /// Runs it and writes the answers, a line each.
    pub fn answer(
        &self,
        worker: &dyn Fn(Instances) -> Result<Worker, Error>,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let until = Instant::now() + Duration::from_secs_f64(self.seconds.clamp(0.0, 3_600.0));
        let requests: Vec<PageRequest> = self
            .requests
            .iter()
            .map(|request| parse::request(&request.to_string(), None))
            .collect::<Result<_, _>>()?;
        for &pass in &self.passes {
            let instances = match pass {
                Pass::Fresh | Pass::Again => Instances::Fresh,
                Pass::Warm => Instances::Warm(Instances::USES),
            };
            let mut worker = worker(instances)?;
            let mut order: Vec<usize> = (0..requests.len()).collect();
            match pass {
                Pass::Fresh => {}
                Pass::Again => order.reverse(),
                Pass::Warm => order = order.into_iter().flat_map(|n| [n, n]).collect(),
            }
            let mut failures = 0;
            for number in order {
                keyhole_log::interrupt::check()?;
                if failures == FAILURES || Instant::now() >= until {
                    break;
                }
                let Some(request) = requests.get(number) else { continue };
                let answer = ask(&mut worker, pass, number, request)?;
                failures += usize::from(answer.failed.is_some());
                let line =
                    serde_json::to_string(&answer).map_err(|error| Error::Engine(error.to_string()))?;
                writeln!(out, "{line}").map_err(|source| Error::io("standard output", source))?;
            }
        }
        out.flush().map_err(|source| Error::io("standard output", source))
    }
}

/// Runs a process with this on its standard input, and returns how it ended and what it wrote. It is killed where
/// this run is interrupted: it keeps its scratch in a folder that goes with this run.
fn run_to_its_end(command: &mut Command, input: &[u8]) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let read = |from: Option<Box<dyn Read + Send>>| {
            scope.spawn(move || {
                let mut bytes = Vec::new();
                from.map_or(Ok(0), |mut from| from.read_to_end(&mut bytes)).map(|_| bytes)
            })
        };
        let stdout = read(stdout.map(|pipe| Box::new(pipe) as _));
        let stderr = read(stderr.map(|pipe| Box::new(pipe) as _));
        let written = stdin.map_or(Ok(()), |mut pipe| pipe.write_all(input));
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if written.is_err() || keyhole_log::interrupt::requested() {
                child.kill()?;
                break child.wait()?;
            }
            std::thread::sleep(LOOK);
        };
        written?;
        let panicked = |_| io::Error::other("the thread that reads from it panicked");
        Ok((status, stdout.join().map_err(panicked)??, stderr.join().map_err(panicked)??))
    })
}

fn ask(worker: &mut Worker, pass: Pass, request: usize, asked: &PageRequest) -> Result<Answer, Error> {
    let mut outcome = worker.page(asked);
    for _ in 0..LATE_TRIES {
        if !matches!(
            outcome,
            Err(Error::Busy
                | Error::Starved { .. }
                | Error::Budget { limit: "guest_time" | "wall_time" | "log_lock", .. })
        ) {
            break;
        }
        outcome = worker.page(asked);
    }
    let (digest, count, bytes, failed) = match outcome.map_err(Error::unplaced) {
        Ok(page) => (digest(&page), page.len() as u64, page.payload_bytes(), None),
        // The log's fault: whoever is asked says the same.
        Err(Error::BadCell { event, .. }) => (format!("bad-cell {event}"), 0, 0, None),
        Err(error) if error.blames_strategy() => (String::new(), 0, 0, Some(error.observed())),
        Err(error) => return Err(error),
    };
    let ledger = worker.ledger();
    Ok(Answer {
        pass,
        request,
        digest,
        count,
        bytes,
        fuel: ledger.and_then(|ledger| ledger.fuel),
        vm_steps: ledger.map_or(0, |ledger| ledger.statements().map(|statement| statement.vm_steps).sum()),
        snapshot: ledger.map_or((0, None), |ledger| (ledger.high_water, ledger.covered)),
        failed,
    })
}

fn digest(page: &Page) -> String {
    let mut bytes = Vec::new();
    render::render(page, None, &mut bytes);
    keyhole_log::hash::hex(&Sha256::digest(&bytes))
}
