//! `policy allow`: audits a component, and lets it in by the least stanza that covers what it used.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::args::Common;
use crate::report::views;
use crate::verbs::audit::{Effort, audit};
use crate::verbs::output::Output;
use crate::verbs::{Setup, document, no_policy, version};
use keyhole_lab::audit::Candidate;
use keyhole_lab::audit::facts::{Audit, Severity, Verdict};
use keyhole_lab::audit::used::minimal_grants;
use keyhole_log::environment;
use keyhole_log::error::Error;
use keyhole_log::grants::BUILT_IN;
use keyhole_log::temporary::TemporaryFile;
use keyhole_runtime::loader::file::read;
use keyhole_runtime::policy::allow::{self, Approval, Used};
use keyhole_runtime::policy::{Policy, check_name, file, lines};
use keyhole_service::decisions::{Decision, Decisions, Event};

/// Options of `policy allow`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The component.
    pub file: PathBuf,
    /// The name that it will have.
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    /// Who approves it [default: the user that runs this].
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Write it without asking. Where nobody can be asked, it is needed.
    #[arg(long)]
    pub yes: bool,
    /// Make a new audit, although one of these very bytes is saved.
    #[arg(long)]
    pub anew: bool,
    /// Write it even if the audit calls it unfit. The decision log says so.
    #[arg(long)]
    pub despite_unfit: bool,
    /// How the audit is made.
    #[command(flatten)]
    pub effort: Effort,
}

/// What is to be let in, by which name, under which policy.
struct Proposal<'a> {
    args: &'a Args,
    /// The policy as it is.
    policy: Policy,
    /// Its file, and the text in it.
    path: PathBuf,
    text: String,
    /// The component's bytes, by their digest.
    digest: String,
    /// The day.
    today: String,
    /// Who approves it.
    by: String,
}

/// What may be done with a component that was audited.
struct Outcome {
    audit: Audit,
    /// Where the audit was saved, and its digest.
    saved: (PathBuf, String),
    /// The policy with the stanza in it.
    after: String,
    /// What is shown of that.
    shown: String,
}

/// Runs the verb: 0 if it is written, 1 if it is not.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let by = args.by.clone().unwrap_or_else(keyhole_service::decisions::user);
    check_words(args, &by)?;
    // An audit takes a minute: that nobody can answer is said before it.
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Error::bad_request(
            "it asks before it writes, and standard input is no terminal: say --yes if you agree already; \
             `keyhole audit` shows what there is to agree to",
        ));
    }
    let policy = Policy::load(common.policy.as_deref())?;
    let path = policy.file.clone().ok_or_else(no_policy)?;
    let before = file::read(&path, file::MOST_BYTES)?;
    let text = String::from_utf8(before).map_err(|error| Error::bad_request(error.to_string()))?;
    let bytes = read(&args.file)?;
    let proposal = Proposal {
        args,
        policy,
        path,
        text,
        digest: keyhole_log::hash::sha256(&bytes),
        today: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        by,
    };
    let decisions = Decisions::open(&common.state_folder()?);
    let outcome = proposal.examine(common, &bytes, &decisions)?;
    if !common.json {
        output.write(document::text(common, &views::audit::document(&outcome.audit)).as_bytes())?;
        let (saved, digest) = &outcome.saved;
        output.line(&format!("\nThe audit is saved in {} (sha256:{digest}).\n", saved.display()))?;
    }
    let stands_against = proposal.stands_against(&outcome.audit);
    let mut written = false;
    if stands_against.is_none() {
        if !common.json {
            output.write(outcome.shown.as_bytes())?;
            output.flush()?;
        }
        written = args.yes || agreed(&proposal.path)?;
    }
    if written {
        write(&proposal.path, proposal.text.as_bytes(), &outcome.after)?;
        decisions
            .record(&proposal.grant(&outcome))
            .map_err(|error| error.during("the policy is written, but the grant is not recorded"))?;
    } else if let Some(reason) = &stands_against {
        decisions.record(&proposal.decision(Event::Refuse, reason))?;
    }
    if common.json {
        let (saved, digest) = &outcome.saved;
        output.json(&serde_json::json!({
            "strategy": args.name, "digest": format!("sha256:{}", proposal.digest),
            "verdict": outcome.audit.verdict, "findings": outcome.audit.findings,
            "audit": { "file": saved.display().to_string(), "digest": format!("sha256:{digest}") },
            "stanza": outcome.shown, "written": written, "because": stands_against,
        }))?;
    } else {
        let place = proposal.path.display();
        output.line(&match (written, stands_against) {
            (true, _) => format!("written to {place}"),
            (false, Some(reason)) => format!("nothing was written to {place}: {reason}"),
            (false, None) => format!("nothing was written to {place}"),
        })?;
    }
    output.flush()?;
    Ok(u8::from(!written))
}

