//! Problems as RFC 9457 has them: what a client gets instead of a page.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;
use crate::serve::codes::{self, Code};

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
    /// When to try again, in seconds.
    #[serde(skip)]
    retry: Option<u32>,
}

/// The code of an answer, for the log and the metrics.
#[derive(Clone, Copy)]
pub(super) struct Answer(pub(super) &'static str);

impl Problem {
    /// The problem of that code.
    pub(super) fn new(code: &str) -> Self {
        let Code { name, status, retry, title } = codes::of(code);
        Self(Box::new(Told {
            kind: format!("urn:keyhole:problem:{name}"),
            title,
            status,
            code: name,
            detail: None,
            place: None,
            fix: None,
            lines: None,
            retry,
        }))
    }

    /// What a client is told of an error: its code and the code's text. Not the error's own words, which may
    /// be a strategy's.
    pub(super) fn of(error: &Error) -> Self {
        Self::new(error.code())
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

    /// The same, to be tried again after so many seconds.
    pub(super) fn after(mut self, seconds: u32) -> Self {
        self.0.retry = Some(seconds.max(1));
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
        response.extensions_mut().insert(Answer(self.0.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
