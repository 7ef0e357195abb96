//! One value of a policy: read in its key's form, written as it would be pasted.

use toml::de::DeValue;

use crate::limits::Unit;
use crate::policy::key::Form;
use crate::policy::number;
use crate::policy::problem::{nearest, shown};
use crate::strategy::Instances;

/// A value as it stands in a file or an environment variable.
#[derive(Clone, Debug)]
pub enum Raw {
    /// Quoted text.
    Text(String),
    /// A whole number; None where it is negative or too large.
    Integer(Option<u64>, String),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A day or a time.
    Date(String),
    /// A list.
    List(Vec<Raw>),
    /// A table, where a value was expected.
    Table,
}

impl Raw {
    /// What the parser found.
    pub fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => Self::Integer(
                u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
                integer.to_string(),
            ),
            DeValue::Float(float) => Self::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Self::Boolean(*boolean),
            DeValue::Datetime(date) => Self::Date(date.to_string()),
            DeValue::Array(array) => {
                Self::List(array.iter().map(|value| Self::of(value.get_ref())).collect())
            }
            DeValue::Table(_) => Self::Table,
        }
    }

    /// The text of an environment variable, where a value of that form is expected.
    pub fn of_variable(text: &str, form: Form) -> Self {
        let number = match form {
            Form::Number(Unit::Count, ..) => {
                number::plain(text).map(|n| Self::Integer(Some(n), text.to_owned()))
            }
            Form::Number(Unit::Switch, ..) => text.parse().ok().map(Self::Boolean),
            Form::Share => text.parse().ok().map(Self::Float),
            _ => None,
        };
        number.unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    fn shown(&self) -> String {
        match self {
            // What the parser takes for a number may hold anything, a terminal's commands included.
            Self::Integer(_, text) | Self::Date(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                text.clone()
            }
            Self::Text(text) | Self::Integer(_, text) | Self::Date(text) => shown(text),
            Self::Float(float) => float.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table => "a table".to_owned(),
        }
    }
}

/// A value that has been read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number in the unit of its form.
    Number(u64),
    /// A part of the whole.
    Share(f64),
    /// A text: a name, a path, a date, a digest.
    Text(String),
    /// Some of a form's words.
    Words(Vec<&'static str>),
    /// How long instances live.
    Instances(Instances),
}

/// Reads a value. The error says what is wrong and what may be written.
pub fn read(raw: &Raw, form: Form) -> Result<Value, String> {
    let no = || Err(format!("{} is not allowed: write {}", raw.shown(), form.allowed()));
    match (form, raw) {
        (Form::Number(unit, least, most), _) => match number_of(raw, unit) {
            None => no(),
            Some(number) if number < least => {
                Err(format!("{} is less than the least, {}", raw.shown(), number::written(least, unit)))
            }
            Some(number) if number > most => {
                Err(format!("{} is more than the most, {}", raw.shown(), number::written(most, unit)))
            }
            Some(number) => Ok(Value::Number(number)),
        },
        (Form::Share, &Raw::Float(share)) if (0.0..=1.0).contains(&share) => {
            // Minus zero would be shown as a whole number that is none.
            Ok(Value::Share(share.abs()))
        }
        (Form::Share, Raw::Integer(Some(0), _)) => Ok(Value::Share(0.0)),
        (Form::Share, Raw::Integer(Some(1), _)) => Ok(Value::Share(1.0)),
        (Form::Text | Form::Path | Form::Strategy | Form::KeyName, Raw::Text(text)) if is_line(text) => {
            Ok(Value::Text(text.clone()))
        }
        (Form::Digest, Raw::Text(text)) => match digest(text) {
            Some(digest) => Ok(Value::Text(digest)),
            None => no(),
        },
        (Form::Date, Raw::Date(text)) => Ok(Value::Text(text.clone())),
        (Form::Words(words), Raw::List(list)) => words_of(list, words).map(Value::Words),
        // A group may stand alone, as in `wasi = "inert"`.
        (Form::Words(words), Raw::Text(_)) if words.first() == Some(&crate::policy::INERT) => {
            words_of(std::slice::from_ref(raw), words).map(Value::Words)
        }
        (Form::Instances, Raw::Text(text)) => {
            text.parse().map(Value::Instances).map_err(|why| format!("{why}: write {}", form.allowed()))
        }
        _ => no(),
    }
}

/// Writes a value as a policy would.
pub fn written(value: &Value, form: Form) -> String {
    match (value, form) {
        (Value::Number(number), Form::Number(unit, ..)) => number::written(*number, unit),
        (Value::Number(number), _) => number.to_string(),
        (Value::Share(share), _) => share.to_string(),
        (Value::Text(text), Form::Date) => text.clone(),
        (Value::Text(text), _) => quoted(text),
        (Value::Words(words), _) => list(words),
        (Value::Instances(instances), _) => quoted(&instances.to_string()),
    }
}

/// A text as TOML writes it.
pub fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The name of a key as TOML writes it: quoted where it must be.
pub fn name(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

/// A list of words as TOML writes it.
pub fn list(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}

/// The digest in lower case and without its prefix; None where it is none.
pub fn digest(text: &str) -> Option<String> {
    let hex = text.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
}

fn number_of(raw: &Raw, unit: Unit) -> Option<u64> {
    match (unit, raw) {
        (Unit::Switch, Raw::Boolean(on)) => Some(u64::from(*on)),
        (Unit::Count | Unit::Bytes, Raw::Integer(number, _)) => *number,
        (Unit::Time | Unit::Bytes, Raw::Text(text)) => number::read(text, unit),
        _ => None,
    }
}

fn words_of(list: &[Raw], valid: &'static [&'static str]) -> Result<Vec<&'static str>, String> {
    let (mut words, mut wrong) = (Vec::new(), Vec::new());
    for raw in list {
        let known = match raw {
            Raw::Text(text) => valid.iter().find(|word| *word == text),
            _ => None,
        };
        match known {
            Some(&word) if !words.contains(&word) => words.push(word),
            Some(_) => {}
            None => {
                let text = if let Raw::Text(text) = raw { text } else { "" };
                wrong.push(format!(
                    "{} cannot be granted: {}",
                    raw.shown(),
                    nearest(text, valid.iter().copied())
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(words) } else { Err(wrong.join("; ")) }
}

/// Whether it is one line of text that can be shown.
pub(super) fn is_line(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control)
}
