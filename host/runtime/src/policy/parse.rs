//! From a policy's text to its settings: every key is known, every value in its form, and all that is
//! wrong is said at once.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::policy::key::{self, Form, Key};
use crate::policy::problem::{Place, Problem, nearest, shown};
use crate::policy::value::{self, Raw, Value};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

/// The settings of one table, by the path of their key.
pub type Settings = BTreeMap<String, Setting>;

/// What a policy says, before it is put together.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// `[host]`, `[limits]`, `[serve]`, `[scratch]`.
    pub settings: Settings,
    /// `[keys]`: each name with its key and line.
    pub keys: BTreeMap<String, (String, usize)>,
    /// `[strategy.NAME]`: each with its line and settings.
    pub stanzas: BTreeMap<String, (usize, Settings)>,
}

/// The sections that hold single values, and can be set by environment variables.
pub const SECTIONS: [&str; 4] = ["host", "limits", "serve", "scratch"];

/// Most problems that are listed: one who sends a policy of nothing but errors learns no more from all.
const MOST_PROBLEMS: usize = 100;

/// Reads a policy's text.
pub fn parse(text: &str) -> (Said, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut parser = Parser { lines: Lines::of(text), problems: Vec::new(), said: Said::default() };
    if errors.is_empty() {
        parser.top(table.get_ref());
    }
    for error in errors {
        let line =
            error.span().map_or_else(|| parser.lines.too_deep(text), |span| parser.lines.at(span.start));
        let place = Place::Line(line);
        parser
            .problems
            .push(Problem { place, what: format!("this is not TOML: {}", one_line(error.message())) });
    }
    let mut problems = parser.problems;
    problems.sort();
    problems.dedup();
    problems.truncate(MOST_PROBLEMS);
    (parser.said, problems)
}

/// Lets environment variables such as `KEYHOLE_LIMITS_GUEST_TIME` say what they will.
pub fn add_environment(
    said: &mut Said,
    variables: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in variables {
        let Some((section, key)) = SECTIONS.iter().find_map(|section| {
            let rest = name.strip_prefix("KEYHOLE_")?.strip_prefix(&section.to_uppercase())?;
            Some((*section, rest.strip_prefix('_')?.to_lowercase()))
        }) else {
            continue;
        };
        let mut problem = |what| problems.push(Problem { place: Place::Variable(name.clone()), what });
        let plain = key::of_section(section).filter(|key| !matches!(key.form, Form::Table(_)));
        match plain.clone().find(|known| known.name == key) {
            None => problem(format!(
                "there is no key {} in [{section}]: {}",
                shown(&key),
                nearest(&key, plain.map(|key| key.name))
            )),
            Some(key) => match value::read(&Raw::of_variable(&text, key.form), key.form) {
                Ok(value) => {
                    let setting = Setting { value, place: Place::Variable(name.clone()) };
                    said.settings.insert(key.path(), setting);
                }
                Err(what) => problem(format!("{}: {what}", key.path())),
            },
        }
    }
}

struct Parser {
    lines: Lines,
    problems: Vec<Problem>,
    said: Said,
}

impl Parser {
    fn top(&mut self, table: &DeTable<'_>) {
        if !table.contains_key("version") {
            self.problem(Place::File, "it does not say its version: begin it with `version = 1`".to_owned());
        }
        for (name, value) in table {
            let (line, name) = (self.lines.at(name.span().start), name.get_ref().as_ref());
            match (name, value.get_ref()) {
                ("keys", DeValue::Table(keys)) => self.keys(keys),
                ("strategy", DeValue::Table(stanzas)) => self.stanzas(stanzas),
                (_, DeValue::Table(table))
                    if let Some(&section) = SECTIONS.iter().find(|section| **section == name) =>
                {
                    let mut settings = std::mem::take(&mut self.said.settings);
                    self.section(section, section, table, &mut settings);
                    self.said.settings = settings;
                }
                ("version", value) => {
                    let read = key::find("", "version").map(|key| value::read(&Raw::of(value), key.form));
                    if let Some(Err(what)) = read {
                        self.problem(Place::Line(line), format!("version: {what}"));
                    }
                }
                (section, _) if SECTIONS.contains(&section) || section == "keys" || section == "strategy" => {
                    self.problem(
                        Place::Line(line),
                        format!("{section} is a table: write [{section}] above its keys"),
                    );
                }
                (other, _) => {
                    let valid = SECTIONS.iter().copied().chain(["keys", "strategy", "version"]);
                    let what = match home(other) {
                        Some(section) => format!("the key {other} belongs under [{section}]"),
                        None => {
                            format!("there is no key or table {}: {}", shown(other), nearest(other, valid))
                        }
                    };
                    self.problem(Place::Line(line), what);
                }
            }
        }
    }

