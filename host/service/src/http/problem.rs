//! Problems as RFC 9457 has them, what a client gets instead of a page, and the one table of what each code means to
//! a client: the codes of [`Error::code`], and those that only a server has.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use keyhole_log::error::{Error, Unshown, WayOn};

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why there is no answer.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Problem(Box<Told>);

/// What a client reads of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Told {
    /// The kind of problem: `urn:keyhole:problem:` and its code. Stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:keyhole:problem:bad-request")]
    kind: String,
    /// The kind in words, always the same.
    title: &'static str,
    /// The status.
    status: u16,
    /// Its code, one of the list in docs/serving.md.
    code: &'static str,
    /// What to do differently, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    /// For operators: the file that it is about.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    place: Option<String>,
    /// For operators: what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    fix: Option<&'static str>,
    /// For operators: the lines of a policy that would have kept it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    lines: Option<String>,
    /// Where an event cannot be shown: which. Not where the page is only too large together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event: Option<i64>,
    /// How many events of the page stand before it. Asked for after `start`, with this as the page size, they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shown_before: Option<u32>,
    /// The cursor after which the page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    start: Option<String>,
    /// The cursor after which the walk goes on, as the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
    /// When to try again, in seconds.
    #[serde(skip)]
    retry: Option<u32>,
}

/// The code of an answer, for the log and the metrics.
#[derive(Clone, Copy)]
pub(super) struct AnswerCode(pub(super) &'static str);

impl Problem {
    /// The problem of that code.
    pub(super) fn new(code: &str) -> Self {
        let Code { name: code, status, retry, title } = meaning(code);
        let kind = format!("urn:keyhole:problem:{code}");
        let (detail, place, fix, lines) = Default::default();
        let (event, shown_before, start, next) = Default::default();
        Self(Box::new(Told {
            kind,
            title,
            status,
            code,
            detail,
            place,
            fix,
            lines,
            event,
            shown_before,
            start,
            next,
            retry,
        }))
    }

    /// What a client is told of an error: its code and the code's text, and the event that cannot be shown, if that is the
    /// error. Not the error's own words, which may be a strategy's.
    pub(super) fn of(error: &Error) -> Self {
        let mut problem = Self::new(error.code());
        problem.0.event = error.hidden();
        problem
    }

    /// The same, with the way on past the event that cannot be shown.
    pub(super) fn with_way_on(mut self, place: &Unshown, way_on: WayOn) -> Self {
        self.0.shown_before = Some(place.before);
        self.0.start = Some(way_on.start);
        self.0.next = Some(way_on.next);
        self
    }

    /// What an operator is told of an error: everything.
    pub(super) fn in_full(error: &Error) -> Self {
        let mut problem = Self::of(error);
        problem.0.detail = Some(error.to_string().into());
        problem.0.place = error.place().map(|path| path.display().to_string());
        problem.0.fix = error.fix();
        problem.0.lines = error.lines().map(str::to_owned);
        problem
    }

    /// The same, with words of ours on what to do differently.
    pub(super) fn saying(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same, to be tried again after so long, in whole seconds.
    pub(super) fn after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.0.retry = Some(u32::try_from(seconds).unwrap_or(u32::MAX).max(1));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"keyhole\""));
        }
        response.extensions_mut().insert(AnswerCode(self.0.code));
        response
    }
}

/// What a code means over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code {
    /// The code.
    name: &'static str,
    /// The status.
    status: u16,
    /// When to try again, in seconds, where that may help.
    retry: Option<u32>,
    /// The text that a client gets: the same for every request, so that nothing can leak through it.
    title: &'static str,
}

const fn code(name: &'static str, status: u16, title: &'static str) -> Code {
    Code { name, status, retry: None, title }
}

const fn again(name: &'static str, retry: u32, title: &'static str) -> Code {
    Code { name, status: 503, retry: Some(retry), title }
}

/// What an answer with a code that is not in the table would be. A test holds the table complete.
const INTERNAL: Code = code("internal", 500, "Something failed here that should not have.");

