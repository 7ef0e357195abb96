//! What operators reach, on the admin socket alone: orders about strategies, metrics, readiness in detail.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::error::Error;
use crate::serve::bounds::{BODY_BYTES, BODY_TIME};
use crate::serve::front::Front;
use crate::serve::problem::{Answer, Problem};
use crate::serve::{door, health, request_id, scrape};
use crate::service::orders::{self, Order};
use crate::units::whole_micros;

/// Who is at the other end of the socket, by what the system says of it.
#[derive(Clone)]
pub(super) struct Operator(pub(super) String);

/// The router of operators.
pub(super) fn router(front: Arc<Front>) -> Router {
    Router::new()
        .route(orders::PATH, post(order))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readiness))
        .fallback(async || Problem::new("not-found"))
        .method_not_allowed_fallback(async || Problem::new("bad-method"))
        .with_state(front)
}

/// Answers a request of an operator's.
pub(super) async fn answer(router: Router, operator: Operator, mut request: Request<Body>) -> Response {
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let by = operator.0.clone();
    request.extensions_mut().insert(operator);
    let Ok(mut response) = router.oneshot(request).await;
    door::finish(&mut response, &id);
    let code = response.extensions().get::<Answer>().map(|answer| answer.0);
    tracing::info!(
        request = %id, method = %method, path = ?path, status = response.status().as_u16(), code,
        operator = %by, us = whole_micros(started.elapsed()), "ordered"
    );
    response
}

async fn order(
    State(front): State<Arc<Front>>,
    Extension(operator): Extension<Operator>,
    body: Body,
) -> Result<Response, Problem> {
    let body = whole(body).await?;
    let mut order: Order = serde_json::from_slice(&body)
        .map_err(|error| Problem::new("bad-request").saying(format!("the order cannot be read: {error}")))?;
    sign(&mut order, operator);
    let service = front.service.clone();
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
        | Order::Drain { by, .. } => {
            by.get_or_insert(operator.0);
        }
    }
}

async fn metrics(State(front): State<Arc<Front>>) -> Result<Response, Problem> {
    let text = block_in_place(|| scrape::scrape(&front)).map_err(|_| Problem::new("internal"))?;
    Ok(([(header::CONTENT_TYPE, scrape::OPENMETRICS)], text).into_response())
}
