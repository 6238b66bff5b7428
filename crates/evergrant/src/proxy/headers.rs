//! Which headers pass, in either direction.
//!
//! Nothing of the caller's that is meant for us, or tells where it comes from, reaches the provider. Nothing of the provider's
//! that governs a browser is said in our name.

use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What belongs to one connection (RFC 9110, 7.6.1; RFC 9112).
fn is_of_the_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What a caller says to us alone, of itself, or of the way here.
fn is_for_us(name: &str) -> bool {
    let ours = ["forwarded", "x-evergrant-", "x-forwarded"];
    let ours = ours.iter().any(|beginning| name.starts_with(beginning));
    ours || matches!(
        name,
        "authorization"
            | "cf-connecting-ip"
            | "client-ip"
            | "content-length"
            | "cookie"
            | "cookie2"
            | "expect"
            | "fastly-client-ip"
            | "host"
            | "linked_account_id"
            | "true-client-ip"
            | "via"
            | "x-api-key"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-original-host"
            | "x-original-url"
            | "x-real-ip"
            | "x-rewrite-url"
    )
}

/// What would speak for our origin, or to a browser or a cache in front of us.
fn is_for_browsers(name: &str) -> bool {
    let theirs = name.starts_with("access-control-") || name.starts_with("x-evergrant-");
    theirs
        || matches!(
            name,
            "age"
                | "alt-svc"
                | "alt-used"
                | "cache-control"
                | "cdn-cache-control"
                | "clear-site-data"
                | "content-security-policy"
                | "content-security-policy-report-only"
                | "cross-origin-embedder-policy"
                | "cross-origin-opener-policy"
                | "cross-origin-resource-policy"
                | "expect-ct"
                | "nel"
                | "permissions-policy"
                | "public-key-pins"
                | "public-key-pins-report-only"
                | "referrer-policy"
                | "refresh"
                | "report-to"
                | "reporting-endpoints"
                | "service-worker-allowed"
                | "set-cookie"
                | "set-cookie2"
                | "sourcemap"
                | "strict-transport-security"
                | "surrogate-control"
                | "timing-allow-origin"
                | "via"
                | "x-content-security-policy"
                | "x-frame-options"
                | "x-webkit-csp"
        )
}

/// What describes a body that is sent no more (RFC 9110, 15.4).
const OF_THE_BODY: &[&str] = &[
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-type",
    "digest",
    "content-digest",
    "repr-digest",
    "last-modified",
];

/// The provider's own id of the exchange, under another name: `x-request-id` is ours.
pub const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-evergrant-provider-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Tells an answer of the provider from one of ours.
pub const ANSWERED_BY: HeaderName = HeaderName::from_static("x-evergrant-answered-by");

/// The caller's headers that go on.
#[must_use]
pub fn forwarded(mut headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    strip(&mut headers, is_for_us, &named);
    headers
}

/// The provider's headers that go back.
#[must_use]
pub fn returned(mut headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    let theirs = headers.remove(REQUEST_ID);
    strip(&mut headers, is_for_browsers, &named);
    if let Some(theirs) = theirs {
        headers.insert(PROVIDER_REQUEST_ID, theirs);
    }
    // Customers are told apart by a header, so the same URL holds different data for each: no cache may keep it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    headers.insert(ANSWERED_BY, HeaderValue::from_static("provider"));
    headers
}

/// Takes away what describes a body.
pub fn without_body(headers: &mut HeaderMap) {
    for name in OF_THE_BODY {
        headers.remove(*name);
    }
}

/// Takes away what a program behind a gateway cannot tell from `name`: CGI and its kin make `_` of `-` (RFC 3875, 4.1.18), and
/// some of whatever else is no letter or digit.
pub fn without_alike(headers: &mut HeaderMap, name: &HeaderName) {
    let is_sign = |byte: u8| !byte.is_ascii_alphanumeric();
    let ours = name.as_str().as_bytes();
    if !ours.iter().copied().any(is_sign) {
        return;
    }
    let is_alike = |theirs: &&HeaderName| {
        let (theirs, same) = (theirs.as_str().as_bytes(), |(a, b): (&u8, &u8)| {
            a == b || (is_sign(*a) && is_sign(*b))
        });
        theirs != ours && theirs.len() == ours.len() && theirs.iter().zip(ours).all(same)
    };
    let going: Vec<HeaderName> = headers.keys().filter(is_alike).cloned().collect();
    for name in going {
        headers.remove(name);
    }
}

