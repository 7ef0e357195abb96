//! The value of every key as it is in effect, where it comes from, and when a change of it is.

use serde::Serialize;

use crate::policy::key::{self, KEYS, PolicyKey};
use crate::policy::parse::Settings;
use crate::policy::value::{self, Value};
use crate::policy::{Origin, Policy, StrategySection};
use keyhole_log::grants::{BUILT_IN, Grants, LISTS};

/// The value of one key that is in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInEffect {
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
pub fn rows(policy: &Policy) -> Vec<KeyInEffect> {
    let (settings, mut rows) = (&policy.said.settings, Vec::new());
    for key in KEYS.iter().filter(|key| !key.table.starts_with("strategy")) {
        let limit = policy.limits.named().into_iter().find(|(name, _)| *name == key.name);
        let value = match limit {
            // A default may have gone down with the engine's ceiling.
            Some((_, number)) if key.table == "limits" => Some(Value::Number(number)),
            _ => settings.value(&key.path()),
        };
        let Some(value) = value else { continue };
        let from = match settings.origin(&key.path()) {
            Some(origin) => from(origin),
            None if value::written(&value, key.form) == key.default => "default".to_owned(),
            None => format!("engine ceiling host.{}", key.name),
        };
        rows.push(row(key.path(), &value, key, from));
    }
    for (name, (public, line)) in &policy.said.keys {
        rows.push(KeyInEffect {
            // Quoted where TOML asks for it.
            key: format!("keys.{}", toml_edit::Key::new(name)),
            value: value::quoted(public),
            from: format!("line {line}"),
            changes: key::RELOAD,
        });
    }
    for name in BUILT_IN {
        if let (None, Some(grants)) = (policy.sections.get(name), policy.built_in(name)) {
            add_limits(name, &grants, &Settings::default(), policy, &mut rows);
        }
    }
    for section in policy.sections.values() {
        add_section(section, policy, &mut rows);
    }
    rows
}

/// The rows as a table for people.
pub fn readable(rows: &[KeyInEffect]) -> String {
    let width = |of: fn(&KeyInEffect) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (key, value) = (width(|row| row.key.len()), width(|row| row.value.chars().count()).min(44));
    let from = width(|row| row.from.len());
    let line = |cells: [&str; 4]| {
        format!("{:key$}  {:value$}  {:from$}  {}\n", cells[0], cells[1], cells[2], cells[3])
    };
    let rows = rows.iter().map(|row| line([&row.key, &row.value, &row.from, row.changes]));
    line(["key", "value", "from", "a change needs"]) + &rows.collect::<String>()
}

fn add_section(section: &StrategySection, policy: &Policy, rows: &mut Vec<KeyInEffect>) {
    let Some((_, settings)) = policy.said.sections.get(&section.name) else { return };
    let grants = &section.grants;
    let lists = LISTS.map(|(key, _)| key).into_iter().zip(grants.lists());
    for key in key::of_table("strategy").chain(key::of_table("strategy.approved")) {
        let path = key.path();
        let list = lists.clone().find(|(list, _)| *list == key.name).map(|(_, words)| words);
        let (value, from) = match (settings.said(&path), key.name, list) {
            (Some((value, origin)), ..) => (value.clone(), from(origin)),
            (None, "quota", _) => (Value::Number(grants.scratch_quota), "scratch.quota".to_owned()),
            (None, "refresh_after", _) => {
                (Value::Number(grants.refresh_after), "scratch.refresh_after".to_owned())
            }
            (None, "notes", _) => (Value::Number(u64::from(grants.notes)), "default".to_owned()),
            (None, _, Some(words)) => {
                let from = if section.is_built_in() { "built in" } else { "default" };
                (Value::Words(words.to_vec()), from.to_owned())
            }
            (None, ..) => continue,
        };
        let called = path.replacen("strategy", &format!("strategy.{}", section.name), 1);
        rows.push(row(called, &value, key, from));
    }
    add_limits(&section.name, grants, settings, policy, rows);
}

/// The limits of one strategy that are not those of `[limits]`, or are named all the same.
fn add_limits(
    name: &str,
    grants: &Grants,
    settings: &Settings,
    policy: &Policy,
    rows: &mut Vec<KeyInEffect>,
) {
    for ((limit, own), (_, every)) in grants.limits.named().into_iter().zip(policy.limits.named()) {
        let Some(key) = key::find("limits", limit) else { continue };
        let from = match settings.origin(&key.path()) {
            Some(origin) => from(origin),
            None if own != every => "built in".to_owned(),
            None => continue,
        };
        rows.push(row(format!("strategy.{name}.limits.{limit}"), &Value::Number(own), key, from));
    }
}

fn row(called: String, value: &Value, key: &PolicyKey, from: String) -> KeyInEffect {
    KeyInEffect { key: called, value: value::written(value, key.form), from, changes: key.changes }
}

fn from(origin: &Origin) -> String {
    match origin {
        Origin::File => "file".to_owned(),
        Origin::Line(line) => format!("line {line}"),
        Origin::Variable(variable) => format!("environment {variable}"),
    }
}
