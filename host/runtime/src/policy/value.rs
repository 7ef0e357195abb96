//! One value of a policy: read in its key's form, written as it would be pasted.
//!
//! Sizes and times are read and written by hand: `bytesize` and `humantime` know more spellings ("64 MB", "1h 5m")
//! than a policy may have, and write some that a policy may not.

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use crate::policy::mistake::{nearest, shown};
use keyhole_log::grants::{INERT, Instances};
use keyhole_log::limits::Unit;

/// The form of a value; `allowed` says what each is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// The least and the most stand behind the unit.
    Number(Unit, u64, u64),
    Share,
    Text,
    Path,
    Strategy,
    Digest,
    KeyName,
    Date,
    Words(&'static [&'static str]),
    Instances,
    /// A table with the keys of that name.
    Table(&'static str),
}

impl Form {
    /// What may be written, for people.
    pub(super) fn allowed(self) -> String {
        let text = match self {
            Self::Number(Unit::Time, ..) => {
                "a time with its unit, such as \"50ms\", \"2s\", \"5m\" or \"1h\""
            }
            Self::Number(Unit::Bytes, ..) => {
                "a size with its unit, such as \"512KiB\", \"64MiB\" or \"1GiB\""
            }
            Self::Number(Unit::Count, ..) => "a whole number, such as 2_000_000",
            Self::Number(Unit::Switch, ..) => "true or false",
            Self::Share => "a number from 0 to 1, such as 0.001",
            Self::Text => "a text of one line, at most 500 characters",
            Self::Path => "the path of a file, relative to the policy's folder",
            Self::Strategy => "the name of a strategy: built in, or with a stanza",
            Self::Digest => "\"sha256:\" and 64 hexadecimal digits, as `keyhole inspect FILE` prints it",
            Self::KeyName => "the name of a key in [keys]",
            Self::Date => "a day, such as 2026-11-20, or a time, such as 2026-11-20T09:30:00Z",
            Self::Words(words) => return format!("a list of {}", words.join(", ")),
            Self::Instances => "\"fresh\", \"warm\" or \"warm:USES\"",
            Self::Table(_) => "a table",
        };
        text.to_owned()
    }
}

/// A value that has been read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A number in the unit of its form.
    Number(u64),
    /// A part of the whole.
    Share(f64),
    /// A name or a path.
    Text(String),
    /// A day or a time.
    Date(String),
    /// A SHA-256 in hex, without its prefix.
    Digest(String),
    /// Some of a form's words.
    Words(Vec<&'static str>),
    /// How long instances live.
    Instances(Instances),
}

/// Reads a value. The error says what is wrong and what may be written.
pub(super) fn read(raw: &DeValue<'_>, form: Form) -> Result<Value, String> {
    match (form, raw) {
        (Form::Number(Unit::Switch, ..), DeValue::Boolean(on)) => Ok(Value::Number(u64::from(*on))),
        (Form::Number(Unit::Count | Unit::Bytes, ..), DeValue::Integer(integer)) => {
            bounded(whole(integer), &as_given(raw), form)
        }
        (Form::Number(unit @ (Unit::Time | Unit::Bytes), ..), DeValue::String(text)) => {
            bounded(number_read(text, unit), &as_given(raw), form)
        }
        (Form::Share, DeValue::Float(float)) => share(float.as_str().parse().unwrap_or(f64::NAN)),
        (Form::Share, DeValue::Integer(integer)) if whole(integer) == Some(0) => Ok(Value::Share(0.0)),
        (Form::Share, DeValue::Integer(integer)) if whole(integer) == Some(1) => Ok(Value::Share(1.0)),
        (Form::Text | Form::Path | Form::Strategy | Form::KeyName, DeValue::String(text))
            if is_line(text) =>
        {
            Ok(Value::Text(text.to_string()))
        }
        (Form::Digest, DeValue::String(text)) if let Some(hex) = digest(text) => Ok(Value::Digest(hex)),
        (Form::Date, DeValue::Datetime(date)) => Ok(Value::Date(date.to_string())),
        (Form::Words(words), DeValue::Array(list)) => words_of(list.iter().map(Spanned::get_ref), words),
        // A group may stand alone, as in `wasi = "inert"`.
        (Form::Words(words), DeValue::String(_)) if words.first() == Some(&INERT) => {
            words_of(std::iter::once(raw), words)
        }
        (Form::Instances, DeValue::String(text)) => {
            text.parse().map(Value::Instances).map_err(|why| format!("{why}: write {}", form.allowed()))
        }
        _ => Err(not_allowed(&as_given(raw), form)),
    }
}

/// Reads the text of an environment variable, which needs no quotes.
pub(super) fn read_variable(text: &str, form: Form) -> Result<Value, String> {
    match form {
        Form::Number(Unit::Count, ..) if let Some(number) = plain(text) => bounded(Some(number), text, form),
        Form::Number(Unit::Switch, ..) if let Ok(on) = text.parse() => read(&DeValue::Boolean(on), form),
        Form::Share if let Ok(part) = text.parse() => share(part),
        _ => read(&DeValue::String(text.into()), form),
    }
}

fn bounded(number: Option<u64>, given: &str, form: Form) -> Result<Value, String> {
    match (form, number) {
        (Form::Number(unit, least, _), Some(number)) if number < least => {
            Err(format!("{given} is less than the least, {}", number_written(least, unit)))
        }
        (Form::Number(unit, _, most), Some(number)) if number > most => {
            Err(format!("{given} is more than the most, {}", number_written(most, unit)))
        }
        (_, Some(number)) => Ok(Value::Number(number)),
        (_, None) => Err(not_allowed(given, form)),
    }
}

