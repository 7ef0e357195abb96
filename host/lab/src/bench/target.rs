//! Who is measured: strategies, and floors.
//!
//! A floor is no strategy, but a part of a page's work that none can do without, done alone for the same
//! requests. No page comes of it, so there is nothing to compare or to render.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Host;
use super::plan::Plan;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_log::survey::floor::{BareReads, BareSnapshot, Spans};
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;

/// A floor: a snapshot is taken, its largest id read, and it is given back.
const SNAPSHOT: &str = "floor-snapshot";

/// A floor: bare positioned reads of the spans of the page's payloads, nothing checked.
const READS: &str = "floor-reads";

/// The strategy that tells the floor `READS` where a page's payloads lie.
const TRUSTED: &str = "native-keyset";

/// Whether a target runs in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A WebAssembly component.
    Wasm,
    /// Plain Rust over the same log.
    Native,
    /// No strategy: a part of the work that no strategy can do without, done alone.
    Floor,
}

/// One side of the comparison, ready to run.
pub(super) struct Target {
    /// Unique among the targets: `keyset`, `keyset-warm`, `native-keyset`, `floor-reads`.
    pub(super) strategy: String,
    pub(super) kind: Kind,
    /// How its instances live: `fresh`, `warm:N`, or `none` outside of the sandbox.
    pub(super) instances: String,
    /// SHA-256 of its component; of a native twin, that of what it stands for; empty for a floor.
    pub(super) digest: String,
    /// One crew for each of the plan's logs, with a pager for each worker.
    pub(super) crews: Vec<Vec<Box<dyn Pager>>>,
}

impl Target {
    /// Its name, and how many pagers each of its crews has.
    pub(super) fn crew_sizes(&self) -> (&str, Vec<usize>) {
        (&self.strategy, self.crews.iter().map(Vec::len).collect())
    }
}

/// A name that was found, before the plan says how many workers and logs there are.
pub(super) enum Candidate<'a> {
    Strategy { name: &'a str, strategy: Arc<Strategy>, warm: bool },
    Floor(&'a str),
}

impl<'a> Candidate<'a> {
    /// `NAME-warm` is the strategy with warm instances.
    pub(super) fn find(host: &Host<'_>, name: &'a str) -> Result<Self, Error> {
        if [SNAPSHOT, READS].contains(&name) {
            return Ok(Self::Floor(name));
        }
        let base = name.strip_suffix("-warm");
        let strategy = (host.strategy)(base.unwrap_or(name))?;
        Ok(Self::Strategy { name, strategy, warm: base.is_some() })
    }

    /// The largest page that the strategy is granted.
    pub(super) fn page_size(&self) -> Option<u32> {
        match self {
            Self::Strategy { strategy, .. } => Some(strategy.grants.limits.page_size),
            Self::Floor(_) => None,
        }
    }

    /// The target, with a crew for each log.
    pub(super) fn target(
        &self,
        host: &Host<'_>,
        instances: Instances,
        logs: &[Log],
        plan: &Plan,
    ) -> Result<Target, Error> {
        match self {
            Self::Strategy { name, strategy, warm } => {
                let instances = if *warm { Instances::Warm(Instances::USES) } else { instances };
                let instances = strategy.grants.instances.unwrap_or(instances);
                let crew = |log: &Log| -> Result<Vec<Box<dyn Pager>>, Error> {
                    let scratch = (host.scratch)(strategy, log)?;
                    let worker = || Worker::new(host.engine, strategy, instances, log, scratch.clone());
                    Ok((0..plan.workers()).map(|_| Box::new(worker()) as Box<dyn Pager>).collect())
                };
                let sandboxed = strategy.is_sandboxed();
                Ok(Target {
                    strategy: (*name).to_owned(),
                    kind: if sandboxed { Kind::Wasm } else { Kind::Native },
                    instances: if sandboxed { instances.to_string() } else { "none".to_owned() },
                    digest: strategy.digest.clone(),
                    crews: logs.iter().map(crew).collect::<Result<_, _>>()?,
                })
            }
            Self::Floor(name) => {
                let crew = |(at, log): (usize, &Log)| -> Result<Vec<Box<dyn Pager>>, Error> {
                    let spans = if *name == READS { spans(host, log, at, plan)? } else { Arc::default() };
                    let pager = || -> Result<Box<dyn Pager>, Error> {
                        Ok(match *name {
                            READS => Box::new(ReadsFloor(BareReads::open(log)?, Arc::clone(&spans))),
                            _ => Box::new(SnapshotFloor(BareSnapshot::open(log)?)),
                        })
                    };
                    (0..plan.workers()).map(|_| pager()).collect()
                };
                Ok(Target {
                    strategy: (*name).to_owned(),
                    kind: Kind::Floor,
                    instances: "none".to_owned(),
                    digest: String::new(),
                    crews: logs.iter().enumerate().map(crew).collect::<Result<_, _>>()?,
                })
            }
        }
    }
}

/// Takes a snapshot for each request.
struct SnapshotFloor(BareSnapshot);

impl Pager for SnapshotFloor {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let high_water = self.0.take()?;
        Ok(Page::empty(request.clone(), high_water))
    }
}

/// Where the payloads of each request's page lie.
type SpansOf = HashMap<PageRequest, Spans>;

/// Reads the payloads of each request's page.
struct ReadsFloor(BareReads, Arc<SpansOf>);

impl Pager for ReadsFloor {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let Self(reads, spans) = self;
        let spans = spans.get(request).ok_or_else(|| {
            Error::Engine(format!("{READS} was asked for a page whose spans it does not know"))
        })?;
        reads.read(spans)?;
        Ok(Page::empty(request.clone(), 0))
    }
}

/// Asks the trusted strategy where the payloads of every page lie that the plan asks of this log.
fn spans(host: &Host<'_>, log: &Log, at: usize, plan: &Plan) -> Result<Arc<SpansOf>, Error> {
    let strategy = (host.strategy)(TRUSTED)?;
    let scratch = (host.scratch)(&strategy, log)?;
    let mut trusted = Worker::new(host.engine, &strategy, Instances::Fresh, log, scratch);
    let mut spans = SpansOf::new();
    for request in plan.mixes.iter().filter(|mix| mix.log == at).flat_map(|mix| &mix.requests) {
        keyhole_log::interrupt::check()?;
        if !spans.contains_key(request) {
            let of_page = match trusted.page(request).map_err(Error::unplaced) {
                Err(Error::BadCell { .. }) => Spans::default(),
                page => Spans::of(&page?),
            };
            spans.insert(request.clone(), of_page);
        }
    }
    Ok(Arc::new(spans))
}
