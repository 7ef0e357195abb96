//! What a verification found, as data.

use serde::Serialize;

use super::sides::Case;
use keyhole_log::model::{Page, PageRequest};
use keyhole_log::survey::spans::SpanViolation;

/// How many events of a page a finding shows.
const SHOWN_EVENTS: usize = 50;

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The strategy that was judged.
    pub subject: String,
    /// The strategy that it was judged by.
    pub reference: String,
    /// Whether no page differed.
    pub equal: bool,
    /// Compared pages of all streams.
    pub pages: u64,
    /// How many of them held an event.
    pub non_empty: u64,
    /// How many events the pages held.
    pub events: u64,
    /// See [`StreamReport::bound`]; over all streams.
    pub bound: Option<f64>,
    /// Events of the log itself whose payload is not one whole line of the file that is their own, and JSON; the first of
    /// them, and none where nobody looked.
    pub spans: Vec<SpanViolation>,
    /// Each stream in the order in which it was asked.
    pub streams: Vec<StreamReport>,
}

/// The outcome of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// Its name.
    pub name: String,
    /// Compared pages, those that differ included.
    pub pages: u64,
    /// How many of them held an event on the reference's side.
    pub non_empty: u64,
    /// How many events the reference's pages held.
    pub events: u64,
    /// How many pages differ.
    pub differing: u64,
    /// Pages that neither side gave, since they hold an event that cannot be shown: not among the compared ones.
    #[serde(skip_serializing_if = "is_none")]
    pub unshown: u64,
    /// Which share of pages drawn like these may differ all the same: under this, at 95 %. None where
    /// a page differs, or too few were not empty to bound anything.
    pub bound: Option<f64>,
    /// The first difference, if there is one. Later ones are only counted.
    pub differences: Vec<Finding>,
}

/// One difference, and how to see it again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The stream.
    pub stream: String,
    /// What it is, by name: `lie:dropped-event`, an error's code, or `field:` and a field's name.
    pub kind: String,
    /// What differs first in the answers to the smallest request, in words.
    pub what: String,
    /// The request that was found to differ.
    pub request: PageRequest,
    /// The smallest request that still differs.
    pub smallest: PageRequest,
    /// The subject's answer to it.
    pub subject: Side,
    /// The reference's answer to it.
    pub reference: Side,
    /// The command that shows it again.
    pub repeat: String,
}

/// One side's answer, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Side {
    /// A page.
    Page {
        /// How many events it holds.
        count: usize,
        /// Its first events.
        events: Vec<Shown>,
    },
    /// A failure.
    Failed {
        /// The error's code.
        error: &'static str,
        /// What happened.
        message: String,
    },
}

/// An event of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The event's number.
    pub id: i64,
    /// Unix seconds.
    pub created_at: i64,
}

/// The names that a report uses, each as the command line takes it.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The strategy under judgement.
    pub subject: &'a str,
    /// The trusted one.
    pub reference: &'a str,
    /// The options that the run had besides, a word each: repeating a request needs them too.
    pub options: &'a [String],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Report {
    /// Sums up the streams.
    pub fn of(names: Names<'_>, streams: Vec<StreamReport>) -> Self {
        let sum = |count: fn(&StreamReport) -> u64| streams.iter().map(count).sum::<u64>();
        let equal = streams.iter().all(|stream| stream.differing == 0);
        let non_empty = sum(|stream| stream.non_empty);
        Self {
            subject: names.subject.to_owned(),
            reference: names.reference.to_owned(),
            equal,
            pages: sum(|stream| stream.pages),
            non_empty,
            events: sum(|stream| stream.events),
            bound: rule_of_three(non_empty).filter(|_| equal),
            spans: Vec::new(),
            streams,
        }
    }

    /// Whether no page differed, and nothing is wrong with the log itself.
    pub fn is_sound(&self) -> bool {
        self.equal && self.spans.is_empty()
    }
}

impl StreamReport {
    /// A stream of which nothing is compared yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Counts a compared page by the reference's answer.
    pub(crate) fn count(&mut self, right: &Page) {
        self.pages += 1;
        self.non_empty += u64::from(!right.is_empty());
        self.events += right.len() as u64;
        self.bound = rule_of_three(self.non_empty).filter(|_| self.differing == 0);
    }

    /// Counts a page that differs.
    pub(crate) fn count_differing(&mut self, right: &Page) {
        self.differing += 1;
        self.count(right);
    }
}

impl Finding {
    /// A difference that was named and shrunk.
    pub fn of(names: Names<'_>, stream: &str, kind: String, request: &PageRequest, smallest: &Case) -> Self {
        Self {
            stream: stream.to_owned(),
            kind,
            what: smallest.words(),
            request: request.clone(),
            smallest: smallest.request.clone(),
            subject: match &smallest.subject {
                Ok(page) => Side::of(page),
                Err(error) => Side::Failed { error: error.code(), message: error.to_string() },
            },
            reference: Side::of(&smallest.reference),
            repeat: repeat(names, &smallest.request),
        }
    }
}

impl Side {
    fn of(page: &Page) -> Self {
        let shown = page
            .events()
            .take(SHOWN_EVENTS)
            .map(|event| Shown { id: event.id, created_at: event.created_at });
        Self::Page { count: page.len(), events: shown.collect() }
    }
}

/// After n equal pages, fewer than 3/n of all pages drawn alike differ, at 95 %: with a share of p,
/// n pages in a row are equal with a chance of (1 - p)^n, which for p = 3/n is e^-3, under 5 %.
pub fn rule_of_three(pages: u64) -> Option<f64> {
    // Beyond u32 the bound is rounded up, to the safe side.
    let pages = u32::try_from(pages).unwrap_or(u32::MAX);
    (pages > 3).then(|| 3.0 / f64::from(pages))
}

fn repeat(names: Names<'_>, request: &PageRequest) -> String {
    let line = serde_json::to_string(request).unwrap_or_default();
    let mut words = vec![word(names.subject), "--reference".to_owned(), word(names.reference)];
    words.extend(names.options.iter().map(|option| word(option)));
    format!("printf '%s\\n' {} | keyhole verify {} --queries -", quoted(&line), words.join(" "))
}

/// For a POSIX shell: a request may hold any text, a strategy's path too.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if text.bytes().all(plain) && !text.is_empty() { text.to_owned() } else { quoted(text) }
}
