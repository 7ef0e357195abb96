//! What viewers reach, and its description: router and document come from the same handlers.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::serve::bounds::COMPRESS_FROM;
use crate::serve::front::Front;
use crate::serve::problem::Problem;
use crate::serve::{events, health};

/// The router of viewers. Operators' orders are not behind it at all.
pub(super) fn router(front: Arc<Front>) -> Router {
    let (router, described) = described();
    let described = Bytes::from(serde_json::to_vec(&described).unwrap_or_default());
    let compression = CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest);
    router
        .route(
            "/openapi.json",
            axum::routing::get(async move || ([(header::CONTENT_TYPE, "application/json")], described)),
        )
        .fallback(async || Problem::new("not-found"))
        .method_not_allowed_fallback(async || Problem::new("bad-method"))
        .with_state(front)
        .layer(compression.compress_when(SizeAbove::new(COMPRESS_FROM)))
        .layer(CatchPanicLayer::custom(panicked))
}

fn described() -> (Router<Arc<Front>>, OpenApi) {
    let info = InfoBuilder::new()
        .title("Keyhole")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Pages of an audit log, answered by a sandboxed query strategy."));
    let document = OpenApiBuilder::new().info(info).build();
    let (router, mut document) = OpenApiRouter::with_openapi(document)
        .routes(routes!(events::events))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .split_for_parts();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the server's token file, where it has one"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    (router, document)
}

/// A panic is one request's end, and no word of it leaves.
fn panicked(_what: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let mut response = Problem::new("internal").into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
