//! `audit`: the truth about a strategy on one screen; and the hidden verb that runs its trials.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::audit::facts::{Audit, FORMAT, LogFacts, May, Signature, Used, Verdict, Who};
use crate::audit::run::{self, Ground, Place};
use crate::audit::trial::{Answer, Job};
use crate::audit::{judge, least, screen};
use crate::cli::{AuditArgs, Common, Priority, TrialArgs};
use crate::commands::progress::Bar;
use crate::commands::{Setup, document, inspect, version};
use crate::contract::copy::copy;
use crate::error::Error;
use crate::log::Log;
use crate::policy::Stanza;
use crate::policy::identity::{self, Signed};
use crate::registry::{self, Registry};
use crate::scratch::Scratch;
use crate::strategy::{Strategy, Worker, lane};
use crate::verify::Names;

/// Most events of the copy that stands for half of the log.
const HALF: u64 = 100_000;

/// Runs the verb: 0 if nothing as grave as --fail-on was found, 1 otherwise.
pub fn run(setup: &Setup, args: &AuditArgs) -> Result<u8, Error> {
    let audit = audit(setup, args, None)?;
    document::show(&setup.common, &screen::document(&audit), &audit, args.html.as_deref())?;
    Ok(u8::from(audit.findings.iter().any(|finding| finding.severity >= args.fail_on)))
}

/// A component that is audited to be let in: the policy of the setup holds a stanza for it, to try it with.
pub struct Candidate<'a> {
    /// What its file is called.
    pub file: &'a str,
    /// Whether it was given everything, so that the audit finds the least.
    pub is_new: bool,
}

/// Audits a strategy. One that is refused at its load is audited as well: nothing of it runs.
pub fn audit(setup: &Setup, args: &AuditArgs, candidate: Option<&Candidate<'_>>) -> Result<Audit, Error> {
    let began = Instant::now();
    let called = candidate.map_or(args.strategy.as_str(), |candidate| candidate.file);
    let mut audit = Audit {
        format: FORMAT,
        verdict: Verdict::Unfit,
        at: jiff::Timestamp::now().to_string(),
        seconds: 0.0,
        strategy: Who { name: called.to_owned(), ..Who::default() },
        reference: None,
        log: LogFacts::default(),
        refused: Vec::new(),
        granting: None,
        may: May { instances: setup.common.instances.to_string(), ..May::default() },
        used: Used::default(),
        scratch: None,
        correctness: None,
        cost: Vec::new(),
        determinism: None,
        findings: Vec::new(),
        limits: std::collections::BTreeMap::default(),
        unseen: Vec::new(),
        host: version::versions(),
    };
    if args.effort.priority == Priority::Idle
        && let Err(error) = lane::idle()
    {
        setup.remark(&format!("the audit runs at the priority of everything else: {error}"));
    }
    introduce(setup, &args.strategy, candidate, &mut audit)?;
    match setup.strategy(&args.strategy) {
        Ok(strategy) => examine(setup, args, strategy, &mut audit)?,
        Err(Error::Refused { reasons, .. }) => audit.refused = reasons,
        Err(Error::NotGranted { reasons, lines, .. })
            if reasons.iter().all(|why| judge::is_of_imports(why)) =>
        {
            audit.refused = reasons;
            audit.granting = Some(lines);
        }
        Err(error) => return Err(error),
    }
    if candidate.is_some_and(|candidate| candidate.is_new) && audit.refused.is_empty() {
        least::narrow(&mut audit);
    }
    audit.seconds = began.elapsed().as_secs_f64();
    run::conclude(&mut audit);
    record(setup, &audit)?;
    Ok(audit)
}

/// The verdict, into the decision log.
fn record(setup: &Setup, audit: &Audit) -> Result<(), Error> {
    let codes: Vec<&str> = audit.findings.iter().map(|finding| finding.code.as_str()).collect();
    let found = if codes.is_empty() { "nothing found".to_owned() } else { codes.join(", ") };
    setup.record_verdict(
        &audit.strategy.name,
        audit.strategy.digest.as_deref(),
        format!("audit: {}: {found}", audit.verdict.words()),
    )
}