    /// Reads a table whose keys are those of `section`; `path` is what the table is called.
    fn section(&mut self, section: &'static str, path: &str, table: &DeTable<'_>, into: &mut Settings) {
        for (name, value) in table {
            let place = Place::Line(self.lines.at(name.span().start));
            let name = name.get_ref().as_ref();
            let Some(key) = key::find(section, name) else {
                let valid = key::of_section(section).map(|key| key.name);
                let elsewhere = home(name).filter(|home| *home != section);
                let what = match elsewhere {
                    Some(home)
                        if !valid.clone().any(|valid| strsim::damerau_levenshtein(valid, name) < 2) =>
                    {
                        format!("there is no key {} in {path}: it belongs under [{home}]", shown(name))
                    }
                    _ => format!("there is no key {} in {path}: {}", shown(name), nearest(name, valid)),
                };
                self.problem(place, what);
                continue;
            };
            let path = format!("{path}.{name}");
            match (key.form, value.get_ref()) {
                (Form::Table(section), DeValue::Table(table)) => self.section(section, &path, table, into),
                (form, value) => match value::read(&Raw::of(value), form) {
                    Ok(value) => {
                        into.insert(key.path(), Setting { value, place });
                    }
                    Err(what) => self.problem(place, format!("{path}: {what}")),
                },
            }
        }
    }

    fn keys(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = self.lines.at(name.span().start);
            let name = name.get_ref().as_ref();
            match value.get_ref() {
                _ if !value::is_line(name) => self.problem(
                    Place::Line(line),
                    format!("keys.{}: a key's name is {}", shown(name), Form::Text.allowed()),
                ),
                DeValue::String(key) if minisign_verify::PublicKey::from_base64(key).is_ok() => {
                    self.said.keys.insert(name.to_owned(), (key.to_string(), line));
                }
                _ => self.problem(
                    Place::Line(line),
                    format!("keys.{}: this is no minisign public key: write its second line, 56 characters \"RW…\"", shown(name)),
                ),
            }
        }
    }

    fn stanzas(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = self.lines.at(name.span().start);
            let name = name.get_ref().as_ref();
            if let Err(what) = check_name(name) {
                self.problem(Place::Line(line), format!("strategy.{}: {what}", shown(name)));
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                self.problem(
                    Place::Line(line),
                    format!("strategy.{name} is a table: write [strategy.{name}]"),
                );
                continue;
            };
            let mut settings = Settings::new();
            self.section("strategy", &format!("strategy.{name}"), table, &mut settings);
            self.said.stanzas.insert(name.to_owned(), (line, settings));
        }
    }

    fn problem(&mut self, place: Place, what: String) {
        self.problems.push(Problem { place, what });
    }
}

/// Whether a stanza may have that name: it is typed on command lines and stands in logs.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) || name.starts_with('-') {
        return Err(
            "a name has up to 64 small letters, digits and hyphens, and begins with none of the last",
        );
    }
    if name.ends_with("-warm") {
        return Err("a name that ends in -warm is the strategy with warm instances: choose another");
    }
    Ok(())
}

/// The section that has a key of that name, if there is just one.
fn home(name: &str) -> Option<&'static str> {
    let mut homes = key::KEYS.iter().filter(|key: &&Key| key.name == name && SECTIONS.contains(&key.section));
    let home = homes.next()?;
    homes.next().is_none().then_some(home.section)
}

/// Where each line of a text begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// The number of the line that this byte stands on, from 1.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|&start| start <= byte) + 1
    }

    /// The number of the line on which the parser gives up. It does not say where a key has more parts than
    /// it follows, so this is the first line with which the text is too much for it.
    fn too_deep(&self, text: &str) -> usize {
        let gives_up = |text| DeTable::parse_recoverable(text).1.iter().any(|error| error.span().is_none());
        self.0.partition_point(|&end| !text.get(..end).is_some_and(gives_up)) + 1
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deeply_is_told_with_its_line() {
        let deep = [
            ("[a".to_owned() + &".a".repeat(200) + "]\nb = 1\n", 0),
            ("b".to_owned() + &".b".repeat(200) + " = 1\nc = 2", 0),
            ("list = ".to_owned() + &"[".repeat(200), 0),
            // Two lines of fifty are not too deep; it is one of the next two.
            ("list = ".to_owned() + &("[".repeat(50) + "\n").repeat(4), 1),
        ];
        for before in 0..4 {
            for (text, later) in &deep {
                let text = "# a line\n".repeat(before) + text;
                let (_, problems) = parse(&text);
                let found = problems.iter().find(|problem| problem.what.contains("recurs"));
                let least = before + 1 + later;
                match found.map(|problem| &problem.place) {
                    Some(Place::Line(line)) if (least..=least + later).contains(line) => {}
                    other => panic!("{other:?} among {problems:?} in {text}"),
                }
            }
        }
    }
}
