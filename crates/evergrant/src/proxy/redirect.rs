//! Where a redirect leads, and what goes along. Pure.

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use crate::catalog::Api;

/// A redirect that may be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    /// Where to.
    pub(super) to: Url,
    /// With which method (RFC 9110, 15.4).
    pub(super) method: Method,
    /// Whether the body goes along.
    pub(super) with_body: bool,
    /// Whether the credential does: to the API itself only.
    pub(super) trusted: bool,
}

/// Reads a redirect from `from`; `None` where the answer is none, or leads where nobody may follow.
pub(super) fn read(
    (status, headers): (StatusCode, &HeaderMap),
    (method, from): (&Method, &Url),
    (api, base): (&Api, &Url),
) -> Option<Redirect> {
    let turns_into_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
        StatusCode::SEE_OTHER => method != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    let mut to = from.join(headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    to.set_fragment(None);
    let trusted = to.origin() == base.origin();
    (trusted || is_allowed(api, base, &to)).then_some(())?;
    (to.username().is_empty() && to.password().is_none()).then_some(())?;
    Some(Redirect {
        to,
        method: if turns_into_get { Method::GET } else { method.clone() },
        with_body: !turns_into_get && status != StatusCode::SEE_OTHER,
        trusted,
    })
}

/// Whether the application's file allows the host: by its name, by a suffix that begins with a dot, or by name and port.
/// Never from https to anything less.
fn is_allowed(api: &Api, base: &Url, to: &Url) -> bool {
    let safe = to.scheme() == "https" || (to.scheme() == "http" && base.scheme() == "http");
    let Some(host) = to.host_str().filter(|_| safe) else {
        return false;
    };
    let with_port = to.port().map(|port| format!("{host}:{port}"));
    api.redirect_hosts.iter().any(|allowed| match &with_port {
        Some(with_port) => allowed == with_port,
        None if allowed.starts_with('.') => host.len() > allowed.len() && host.ends_with(allowed.as_str()),
        None => allowed == host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.example.com/v1";

    fn follow(status: u16, method: &Method, location: &str) -> Option<Redirect> {
        let api = Api {
            base_url: BASE.to_owned(),
            headers: std::collections::BTreeMap::default(),
            redirect_hosts: ["files.example.com", ".cdn.example.net", "odd.example.com:8443"]
                .map(str::to_owned)
                .to_vec(),
            fixed_base: std::sync::OnceLock::new(),
        };
        let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
        let from: Url = "https://api.example.com/v1/things?x=1".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        read((status, &headers), (method, &from), (&api, &BASE.parse().unwrap()))
    }

    #[test]
    fn the_method_changes_as_the_standard_says() {
        use Method as M;
        for (status, from, to, with_body) in [
            (301, M::POST, M::GET, false),
            (302, M::POST, M::GET, false),
            (301, M::PUT, M::PUT, true),
            (302, M::GET, M::GET, true),
            (303, M::POST, M::GET, false),
            (303, M::DELETE, M::GET, false),
            (303, M::HEAD, M::HEAD, false),
            (307, M::POST, M::POST, true),
            (308, M::PATCH, M::PATCH, true),
        ] {
            let got = follow(status, &from, "/elsewhere").unwrap();
            assert_eq!((got.method, got.with_body), (to, with_body), "{status} {from}");
        }
        for status in [200, 300, 304, 305, 401] {
            assert_eq!(follow(status, &M::GET, "/elsewhere"), None, "{status}");
        }
    }

    #[test]
    fn the_credential_goes_to_the_api_itself_and_nowhere_else() {
        for (location, to) in [
            ("more", "https://api.example.com/v1/more"),
            ("/x#part", "https://api.example.com/x"),
            ("//api.example.com/x", "https://api.example.com/x"),
            ("https://API.example.com:443/x", "https://api.example.com/x"),
        ] {
            let got = follow(302, &Method::GET, location).unwrap();
            assert_eq!((got.to.as_str(), got.trusted), (to, true), "{location}");
        }
        for location in [
            "https://files.example.com/x",
            "https://eu.cdn.example.net/x",
            "https://odd.example.com:8443/x",
        ] {
            assert!(!follow(302, &Method::GET, location).unwrap().trusted, "{location}");
        }
    }

    #[test]
    fn nobody_follows_to_where_the_file_does_not_allow() {
        for location in [
            "http://api.example.com/x",
            "http://files.example.com/x",
            "https://api.example.com:444/x",
            "https://files.example.com:444/x",
            "https://odd.example.com/x",
            "https://cdn.example.net/x",
            "https://evilcdn.example.net/x",
            "https://files.example.com.evil.example/x",
            "https://user@files.example.com/x",
            "https://files.example.com:pw@evil.example/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://[",
        ] {
            assert_eq!(follow(302, &Method::GET, location), None, "{location}");
        }
    }
}
