//! What every request passes before a handler sees it, and every answer on its way out.

use std::any::Any;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::Extension;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tracing::field::display;

use super::events::STRATEGY;
use super::limits::{BODY_BYTES, COMPRESS_FROM, TARGET_BYTES};
use super::problem::{AnswerCode, Problem};
use super::state::{AppState, Operator, Viewer};
use super::throttle::{Client, PermittedBody};
use super::{operators, viewers};

/// Paths that need no token: they say nothing of the log. All others do, whatever is routed there.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// A request's name in the logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers the requests of a listener. Each brings along who is at its connection's other end.
pub(super) type HttpService = BoxCloneSyncService<Request, Response, Infallible>;

/// What answers viewers. A request passes from top to bottom, its answer from bottom to top.
pub(super) fn viewers(app: &Arc<AppState>) -> HttpService {
    let app = || Arc::clone(app);
    let compression = CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest);
    // Within the router, which makes its answer to HEAD of what these make of the answer to GET.
    let around_each_route = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(panicked))
        .layer(compression.compress_when(SizeAbove::new(COMPRESS_FROM)));
    let service = ServiceBuilder::new()
        .layer(from_fn_with_state(app(), record))
        .layer(from_fn(name_request))
        .layer(from_fn(limit_sizes))
        .option_layer(app().loopback.then(|| from_fn(check_host)))
        .layer(from_fn_with_state(app(), authenticate))
        .layer(from_fn_with_state(app(), limit_concurrency))
        .service(viewers::router(app()).layer(around_each_route));
    BoxCloneSyncService::new(service)
}

/// What answers operators. Their orders are not behind the address of viewers at all.
pub(super) fn operators(app: &Arc<AppState>) -> HttpService {
    let service = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(app), record))
        .layer(from_fn(name_request))
        .service(operators::router(Arc::clone(app)));
    BoxCloneSyncService::new(service)
}

/// Logs each answer, and counts those to viewers.
async fn record(
    State(app): State<Arc<AppState>>,
    viewer: Option<Extension<Viewer>>,
    operator: Option<Extension<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status().as_u16();
    let code = response.extensions().get::<AnswerCode>().map(|code| code.0);
    if viewer.is_some() {
        app.metrics.answer(status, code);
    }
    let (id, strategy) = (header(REQUEST_ID).map(display), header(STRATEGY));
    let client = viewer.as_ref().map(|viewer| display(viewer.0.0));
    let operator = operator.as_ref().map(|operator| display(&operator.0.0));
    let done = if viewer.is_some() { "answered" } else { "ordered" };
    tracing::info!(
        request = id, method = %method, path = ?path, status, code, strategy, client, operator, us, "{done}"
    );
    response
}

/// Says the request's name, for whoever looks it up in the logs, and that no answer is to be taken for another type.
async fn name_request(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The client's own name for its request, where it sent one that is fit to be logged, or one of ours. (The layer of
/// `tower-http` keeps whatever a client sends.)
fn request_id(headers: &HeaderMap) -> String {
    // Keyed at random once a process: names of two runs are not mistaken for each other.
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let is_fit = |id: &&str| {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (1..=64).contains(&id.len()) && id.bytes().all(fit)
    };
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_fit);
    sent.map_or_else(|| format!("{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Relaxed)), str::to_owned)
}

/// Refuses a target or a body that is too large.
async fn limit_sizes(request: Request, next: Next) -> Result<Response, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        return Err(Problem::new("target-too-long"));
    }
    if request.body().size_hint().lower() > BODY_BYTES as u64 {
        return Err(Problem::new("body-too-large"));
    }
    Ok(next.run(request).await)
}

/// Refuses a request that is not for this machine itself, where the server listens on the loopback. A page in a
/// browser on this machine may have its own name resolve to 127.0.0.1 and read the log with its user's access; what
/// it cannot do is send another name than its own. The address in a request's first line counts, and its header.
async fn check_host(request: Request, next: Next) -> Result<Response, Problem> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let (line, more) = (lines.next(), lines.next());
    if more.is_some() || (line.is_none() && request.version() >= Version::HTTP_11) {
        return Err(Problem::new("bad-request").saying("a request has one Host header"));
    }
    let named = line.is_none_or(|line| line.to_str().is_ok_and(is_loopback));
    let meant = request.uri().authority().is_none_or(|authority| is_loopback(authority.as_str()));
    if !(named && meant) {
        return Err(Problem::new("misdirected"));
    }
    Ok(next.run(request).await)
}

/// Whether a host, with or without port, is a name of the loopback.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => match port.parse::<u16>() {
            Ok(_) => name,
            Err(_) => return false,
        },
        _ => host,
    };
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None if name.eq_ignore_ascii_case("localhost") => true,
        None => name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// Refuses whoever has no token, and counts every request of a client against its rate.
async fn authenticate(
    State(app): State<Arc<AppState>>,
    Extension(Viewer(address)): Extension<Viewer>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = app.auth.check(request.headers());
    let client = if let Ok(Some(token)) = token { Client::Token(token) } else { Client::at(address) };
    // Before a wrong token is told so: guesses count, too.
    app.rate.take(client).map_err(|wait| Problem::new("too-many-requests").after(wait))?;
    if !is_open(&request) {
        token?;
    }
    request.extensions_mut().insert(client);
    Ok(next.run(request).await)
}

/// Answers so many requests at once, each from here until its answer is taken.
async fn limit_concurrency(
    State(app): State<Arc<AppState>>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if is_open(&request) {
        return Ok(next.run(request).await);
    }
    let permit = app.concurrency.take(client).ok_or_else(|| Problem::new("overloaded"))?;
    Ok(next.run(request).await.map(|body| PermittedBody::wrap(body, permit)))
}

fn is_open(request: &Request) -> bool {
    OPEN.contains(&request.uri().path())
}

/// A panic is one request's end, and no word of it leaves.
fn panicked(_what: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let mut response = Problem::new("internal").into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_loopback_pass() {
        let names = "localhost LocalHost:80 127.0.0.1 127.0.0.1:8080 127.9.9.9:1 [::1] [::1]:8080";
        for host in names.split(' ') {
            assert!(is_loopback(host), "{host}");
        }
        // The first of them is empty.
        let others = " evil.example localhost.evil.example 127.0.0.1.evil.example evil.example:8080 ::1 [::1 \
                      [::2]:80 10.0.0.1 0.0.0.0 localhost: localhost:x localhost:99999 127.1 [::1]x \
                      localhost:80:80 [127.0.0.1] user@localhost";
        for host in others.split(' ') {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_clients_name_is_kept_if_it_is_fit_and_ours_differ() {
        let named = |name: &str| request_id(&HeaderMap::from_iter([(REQUEST_ID, name.parse().unwrap())]));
        assert_eq!(named("a-1.B_2"), "a-1.B_2");
        for unfit in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(named(unfit), *unfit);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
