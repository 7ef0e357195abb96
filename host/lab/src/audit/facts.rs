//! A saved audit: what `audit --json` writes, and what the screen and `diff` read.
//!
//! Everything here is owned and plain, so that an audit that was saved last year can be read back.
//! A field is added with `#[serde(default)]`; anything else raises [`FORMAT`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::ledger::StatementUse;
use keyhole_log::model::Page;
use keyhole_log::survey::profile::Profile;
use keyhole_log::survey::spans::SpanViolation;
use keyhole_log::usage::Amounts;
use keyhole_proof::verify::verdict::rule_of_three;

/// The format of a saved audit.
pub const FORMAT: u32 = 1;

/// Largest saved audit that is read: a real one is far below a mebibyte.
const MOST_BYTES: u64 = 64 << 20;

/// The outcome of an audit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Whether the strategy may serve, as far as this audit can tell.
    pub verdict: Verdict,
    /// When the audit was made, RFC 3339.
    pub at: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Who the strategy is.
    pub strategy: Who,
    /// The strategy that it was judged by; None where it was refused and nothing ran.
    pub reference: Option<String>,
    /// The log that it was run on.
    pub log: LogFacts,
    /// Why it was not let in; empty where it was.
    #[serde(default)]
    pub refused: Vec<String>,
    /// The lines of a policy that would grant what was refused or denied, where any would.
    #[serde(default)]
    pub granting: Option<String>,
    /// What it may touch.
    pub may: May,
    /// What it did touch, in pages and refreshes together.
    pub used: Used,
    /// What its refreshes did; None for a strategy without an index.
    pub scratch: Option<ScratchFacts>,
    /// Whether it is right; None where nothing ran.
    pub correctness: Option<Correctness>,
    /// What it costs, a point a request that was measured, shallow before deep, half before whole.
    pub cost: Vec<Cost>,
    /// Whether it is deterministic; None where nothing ran, or it runs without the sandbox.
    pub determinism: Option<Determinism>,
    /// What was found, gravest first.
    pub findings: Vec<Finding>,
    /// The limits of one request by their names in the policy, as they were in effect.
    pub limits: BTreeMap<String, u64>,
    /// What this audit cannot tell, a sentence each.
    #[serde(rename = "unseen")]
    pub limitations: Vec<String>,
    /// The versions of this program, the engine, SQLite and the WIT package.
    pub host: BTreeMap<String, String>,
}

impl Audit {
    /// Reads a saved audit: a file whose name ends in `.json`. None for a strategy.
    pub fn saved(path: &Path) -> Result<Option<Self>, Error> {
        /// What is read of an audit before the rest of it is believed.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        if path.extension().is_none_or(|extension| extension != "json") {
            return Ok(None);
        }
        let failed = |source| Error::io(path, source);
        let mut text = String::new();
        File::open(path).map_err(failed)?.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
        let no_audit = |what: String| {
            Error::bad_request(format!(
                "{} is not an audit that `audit --json` wrote: {what}",
                path.display()
            ))
        };
        let Format { format } = serde_json::from_str(&text).map_err(|error| no_audit(error.to_string()))?;
        if format != FORMAT {
            return Err(no_audit(format!("its format is {format}, and this program reads format {FORMAT}")));
        }
        serde_json::from_str(&text).map(Some).map_err(|error| no_audit(error.to_string()))
    }
}

/// Who a strategy is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// What the command line called it.
    pub name: String,
    /// `sha256:` and the digest of the component's bytes.
    pub digest: Option<String>,
    /// The component's size.
    pub bytes: Option<u64>,
    /// How many core modules it holds.
    pub core_modules: u64,
    /// What the toolchains that made it say of themselves: a claim.
    pub producers: Vec<String>,
    /// The world that it fits.
    pub world: Option<String>,
    /// Who vouches for it.
    pub signature: Signature,
}

/// Who vouches for a strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// Nobody.
    #[default]
    None,
    /// It is part of this program.
    BuiltIn,
    /// The policy names its digest.
    Digest,
    /// A key of the policy, by its name there.
    Key(String),
}

