//! The door: what every request of a viewer's passes before a handler sees it, and every answer on its way out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, Version, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::serve::bounds::{BODY_BYTES, TARGET_BYTES};
use crate::serve::front::Front;
use crate::serve::hosts::is_loopback;
use crate::serve::portions::Held;
use crate::serve::problem::{Answer, Problem};
use crate::serve::rates::Client;
use crate::serve::request_id;
use crate::units::whole_micros;

/// Paths that need no token: they say nothing of the log. All others do, whatever is routed there.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// Answers a request of a viewer's.
pub(super) async fn answer(
    front: Arc<Front>,
    router: Router,
    peer: IpAddr,
    request: Request<Body>,
) -> Response {
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match admit(&front, peer, request) {
        Ok((request, client)) => pass(&front, router, client, request).await,
        Err(problem) => problem.into_response(),
    };
    finish(&mut response, &id);
    let (status, code) =
        (response.status().as_u16(), response.extensions().get::<Answer>().map(|answer| answer.0));
    front.figures.answer(status, code);
    let strategy = response.headers().get(super::events::STRATEGY).and_then(|name| name.to_str().ok());
    tracing::info!(
        request = %id, method = %method, path = ?path, status, code, strategy,
        client = %peer, us = whole_micros(started.elapsed()), "answered"
    );
    response
}

/// What goes with every answer, viewer's or operator's.
pub(super) fn finish(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(request_id::NAME, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Hands a request that was let in to its handler, and holds its place until the answer is taken.
async fn pass(front: &Front, router: Router, client: Client, request: Request<Body>) -> Response {
    if is_open(&request) {
        return handled(router, request).await;
    }
    let Some(place) = front.places.take(client) else {
        return Problem::new("overloaded").into_response();
    };
    handled(router, request).await.map(|body| Held::body(body, place))
}

async fn handled(router: Router, request: Request<Body>) -> Response {
    let Ok(response) = router.oneshot(request).await;
    response
}

fn is_open(request: &Request<Body>) -> bool {
    OPEN.contains(&request.uri().path())
}

/// Who asks, if the request may be asked.
fn admit(front: &Front, peer: IpAddr, request: Request<Body>) -> Result<(Request<Body>, Client), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        return Err(Problem::new("target-too-long"));
    }
    if request.body().size_hint().lower() > BODY_BYTES as u64 {
        return Err(Problem::new("body-too-large"));
    }
    if front.loopback {
        check_host(&request)?;
    }
    let mut client = Client::at(peer);
    let mut let_in = Ok(());
    if let Some(tokens) = front.guests.tokens() {
        match bearer(request.headers()) {
            Some(token) => match tokens.place(token) {
                Some(place) => client = Client::Token(place),
                None => let_in = Err(Problem::new("forbidden")),
            },
            None => let_in = Err(Problem::new("unauthorized")),
        }
    }
    // Before a wrong token is told so: guesses count, too.
    front.rates.take(client).map_err(|wait| {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        Problem::new("too-many-requests").after(u32::try_from(seconds).unwrap_or(u32::MAX))
    })?;
    if is_open(&request) {
        return Ok((request, client));
    }
    let_in.map(|()| (request, client))
}

/// The token that a request carries; none where it carries none, or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

/// Whether the request is for this machine itself. The address in its first line counts, and its header.
fn check_host(request: &Request<Body>) -> Result<(), Problem> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let (line, more) = (lines.next(), lines.next());
    let needed = request.version() >= Version::HTTP_11;
    if more.is_some() || (line.is_none() && needed) {
        return Err(Problem::new("bad-request").saying("a request has one Host header"));
    }
    let named = line.is_none_or(|line| line.to_str().is_ok_and(is_loopback));
    let meant = request.uri().authority().is_none_or(|authority| is_loopback(authority.as_str()));
    if named && meant { Ok(()) } else { Err(Problem::new("misdirected")) }
}
