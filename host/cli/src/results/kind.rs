//! What a result is, and by what a file is known to be one: another run may replace it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde_json::{Map, Value};

use keyhole_lab::bench::{INTERVALS, OF_A_MIX, PERCENTILES};

/// What made a page of HTML, as its head says: the name is what a page is known by.
pub const GENERATOR: &str = concat!("keyhole ", env!("CARGO_PKG_VERSION"));

/// How a page of HTML names its maker, up to the version.
const HTML_MARK: &str = "<meta name=\"generator\" content=\"keyhole ";

/// What the last line of a text begins with, up to the version.
const TEXT_MARK: &str = "-- keyhole ";

/// What a page as JSON begins with.
const PAGE_MARK: &str = "{\"query\": {";

/// Bytes at the beginning or at the end of a file in which its mark stands.
const LOOK: u64 = 4096;

/// Most bytes of a JSON document that are read for its members: results are far below.
const MOST_JSON: u64 = 64 << 20;

/// A kind of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pages, a line each: known by how a page begins.
    Pages,
    /// One JSON object: known by members that this verb's result has, and no other's has all of.
    Json(&'static [&'static str]),
    /// A JSON array of such objects.
    JsonList(&'static [&'static str]),
    /// A report as text, of this verb: known by its last line.
    Text(&'static str),
    /// A page of HTML: known by the `generator` in its head.
    Html,
    /// An interval log of `HdrHistogram` that a benchmark left: known by its first two lines.
    Intervals,
    /// A percentile table of `HdrHistogram`: known by its heading.
    Percentiles,
    /// What people go on writing in, such as a policy: never replaced.
    Source,
}

impl Kind {
    /// What closes a file of this kind: the mark of a text.
    pub fn mark(self) -> Option<String> {
        match self {
            Self::Text(verb) => Some(format!("{TEXT_MARK}{}: {verb}\n", env!("CARGO_PKG_VERSION"))),
            _ => None,
        }
    }

    /// In words, for people.
    pub fn words(self) -> String {
        match self {
            Self::Pages => "pages as JSON".to_owned(),
            Self::Json(members) => format!("JSON with the members {}", members.join(", ")),
            Self::JsonList(members) => format!("a JSON array of objects with {}", members.join(", ")),
            Self::Text(verb) => format!("the text of `keyhole {verb}`"),
            Self::Html => "a page of HTML of Keyhole's".to_owned(),
            Self::Intervals => "an interval log of `keyhole bench`".to_owned(),
            Self::Percentiles => "a percentile table".to_owned(),
            Self::Source => "a new file".to_owned(),
        }
    }

    /// Whether a file is a result of this kind.
    pub fn is_of(self, file: &mut File) -> io::Result<bool> {
        Ok(match self {
            Self::Pages => head(file)?.starts_with(PAGE_MARK.as_bytes()),
            Self::Json(members) => read::<Map<String, Value>>(file).is_some_and(|it| has_all(&it, members)),
            Self::JsonList(members) => read::<Vec<Map<String, Value>>>(file)
                .is_some_and(|list| !list.is_empty() && list.iter().all(|it| has_all(it, members))),
            Self::Text(verb) => {
                let length = file.metadata()?.len();
                file.seek(SeekFrom::Start(length.saturating_sub(LOOK)))?;
                let tail = head(file)?;
                let tail = String::from_utf8_lossy(&tail);
                let last = tail.trim_end().lines().last().unwrap_or_default();
                let rest = last.strip_prefix(TEXT_MARK).and_then(|rest| rest.split_once(": "));
                rest.is_some_and(|(_, made_by)| made_by == verb)
            }
            Self::Html => String::from_utf8_lossy(&head(file)?).contains(HTML_MARK),
            Self::Intervals => {
                let head = head(file)?;
                let head = String::from_utf8_lossy(&head);
                let mut lines = head.lines();
                lines.next() == Some(INTERVALS) && lines.next().is_some_and(|line| line.contains(OF_A_MIX))
            }
            Self::Percentiles => head(file)?.starts_with(PERCENTILES.as_bytes()),
            Self::Source => false,
        })
    }
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LOOK).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file as JSON of that form; None where it is not.
fn read<T: serde::de::DeserializeOwned>(file: &File) -> Option<T> {
    let length = file.metadata().ok()?.len();
    (length <= MOST_JSON).then(|| serde_json::from_reader(BufReader::new(file)).ok()).flatten()
}

fn has_all(object: &Map<String, Value>, members: &[&str]) -> bool {
    members.iter().all(|member| object.contains_key(*member))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn is(kind: Kind, content: &str) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.rewind().unwrap();
        kind.is_of(&mut file).unwrap()
    }

    #[test]
    fn a_result_is_known_by_its_mark_and_what_is_much_like_it_is_not() {
        let json = Kind::Json(&["format", "verdict"]);
        assert!(is(json, r#"{"format": 1, "verdict": "fit", "more": [1]}"#));
        assert!(!is(json, r#"{"format": 1, "verdicts": "fit"}"#));
        assert!(!is(json, r#"{"format": 1, "verdict": "fit""#));
        assert!(!is(json, "format verdict"));
        let list = Kind::JsonList(&["mixes"]);
        assert!(is(list, r#"[{"mixes": []}]"#) && !is(list, "[]") && !is(list, r#"{"mixes": []}"#));
        assert!(is(Kind::Pages, "{\"query\": {}, \"events\": []}\n"));
        assert!(!is(Kind::Pages, "{\"id\": 1}\n"));
        assert!(is(Kind::Html, "<!doctype html>\n<meta name=\"generator\" content=\"keyhole 9.9\">"));
        assert!(!is(Kind::Html, "<!doctype html>\n<meta name=\"generator\" content=\"pandoc\">"));
        assert!(!is(Kind::Source, ""));
        assert!(is(Kind::Percentiles, PERCENTILES) && !is(Kind::Percentiles, "Value"));
        assert!(is(Kind::Intervals, &format!("{INTERVALS}\n#service{OF_A_MIX}dense\n")));
        assert!(!is(Kind::Intervals, &format!("{INTERVALS}\n#of another tool\n")));
    }

    #[test]
    fn a_text_is_known_by_its_last_line_whatever_stands_before() {
        let seed = Kind::Text("seed");
        let mark = seed.mark().unwrap();
        assert!(is(seed, &mark) && is(seed, &("x\n".repeat(9_000) + &mark)));
        assert!(!is(Kind::Text("verify"), &mark));
        assert!(!is(seed, &(mark + "and a note of mine\n")));
        assert!(Kind::Pages.mark().is_none());
    }
}