/// The log that an audit ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// How many events.
    pub events: u64,
    /// The largest id.
    pub high_water: i64,
    /// Smallest and largest `created_at`.
    pub oldest: i64,
    /// See `oldest`.
    pub newest: i64,
    /// Events whose payload is not one whole line of the file that is their own, and JSON; the first of them, each in words.
    #[serde(default)]
    pub violations: Vec<String>,
}

impl LogFacts {
    /// What a log's summary says, and what is wrong with its spans.
    pub(super) fn of(profile: &Profile, violations: &[SpanViolation]) -> Self {
        let Profile { rows, high_water, oldest, newest, .. } = *profile;
        let violations = violations.iter().map(ToString::to_string).collect();
        Self { events: rows, high_water, oldest, newest, violations }
    }
}

/// What a strategy may touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct May {
    /// Every import, by its full name.
    pub imported: Vec<String>,
    /// Every export, by its full name.
    pub exported: Vec<String>,
    /// Interfaces of the project's package that it is granted, by their short names.
    pub interfaces: Vec<String>,
    /// Columns of the log.
    pub columns: Vec<String>,
    /// Functions of SQLite.
    pub functions: Vec<String>,
    /// Modules of virtual tables.
    pub virtual_tables: Vec<String>,
    /// WASI interfaces.
    pub wasi: Vec<String>,
    /// Most bytes of scratch.
    pub scratch_quota: u64,
    /// How its instances live: `fresh`, or `warm` and a number of uses.
    pub instances: String,
    /// Whether this is the least that covers what was used: it ran with all that it could be granted.
    #[serde(default)]
    pub proposed: bool,
}

impl May {
    /// Whether this is what these grants allow.
    pub fn is_of(&self, grants: &Grants) -> bool {
        let mut same = self.clone();
        same.grant(grants);
        same == *self
    }

    /// Takes over what a strategy is granted.
    pub(super) fn grant(&mut self, grants: &Grants) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.interfaces = owned(&grants.interfaces);
        self.columns = owned(&grants.columns);
        self.functions = owned(&grants.functions);
        self.virtual_tables = owned(&grants.virtual_tables);
        self.wasi = owned(&grants.wasi);
        self.scratch_quota = grants.scratch_quota;
    }
}

/// What a strategy did touch: many requests' ledgers, added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Requests, and slices of refreshes.
    pub requests: u64,
    /// Interfaces of the project's package, by their short names.
    pub interfaces: Vec<String>,
    /// Columns of the log that its statements read, from the log or from what scratch is fed with.
    pub columns: Vec<String>,
    /// Tables that its statements name: the log's plainly, others with their schema.
    pub tables: Vec<String>,
    /// Functions of SQLite.
    pub functions: Vec<String>,
    /// Modules of virtual tables.
    #[serde(default)]
    pub virtual_tables: Vec<String>,
    /// WASI interfaces, as a policy names them.
    #[serde(default)]
    pub wasi: Vec<String>,
    /// Each statement of its pages once.
    pub statements: Vec<StatementUse>,
    /// Runs of statements beyond those told apart.
    pub other_runs: u64,
    /// Host calls by name.
    pub calls: BTreeMap<String, Calls>,
    /// Amounts, summed over all requests.
    pub total: Amounts,
    /// The most of each amount that one request used.
    pub most: Amounts,
    /// Payloads that were read although their events are not on the page.
    #[serde(default)]
    pub unshown_payloads: u64,
    /// Denials by rule and object, and how often.
    pub denials: Vec<Denial>,
    /// The first notes, escaped.
    pub notes: Vec<String>,
    /// Time in the guest's own code, in microseconds.
    pub guest_us: f64,
    /// Time in host calls, in microseconds.
    pub host_us: f64,
}

/// Calls of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// How often.
    pub count: u64,
    /// Time in all, in microseconds.
    pub us: f64,
}

/// What was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The rule.
    pub rule: String,
    /// The object.
    pub object: String,
    /// How often.
    pub count: u64,
}

/// What refreshes did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScratchFacts {
    /// What became of the fill, where it failed.
    #[serde(default)]
    pub failed: Option<String>,
    /// Events taken in by the fill.
    pub events: u64,
    /// How long that took, in milliseconds.
    pub fill_ms: f64,
    /// Bytes of scratch afterwards.
    pub bytes: u64,
    /// Its tables.
    pub tables: Vec<String>,
    /// Steps of SQLite's virtual machine in all.
    pub vm_steps: u64,
    /// Each statement of its refreshes once.
    pub statements: Vec<StatementUse>,
}

