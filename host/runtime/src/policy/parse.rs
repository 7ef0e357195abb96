//! From a policy's text to its settings: every key is known, every value in its form, and all that is
//! wrong is said at once.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::policy::key::{self, PolicyKey};
use crate::policy::mistake::{Mistakes, Origin, nearest, shown};
use crate::policy::value::Form;
use crate::policy::value::{self, Value};

/// The values of some tables and where they come from, by the path of their key.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(BTreeMap<String, (Value, Origin)>);

impl Settings {
    /// What is said of a key, and where.
    pub(super) fn said(&self, path: &str) -> Option<&(Value, Origin)> {
        self.0.get(path)
    }

    /// Where something is said of a key.
    pub(super) fn origin(&self, path: &str) -> Option<&Origin> {
        self.said(path).map(|(_, origin)| origin)
    }

    /// A key's value in effect: what is said of it, or else its default.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let default = || key::find(table, name)?.default_value();
        self.said(path).map(|(value, _)| value.clone()).or_else(default)
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.value(path) { Some(number) } else { None }
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.value(path) {
            Some(Value::Text(text) | Value::Date(text) | Value::Digest(text)) => Some(text),
            _ => None,
        }
    }

    /// The numbers that are said of a table's keys, by their names.
    pub(super) fn numbers(&self, table: &str) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(move |(path, (value, _))| {
            let name = path.strip_prefix(table)?.strip_prefix('.')?;
            if let Value::Number(number) = value { Some((name, *number)) } else { None }
        })
    }
}

/// What a policy says, before it is put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// `[host]`, `[limits]`, `[serve]`, `[scratch]`.
    pub(super) settings: Settings,
    /// `[keys]`: each name with its key and line.
    pub(super) keys: BTreeMap<String, (String, usize)>,
    /// `[strategy.NAME]`: each with its line and settings.
    pub(super) sections: BTreeMap<String, (usize, Settings)>,
}

/// The tables that hold single values, and can be set by environment variables.
const TABLES: [&str; 4] = ["host", "limits", "serve", "scratch"];

/// Most mistakes that are listed: one who sends a policy of nothing but errors learns no more from all.
const MOST_MISTAKES: usize = 100;

/// Reads a policy's text. Its mistakes are few enough to be listed.
pub(super) fn parse(text: &str) -> (Said, Mistakes) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut parser = Parser { lines: Lines::of(text), mistakes: Mistakes::default(), said: Said::default() };
    if errors.is_empty() {
        parser.top(table.get_ref());
    }
    for error in errors {
        let line =
            error.span().map_or_else(|| parser.lines.too_deep(text), |span| parser.lines.at(span.start));
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        parser.mistakes.add(Origin::Line(line), format!("this is not TOML: {message}"));
    }
    (parser.said, parser.mistakes.first(MOST_MISTAKES))
}

/// Lets environment variables such as `KEYHOLE_LIMITS_GUEST_TIME` say what they will.
pub(super) fn add_environment(
    settings: &mut Settings,
    variables: impl Iterator<Item = (String, String)>,
    mistakes: &mut Mistakes,
) {
    for (name, text) in variables {
        let Some((table, key)) = TABLES.iter().find_map(|table| {
            let rest = name.strip_prefix("KEYHOLE_")?.strip_prefix(&table.to_uppercase())?;
            Some((*table, rest.strip_prefix('_')?.to_lowercase()))
        }) else {
            continue;
        };
        let origin = Origin::Variable(name);
        let plain = key::of_table(table).filter(|key| !matches!(key.form, Form::Table(_)));
        let Some(known) = plain.clone().find(|known| known.name == key) else {
            let near = nearest(&key, plain.map(|key| key.name));
            mistakes.add(origin, format!("there is no key {} in [{table}]: {near}", shown(&key)));
            continue;
        };
        match value::read_variable(&text, known.form) {
            Ok(value) => _ = settings.0.insert(known.path(), (value, origin)),
            Err(what) => mistakes.add(origin, format!("{}: {what}", known.path())),
        }
    }
}

struct Parser {
    lines: Lines,
    mistakes: Mistakes,
    said: Said,
}