/// Whether another protocol is asked for on this connection.
#[must_use]
pub fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE) || named_by_connection(headers).contains(&header::UPGRADE)
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

fn strip(headers: &mut HeaderMap, is_theirs: fn(&str) -> bool, named: &[HeaderName]) {
    let doomed = |name: &HeaderName| {
        let text = name.as_str();
        is_of_the_hop(text) || is_theirs(text) || named.contains(name)
    };
    let going: Vec<HeaderName> = headers.keys().filter(|name| doomed(name)).cloned().collect();
    for name in going {
        if let Entry::Occupied(entry) = headers.entry(name) {
            entry.remove_entry_mult();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_cannot_be_told_from_a_header_goes_and_what_can_stays() {
        let others = ["x-up-key", "xupkey", "x-up-key-", "x-up-keys", "y-up-key"];
        let alike = ["x_up_key", "x-up_key", "x.up!key"];
        let mut headers = HeaderMap::new();
        for name in others.iter().chain(&alike).chain(&alike) {
            headers.append(*name, HeaderValue::from_static("1"));
        }
        without_alike(&mut headers, &HeaderName::from_static("x-up-key"));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-up-key", "x-up-key-", "x-up-keys", "xupkey", "y-up-key"]);
        without_alike(&mut headers, &HeaderName::from_static("authorization"));
        assert_eq!(headers.len(), 5);
    }

    const HOP_BY_HOP: &[&str] = &[
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const NOT_FORWARDED: &[&str] = &[
        "authorization",
        "cf-connecting-ip",
        "client-ip",
        "content-length",
        "cookie",
        "cookie2",
        "expect",
        "fastly-client-ip",
        "forwarded",
        "host",
        "linked_account_id",
        "true-client-ip",
        "via",
        "x-api-key",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    ];
    const NOT_RETURNED: &[&str] = &[
        "age",
        "alt-svc",
        "alt-used",
        "cache-control",
        "cdn-cache-control",
        "clear-site-data",
        "content-security-policy",
        "content-security-policy-report-only",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "expect-ct",
        "nel",
        "permissions-policy",
        "public-key-pins",
        "public-key-pins-report-only",
        "referrer-policy",
        "refresh",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "sourcemap",
        "strict-transport-security",
        "surrogate-control",
        "timing-allow-origin",
        "via",
        "x-content-security-policy",
        "x-frame-options",
        "x-webkit-csp",
    ];

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn nothing_meant_for_us_or_for_the_connection_is_forwarded() {
        let dropped = HOP_BY_HOP.iter().chain(NOT_FORWARDED).chain(&[
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-evergrant-auth-type",
            "x-mine",
            "x-mine-too",
        ]);
        let mut headers = map(&[
            ("accept", "*/*"),
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
        ]);
        for name in dropped {
            headers.append(*name, "x".parse().unwrap());
            headers.append(*name, "y".parse().unwrap());
        }
        headers.insert("connection", "close, X-Mine ,keep-alive".parse().unwrap());
        headers.append("connection", "x-mine-too".parse().unwrap());
        assert_eq!(
            names(&forwarded(headers)),
            ["accept", "content-encoding", "content-type"]
        );
    }

    #[test]
    fn nothing_that_speaks_for_our_origin_is_returned() {
        let mut headers = map(&[
            ("content-type", "text/html"),
            ("retry-after", "7"),
            ("etag", "\"1\""),
            ("x-request-id", "theirs"),
            ("connection", "x-secret"),
            ("x-secret", "1"),
        ]);
        for name in HOP_BY_HOP.iter().skip(1).chain(NOT_RETURNED).chain(&[
            "access-control-allow-origin",
            "access-control-expose-headers",
            "x-evergrant-anything",
        ]) {
            headers.append(*name, "theirs".parse().unwrap());
        }
        let back = returned(headers);
        assert_eq!(
            names(&back),
            [
                "cache-control",
                "content-security-policy",
                "content-type",
                "etag",
                "retry-after",
                "x-content-type-options",
                "x-evergrant-answered-by",
                "x-evergrant-provider-request-id"
            ]
        );
        assert_eq!(back["cache-control"], "no-store");
        assert_eq!(back["x-evergrant-provider-request-id"], "theirs");
    }

    #[test]
    fn an_upgrade_is_seen_in_either_header() {
        assert!(asks_for_upgrade(&map(&[("upgrade", "websocket")])));
        assert!(asks_for_upgrade(&map(&[("connection", "keep-alive, Upgrade")])));
        assert!(!asks_for_upgrade(&map(&[("connection", "keep-alive")])));
    }
}