/// Whether a strategy is right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correctness {
    /// Whether no page differed.
    pub equal: bool,
    /// Compared pages.
    pub pages: u64,
    /// How many of them held an event.
    pub non_empty: u64,
    /// How many events they held.
    pub events: u64,
    /// Under this share of pages drawn alike differ, at 95 %: 3/n. None where a page differs.
    pub bound: Option<f64>,
    /// Each stream in the order in which it was asked.
    pub streams: Vec<StreamFacts>,
}

impl Correctness {
    /// The sum over streams.
    pub(super) fn of(streams: Vec<StreamFacts>) -> Self {
        let sum = |count: fn(&StreamFacts) -> u64| streams.iter().map(count).sum::<u64>();
        let equal = sum(|stream| stream.differing) == 0;
        let non_empty = sum(|stream| stream.non_empty);
        Self {
            equal,
            pages: sum(|stream| stream.pages),
            non_empty,
            events: sum(|stream| stream.events),
            bound: rule_of_three(non_empty).filter(|_| equal),
            streams,
        }
    }
}

/// One stream of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its name.
    pub name: String,
    /// Compared pages.
    pub pages: u64,
    /// How many of them held an event.
    pub non_empty: u64,
    /// How many differ.
    pub differing: u64,
    /// How many events the pages held.
    #[serde(skip)]
    pub events: u64,
    /// Whether the host refused the first page that differs by itself, so that no client would see it.
    #[serde(default)]
    pub refused: bool,
    /// What the first difference is called: `lie:…`, an error's code, `field:…`.
    pub kind: Option<String>,
    /// The first difference in words.
    pub what: Option<String>,
    /// The command that shows it again.
    pub repeat: Option<String>,
}

impl StreamFacts {
    /// Counts a page that was compared.
    pub(super) fn count(&mut self, page: &Page) {
        self.pages += 1;
        self.non_empty += u64::from(!page.is_empty());
        self.events += page.len() as u64;
    }
}

/// What one request cost, fuel and steps being exact and repeatable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Which events: `all`, `actor`, `action`, `week`.
    pub filter: String,
    /// `whole`, or `half` for the log of the first half of its events.
    pub log: String,
    /// How many events that log holds.
    pub events: u64,
    /// The page's number.
    pub page: u64,
    /// Events on the page.
    pub count: u64,
    /// Bytes of their payloads.
    #[serde(default)]
    pub bytes: u64,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: u64,
    /// Fuel; None for a strategy outside the sandbox.
    pub fuel: Option<u64>,
    /// The median time of some runs without fuel, in microseconds.
    pub us: f64,
    /// The error's name, where it failed.
    pub failed: Option<String>,
}

/// Whether a strategy is deterministic: the same requests under other circumstances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Determinism {
    /// Requests asked under each circumstance.
    pub requests: u64,
    /// Whether another process answered with the same bytes.
    pub same_across_processes: bool,
    /// Whether it burnt the same fuel there.
    pub same_fuel_across_processes: bool,
    /// Whether a pool slot that others had used before gave the same bytes and fuel.
    pub same_in_used_slot: bool,
    /// Whether scratch, filled anew, gave the same bytes; None without an index.
    pub same_after_refill: Option<bool>,
    /// Whether a warm instance answered with the same bytes.
    pub same_when_warm: bool,
    /// The first difference in words.
    pub first: Option<String>,
}

/// Whether a strategy may serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was found that speaks against it.
    Fit,
    /// It is safe and right; what it costs, or asks for, is worth a look.
    FitWithWarnings,
    /// A finding of its security or its correctness speaks against it.
    #[default]
    Unfit,
}

impl Verdict {
    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::FitWithWarnings => "fit, with warnings",
            Self::Unfit => "unfit",
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// Worth a decision.
    Medium,
    /// Speaks against letting it serve.
    High,
}

impl Severity {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its code, stable.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// What exactly was seen, with numbers and names; guest text in it is escaped.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}