impl Parser {
    fn top(&mut self, table: &DeTable<'_>) {
        if !table.contains_key("version") {
            self.mistakes.add(Origin::File, "it does not say its version: begin it with `version = 1`");
        }
        for (name, value) in table {
            let origin = Origin::Line(self.lines.at(name.span().start));
            let name = name.get_ref().as_ref();
            match (name, value.get_ref()) {
                ("keys", DeValue::Table(keys)) => self.keys(keys),
                ("strategy", DeValue::Table(sections)) => self.sections(sections),
                (_, DeValue::Table(table))
                    if let Some(known) = TABLES.iter().find(|known| **known == name) =>
                {
                    let mut settings = std::mem::take(&mut self.said.settings);
                    self.table(known, known, table, &mut settings);
                    self.said.settings = settings;
                }
                ("version", value) => {
                    let read = key::find("", name).map(|key| value::read(value, key.form));
                    if let Some(Err(what)) = read {
                        self.mistakes.add(origin, format!("version: {what}"));
                    }
                }
                (known, _) if TABLES.contains(&known) || known == "keys" || known == "strategy" => {
                    self.mistakes.add(origin, format!("{known} is a table: write [{known}] above its keys"));
                }
                (other, _) => {
                    let valid = TABLES.iter().copied().chain(["keys", "strategy", "version"]);
                    let what = match home(other) {
                        Some(table) => format!("the key {other} belongs under [{table}]"),
                        None => {
                            format!("there is no key or table {}: {}", shown(other), nearest(other, valid))
                        }
                    };
                    self.mistakes.add(origin, what);
                }
            }
        }
    }

    /// Reads a table whose keys are those of `known`; `called` is what the table is called.
    fn table(&mut self, known: &str, called: &str, table: &DeTable<'_>, into: &mut Settings) {
        for (name, value) in table {
            let origin = Origin::Line(self.lines.at(name.span().start));
            let name = name.get_ref().as_ref();
            let Some(key) = key::find(known, name) else {
                let valid = key::of_table(known).map(|key| key.name);
                let misspelt = valid.clone().any(|valid| strsim::damerau_levenshtein(valid, name) < 2);
                let remedy = match home(name) {
                    Some(home) if home != known && !misspelt => format!("it belongs under [{home}]"),
                    _ => nearest(name, valid),
                };
                self.mistakes.add(origin, format!("there is no key {} in {called}: {remedy}", shown(name)));
                continue;
            };
            let called = format!("{called}.{name}");
            match (key.form, value.get_ref()) {
                (Form::Table(known), DeValue::Table(table)) => self.table(known, &called, table, into),
                (form, value) => match value::read(value, form) {
                    Ok(value) => _ = into.0.insert(key.path(), (value, origin)),
                    Err(what) => self.mistakes.add(origin, format!("{called}: {what}")),
                },
            }
        }
    }

    fn keys(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = self.lines.at(name.span().start);
            let name = name.get_ref().as_ref();
            let what = match value.get_ref() {
                _ if !value::is_line(name) => format!("a key's name is {}", Form::Text.allowed()),
                DeValue::String(key) if minisign_verify::PublicKey::from_base64(key).is_ok() => {
                    self.said.keys.insert(name.to_owned(), (key.to_string(), line));
                    continue;
                }
                _ => {
                    "this is no minisign public key: write its second line, 56 characters \"RW…\"".to_owned()
                }
            };
            self.mistakes.add(Origin::Line(line), format!("keys.{}: {what}", shown(name)));
        }
    }

    fn sections(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = self.lines.at(name.span().start);
            let name = name.get_ref().as_ref();
            if let Err(what) = check_name(name) {
                self.mistakes.add(Origin::Line(line), format!("strategy.{}: {what}", shown(name)));
            } else if let DeValue::Table(table) = value.get_ref() {
                let mut settings = Settings::default();
                self.table("strategy", &format!("strategy.{name}"), table, &mut settings);
                self.said.sections.insert(name.to_owned(), (line, settings));
            } else {
                let what = format!("strategy.{name} is a table: write [strategy.{name}]");
                self.mistakes.add(Origin::Line(line), what);
            }
        }
    }
}

/// Whether a section may have that name: it is typed on command lines and stands in logs.
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

/// The table that has a key of that name, if there is just one.
fn home(name: &str) -> Option<&'static str> {
    let is_at_home = |key: &&PolicyKey| key.name == name && TABLES.contains(&key.table);
    let mut homes = key::KEYS.iter().filter(is_at_home);
    let home = homes.next()?;
    homes.next().is_none().then_some(home.table)
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
                let mistakes = parse(&text).1.all();
                let found = mistakes.iter().find(|mistake| mistake.what.contains("recurs"));
                let least = before + 1 + later;
                match found.map(|mistake| &mistake.origin) {
                    Some(Origin::Line(line)) if (least..=least + later).contains(line) => {}
                    other => panic!("{other:?} among {mistakes:?} in {text}"),
                }
            }
        }
    }
}
