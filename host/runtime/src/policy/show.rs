//! The value of every key as it is in effect, where it comes from, and when a change of it is.

use serde::Serialize;

use crate::limits::Limits;
use crate::policy::grants::{BUILT_IN, Grants};
use crate::policy::key::{self, Form, KEYS, Key};
use crate::policy::value::{self, Value};
use crate::policy::{Place, Policy, Setting, Settings, Stanza};

/// One key's value in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The key, with its table.
    pub key: String,
    /// The value, as a policy would write it.
    pub value: String,
    /// Where it comes from.
    pub from: String,
    /// When a change is in effect.
    pub changes: &'static str,
}

/// Every key of the policy in force.
pub fn rows(policy: &Policy) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in KEYS.iter().filter(|key| !key.section.starts_with("strategy") && key.section != "keys") {
        if let Some(value) = effective(policy, key) {
            let from = match policy.said.place(&key.path()) {
                Some(place) => from(place),
                None if written(&value, key) != key.default => ceiling(key),
                None => "default".to_owned(),
            };
            rows.push(row(key.path(), &value, key, from));
        }
    }
    for (name, (public, line)) in &policy.said.keys {
        rows.push(Row {
            key: format!("keys.{}", value::name(name)),
            value: value::quoted(public),
            from: format!("line {line}"),
            changes: key::Changes::Reload.name(),
        });
    }
    for name in BUILT_IN {
        if let (None, Some(grants)) = (policy.stanzas.get(name), policy.built_in(name)) {
            limits_of(name, &grants, &Settings::new(), policy, &mut rows);
        }
    }
    for stanza in policy.stanzas.values() {
        stanza_rows(stanza, policy, &mut rows);
    }
    rows
}

/// The rows as a table for people.
pub fn readable(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (key, value) = (width(|row| row.key.len()), width(|row| row.value.chars().count()).min(44));
    let from = width(|row| row.from.len());
    let line =
        |row: &Row| format!("{:key$}  {:value$}  {:from$}  {}\n", row.key, row.value, row.from, row.changes);
    let head = format!("{:key$}  {:value$}  {:from$}  {}\n", "key", "value", "from", "a change needs");
    rows.iter().fold(head, |text, row| text + &line(row))
}

fn effective(policy: &Policy, key: &Key) -> Option<Value> {
    let number = |named: &[(&str, u64)]| {
        named.iter().find(|(name, _)| *name == key.name).map(|(_, number)| Value::Number(*number))
    };
    let millis =
        |time: std::time::Duration| Some(Value::Number(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    match (key.section, key.name) {
        (_, "version") => Some(Value::Number(1)),
        ("host", _) => number(&policy.ceilings.named()),
        ("limits", _) => number(&policy.limits.named()),
        ("serve", "active") => Some(Value::Text(policy.serve.active.clone())),
        ("serve", "reference") => Some(Value::Text(policy.serve.reference.clone())),
        ("serve", "reference_share") => Some(Value::Share(policy.serve.reference_share)),
        ("serve.breaker", "failures") => Some(Value::Number(policy.serve.failures)),
        ("serve", "proof_time") => millis(policy.serve.proof_time),
        ("serve.breaker", "within") => millis(policy.serve.within),
        ("scratch", "quota") => Some(Value::Number(policy.scratch.quota)),
        ("scratch", "total") => Some(Value::Number(policy.scratch.total)),
        ("scratch", "refresh_after") => Some(Value::Number(policy.scratch.refresh_after)),
        _ => None,
    }
}

fn stanza_rows(stanza: &Stanza, policy: &Policy, rows: &mut Vec<Row>) {
    let Some((_, settings)) = policy.said.stanzas.get(&stanza.name) else { return };
    let grants = &stanza.grants;
    for key in key::of_section("strategy").chain(key::of_section("strategy.approved")) {
        let path = key.path();
        let called = path.replacen("strategy", &format!("strategy.{}", stanza.name), 1);
        let (value, from) = match (settings.get(&path), key.name) {
            (Some(Setting { value, place }), _) => (value.clone(), from(place)),
            (None, "quota") => (Value::Number(grants.scratch_quota), "scratch.quota".to_owned()),
            (None, "refresh_after") => {
                (Value::Number(grants.refresh_after), "scratch.refresh_after".to_owned())
            }
            (None, "interfaces") => built_in_words(stanza, &grants.interfaces),
            (None, "columns") => built_in_words(stanza, &grants.columns),
            (None, "functions") => built_in_words(stanza, &grants.functions),
            (None, "virtual_tables") => built_in_words(stanza, &grants.virtual_tables),
            (None, "wasi") => built_in_words(stanza, &grants.wasi),
            (None, "notes") => (Value::Number(u64::from(grants.notes)), "default".to_owned()),
            (None, _) => continue,
        };
        rows.push(row(called, &value, key, from));
    }
    limits_of(&stanza.name, grants, settings, policy, rows);
}

fn built_in_words(stanza: &Stanza, words: &[&'static str]) -> (Value, String) {
    let from = if stanza.is_built_in() { "built in" } else { "default" };
    (Value::Words(words.to_vec()), from.to_owned())
}

/// The limits of one strategy that are not those of `[limits]`, or are named all the same.
fn limits_of(name: &str, grants: &Grants, settings: &Settings, policy: &Policy, rows: &mut Vec<Row>) {
    let all: &Limits = &policy.limits;
    for ((limit, own), (_, every)) in grants.limits.named().into_iter().zip(all.named()) {
        let (Some(key), said) = (key::find("limits", limit), settings.get(&format!("limits.{limit}"))) else {
            continue;
        };
        let from = match said {
            Some(Setting { place, .. }) => from(place),
            None if own != every => "built in".to_owned(),
            None => continue,
        };
        rows.push(row(format!("strategy.{name}.limits.{limit}"), &Value::Number(own), key, from));
    }
}

fn row(called: String, value: &Value, key: &Key, from: String) -> Row {
    Row { key: called, value: written(value, key), from, changes: key.changes.name() }
}

fn written(value: &Value, key: &Key) -> String {
    match (value, key.form) {
        // The prefix is not kept.
        (Value::Text(digest), Form::Digest) => format!("\"sha256:{digest}\""),
        (value, form) => value::written(value, form),
    }
}

fn ceiling(key: &Key) -> String {
    key.ceiling.map_or_else(|| "default".to_owned(), |ceiling| format!("engine ceiling host.{ceiling}"))
}

fn from(place: &Place) -> String {
    match place {
        Place::File => "file".to_owned(),
        Place::Line(line) => format!("line {line}"),
        Place::Variable(variable) => format!("environment {variable}"),
    }
}