fn share(part: f64) -> Result<Value, String> {
    // Minus zero would be shown as a whole number that is none.
    let is_part = (0.0..=1.0).contains(&part);
    if is_part { Ok(Value::Share(part.abs())) } else { Err(not_allowed(&part.to_string(), Form::Share)) }
}

fn not_allowed(given: &str, form: Form) -> String {
    format!("{given} is not allowed: write {}", form.allowed())
}

/// A value as it was given, fit to be shown.
fn as_given(raw: &DeValue<'_>) -> String {
    let number = |text: String| {
        // What the parser takes for a number may hold anything, a terminal's commands included.
        if text.bytes().all(|byte| byte.is_ascii_graphic()) { text } else { shown(&text) }
    };
    match raw {
        DeValue::String(text) => shown(text),
        DeValue::Integer(integer) => number(integer.to_string()),
        DeValue::Float(float) => float.as_str().parse().unwrap_or(f64::NAN).to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(date) => number(date.to_string()),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Writes a value as a policy would.
pub(super) fn written(value: &Value, form: Form) -> String {
    match (value, form) {
        (Value::Number(number), Form::Number(unit, ..)) => number_written(*number, unit),
        (Value::Number(number), _) => number.to_string(),
        (Value::Share(share), _) => share.to_string(),
        (Value::Text(text), _) => quoted(text),
        (Value::Date(text), _) => text.clone(),
        (Value::Digest(hex), _) => format!("\"sha256:{hex}\""),
        (Value::Words(words), _) => list(words),
        (Value::Instances(instances), _) => quoted(&instances.to_string()),
    }
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// A list of words as TOML writes it.
pub(super) fn list(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}

/// Whether it is one line of text that can be shown.
pub(super) fn is_line(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control)
}

/// The digest in lower case and without its prefix; None where it is none.
fn digest(text: &str) -> Option<String> {
    let hex = text.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
}

fn words_of<'a>(
    list: impl Iterator<Item = &'a DeValue<'a>>,
    valid: &'static [&'static str],
) -> Result<Value, String> {
    let (mut words, mut wrong) = (Vec::new(), Vec::new());
    for raw in list {
        let text = raw.as_str().unwrap_or_default();
        match valid.iter().find(|word| **word == text) {
            Some(word) if words.contains(word) => {}
            Some(word) => words.push(*word),
            None => {
                let near = nearest(text, valid.iter().copied());
                wrong.push(format!("{} cannot be granted: {near}", as_given(raw)));
            }
        }
    }
    if wrong.is_empty() { Ok(Value::Words(words)) } else { Err(wrong.join("; ")) }
}

const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The suffixes of a unit, the largest first, and what each stands for.
fn suffixes(unit: Unit) -> &'static [(&'static str, u64)] {
    match unit {
        Unit::Time => &TIMES,
        Unit::Bytes => &SIZES,
        Unit::Count | Unit::Switch => &[],
    }
}

/// A whole number of TOML's; None where it is negative or too large.
fn whole(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Reads a size such as `64MiB` or a time such as `50ms`; None where it is neither.
fn number_read(text: &str, unit: Unit) -> Option<u64> {
    let split = text.find(|character: char| !character.is_ascii_digit() && character != '_')?;
    let (digits, suffix) = text.split_at(split);
    let (_, factor) = suffixes(unit).iter().find(|(name, _)| *name == suffix)?;
    plain(digits)?.checked_mul(*factor)
}

/// Reads a whole number, with `_` between digits where one likes.
fn plain(text: &str) -> Option<u64> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('_').all(is_digits).then(|| text.replace('_', ""))?.parse().ok()
}

/// Writes a number as a policy would, ready to be pasted.
pub fn number_written(number: u64, unit: Unit) -> String {
    let fits = |factor: u64| factor == 1 || (number != 0 && number.is_multiple_of(factor));
    match unit {
        Unit::Switch => (number != 0).to_string(),
        Unit::Count => {
            let digits = number.to_string();
            let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
            groups.collect::<Vec<_>>().join("_")
        }
        Unit::Time | Unit::Bytes => match suffixes(unit).iter().find(|(_, factor)| fits(*factor)) {
            Some((suffix, factor)) => format!("\"{}{suffix}\"", number / factor),
            None => number.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number: u64) {
            for unit in [Unit::Time, Unit::Bytes] {
                let text = number_written(number, unit);
                prop_assert_eq!(number_read(text.trim_matches('"'), unit), Some(number), "{}", text);
            }
            prop_assert_eq!(plain(&number_written(number, Unit::Count)), Some(number));
        }

        #[test]
        fn round_numbers_are_written_in_their_largest_unit(number in 1u64..1024) {
            prop_assert_eq!(number_written(number << 20, Unit::Bytes), format!("\"{number}MiB\""));
            prop_assert_eq!(number_written(number * 1000 % 60_000 + 1, Unit::Time).contains("ms"), true);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (plain(&text), number_read(&text, Unit::Time), number_read(&text, Unit::Bytes));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", "64", "MiB", "64MB", "64 MiB", "-1ms", "1.5s", "_1ms", "1__0ms", "1_ms", "１ms", "50msx"]
        {
            assert_eq!(
                (number_read(text, Unit::Bytes), number_read(text, Unit::Time)),
                (None, None),
                "{text}"
            );
        }
        assert_eq!(number_read("18446744073709551615KiB", Unit::Bytes), None);
        assert_eq!(plain("18446744073709551616"), None);
        assert_eq!(number_written(0, Unit::Bytes), "\"0B\"");
        assert_eq!(number_written(0, Unit::Time), "\"0ms\"");
    }
}
