//! What operators reach, on the admin socket alone: orders about strategies, metrics, readiness in detail.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::timeout;

use super::limits::{BODY_BYTES, BODY_TIME};
use super::metrics::OPENMETRICS;
use super::problem::Problem;
use super::state::{AppState, Operator};
use super::viewers::{healthz, uncached};
use crate::orders::{self, Order};
use keyhole_log::error::Error;

/// The router of operators.
pub(super) fn router(app: Arc<AppState>) -> Router {
    Router::new()
        .route(orders::PATH, post(order))
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readiness))
        .fallback(async || Problem::new("not-found"))
        .method_not_allowed_fallback(async || Problem::new("bad-method"))
        .with_state(app)
}

async fn order(
    State(app): State<Arc<AppState>>,
    Extension(operator): Extension<Operator>,
    body: Body,
) -> Result<Response, Problem> {
    let body = whole(body).await?;
    let mut order: Order = serde_json::from_slice(&body)
        .map_err(|error| Problem::new("bad-request").saying(format!("the order cannot be read: {error}")))?;
    sign(&mut order, operator);
    let service = app.service.clone();
    let done = spawn_blocking(move || service.carry_out(order)).await;
    let done =
        done.unwrap_or_else(|panic| Err(Error::Engine(format!("the order ended without a result: {panic}"))));
    let done = done.map_err(|error| Problem::in_full(&error))?;
    Ok(Json(done).into_response())
}

async fn whole(body: Body) -> Result<Bytes, Problem> {
    match timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Problem::new("body-too-large")),
        Err(_) => Err(Problem::new("request-timeout")),
    }
}

/// Names whoever is at the other end, where the order names nobody.
fn sign(order: &mut Order, operator: Operator) {
    match order {
        Order::List => {}
        Order::Stage { by, .. }
        | Order::Shadow { by, .. }
        | Order::Promote { by, .. }
        | Order::Rollback { by }
        | Order::Drain { by, .. }
        | Order::Pardon { by, .. } => {
            by.get_or_insert(operator.0);
        }
    }
}

async fn exposition(State(app): State<Arc<AppState>>) -> Result<Response, Problem> {
    let state = block_in_place(|| app.service.state());
    let text = app.metrics.exposition(state, app.concurrency.taken() as u64);
    let text = text.map_err(|_| Problem::new("internal"))?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

/// Readiness in detail: everything that the service knows of itself.
async fn readiness(State(app): State<Arc<AppState>>) -> Response {
    let state = block_in_place(|| app.service.state());
    if state.ready && !app.ending.load(Relaxed) {
        return uncached(state);
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], uncached(state)).into_response()
}
