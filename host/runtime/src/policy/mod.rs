//! The operator's policy: ceilings of the engine, limits of a request, and what each strategy is
//! granted. Deny by default; what is wrong with a policy is said all at once.

pub mod allow;
pub mod docs;
pub mod file;
pub mod identity;
mod key;
pub mod lines;
mod mistake;
mod parse;
mod section;
pub mod show;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole_log::environment;
use keyhole_log::error::Error;
use keyhole_log::grants::{BUILT_IN, Grants, ScratchLimits};
use keyhole_log::limits::{Ceilings, Limits};
use mistake::{Mistakes, nearest, shown};
use parse::{Said, Settings};
use value::Value;

pub use mistake::{Origin, PolicyMistake};
pub use parse::check_name;
pub use section::StrategySection;
pub use value::number_written;

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
    /// The share of one core that comparing scratch with the log may take; 0 for none.
    pub scrub: f64,
    /// The minisign public keys by name.
    pub keys: BTreeMap<String, String>,
    /// What each strategy is granted, by its name.
    pub sections: BTreeMap<String, StrategySection>,
    /// What was said, and where.
    said: Said,
}

impl Default for Policy {
    /// What holds where nothing is said.
    fn default() -> Self {
        Self::put_together(Said::default(), &mut Mistakes::default())
    }
}

impl Policy {
    /// The policy in force: the file's, if one is named, under what the environment says. Without a file
    /// local verbs grant the project's interfaces and default limits.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let variables = environment::variables()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        match file {
            Some(path) => Self::read(path, variables),
            None => Self::parse_under("version = 1", variables)
                .map_err(|mistakes| bad_policy(Path::new("the environment"), &mistakes)),
        }
    }

    /// Reads a policy file, under what these variables say.
    pub fn read(path: &Path, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let bytes = file::read(path, file::MOST_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let what = format!("it is not text: {error}");
            bad_policy(path, &[PolicyMistake { origin: Origin::File, what }])
        })?;
        let policy = Self::parse_under(text, variables).map_err(|mistakes| bad_policy(path, &mistakes))?;
        Ok(Self { file: Some(path.to_owned()), digest: Some(keyhole_log::hash::sha256(&bytes)), ..policy })
    }

    /// Reads a policy's text alone. Never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyMistake>> {
        Self::parse_under(text, std::iter::empty())
    }

    fn parse_under(
        text: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<PolicyMistake>> {
        let (mut said, mut mistakes) = parse::parse(text);
        parse::add_environment(&mut said.settings, variables, &mut mistakes);
        let policy = Self::put_together(said, &mut mistakes);
        let mistakes = mistakes.all();
        if mistakes.is_empty() { Ok(policy) } else { Err(mistakes) }
    }

    /// The folder that the paths in a policy start from.
    pub fn folder(&self) -> PathBuf {
        let parent =
            self.file.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    }

    /// A file's path as the policy names it: from the policy's folder, where it lies below.
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
        match self.sections.get(name) {
            Some(section) => Some(section.grants.clone()),
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

    /// The policy that says this. What cannot hold together is a mistake.
    fn put_together(said: Said, mistakes: &mut Mistakes) -> Self {
        let settings = &said.settings;
        let number = |path| settings.number(path).unwrap_or_default();
        let text = |path| settings.text(path).unwrap_or_default();
        let time = |path| Duration::from_millis(number(path));
        let share = |path| match settings.value(path) {
            Some(Value::Share(share)) => share,
            _ => 0.0,
        };
        let mut ceilings = Ceilings::default();
        for (name, number) in settings.numbers("host") {
            ceilings.set(name, number);
        }
        let mut limits = Limits::default();
        // A default above the engine's ceiling goes down with it.
        limits.memory = limits.memory.min(ceilings.memory);
        limits.table_elements = limits.table_elements.min(ceilings.table_elements);
        for (name, number) in settings.numbers("limits") {
            limits.set(name, number);
        }
        let mut policy = Self {
            file: None,
            digest: None,
            ceilings,
            limits,
            serve: Serve {
                active: text("serve.active"),
                reference: text("serve.reference"),
                reference_share: share("serve.reference_share"),
                proof_time: time("serve.proof_time"),
                failures: number("serve.breaker.failures"),
                within: time("serve.breaker.within"),
            },
            scratch: ScratchLimits {
                quota: number("scratch.quota"),
                total: number("scratch.total"),
                refresh_after: number("scratch.refresh_after"),
            },
            scrub: share("scratch.scrub"),
            keys: said.keys.iter().map(|(name, (key, _))| (name.clone(), key.clone())).collect(),
            sections: BTreeMap::new(),
            said: Said::default(),
        };
        check_ceilings(settings, "limits", settings, &policy.ceilings, mistakes);
        for (name, (line, own)) in &said.sections {
            let section = StrategySection::of(name, *line, own, &policy, mistakes);
            check_ceilings(own, &format!("strategy.{name}.limits"), settings, &policy.ceilings, mistakes);
            policy.sections.insert(name.clone(), section);
        }
        policy.check(settings, mistakes);
        policy.said = said;
        policy
    }

    fn check(&self, settings: &Settings, mistakes: &mut Mistakes) {
        if self.scratch.quota > self.scratch.total {
            let origin = settings.origin("scratch.quota").or(settings.origin("scratch.total"));
            let what = "scratch.quota is more than scratch.total: one strategy's scratch would not fit";
            mistakes.add(origin.cloned().unwrap_or(Origin::File), what);
        }
        for (key, name) in [("serve.active", &self.serve.active), ("serve.reference", &self.serve.reference)]
        {
            let what = match self.sections.get(name) {
                _ if BUILT_IN.contains(&name.as_str()) => continue,
                Some(section) if section.file.is_some() => continue,
                Some(_) => format!("[strategy.{name}] names no file, so it cannot be found by name"),
                None => {
                    let names = BUILT_IN.iter().copied().chain(self.sections.keys().map(String::as_str));
                    format!("there is no strategy {}: {}", shown(name), nearest(name, names))
                }
            };
            mistakes.add(settings.origin(key).cloned().unwrap_or(Origin::File), format!("{key}: {what}"));
        }
    }
}

/// The error of a policy with these mistakes.
fn bad_policy(path: &Path, mistakes: &[PolicyMistake]) -> Error {
    Error::BadPolicy { path: path.to_owned(), mistakes: mistakes.iter().map(ToString::to_string).collect() }
}

/// A limit above its ceiling would be a promise that the engine does not keep. `called` is what the table of the
/// limits is called, `host` says where the ceilings come from.
fn check_ceilings(
    limits: &Settings,
    called: &str,
    host: &Settings,
    ceilings: &Ceilings,
    mistakes: &mut Mistakes,
) {
    for (name, ceiling) in ceilings.named() {
        let Some(key) = key::find("limits", name).filter(|key| key.under_ceiling) else { continue };
        let Some((value @ Value::Number(number), origin)) = limits.said(&key.path()) else { continue };
        if *number > ceiling {
            let from = match host.origin(&format!("host.{name}")) {
                Some(Origin::Line(line)) => format!("on line {line}"),
                Some(Origin::Variable(variable)) => format!("by {variable}"),
                _ => "by default".to_owned(),
            };
            let (limit, ceiling) =
                (value::written(value, key.form), value::written(&Value::Number(ceiling), key.form));
            let what = format!(
                "{called}.{name}: {limit} is above the engine's ceiling host.{name}, {ceiling} {from}: \
                 lower it, or raise the ceiling and restart"
            );
            mistakes.add(origin.clone(), what);
        }
    }
}

#[cfg(test)]
mod tests;
