//! What viewers reach, and its description: router and document come from the same handlers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::task::block_in_place;
use utoipa::ToSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events;
use super::problem::{Problem, Told};
use super::state::AppState;

/// The router of viewers.
pub(super) fn router(app: Arc<AppState>) -> Router {
    let (router, document) = described();
    let document = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let description = async move || ([(header::CONTENT_TYPE, "application/json")], document);
    router
        .route("/openapi.json", get(description))
        .fallback(async || Problem::new("not-found"))
        .method_not_allowed_fallback(async || Problem::new("bad-method"))
        .with_state(app)
}

fn described() -> (Router<Arc<AppState>>, OpenApi) {
    let info = InfoBuilder::new()
        .title("Keyhole")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Pages of an audit log, answered by a sandboxed query strategy."));
    let document = OpenApiBuilder::new().info(info).build();
    let (router, mut document) = OpenApiRouter::with_openapi(document)
        .routes(routes!(events::events))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .split_for_parts();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the server's token file, where it has one"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    (router, document)
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "health", responses(
    (status = 200, description = "It does", body = Health),
))]
pub(super) async fn healthz() -> Response {
    uncached(Health { status: "ok" })
}

/// Whether pages are answered as they should be.
///
/// The strategy that serves is proven, its scratch fits the log, both files of the log are the ones that were
/// opened, and no journal waits to be recovered.
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", responses(
    (status = 200, description = "They are", body = Health),
    (status = 503, description = "Not now: see Retry-After", body = Told, content_type = "application/problem+json"),
))]
async fn readyz(State(app): State<Arc<AppState>>) -> Result<Response, Problem> {
    if app.ending.load(Relaxed) {
        return Err(Problem::new("shutting-down"));
    }
    if !block_in_place(|| app.service.state()).ready {
        return Err(Problem::new("unready"));
    }
    Ok(uncached(Health { status: "ready" }))
}

/// An answer that holds for this moment only.
pub(super) fn uncached(body: impl serde::Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whether the service lives, or is ready.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok` or `ready`.
    pub(super) status: &'static str,
}
