//! The operator's policy: ceilings of the engine, limits of a request, and what each strategy is
//! granted. Deny by default; what is wrong with a policy is said all at once.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "lines of a policy are put together a few times a run, and read best as what they become"
)]

pub mod allow;
pub mod docs;
pub mod file;
pub mod grants;
pub mod identity;
pub mod key;
pub mod lines;
pub mod number;
pub mod parse;
pub mod problem;
pub mod show;
pub mod stanza;
pub mod template;
pub mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::limits::{CEILINGS, Ceilings, Limits};

pub use grants::{
    Grants, INERT, INTERFACES, KEY_COLUMNS, REFRESH_AFTER, SHOWN_COLUMNS, VIRTUAL_TABLES, WASI,
};
pub use parse::{Said, Setting, Settings};
pub use problem::{Place, Problem};
pub use stanza::{Approved, Stanza};
pub use value::Value;

/// What `serve` is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// The strategy of the first start.
    pub active: String,
    /// The strategy that pages are compared with.
    pub reference: String,
    /// The share of the pages that is compared.
    pub reference_share: f64,
    /// The time in which a candidate is to be proven.
    pub proof_time: Duration,
    /// Failures that open the breaker.
    pub failures: u64,
    /// The time in which they are counted.
    pub within: Duration,
}

/// How much scratch there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchLimits {
    /// Bytes of one strategy's scratch.
    pub quota: u64,
    /// Bytes of all scratch in the cache folder.
    pub total: u64,
    /// Events that may be uncovered.
    pub refresh_after: u64,
}

/// A policy, whole and valid.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The file that it was read from; none where there is only the environment.
    pub file: Option<PathBuf>,
    /// SHA-256 of that file, in hex.
    pub digest: Option<String>,
    /// What the engine's pools hold.
    pub ceilings: Ceilings,
    /// The limits of one request, for every strategy that has none of its own.
    pub limits: Limits,
    /// What `serve` is told.
    pub serve: Serve,
    /// How much scratch there may be.
    pub scratch: ScratchLimits,
    /// The minisign public keys by name.
    pub keys: BTreeMap<String, String>,
    /// What each strategy is granted, by name.
    pub stanzas: BTreeMap<String, Stanza>,
    /// What was said, and where.
    pub said: Said,
}

impl Default for Policy {
    /// What holds where nothing is said.
    fn default() -> Self {
        Self {
            file: None,
            digest: None,
            ceilings: Ceilings::default(),
            limits: Limits::default(),
            serve: Serve {
                active: "keyset".to_owned(),
                reference: "native-baseline".to_owned(),
                reference_share: 0.001,
                proof_time: Duration::from_hours(1),
                failures: 5,
                within: Duration::from_mins(1),
            },
            scratch: ScratchLimits { quota: 1 << 30, total: 4 << 30, refresh_after: REFRESH_AFTER },
            keys: BTreeMap::new(),
            stanzas: BTreeMap::new(),
            said: Said::default(),
        }
    }
}

