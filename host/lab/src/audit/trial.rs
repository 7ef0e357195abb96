//! One trial: the same requests in a process of their own, with fuel counted, each answer as a digest.
//!
//! What an audit compares between trials is everything that may not depend on where and when a strategy
//! runs: another process, a pool slot that others have used, scratch filled anew, a warm instance.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::page::{Page, PageRequest, Pager, parse, render};
use crate::strategy::{Instances, Worker};

/// Failures after which a pass ends: each may have used up a whole time limit.
const FAILURES: usize = 4;

/// How often a request that came too late is asked again: the machine may be busy with something else.
const LATE_TRIES: usize = 2;

/// What a trial is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// The requests.
    pub requests: Vec<Value>,
    /// The passes, in order.
    pub passes: Vec<Pass>,
    /// How long all of them may take.
    pub seconds: f64,
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

impl Job {
    /// A job for these requests.
    pub fn new(requests: &[PageRequest], passes: &[Pass], seconds: f64) -> Result<Self, Error> {
        let requests = requests.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        let requests = requests.map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self { requests, passes: passes.to_vec(), seconds })
    }

    /// Reads a job.
    pub fn read(from: &mut dyn Read) -> Result<Self, Error> {
        serde_json::from_reader(from).map_err(|error| Error::bad_request(format!("not a job: {error}")))
    }

    /// Runs it and writes the answers, a line each.
    pub fn run(
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
                crate::interrupt::check()?;
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

fn ask(worker: &mut Worker, pass: Pass, request: usize, asked: &PageRequest) -> Result<Answer, Error> {
    let mut outcome = worker.page(asked);
    for _ in 0..LATE_TRIES {
        if !matches!(
            outcome,
            Err(Error::Busy | Error::Budget { limit: "guest_time" | "wall_time" | "log_lock", .. })
        ) {
            break;
        }
        outcome = worker.page(asked);
    }
    let (digest, count, bytes, failed) = match outcome {
        Ok(page) => (digest(&page), page.len() as u64, page.payload_bytes(), None),
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
    crate::hex(&Sha256::digest(&bytes))
}
