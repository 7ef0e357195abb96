//! `[strategy.NAME]`: what one strategy is granted, and which bytes may have it.

use std::path::PathBuf;

use crate::policy::grants::{BUILT_IN, Grants, INERT, WASI};
use crate::policy::problem::{Place, Problem, nearest, shown};
use crate::policy::{Policy, Settings, Value};

/// Who let a strategy in, when and why. For people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The digest of the audit that was read.
    pub audit: Option<String>,
}

/// One stanza. It belongs to its name: another digest under it gets the same grants.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Its name.
    pub name: String,
    /// The line that it begins on.
    pub line: usize,
    /// The component, as it is written: relative to the policy's folder.
    pub file: Option<PathBuf>,
    /// SHA-256 that the component must have, in hex.
    pub digest: Option<String>,
    /// The name of the key that must have signed it, and the key.
    pub key: Option<(String, String)>,
    /// What it may do.
    pub grants: Grants,
    /// Who approved it.
    pub approved: Approved,
}

impl Stanza {
    /// Whether it only adjusts a built-in strategy.
    pub fn is_built_in(&self) -> bool {
        BUILT_IN.contains(&self.name.as_str())
    }

    /// Puts a stanza together. What is wrong with it is added to the problems.
    pub(super) fn of(
        name: &str,
        line: usize,
        settings: &Settings,
        policy: &Policy,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let given = Given { name, line, settings };
        let base = Grants::built_in(name, &policy.limits, &policy.scratch);
        let built_in = base.is_some();
        let mut grants = base.unwrap_or_else(|| Grants {
            limits: policy.limits.clone(),
            scratch_quota: policy.scratch.quota,
            scratch_total: policy.scratch.total,
            refresh_after: policy.scratch.refresh_after,
            ..Grants::none()
        });
        if built_in {
            given.refuse_identity(problems);
        } else {
            given.check_identity(policy, problems);
            grants.interfaces = given.words("interfaces");
            grants.columns = given.words("columns");
            grants.functions = given.words("functions");
            grants.virtual_tables = given.words("virtual_tables");
            grants.wasi = given.words("wasi");
            if grants.wasi.contains(&INERT) {
                grants.wasi = WASI.iter().copied().filter(|name| *name != INERT).collect();
            }
            given.check_scratch(&grants, problems);
        }
        if let Some(Value::Instances(instances)) = given.value("instances") {
            grants.instances = Some(*instances);
        }
        if let Some(requests) = given.number("at_once") {
            grants.at_once = u32::try_from(requests).ok();
        }
        if let Some(number) = given.number("notes") {
            grants.notes = number != 0;
        }
        if let Some(quota) = given.number("quota") {
            grants.scratch_quota = quota;
            if quota > policy.scratch.total {
                let what = format!("strategy.{name}.quota is more than scratch.total: it would not fit");
                problems.push(Problem { place: given.place("quota"), what });
            }
        }
        if let Some(events) = given.number("refresh_after") {
            grants.refresh_after = events;
        }
        for (path, setting) in settings {
            if let (Some(limit), Value::Number(number)) = (path.strip_prefix("limits."), &setting.value) {
                grants.limits.set(limit, *number);
            }
        }
        let key = given.text("key").and_then(|key| Some((key.clone(), policy.keys.get(&key)?.clone())));
        Self {
            name: name.to_owned(),
            line,
            file: given.text("file").map(PathBuf::from),
            digest: given.text("digest"),
            key,
            grants,
            approved: Approved {
                by: given.text("approved.by"),
                at: given.text("approved.at"),
                reason: given.text("approved.reason"),
                audit: given.text("approved.audit"),
            },
        }
    }
}

struct Given<'a> {
    name: &'a str,
    line: usize,
    settings: &'a Settings,
}

impl Given<'_> {
    fn value(&self, key: &str) -> Option<&Value> {
        self.settings.get(&format!("strategy.{key}")).map(|setting| &setting.value)
    }

    fn place(&self, key: &str) -> Place {
        let setting = self.settings.get(&format!("strategy.{key}"));
        setting.map_or(Place::Line(self.line), |setting| setting.place.clone())
    }

    fn text(&self, key: &str) -> Option<String> {
        if let Some(Value::Text(text)) = self.value(key) { Some(text.clone()) } else { None }
    }

    fn number(&self, key: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.value(key) { Some(*number) } else { None }
    }

    fn words(&self, key: &str) -> Vec<&'static str> {
        if let Some(Value::Words(words)) = self.value(key) { words.clone() } else { Vec::new() }
    }

    /// A built-in strategy is known, and so is what it needs.
    fn refuse_identity(&self, problems: &mut Vec<Problem>) {
        for key in ["file", "digest", "key", "interfaces", "columns", "functions", "virtual_tables", "wasi"] {
            if self.value(key).is_some() {
                problems.push(Problem {
                    place: self.place(key),
                    what: format!(
                        "strategy.{0}.{key}: {0} is built in, with its own grants: only limits, instances, at_once, \
                         notes, quota and refresh_after can be changed",
                        self.name
                    ),
                });
            }
        }
    }

    fn check_identity(&self, policy: &Policy, problems: &mut Vec<Problem>) {
        let name = self.name;
        if self.value("digest").is_none() && self.value("key").is_none() {
            problems.push(Problem {
                place: Place::Line(self.line),
                what: format!(
                    "strategy.{name} names neither digest nor key: any file could have its grants. \
                     `keyhole inspect FILE` prints the digest"
                ),
            });
        }
        if let Some(key) = self.text("key")
            && !policy.keys.contains_key(&key)
        {
            let near = nearest(&key, policy.keys.keys().map(String::as_str));
            problems.push(Problem {
                place: self.place("key"),
                what: format!("strategy.{name}.key: there is no {} in [keys]: {near}", shown(&key)),
            });
        }
    }

    fn check_scratch(&self, grants: &Grants, problems: &mut Vec<Problem>) {
        if grants.interfaces.contains(&"scratch") && !grants.columns.contains(&"id") {
            problems.push(Problem {
                place: self.place("columns"),
                what: format!(
                    "strategy.{}.columns: scratch is fed with the granted columns, and an event without its \
                     \"id\" is of no use: add it",
                    self.name
                ),
            });
        }
    }
}