impl Proposal<'_> {
    /// Whether the policy knows the name: then it is tried with what it has, and must get by with that. A
    /// new one is tried with everything that can be granted, and what it used is what it gets.
    fn is_known(&self) -> bool {
        self.policy.sections.contains_key(&self.args.name)
    }

    /// Audits it under a policy of its own, saves the audit, and says what would be written.
    fn examine(&self, common: &Common, bytes: &[u8], decisions: &Decisions) -> Result<Outcome, Error> {
        let file = as_path(&self.args.file);
        let trial = self.trial_policy(bytes)?;
        let tried = Policy::load(Some(trial.path()))?;
        let setup = Setup::on_trial(common.clone(), tried, self.policy.digest.clone())?;
        let candidate = Candidate { file: &file, is_new: !self.is_known() };
        let known = if self.args.anew { None } else { self.saved_audit(&setup) };
        if let Some((audit, saved)) = known {
            setup.remark(&format!(
                "the audit of these very bytes that was made at {} is taken; --anew makes another",
                audit.at
            ));
            return self.outcome(audit, saved);
        }
        let audit = match audit(&setup, &self.args.name, Some(candidate), &self.args.effort) {
            Err(error) if error.blames_strategy() => {
                decisions.record(&self.decision(Event::Refuse, &error.to_string()))?;
                return Err(error);
            }
            other => other?,
        };
        let saved = save(&audit, &self.args.name, setup.state())?;
        self.outcome(audit, saved)
    }

    /// An audit that is saved in the state folder, of these very bytes, by this program, against the same reference, and
    /// with what it would be tried with now; the last one.
    fn saved_audit(&self, setup: &Setup) -> Option<(Audit, (PathBuf, String))> {
        let folder = setup.state().join("audits").read_dir().ok()?;
        let digest = format!("sha256:{}", self.digest);
        let grants = &setup.policy.sections.get(&self.args.name)?.grants;
        let limits: BTreeMap<String, u64> =
            grants.limits.named().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let fits = |audit: &Audit| {
            // A new one is tried with everything, and one that the policy knows with what it has.
            let is_tried_alike = if self.is_known() { audit.may.is_of(grants) } else { audit.may.proposed };
            is_tried_alike
                && audit.refused.is_empty()
                && audit.strategy.digest.as_ref() == Some(&digest)
                && audit.reference.as_ref() == Some(&self.args.effort.reference)
                && audit.may.instances == setup.common.instances.to_string()
                && audit.limits == limits
                && audit.host == version::versions()
        };
        let saved = folder.flatten().filter_map(|entry| {
            let path = entry.path();
            let text = std::fs::read(&path).ok()?;
            let sum = keyhole_log::hash::sha256(&text);
            // Its name has the first digits of its digest: what was changed since is passed over.
            let is_whole = path.file_stem()?.to_str()?.ends_with(sum.get(..16)?);
            let audit = Audit::saved(&path).ok().flatten().filter(|audit| is_whole && fits(audit))?;
            Some((audit, (path, sum)))
        });
        saved.max_by(|(one, _), (other, _)| one.at.cmp(&other.at))
    }

    /// What would be written on the strength of an audit.
    fn outcome(&self, audit: Audit, saved: (PathBuf, String)) -> Result<Outcome, Error> {
        let used = minimal_grants(&audit);
        let approval = self.approval(Some(&saved.1));
        let component = self.policy.relative(&self.args.file);
        let (after, shown) = self.edited(&component, &used, &approval)?;
        allow::check_edit(&self.policy, &after, &self.args.name, &used)
            .map_err(|what| Error::bad_request(format!("{}: {what}\n{shown}", self.path.display())))?;
        Ok(Outcome { audit, saved, after, shown })
    }

    /// A policy that lets these bytes in, for the audit and its child processes alone.
    fn trial_policy(&self, bytes: &[u8]) -> Result<TemporaryFile, Error> {
        let folder = environment::temporary_folder();
        let file = self.args.file.canonicalize().map_err(|source| Error::io(&self.args.file, source))?;
        let everything = Used::everything(&lines::imports(bytes));
        let (text, _) = self.edited(&file, &everything, &self.approval(None))?;
        let mut policy = TemporaryFile::new_in(&folder, 0o600)?;
        policy.write_all(text.as_bytes()).map_err(|source| Error::io(&folder, source))?;
        Ok(policy)
    }

    fn approval<'a>(&'a self, audit: Option<&'a str>) -> Approval<'a> {
        Approval { by: &self.by, at: &self.today, reason: &self.args.reason, audit }
    }

    /// The policy with the stanza, and what is shown of the change.
    fn edited(
        &self,
        component: &Path,
        used: &Used,
        approval: &Approval<'_>,
    ) -> Result<(String, String), Error> {
        let name = &self.args.name;
        if !self.is_known() {
            let section = allow::section(name, component, &self.digest, used, approval);
            return Ok((allow::add(&self.text, &section), section));
        }
        let after = allow::replace(&self.text, name, component, &self.digest, approval)
            .map_err(Error::bad_request)?;
        let said = format!(
            "[strategy.{name}] keeps its grants, which cover all that it used; it now means sha256:{}\n",
            self.digest
        );
        Ok((after, said))
    }

    /// Why it is not written, whoever would agree.
    fn stands_against(&self, audit: &Audit) -> Option<String> {
        if !audit.refused.is_empty() {
            return Some(format!("it cannot be loaded: {}", audit.refused.join("; ")));
        }
        let is_unfit = audit.verdict == Verdict::Unfit;
        (is_unfit && !self.args.despite_unfit).then(|| {
            format!(
                "the audit calls it unfit ({}); --despite-unfit lets it in all the same, and is recorded",
                grave(audit)
            )
        })
    }

    fn grant(&self, outcome: &Outcome) -> Decision {
        let despite = match outcome.audit.verdict {
            Verdict::Unfit => format!("despite an audit that calls it unfit ({}): ", grave(&outcome.audit)),
            Verdict::Fit | Verdict::FitWithWarnings => String::new(),
        };
        let reason = format!("{despite}{} (audit sha256:{})", self.args.reason, outcome.saved.1);
        Decision {
            policy: Some(keyhole_log::hash::sha256(outcome.after.as_bytes())),
            ..self.decision(Event::Grant, &reason)
        }
    }

    fn decision(&self, event: Event, reason: &str) -> Decision {
        Decision {
            digest: Some(format!("sha256:{}", self.digest)),
            policy: self.policy.digest.clone(),
            by: Some(self.by.clone()),
            ..Decision::new(event, self.args.name.as_str(), reason)
        }
    }
}

