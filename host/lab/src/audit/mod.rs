//! The operator's audit: the truth about one strategy, as data.
//!
//! [`run`] collects facts, step by step, and judges them last: one place turns facts into findings and the
//! verdict. So a saved audit can be judged, shown and compared again without running anything.

pub mod child_run;
mod compare;
mod context;
mod cost;
mod determinism;
pub mod facts;
pub mod findings;
mod judge;
pub mod used;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use context::AuditContext;
use facts::{Audit, FORMAT, LogFacts, May, Signature, Used, Who};
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::survey::spans;
use keyhole_log::usage::Usage;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::inspect;
use keyhole_runtime::policy::identity::{self, Signed};
use keyhole_runtime::policy::{Policy, StrategySection, lines};
use keyhole_runtime::registry::{self, Registry};
use keyhole_runtime::strategy::{Strategy, lane};

/// Violations of the log that an audit names.
const MOST_VIOLATIONS: usize = 20;

/// What is audited, against what, on which log, and how thoroughly.
pub struct Options<'a> {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: &'a str,
    /// The component, where it is audited to be let in.
    pub candidate: Option<Candidate<'a>>,
    /// The strategy that it must equal.
    pub reference: &'a str,
    /// Requests of each stream at most; fewer where time does not allow as many.
    pub requests: usize,
    /// The seed that the requests are drawn with.
    pub seed: u64,
    /// How long answers are compared at most; everything else takes about as long again.
    pub comparing: Duration,
    /// Whether to run only on time that nobody else wants.
    pub idle: bool,
    /// How instances live.
    pub instances: Instances,
    /// What strategies are granted.
    pub policy: &'a Policy,
    /// The log's folder.
    pub data: &'a Path,
    /// The folder of scratch and compiled code. The audit's copies of the log lie there while it runs.
    pub cache: &'a Path,
    /// The folder of keys and decisions.
    pub state: &'a Path,
    /// The versions of this program and its parts, to be saved with the audit.
    pub versions: BTreeMap<String, String>,
}

/// A component that is audited to be let in: the policy holds a stanza for it, to try it with.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// What its file is called.
    pub file: &'a str,
    /// Whether it was given everything, so that the audit finds the minimal grants.
    pub is_new: bool,
}

/// The program that an audit is made by.
pub struct Program<'a> {
    /// The process's engine.
    pub engine: &'a Engine,
    /// Loads a strategy under the policy, and records that it was let in or refused.
    pub load: &'a dyn Fn(&str) -> Result<Arc<Strategy>, Error>,
    /// Told what an operator should know besides.
    pub remark: &'a dyn Fn(&str),
    /// Told which stage of the audit begins.
    pub stage: &'a dyn Fn(&str),
    /// Told how many pages were compared, of how many.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Options<'_> {
    /// What the audit calls the strategy.
    fn name(&self) -> &str {
        self.candidate.map_or(self.strategy, |candidate| candidate.file)
    }
}

/// Audits a strategy. One that is refused at its load is audited as well: nothing of it runs.
pub fn run(options: &Options<'_>, program: &Program<'_>) -> Result<Audit, Error> {
    let began = Instant::now();
    if options.idle
        && let Err(error) = lane::idle()
    {
        (program.remark)(&format!("the audit runs at the priority of everything else: {error}"));
    }
    let mut audit = Audit {
        format: FORMAT,
        at: jiff::Timestamp::now().to_string(),
        strategy: Who { name: options.name().to_owned(), ..Who::default() },
        may: May { instances: options.instances.to_string(), ..May::default() },
        host: options.versions.clone(),
        ..Audit::default()
    };
    introduce(options, program, &mut audit)?;
    match (program.load)(options.strategy) {
        Ok(strategy) => examine(options, program, strategy, &mut audit)?,
        Err(Error::Refused { reasons, .. }) => audit.refused = reasons,
        Err(Error::NotGranted { reasons, lines, .. })
            if reasons.iter().all(|why| judge::is_of_imports(why)) =>
        {
            audit.refused = reasons;
            audit.granting = Some(lines);
        }
        Err(error) => return Err(error),
    }
    if options.candidate.is_some_and(|candidate| candidate.is_new) && audit.refused.is_empty() {
        used::narrow(&mut audit);
    }
    audit.seconds = began.elapsed().as_secs_f64();
    judge::judge(&mut audit);
    audit.limitations = judge::limitations(&audit);
    Ok(audit)
}