/// What the bytes say: who it is and what it imports; and who vouches for them.
fn introduce(
    setup: &Setup,
    strategy: &str,
    candidate: Option<&Candidate<'_>>,
    audit: &mut Audit,
) -> Result<(), Error> {
    let bytes = match Registry::new(&setup.policy).bytes(strategy) {
        Ok(bytes) => bytes,
        Err(Error::Refused { reasons, .. }) => {
            audit.refused = reasons;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    audit.strategy.signature = signature(setup, strategy, candidate, bytes.as_deref())?;
    let Some(bytes) = bytes else {
        setup.remark("a native twin runs outside of the sandbox: its imports and its fuel cannot be told");
        return Ok(());
    };
    let told = inspect::inspect(&audit.strategy.name, &bytes);
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
fn signature(
    setup: &Setup,
    strategy: &str,
    candidate: Option<&Candidate<'_>>,
    bytes: Option<&[u8]>,
) -> Result<Signature, Error> {
    if registry::BUILT_IN.contains(&strategy) {
        return Ok(Signature::BuiltIn);
    }
    let registry = Registry::new(&setup.policy);
    let (Some(bytes), Some(path)) = (bytes, registry.path(strategy)) else { return Ok(Signature::None) };
    let stanza = registry.stanza(strategy, &path, bytes);
    Ok(match stanza {
        Some(Stanza { key: Some((key, _)), .. }) => Signature::Key(key.clone()),
        Some(Stanza { digest: Some(_), .. }) if candidate.is_none() => Signature::Digest,
        _ => match identity::signer(setup.policy.keys.iter(), &path, bytes)? {
            Signed::By(key) => Signature::Key(key),
            Signed::No | Signed::ByNobodyKnown => Signature::None,
        },
    })
}

fn examine(
    setup: &Setup,
    args: &AuditArgs,
    strategy: std::sync::Arc<Strategy>,
    audit: &mut Audit,
) -> Result<(), Error> {
    granted(&strategy, audit);
    audit.limits = run::limits(&strategy);
    let effort = &args.effort;
    audit.reference = Some(effort.reference.clone());
    let log = setup.log()?;
    let profile = setup.profile(&log)?;
    audit.log = LogFacts {
        events: profile.rows,
        high_water: profile.high_water,
        oldest: profile.oldest,
        newest: profile.newest,
    };
    let cache = setup.cache();
    let failed = |source| Error::io(cache, source);
    DirBuilder::new().recursive(true).mode(0o700).create(cache).map_err(failed)?;
    // Copies of log data: it goes when the audit ends, on every way out.
    let own = tempfile::Builder::new().prefix("audit-").tempdir_in(cache).map_err(failed)?;
    let half = own.path().join("half-log");
    DirBuilder::new().mode(0o700).create(&half).map_err(failed)?;
    copy(&log, &half, (profile.rows / 2).min(HALF))?;
    let half_log = Log::open(&half)?;
    let half_profile = setup.profile(&half_log)?;
    let options = ["--data".to_owned(), setup.common.data.display().to_string()];
    let called = audit.strategy.name.clone();
    let bar = Bar::new(&setup.common, format!("auditing {called}"));
    let ground = Ground {
        engine: &setup.engine,
        strategy,
        reference: setup.strategy(&effort.reference)?,
        names: Names { subject: &called, reference: &effort.reference, options: &options },
        whole: Place { folder: setup.common.data.clone(), log, profile },
        half: Place { folder: half, log: half_log, profile: half_profile },
        cache: own.path(),
        instances: setup.common.instances,
        requests: effort.requests,
        seed: effort.seed,
        comparing: Duration::from_secs(effort.seconds),
        trial: &|data, scratch, job| trial(setup, &args.strategy, data, scratch, job),
        progress: &|done, all| bar.at(done, all),
    };
    ground.run(audit)
}

fn granted(strategy: &Strategy, audit: &mut Audit) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let grants = &strategy.grants;
    let may = &mut audit.may;
    may.interfaces = owned(&grants.interfaces);
    may.columns = owned(&grants.columns);
    may.functions = owned(&grants.functions);
    may.virtual_tables = owned(&grants.virtual_tables);
    may.wasi = owned(&grants.wasi);
    may.scratch_quota = grants.scratch_quota;
}

/// Runs a trial in another process: this same program, with a verb that only this uses.
fn trial(
    setup: &Setup,
    strategy: &str,
    data: &Path,
    scratch: &Path,
    job: &Job,
) -> Result<Vec<Answer>, Error> {
    // The very program that is running, even where its file was replaced meanwhile.
    let program = Path::new("/proc/self/exe");
    let failed = |source| Error::io("the process of a trial", source);
    let mut command = Command::new(program);
    command.arg("audit-trial").arg(strategy).arg("--scratch").arg(scratch).arg("--data").arg(data);
    command.arg("--cache").arg(setup.cache()).arg("--state").arg(setup.state()).arg("--json");
    if let Some(policy) = &setup.common.policy {
        command.arg("--policy").arg(policy);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let orders = serde_json::to_vec(job).map_err(|error| Error::Engine(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&orders).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    crate::interrupt::check()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("nothing");
        return Err(Error::Engine(format!("the process of a trial ended with {}: {said}", output.status)));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|error| Error::Engine(format!("a trial answered {line}: {error}")))
        })
        .collect()
}

/// The process of a trial: reads its job from standard input and answers on standard output.
pub fn run_trial(common: Common, args: &TrialArgs) -> Result<u8, Error> {
    let setup = Setup::counting_fuel(common)?;
    let log = setup.log()?;
    let strategy = setup.strategy(&args.strategy)?;
    let job = Job::read(&mut std::io::stdin().lock())?;
    std::fs::create_dir_all(&args.scratch).map_err(|source| Error::io(&args.scratch, source))?;
    let scratch =
        strategy.is_indexed().then(|| Scratch::new(&setup.engine, &strategy, &log, &args.scratch, None));
    let worker = |instances| Ok(Worker::new(&setup.engine, &strategy, instances, &log, scratch.clone()));
    job.run(&worker, &mut std::io::stdout().lock())
        .map_err(|error| error.during(format!("a trial of {}", args.strategy)))?;
    Ok(0)
}
