//! Every route of the service on one page.

use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use axum::{Router, extract::DefaultBodyLimit};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::front::Service;
use super::limit::{self, Limiter, Limits};
use super::{api, error, middleware, openapi, portal, sdk};
use crate::app::App;

/// What a body may hold at most.
const MAX_BODY: usize = 256 * 1024;

/// The whole service, ready to be served.
pub fn router(app: App) -> Service {
    router_with(app, Limits::default())
}

/// The same, with limits of the caller's choice.
pub fn router_with(app: App, limits: Limits) -> Service {
    router_besides(app, limits, Router::new())
}

/// The same, with routes of the caller's own behind the same layers and counted like [`calls`]: for measurements.
pub fn router_besides(app: App, limits: Limits, besides: Router<App>) -> Service {
    let often = Limiter::new(limits.for_calls());
    let counted = |limiter| from_fn_with_state((app.clone(), limiter), limit::limit);
    let calls = calls().merge(besides.into()).route_layer(counted(often.clone()));
    let rest = api().route_layer(counted(Limiter::new(limits)));
    let (router, _) = server().merge(rest).merge(calls).split_for_parts();
    let pages = pages().layer(from_fn_with_state(app.clone(), portal::speak));
    let rest = finish(router.merge(pages).with_state(app.clone()));
    Service::new(app, often, rest)
}

/// What the OpenAPI document describes.
pub(super) fn described() -> OpenApiRouter<App> {
    server()
        .merge(api())
        .merge(calls())
        .routes(routes!(api::proxy::get))
        .routes(routes!(api::proxy::post))
        .routes(routes!(api::proxy::put))
        .routes(routes!(api::proxy::patch))
        .routes(routes!(api::proxy::delete))
}

/// The server itself.
fn server() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(api::health::healthz))
        .routes(routes!(api::health::readyz))
        .routes(routes!(api::health::openapi_json))
}

/// What programs call, counted against their limits.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // applications
        .routes(routes!(api::applications::list_public))
        .routes(routes!(api::applications::get_public))
        .routes(routes!(api::applications::list_sdk))
        .routes(routes!(api::applications::get_sdk))
        .routes(routes!(api::applications::auth_structure))
        .routes(routes!(api::clients::get, api::clients::put, api::clients::remove))
        .routes(routes!(api::notices::get, api::notices::put, api::notices::remove))
        .routes(routes!(api::clients::origins, api::clients::set_origins))
        .routes(routes!(api::policy::get, api::policy::put))
        // connecting
        .routes(routes!(api::connecting::integrate))
        .routes(routes!(api::connecting::oauth_url))
        .routes(routes!(api::connecting::save))
        .routes(routes!(api::connecting::save_public))
        .routes(routes!(api::connecting::migrate))
        .routes(routes!(api::connecting::disconnect_sdk))
        .routes(routes!(api::connecting::disconnect_public))
        // connections
        .routes(routes!(api::connection_list::list))
        .routes(routes!(api::connections::get))
        .routes(routes!(api::connections::check))
        .routes(routes!(api::connections::refresh))
        .routes(routes!(api::connections::expire))
        .routes(routes!(
            api::reauth_links::create,
            api::reauth_links::list,
            api::reauth_links::revoke_all
        ))
        .routes(routes!(api::reauth_links::revoke))
        .routes(routes!(api::audit::list))
        // incidents
        .routes(routes!(api::incidents::list))
        .routes(routes!(api::incidents::get))
        .routes(routes!(api::incidents::close))
        .routes(routes!(api::incidents::confirm_deletion))
        // linked accounts and sessions
        .routes(routes!(
            api::linked_accounts::list,
            api::linked_accounts::create,
            api::linked_accounts::upsert
        ))
        .routes(routes!(api::linked_accounts::get, api::linked_accounts::delete))
        .routes(routes!(api::linked_accounts::active))
        .routes(routes!(api::default_app::put, api::default_app::delete))
        .routes(routes!(api::session_tokens::issue))
        .routes(routes!(api::session_tokens::revoke))
        .routes(routes!(api::connect_url::create))
        .routes(routes!(api::connect_url::properties))
        .routes(routes!(api::org::basics))
        .routes(routes!(api::config_stub::read, api::config_stub::save))
        // webhooks
        .routes(routes!(
            api::webhooks::list,
            api::webhooks::create,
            api::webhooks::delete_oldest
        ))
        .routes(routes!(
            api::webhooks::get,
            api::webhooks::update,
            api::webhooks::delete
        ))
        .routes(routes!(api::webhooks::edit_group))
        .routes(routes!(api::webhooks::subscribe))
        .routes(routes!(api::webhooks::unsubscribe))
}

/// What a product needs for each call that it makes for a customer, so a hundred times as often.
fn calls() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::credential::of_connection))
        .routes(routes!(api::credential::of_customer))
}

/// What people see.
fn pages() -> Router<App> {
    Router::new()
        .route("/docs", get(api::docs::page))
        .route("/assets/docs.css", get(api::docs::stylesheet))
        .route("/sdk/evergrant.js", get(sdk::module))
        .route("/connect", get(portal::show_list))
        .route("/connect/{segment}", get(portal::open_or_detail).post(portal::act))
        .route("/connect/{segment}/state", get(portal::state))
        .route("/reauth/{token}", get(portal::show_link).post(portal::follow_link))
        .route("/repair", get(portal::show_repair).post(portal::act_on_repair))
        .route(
            "/api/v1/{slug}/start/{token}",
            get(portal::start).head(portal::unopened),
        )
        .route(
            "/api/v1/{slug}/callback",
            get(portal::callback)
                .head(portal::unopened)
                .delete(api::notices::hear_of_client),
        )
        .route("/notices/{id}", any(api::notices::hear))
        .route("/api/v1/{slug}/account", post(portal::decide))
        .route("/icons/{file}", get(portal::icon))
        .route("/assets/close.js", get(portal::script))
        .route("/assets/{file}", get(portal::asset))
}

fn finish(router: Router) -> Router {
    router
        .fallback(|| async { error::plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            error::plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "This path does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(middleware::cors())
        .layer(axum::middleware::from_fn(middleware::observe))
}