/// Every code.
const CODES: &[Code] = &[
    // The client's doing.
    code("bad-request", 400, "The request is not valid."),
    code(
        "bad-cursor",
        400,
        "The cursor is not one of this log's for this filter. Start again with a page number.",
    ),
    code("unauthorized", 401, "A token is needed."),
    code("forbidden", 403, "The token is not one that is let in."),
    code("not-found", 404, "There is nothing here."),
    code("bad-method", 405, "That cannot be done here."),
    code("request-timeout", 408, "The request took too long to arrive."),
    code("body-too-large", 413, "The request's body is too large."),
    code("target-too-long", 414, "The request's path and query are too long."),
    code("misdirected", 421, "This server does not answer for that host."),
    Code { status: 429, ..again("too-many-requests", 1, "This client has sent more requests than it may.") },
    code("head-too-large", 431, "The request's headers are too large, or too many."),
    // It may go better soon.
    again("busy", 1, "The log's writer holds its lock."),
    again("crowded", 1, "The strategy answers as many requests as it may at once."),
    again("overloaded", 1, "More requests wait than can be answered in time."),
    again("overdue", 1, "The answer took too long."),
    again("starved", 1, "The machine had no time for the request."),
    again("budget", 1, "The strategy used up what one request may use."),
    again("cancelled", 1, "The request was cut."),
    again("shutting-down", 5, "The service is about to end."),
    again("interrupted", 5, "The service is about to end."),
    again("unready", 5, "The service cannot answer as it should."),
    again("nothing-serves", 10, "No strategy serves."),
    again("no-log", 10, "The log is not there."),
    again("bad-log", 10, "The log cannot be read."),
    again("log-needs-recovery", 10, "The log's writer was killed in mid-commit, and has to start first."),
    again("log-replaced", 1, "The log was replaced by another."),
    again("scratch-unfit", 1, "The strategy's tables do not fit the log and are filled anew."),
    again("scratch-full", 10, "The strategy's tables have reached their quota."),
    // The strategy's doing.
    code("denied", 502, "The strategy asked for what it is not granted."),
    code("sql", 502, "The strategy's statement was refused."),
    code("unknown-event", 502, "The strategy used an event that does not exist."),
    code("handle", 502, "The strategy used a handle that is not its own."),
    code("lie", 502, "The strategy's answer was wrong, and is not shown."),
    code("trapped", 502, "The strategy trapped."),
    code("gave-up", 502, "The strategy gave up."),
    code("scratch-refused", 502, "What the strategy says of its tables cannot be."),
    // An operator's orders.
    code("no-such-strategy", 404, "There is no strategy of that name."),
    code("not-ready", 409, "The strategy has not come as far as that."),
    code("proven-liar", 409, "The strategy once served a wrong page, and is kept out."),
    code("differs", 409, "Two strategies answered the same request differently."),
    code("refused", 422, "The component cannot be let in."),
    code("not-granted", 422, "The policy does not let the component in."),
    code("digest-mismatch", 422, "The component is not the one that the policy means."),
    code("signature-missing", 422, "The component is not signed."),
    code("signature-invalid", 422, "The component's signature is not valid."),
    code("signed-by-another", 422, "The component is signed by another key."),
    code("bad-policy", 422, "The policy is not valid."),
    // Ours.
    code("payload-corrupt", 500, "An event's payload is corrupt."),
    code("payload-too-large", 500, "An event's payload is larger than a request may read."),
    code("bad-cell", 500, "An event of the page holds a cell that cannot be shown."),
    code("bad-decisions", 500, "The decision log is broken."),
    code("bad-state", 500, "The state folder is broken."),
    code("not-written", 500, "A result could not be written."),
    code("io", 500, "A file could not be read or written."),
    code("sqlite", 500, "The database failed."),
    code("engine", 500, "The engine failed."),
    INTERNAL,
];

/// What a code means.
fn meaning(name: &str) -> Code {
    CODES.iter().copied().find(|code| code.name == name).unwrap_or(INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that a source file's `fn code` gives.
    fn codes_of(source: &str) -> Vec<&str> {
        let function =
            source.split("pub fn code(&self)").nth(1).and_then(|rest| rest.split("\n    }").next());
        function.unwrap().split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn every_code_of_the_one_list_has_a_status_and_none_has_two() {
        let codes = codes_of(include_str!("../../../log/src/error/mod.rs"));
        assert!(codes.len() > 30, "{codes:?}");
        for name in codes.into_iter().chain(["signature-missing", "signature-invalid", "signed-by-another"]) {
            assert_eq!(meaning(name).name, name, "{name} has no status");
        }
        for code in CODES {
            assert_eq!(CODES.iter().filter(|other| other.name == code.name).count(), 1, "{}", code.name);
            assert!(matches!(code.status, 400..=599), "{code:?}");
            let soon = matches!(code.status, 429 | 503);
            assert_eq!(code.retry.is_some(), soon, "{code:?}: whoever may try again is told when");
        }
    }

    #[test]
    fn the_documentation_lists_every_code_with_its_status() {
        let text = include_str!("../../../../docs/serving.md");
        for code in CODES {
            let row = format!("| `{}` | {} |", code.name, code.status);
            assert!(text.contains(&row), "docs/serving.md lacks {row}");
        }
    }

    #[test]
    fn a_client_reads_no_word_of_a_strategy() {
        let error = Error::GaveUp { what: "psst: the payload is 42".to_owned() }
            .during("answering")
            .during("psst, a second time");
        let told = serde_json::to_string(&Problem::of(&error)).unwrap();
        assert!(!told.contains("psst"), "{told}");
        assert!(told.contains(r#""type":"urn:keyhole:problem:gave-up""#), "{told}");
        assert!(serde_json::to_string(&Problem::in_full(&error)).unwrap().contains("42"));
    }
}