impl Policy {
    /// The policy in force: the file's, if one is named, under what the environment says. Without a file
    /// local verbs grant the project's interfaces and default limits.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        match file {
            Some(path) => Self::read(path, variables),
            None => Self::put_together(Said::default(), Vec::new(), variables)
                .map_err(|problems| Error::BadPolicy { path: PathBuf::from("the environment"), problems }),
        }
    }

    /// Reads a policy file, under what these variables say.
    pub fn read(path: &Path, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let bad = |problems| Error::BadPolicy { path: path.to_owned(), problems };
        let bytes = file::read(path, file::MOST_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            bad(vec![Problem { place: Place::File, what: format!("it is not text: {error}") }])
        })?;
        let (said, problems) = parse::parse(text);
        let policy = Self::put_together(said, problems, variables).map_err(bad)?;
        Ok(Self { file: Some(path.to_owned()), digest: Some(crate::sha256(&bytes)), ..policy })
    }

    /// Reads a policy's text alone. Never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (said, problems) = parse::parse(text);
        Self::put_together(said, problems, std::iter::empty())
    }

    /// The folder that a stanza's paths start from.
    pub fn folder(&self) -> PathBuf {
        let parent =
            self.file.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    }

    /// A file's path as a stanza names it: from the policy's folder, where it lies below.
    pub fn relative(&self, component: &Path) -> PathBuf {
        match (component.canonicalize(), self.folder().canonicalize()) {
            (Ok(component), Ok(folder)) => {
                component.strip_prefix(&folder).map(Path::to_owned).unwrap_or(component)
            }
            _ => component.to_owned(),
        }
    }

    /// What a built-in strategy is granted.
    pub fn built_in(&self, name: &str) -> Option<Grants> {
        match self.stanzas.get(name) {
            Some(stanza) => Some(stanza.grants.clone()),
            None => Grants::built_in(name, &self.limits, &self.scratch),
        }
    }

    /// What local verbs grant a component file where there is no policy file.
    pub fn local(&self) -> Grants {
        Grants {
            limits: self.limits.clone(),
            scratch_quota: self.scratch.quota,
            scratch_total: self.scratch.total,
            refresh_after: self.scratch.refresh_after,
            ..Grants::local()
        }
    }

    fn put_together(
        mut said: Said,
        mut problems: Vec<Problem>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        parse::add_environment(&mut said, variables, &mut problems);
        let mut policy = Self::default();
        for ceiling in CEILINGS {
            if let Some(number) = said.number(&format!("host.{}", ceiling.name)) {
                policy.ceilings.set(ceiling.name, number);
            }
        }
        policy.limits.below(&policy.ceilings);
        for (path, setting) in &said.settings {
            if let (Some(name), Value::Number(number)) = (path.strip_prefix("limits."), &setting.value) {
                policy.limits.set(name, *number);
            }
        }
        check_ceilings(&said.settings, "limits", &policy.ceilings, &said, &mut problems);
        for (path, number) in [
            ("scratch.quota", &mut policy.scratch.quota),
            ("scratch.total", &mut policy.scratch.total),
            ("scratch.refresh_after", &mut policy.scratch.refresh_after),
            ("serve.breaker.failures", &mut policy.serve.failures),
        ] {
            *number = said.number(path).unwrap_or(*number);
        }
        for (path, name) in
            [("serve.active", &mut policy.serve.active), ("serve.reference", &mut policy.serve.reference)]
        {
            if let Some(Value::Text(text)) = said.value(path) {
                name.clone_from(text);
            }
        }
        if let Some(Value::Share(share)) = said.value("serve.reference_share") {
            policy.serve.reference_share = *share;
        }
        for (path, time) in [
            ("serve.proof_time", &mut policy.serve.proof_time),
            ("serve.breaker.within", &mut policy.serve.within),
        ] {
            *time = said.number(path).map_or(*time, Duration::from_millis);
        }
        policy.keys = said.keys.iter().map(|(name, (key, _))| (name.clone(), key.clone())).collect();
        policy.said = said.clone();
        let mut stanzas = BTreeMap::new();
        for (name, (line, settings)) in &said.stanzas {
            let stanza = Stanza::of(name, *line, settings, &policy, &mut problems);
            check_ceilings(
                settings,
                &format!("strategy.{name}.limits"),
                &policy.ceilings,
                &said,
                &mut problems,
            );
            stanzas.insert(name.clone(), stanza);
        }
        policy.stanzas = stanzas;
        policy.check_scratch(&mut problems);
        policy.check_serve(&mut problems);
        if problems.is_empty() {
            return Ok(policy);
        }
        problems.sort();
        problems.dedup();
        Err(problems)
    }

    fn check_scratch(&self, problems: &mut Vec<Problem>) {
        if self.scratch.quota > self.scratch.total {
            let at = self.said.place("scratch.quota").or(self.said.place("scratch.total"));
            problems.push(Problem {
                place: at.cloned().unwrap_or(Place::File),
                what: "scratch.quota is more than scratch.total: one strategy's scratch would not fit"
                    .to_owned(),
            });
        }
    }

    fn check_serve(&self, problems: &mut Vec<Problem>) {
        for (key, name) in [("serve.active", &self.serve.active), ("serve.reference", &self.serve.reference)]
        {
            let built_in = Grants::built_in(name, &self.limits, &self.scratch).is_some();
            if built_in || self.stanzas.get(name).is_some_and(|stanza| stanza.file.is_some()) {
                continue;
            }
            let names = grants::BUILT_IN.iter().copied().chain(self.stanzas.keys().map(String::as_str));
            problems.push(Problem {
                place: self.said.place(key).cloned().unwrap_or(Place::File),
                what: if self.stanzas.contains_key(name) {
                    format!("{key}: [strategy.{name}] names no file, so it cannot be found by name")
                } else {
                    let near = problem::nearest(name, names);
                    format!("{key}: there is no strategy {}: {near}", problem::shown(name))
                },
            });
        }
    }
}

impl Said {
    fn value(&self, path: &str) -> Option<&Value> {
        self.settings.get(path).map(|setting| &setting.value)
    }

    fn number(&self, path: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.value(path) { Some(*number) } else { None }
    }

    /// Where a key stands, if it does.
    pub fn place(&self, path: &str) -> Option<&Place> {
        self.settings.get(path).map(|setting| &setting.place)
    }
}

impl Limits {
    /// Lowers what lies above the engine's ceilings.
    pub fn below(&mut self, ceilings: &Ceilings) {
        self.memory = self.memory.min(ceilings.memory);
        self.table_elements = self.table_elements.min(ceilings.table_elements);
    }
}

/// A limit above its ceiling would be a promise that the engine does not keep.
fn check_ceilings(
    settings: &Settings,
    called: &str,
    ceilings: &Ceilings,
    said: &Said,
    problems: &mut Vec<Problem>,
) {
    for key in key::of_section("limits").filter(|key| key.ceiling.is_some()) {
        let name = key.name;
        let Some((_, ceiling)) = ceilings.named().into_iter().find(|(ceiling, _)| *ceiling == name) else {
            continue;
        };
        let Some(Setting { value: Value::Number(number), place }) = settings.get(&format!("limits.{name}"))
        else {
            continue;
        };
        if *number > ceiling {
            let stands = match said.place(&format!("host.{name}")) {
                Some(Place::Line(line)) => format!(" on line {line}"),
                Some(Place::Variable(variable)) => format!(" by {variable}"),
                _ => " by default".to_owned(),
            };
            problems.push(Problem {
                place: place.clone(),
                what: format!(
                    "{called}.{name}: {} is above the engine's ceiling host.{name}, {}{stands}: lower it, or raise the ceiling and restart",
                    value::written(&Value::Number(*number), key.form),
                    value::written(&Value::Number(ceiling), key.form),
                ),
            });
        }
    }
}

#[cfg(test)]
mod tests;
