//! The OpenAPI document, generated from the handlers. The committed `openapi.json` is this, and a test keeps it so.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Evergrant", description = "Keeps a product's customers connected to third-party applications. Drop-in for the public API of Cobalt (Refold)."),
    modifiers(&Security)
)]
pub(super) struct Base;

struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut OpenApi) {
        let schemes = api.components.get_or_insert_default();
        let key =
            |name: &str, text: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, text)));
        schemes.add_security_scheme("api_key", key("x-api-key", "An API key of one environment"));
        schemes.add_security_scheme(
            "linked_account",
            key(
                "linked_account_id",
                "With an API key: the linked account; the query parameter of the same name will do too",
            ),
        );
        schemes.add_security_scheme(
            "session",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
    }
}

/// Every counted operation may answer 429; said here, once, for all of them.
fn add_limits(api: &mut OpenApi) {
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    let answer = ResponseBuilder::new()
        .description("Too many requests with this credential; `Retry-After` says how long to wait")
        .content("application/json", body)
        .build();
    for (path, item) in &mut api.paths.paths {
        let methods = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in methods.into_iter().flatten().filter(|_| path.starts_with("/api/")) {
            let answers = &mut operation.responses.responses;
            answers.insert("429".to_owned(), RefOr::T(answer.clone()));
        }
    }
}

/// The document as the server shows it.
#[must_use]
pub fn document() -> OpenApi {
    let mut api = super::router::described().split_for_parts().1;
    add_limits(&mut api);
    api
}

pub(super) fn base() -> OpenApi {
    Base::openapi()
}
