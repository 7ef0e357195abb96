//! `[strategy.NAME]`: what one strategy is granted, and which bytes may have it.

use std::path::PathBuf;

use crate::policy::Policy;
use crate::policy::mistake::{Mistakes, Origin, nearest, shown};
use crate::policy::parse::Settings;
use crate::policy::value::Value;
use keyhole_log::grants::{BUILT_IN, Grants, INERT, LISTS, WASI};

/// The section of one strategy. It belongs to its name: another digest under it gets the same grants.
#[derive(Clone, Debug)]
pub struct StrategySection {
    /// The strategy's name.
    pub name: String,
    /// The line that the section begins on.
    pub line: usize,
    /// The component, as it is written: relative to the policy's folder.
    pub file: Option<PathBuf>,
    /// SHA-256 that the component must have, in hex.
    pub digest: Option<String>,
    /// The name of the key that must have signed it, and the key.
    pub key: Option<(String, String)>,
    /// What it may do.
    pub grants: Grants,
}

impl StrategySection {
    /// Whether it only adjusts a built-in strategy.
    pub fn is_built_in(&self) -> bool {
        BUILT_IN.contains(&self.name.as_str())
    }

    /// The section with these settings, under the rest of the policy. What is wrong with it is added to the mistakes.
    pub(super) fn of(
        name: &str,
        line: usize,
        settings: &Settings,
        policy: &Policy,
        mistakes: &mut Mistakes,
    ) -> Self {
        let text = |key: &str| settings.text(&format!("strategy.{key}"));
        let key = text("key");
        let public = key.as_ref().and_then(|key| policy.keys.get(key));
        let mut section = Self {
            name: name.to_owned(),
            line,
            file: text("file").map(PathBuf::from),
            digest: text("digest"),
            key: key.clone().zip(public.cloned()),
            grants: Grants::built_in(name, &policy.limits, &policy.scratch).unwrap_or_else(|| policy.local()),
        };
        if !section.is_built_in() {
            for (list, (key, _)) in section.grants.lists_mut().into_iter().zip(LISTS) {
                *list = match settings.value(&format!("strategy.{key}")) {
                    // One word grants the whole group.
                    Some(Value::Words(words)) if words.contains(&INERT) => WASI.to_vec(),
                    Some(Value::Words(words)) => words,
                    _ => Vec::new(),
                };
            }
        }
        section.adjust(settings);
        section.check(settings, policy, mistakes);
        section
    }

    /// Takes over what every section may say, that of a built-in strategy too.
    fn adjust(&mut self, settings: &Settings) {
        let grants = &mut self.grants;
        if let Some(Value::Instances(instances)) = settings.value("strategy.instances") {
            grants.instances = Some(instances);
        }
        grants.at_once =
            settings.number("strategy.at_once").and_then(|requests| u32::try_from(requests).ok());
        grants.notes = settings.number("strategy.notes") != Some(0);
        grants.scratch_quota = settings.number("strategy.quota").unwrap_or(grants.scratch_quota);
        grants.refresh_after = settings.number("strategy.refresh_after").unwrap_or(grants.refresh_after);
        for (limit, number) in settings.numbers("limits") {
            grants.limits.set(limit, number);
        }
    }

    fn check(&self, settings: &Settings, policy: &Policy, mistakes: &mut Mistakes) {
        let (name, grants) = (&self.name, &self.grants);
        let mut add = |key: &str, what: String| {
            let origin = settings.origin(&format!("strategy.{key}"));
            mistakes
                .add(origin.cloned().unwrap_or(Origin::Line(self.line)), format!("strategy.{name}{what}"));
        };
        if settings.said("strategy.quota").is_some() && grants.scratch_quota > grants.scratch_total {
            add("quota", ".quota is more than scratch.total: it would not fit".to_owned());
        }
        if self.is_built_in() {
            // A built-in strategy is known, and so is what it needs.
            for key in ["file", "digest", "key"].into_iter().chain(LISTS.map(|(key, _)| key)) {
                if settings.said(&format!("strategy.{key}")).is_some() {
                    let what = format!(
                        ".{key}: {name} is built in, with its own grants: only limits, instances, at_once, \
                         notes, quota and refresh_after can be changed"
                    );
                    add(key, what);
                }
            }
            return;
        }
        let key = settings.text("strategy.key");
        if self.digest.is_none() && key.is_none() {
            let what = " names neither digest nor key: any file could have its grants. \
                        `keyhole inspect FILE` prints the digest";
            add("", what.to_owned());
        }
        if let Some(key) = key.filter(|key| !policy.keys.contains_key(key)) {
            let near = nearest(&key, policy.keys.keys().map(String::as_str));
            add("key", format!(".key: there is no {} in [keys]: {near}", shown(&key)));
        }
        if grants.interfaces.contains(&"scratch") && !grants.columns.contains(&"id") {
            let what = ".columns: scratch is fed with the granted columns, and an event without its \"id\" is of no \
                        use: add it";
            add("columns", what.to_owned());
        }
    }
}