/// The codes that make it unfit.
fn grave(audit: &Audit) -> String {
    let grave = audit.findings.iter().filter(|finding| finding.severity == Severity::High);
    grave.map(|finding| finding.code.as_str()).collect::<Vec<_>>().join(", ")
}

/// Saves an audit in the state folder, as `audit --json` writes it, under the first digits of its digest.
fn save(audit: &Audit, name: &str, state: &Path) -> Result<(PathBuf, String), Error> {
    let text = serde_json::to_string_pretty(audit).map_err(|error| Error::Engine(error.to_string()))? + "\n";
    let digest = keyhole_log::hash::sha256(text.as_bytes());
    let folder = state.join("audits");
    let failed = |source| Error::io(&folder, source);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let path = folder.join(format!("{name}-{}.json", digest.chars().take(16).collect::<String>()));
    let mut file = TemporaryFile::new_in(&folder, 0o600)?;
    file.write_all(text.as_bytes()).map_err(|source| Error::io(&path, source))?;
    file.put(&path, true)?;
    Ok((path, digest))
}

fn check_words(args: &Args, by: &str) -> Result<(), Error> {
    check_name(&args.name).map_err(|what| Error::bad_request(format!("--as {:?}: {what}", args.name)))?;
    if BUILT_IN.contains(&args.name.as_str()) {
        return Err(Error::bad_request(format!(
            "--as {}: that strategy is built in: choose another name",
            args.name
        )));
    }
    for (option, text) in [("--by", by), ("--reason", &args.reason)] {
        if text.trim().is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
            return Err(Error::bad_request(format!("{option} takes one line of at most 500 characters")));
        }
    }
    Ok(())
}

fn as_path(file: &Path) -> String {
    let text = file.display().to_string();
    if text.contains('/') { text } else { format!("./{text}") }
}

fn agreed(path: &Path) -> Result<bool, Error> {
    let question = format!("Write this to {}? [y/N] ", path.display());
    let terminal = |source| Error::io("the terminal", source);
    std::io::stderr().write_all(question.as_bytes()).map_err(terminal)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(terminal)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Replaces the policy whole, unless someone else has edited it meanwhile.
fn write(path: &Path, before: &[u8], after: &str) -> Result<(), Error> {
    let failed = |source| Error::io(path, source);
    // A link stays one: the file that it points to is replaced.
    let path = &path.canonicalize().map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut part = TemporaryFile::new_in(folder, 0o600)?;
    part.write_all(after.as_bytes()).map_err(failed)?;
    part.as_file().set_permissions(path.metadata().map_err(failed)?.permissions()).map_err(failed)?;
    if file::read(path, file::MOST_BYTES)? != before {
        return Err(Error::bad_request(format!("{} was changed meanwhile: try again", path.display())));
    }
    part.put(path, true)
}
