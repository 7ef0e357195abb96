//! `GET /v1/events`: a page, and its entity tag. A page is known by its request, the strategy that answered, and what it
//! was made from: the log's files as they were, and the strategy's index. So "nothing has changed" can be told without
//! running a strategy, and no page is kept. A commit that appends may also have rewritten: every one changes the tag.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::limits::ANSWER_TIME;
use super::problem::{Problem, Told};
use super::query;
use super::state::AppState;
use super::throttle::ChunkedBody;
use keyhole_log::error::Error;
use keyhole_log::model::PageRequest;
use keyhole_runtime::page::{Cursors, render};

/// The name of the strategy that answered.
pub(super) const STRATEGY: HeaderName = HeaderName::from_static("keyhole-strategy");

/// SHA-256 of its component.
const DIGEST: HeaderName = HeaderName::from_static("keyhole-digest");

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
        (status = 200, description = "The page", body = Page, headers(
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
        (status = 500, description = "Something failed here; where that is an event which cannot be shown, `event`, `shown_before`, `start` and `next` say how to go on",
            body = Told, content_type = "application/problem+json", headers(
            ("Link" = String, description = "Where an event cannot be shown: the events of the page before it, and the page after it"),
        )),
        (status = 502, description = "The strategy failed", body = Told, content_type = "application/problem+json"),
        (status = 503, description = "Not now: see Retry-After", body = Told, content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(super) async fn events(
    State(app): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cursors = app.cursor_keys.cursors().map_err(|error| Problem::of(&error))?;
    let request = query::read(query.as_deref().unwrap_or_default(), &cursors)?;
    // Looked at before the page is made, so that no tag stands for more than its page was made from.
    let basis = app.service.basis();
    if headers.contains_key(header::IF_NONE_MATCH)
        && let Some(unchanged) = unchanged(&app, &request, &cursors, basis.as_deref(), &headers)
    {
        return Ok(unchanged);
    }
    let entered = Instant::now();
    let pending = app.service.submit(request.clone()).map_err(|error| Problem::of(&error))?;
    // Dropped where the client goes away or the time is over, which ends the work on it. (The timeout layer of
    // `tower-http` would answer without a problem and count nothing.)
    let Ok(answered) = timeout(ANSWER_TIME, pending).await else {
        app.metrics.overdue(entered.elapsed());
        return Err(Problem::new("overdue"));
    };
    app.metrics.page(&answered);
    let page = match &answered.page {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(
                strategy = &*answered.strategy,
                code = error.code(),
                error = %error,
                used = %answered.spent,
                "no page"
            );
            return Ok(named(unanswered(error, &request, &cursors), &answered.strategy, &answered.digest));
        }
    };
    let tag = basis.map(|basis| tag(&request, cursors.log(), &basis, &answered.digest));
    let next = cursors.next(page);
    let mut body = Vec::new();
    render::render(page, next.as_deref(), &mut body);
    let mut response = Response::new(ChunkedBody::of(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(links) = HeaderValue::from_str(&query::links(&request, next.as_deref())) {
        headers.insert(header::LINK, links);
    }
    Ok(named(validated(response, tag.as_deref()), &answered.strategy, &answered.digest))
}

/// The problem of a request without a page; where an event cannot be shown, with the way on past it.
fn unanswered(error: &Error, request: &PageRequest, cursors: &Cursors) -> Response {
    let problem = Problem::of(error);
    let Some(place) = error.unshown() else { return problem.into_response() };
    let way_on = cursors.way_on(place, &request.filter);
    let links = query::links_past(request, place.before, &way_on);
    let mut response = problem.with_way_on(place, way_on).into_response();
    if let Ok(links) = HeaderValue::from_str(&links) {
        response.headers_mut().insert(header::LINK, links);
    }
    response
}

/// "Not modified", where that can be told without running a strategy.
fn unchanged(
    app: &AppState,
    request: &PageRequest,
    cursors: &Cursors,
    basis: Option<&str>,
    headers: &HeaderMap,
) -> Option<Response> {
    let (strategy, digest) = app.service.active()?;
    let tag = tag(request, cursors.log(), basis?, &digest);
    is_known(headers, &tag).then(|| {
        app.metrics.unchanged();
        named(validated(StatusCode::NOT_MODIFIED.into_response(), Some(&tag)), &strategy, &digest)
    })
}

/// Says how to ask whether the page has changed. Nobody but the client may keep it, and only to ask again.
fn validated(mut response: Response, tag: Option<&str>) -> Response {
    let headers = response.headers_mut();
    if let Some(Ok(tag)) = tag.map(HeaderValue::from_str) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization"));
    response
}

/// Says who answered. A name is an operator's choice and may hold what a header may not.
fn named(mut response: Response, strategy: &str, digest: &str) -> Response {
    for (header, value) in [(STRATEGY, &*query::encode(strategy)), (DIGEST, digest)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}

/// A page of events.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct Page {
    query: Query,
    /// Newest first: by `created_at`, then by `id`.
    events: Vec<Event>,
    /// How many events.
    count: u64,
    /// The cursor of the next page; null where this page is not full, and so is the last.
    #[schema(required)]
    next: Option<String>,
}

/// What was asked.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct Query {
    from_ts: i64,
    to_ts: i64,
    #[schema(required)]
    actor_id: Option<i64>,
    #[schema(required)]
    action: Option<String>,
    /// The page's number, where one was asked for.
    #[schema(nullable = false, minimum = 1)]
    page: Option<u64>,
    /// The key that the page begins after, where a cursor was given: `created_at` and `id`.
    #[schema(nullable = false)]
    after_key: Option<Vec<i64>>,
    #[schema(minimum = 1, maximum = 1000)]
    page_size: u32,
    /// The largest id that the walk shows.
    #[schema(nullable = false)]
    up_to: Option<i64>,
}

/// One event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct Event {
    id: i64,
    /// Unix seconds.
    created_at: i64,
    actor_id: i64,
    action: String,
    resource_type: String,
    resource_id: String,
    /// The payload, as its line stands in the file.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
}

/// Bytes of the digest that a tag shows.
const SHOWN: usize = 16;

/// The tag of the answer to a request. Weak, as the same page may go out compressed or not.
///
/// A walk by cursor is bounded: what was appended beyond its bound does not change its pages.
fn tag(request: &PageRequest, log: &str, basis: &str, digest: &str) -> String {
    let mut hash = Sha256::new();
    for piece in [query::canonical(request).as_str(), log, basis, digest] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    // A cursor of another bound asks for other pages.
    let hash = hash.chain_update(request.up_to.unwrap_or(i64::MIN).to_be_bytes()).finalize();
    format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(hash.get(..SHOWN).unwrap_or_default()))
}

/// Whether a client already has what this tag stands for.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // A comma is never part of a tag of ours.
    lines.flat_map(|line| line.split(',')).any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhole_log::model::{Filter, Key, Position};

    fn request() -> PageRequest {
        let filter = Filter { from_ts: 1, to_ts: 2, actor_id: None, action: None };
        PageRequest { filter, position: Position::Page(1), page_size: 50, up_to: None }
    }

    #[test]
    fn whatever_may_change_the_page_changes_the_tag() {
        let after = |id| Position::After(Key { created_at: 1, id });
        let filter = Filter { action: Some(String::new()), ..request().filter };
        let tags = [
            tag(&request(), "log", "9", "digest"),
            tag(&request(), "log", "10", "digest"),
            tag(&request(), "log", "9", "another"),
            tag(&request(), "gol", "9", "digest"),
            tag(&PageRequest { position: Position::Page(2), ..request() }, "log", "9", "digest"),
            tag(&PageRequest { position: after(1), ..request() }, "log", "9", "digest"),
            tag(&PageRequest { position: after(2), ..request() }, "log", "9", "digest"),
            tag(&PageRequest { page_size: 51, ..request() }, "log", "9", "digest"),
            tag(&PageRequest { up_to: Some(8), ..request() }, "log", "9", "digest"),
            tag(&PageRequest { filter, ..request() }, "log", "9", "digest"),
        ];
        let distinct: std::collections::HashSet<&String> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
    }

    #[test]
    fn a_tag_is_recognised_weak_or_not_in_any_list() {
        let tag = "W/\"a\"";
        for (line, known) in [
            (tag, true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(line))]);
            assert_eq!(is_known(&headers, tag), known, "{line}");
        }
        assert!(!is_known(&HeaderMap::new(), tag));
    }
}