/// What the bytes say: who it is and what it imports; and who vouches for them.
fn introduce(options: &Options<'_>, program: &Program<'_>, audit: &mut Audit) -> Result<(), Error> {
    let bytes = match Registry::new(options.policy).bytes(options.strategy) {
        Ok(bytes) => bytes,
        Err(Error::Refused { reasons, .. }) => {
            audit.refused = reasons;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    audit.strategy.signature = signature(options, bytes.as_deref())?;
    let Some(bytes) = bytes else {
        let native = "a native twin runs outside of the sandbox: its imports and its fuel cannot be told";
        (program.remark)(native);
        return Ok(());
    };
    let told = inspect::inspect(options.name(), &bytes);
    audit.strategy.digest = told.digest;
    audit.strategy.bytes = told.bytes.map(|bytes| bytes as u64);
    audit.strategy.core_modules = told.core_modules as u64;
    audit.strategy.producers = told.producers;
    audit.strategy.world = told.world.map(str::to_owned);
    audit.may.imported = told.imports;
    audit.may.exported = told.exports;
    Ok(())
}

/// Who vouches for a strategy. The stanza that a candidate is tried with vouches for nothing; a key that
/// signed it does.
fn signature(options: &Options<'_>, bytes: Option<&[u8]>) -> Result<Signature, Error> {
    let (strategy, registry) = (options.strategy, Registry::new(options.policy));
    if registry::BUILT_IN.contains(&strategy) {
        return Ok(Signature::BuiltIn);
    }
    let (Some(bytes), Some(path)) = (bytes, registry.path(strategy)) else { return Ok(Signature::None) };
    Ok(match registry.section(strategy, &path, bytes) {
        Some(StrategySection { key: Some((key, _)), .. }) => Signature::Key(key.clone()),
        Some(StrategySection { digest: Some(_), .. }) if options.candidate.is_none() => Signature::Digest,
        _ => match identity::signer(options.policy.keys.iter(), &path, bytes)? {
            Signed::By(key) => Signature::Key(key),
            Signed::No | Signed::ByNobodyKnown => Signature::None,
        },
    })
}

/// What running it shows: its scratch is filled, its answers are compared, child runs repeat some of them,
/// and their cost is measured.
fn examine(
    options: &Options<'_>,
    program: &Program<'_>,
    strategy: Arc<Strategy>,
    audit: &mut Audit,
) -> Result<(), Error> {
    audit.may.grant(&strategy.grants);
    audit.limits =
        strategy.grants.limits.named().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    audit.reference = Some(options.reference.to_owned());
    let stage = |what: &str| (program.stage)(&format!("auditing {}: {what}", options.name()));
    stage("copying the log");
    let context = AuditContext::prepare(options, program, strategy)?;
    let violations = spans::violations(&context.whole.log, MOST_VIOLATIONS)?;
    for violation in &violations {
        (program.remark)(&format!("the log: {violation}"));
    }
    audit.log = LogFacts::of(&context.whole.profile, &violations);

    let scratch = context.scratch(&context.strategy, &context.whole.log, "one")?;
    if let Some(scratch) = &scratch {
        stage("filling its scratch");
        let (facts, failed) = context.fill(scratch)?;
        audit.scratch = Some(facts);
        if let Some(error) = failed {
            audit.granting = error.lines().map(str::to_owned);
            audit.used = Used::of(&Usage::default(), &scratch.usage());
            return Ok(());
        }
    }
    let pages = Mutex::new(Usage::default());
    stage("comparing its answers");
    audit.correctness = Some(context.compare(scratch.as_ref(), &pages)?);
    let points = cost::points(&context.whole.profile, context.half.profile.rows);
    stage("running it again in other processes");
    let runs = context.child_runs(&points)?;
    audit.determinism = Some(determinism::determinism(&runs)).filter(|facts| facts.requests > 0);
    stage("measuring its cost");
    audit.cost = context.costs(&points, &runs, scratch.as_ref(), &pages)?;

    let refreshes = scratch.map_or_else(Usage::default, |scratch| scratch.usage());
    audit.used = Used::of(&pages.into_inner().unwrap_or_else(PoisonError::into_inner), &refreshes);
    let denials = audit.used.denials.iter().map(|denial| (denial.rule.as_str(), denial.object.as_str()));
    let strategy = &context.strategy;
    audit.granting = lines::for_denials(&strategy.name, &strategy.grants, denials);
    Ok(())
}
