//! `GET /v1/events`: a page.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::page::{Cursors, PageRequest, render};
use crate::serve::bounds::ANSWER_TIME;
use crate::serve::front::Front;
use crate::serve::portions::Portions;
use crate::serve::problem::{Problem, Told};
use crate::serve::{etag, link, query, shapes};

/// The name of the strategy that answered.
pub(super) const STRATEGY: HeaderName = HeaderName::from_static("keyhole-strategy");

/// SHA-256 of its component.
pub(super) const DIGEST: HeaderName = HeaderName::from_static("keyhole-digest");

/// A page of the log's events, newest first.
///
/// Page by number, or walk: `next` in the body and in the `Link` header carries the cursor of the next page. A
/// walk shows every event that existed when its first page was answered exactly once, whatever is appended
/// meanwhile. Cursors do not expire.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "events",
    params(
        ("from_ts" = Option<i64>, Query, description = "First second of the window, Unix time, inclusive"),
        ("to_ts" = Option<i64>, Query, description = "Last second of the window, inclusive"),
        ("actor_id" = Option<i64>, Query, description = "Only this actor's events"),
        ("action" = Option<String>, Query, description = "Only events of this action, byte for byte"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "Events on the page, 50 where nothing is said"),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 18_446_744_073_709_551_615_u64,
            description = "Page number from 1; not together with `after`"),
        ("after" = Option<String>, Query,
            description = "Continue after the page whose `next` this is, with the same filter; not together with `page`"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags that the client has"),
    ),
    responses(
        (status = 200, description = "The page", body = shapes::Page, headers(
            ("ETag" = String, description = "Changes when the page may"),
            ("Link" = String, description = "Where the first and the next page are"),
            ("Keyhole-Strategy" = String, description = "The strategy that answered"),
            ("Keyhole-Digest" = String, description = "SHA-256 of its component, in hex"),
            ("X-Request-Id" = String, description = "The request's name in the logs"),
        )),
        (status = 304, description = "The client has the page"),
        (status = 400, description = "The request or its cursor is not valid", body = Told, content_type = "application/problem+json"),
        (status = 401, description = "A token is needed", body = Told, content_type = "application/problem+json"),
        (status = 403, description = "The token is not let in", body = Told, content_type = "application/problem+json"),
        (status = 413, description = "A body of that size is not taken", body = Told, content_type = "application/problem+json"),
        (status = 414, description = "Path and query are too long", body = Told, content_type = "application/problem+json"),
        (status = 421, description = "Not this server's host", body = Told, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests of this client", body = Told, content_type = "application/problem+json"),
        (status = 431, description = "The headers are too large, or too many"),
        (status = 500, description = "Something failed here", body = Told, content_type = "application/problem+json"),
        (status = 502, description = "The strategy failed", body = Told, content_type = "application/problem+json"),
        (status = 503, description = "Not now: see Retry-After", body = Told, content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn events(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&front, query.as_deref().unwrap_or_default(), &headers)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(front: &Front, query: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let cursors = front.book.cursors().map_err(|error| Problem::of(&error))?;
    let request = query::read(query, &cursors)?;
    if headers.contains_key(header::IF_NONE_MATCH)
        && let Some(unchanged) = unchanged(front, &request, &cursors, headers)
    {
        return Ok(unchanged);
    }
    let entered = Instant::now();
    let pending = front.service.submit(request.clone()).map_err(|error| Problem::of(&error))?;
    // Dropped where the client goes away or the time is over, which ends the work on it.
    let Ok(answered) = timeout(ANSWER_TIME, pending).await else {
        front.figures.overdue(entered.elapsed());
        return Err(Problem::new("overdue"));
    };
    front.figures.page(&answered);
    let page = match &answered.page {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(strategy = &*answered.strategy, code = error.code(), error = %error, "no page");
            let mut response = Problem::of(error).into_response();
            name(&mut response, &answered.strategy, &answered.digest);
            return Ok(response);
        }
    };
    let tag = etag::tag(&request, cursors.log(), page.high_water, &answered.digest);
    let mut response = if etag::is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let next = cursors.next(page);
        let mut body = Vec::new();
        render::render(page, next.as_deref(), &mut body);
        let mut response = Response::new(Portions::of(body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(links) = HeaderValue::from_str(&link::links(&request, next.as_deref())) {
            headers.insert(header::LINK, links);
        }
        response
    };
    validate(&mut response, &tag);
    name(&mut response, &answered.strategy, &answered.digest);
    Ok(response)
}

/// "Not modified", where that can be told without running a strategy.
fn unchanged(
    front: &Front,
    request: &PageRequest,
    cursors: &Cursors,
    headers: &HeaderMap,
) -> Option<Response> {
    let (strategy, digest) = front.service.active()?;
    let high_water = block_in_place(|| front.service.high_water()).ok()?;
    let tag = etag::tag(request, cursors.log(), high_water, &digest);
    if !etag::is_known(headers, &tag) {
        return None;
    }
    front.figures.unchanged();
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    validate(&mut response, &tag);
    name(&mut response, &strategy, &digest);
    Some(response)
}

/// Says how to ask whether the page has changed. Nobody but the client may keep it, and only to ask again.
fn validate(response: &mut Response, tag: &str) {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization"));
}

/// Says who answered. A name is an operator's choice and may hold what a header may not.
fn name(response: &mut Response, strategy: &str, digest: &str) {
    let headers = response.headers_mut();
    let strategy = HeaderValue::from_str(&query::encoded(strategy));
    for (header, value) in [(STRATEGY, strategy), (DIGEST, HeaderValue::from_str(digest))] {
        if let Ok(value) = value {
            headers.insert(header, value);
        }
    }
}
