//! Whether the process lives, and whether it answers as it should. A viewer learns that alone; why not is for
//! operators.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::task::block_in_place;

use crate::serve::front::Front;
use crate::serve::problem::{Problem, Told};
use crate::serve::shapes::Health;

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "health", responses(
    (status = 200, description = "It does", body = Health),
))]
pub(super) async fn healthz() -> Response {
    uncached(Json(Health { status: "ok" }).into_response())
}

/// Whether pages are answered as they should be.
///
/// The strategy that serves is proven, its scratch fits the log, both files of the log are the ones that were
/// opened, and no journal waits to be recovered.
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", responses(
    (status = 200, description = "They are", body = Health),
    (status = 503, description = "Not now: see Retry-After", body = Told, content_type = "application/problem+json"),
))]
pub(super) async fn readyz(State(front): State<Arc<Front>>) -> Response {
    if front.ending.load(Relaxed) {
        return Problem::new("shutting-down").into_response();
    }
    if !block_in_place(|| front.service.state()).ready {
        return Problem::new("unready").into_response();
    }
    uncached(Json(Health { status: "ready" }).into_response())
}

/// Readiness in detail, for operators: everything that the service knows of itself.
pub(super) async fn readiness(State(front): State<Arc<Front>>) -> Response {
    let state = block_in_place(|| front.service.state());
    let ready = state.ready && !front.ending.load(Relaxed);
    let mut response = uncached(Json(state).into_response());
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
