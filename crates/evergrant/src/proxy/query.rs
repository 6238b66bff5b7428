//! The query of an address, where it carries the credential. Pure.

use http::HeaderValue;

use crate::egress::path::percent_decode;
use crate::secret::Secret;

/// Whether a query names a parameter, as any server may read it: whatever its case, and after a semicolon too.
pub(super) fn names(query: &str, name: &str) -> bool {
    let mut names = query
        .split(['&', ';'])
        .filter_map(|pair| url::form_urlencoded::parse(pair.as_bytes()).next());
    names.any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// An address without the credential, which a redirect may have brought along: the next one may be another.
pub(super) fn without_ours(text: &str, credential: &[(&str, Secret)]) -> String {
    let Some((path, query)) = text.split_once('?').filter(|_| !credential.is_empty()) else {
        return text.to_owned();
    };
    let is_ours = |pair: &&str| {
        let pair = url::form_urlencoded::parse(pair.as_bytes()).next();
        pair.is_some_and(|(name, value)| {
            let mut ours = credential.iter();
            ours.any(|(ours, secret)| *ours == name && secret.expose() == value)
        })
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    match rest.as_slice() {
        [] => path.to_owned(),
        rest => format!("{path}?{}", rest.join("&")),
    }
}

/// Appends the credential to the query of an address, unless a redirect names its parameter.
pub(super) fn append(text: &mut String, credential: &[(&str, Secret)]) {
    for (name, value) in credential {
        let query = text.split_once('?').map(|(_, query)| query);
        let mut known = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        if known.any(|(known, _)| known == *name) {
            continue;
        }
        text.push(if query.is_some() { '&' } else { '?' });
        text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        text.push('=');
        text.extend(url::form_urlencoded::byte_serialize(value.expose().as_bytes()));
    }
}

/// How often an address within an address is decoded.
const DEPTH: usize = 8;

/// Whether a header tells a secret, however it is encoded.
pub(super) fn holds(value: &HeaderValue, credential: &[(&str, Secret)]) -> bool {
    let mut text = value.as_bytes().to_vec();
    for _ in 0..DEPTH {
        if credential
            .iter()
            .any(|(_, secret)| tells(&text, secret.expose().as_bytes()))
        {
            return true;
        }
        let decoded = percent_decode(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    false
}

/// A plus may stand for a space.
fn tells(text: &[u8], secret: &[u8]) -> bool {
    let same = |(a, b): (&u8, &u8)| a == b || (*a == b'+' && *b == b' ');
    !secret.is_empty() && text.windows(secret.len()).any(|part| part.iter().zip(secret).all(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> [(&'static str, Secret); 1] {
        [("api_key", Secret::from("k+y /%41".to_owned()))]
    }

    #[test]
    fn a_secret_is_found_however_it_is_spelt() {
        for told in [
            "https://x.example/?api_key=k%2By+%2F%2541",
            "https://x.example/?api_key=k%2by%20/%2541#a",
            "/?next=https%3A%2F%2Fx.example%2F%3Fapi_key%3Dk%252By%2B%252F%252541",
            "/?%6b%2B%79%20%2F%25%34%31",
            "k+y /%41",
        ] {
            assert!(holds(&told.parse().unwrap(), &credential()), "{told}");
        }
        for told in ["https://x.example/", "/?k%2By", "/?k%2By+%2F%2542", "", "%", "%zz%"] {
            assert!(!holds(&told.parse().unwrap(), &credential()), "{told}");
        }
        let nothing = [("api_key", Secret::from(String::new()))];
        assert!(!holds(&"/a".parse().unwrap(), &nothing));
    }

    #[test]
    fn a_redirect_loses_the_credential_that_it_repeats_and_nothing_else() {
        for (told, left) in [
            ("/a?api_key=k%2By+%2F%2541", "/a"),
            ("/a?b=%2f&api_key=k%2by%20/%2541&&c", "/a?b=%2f&&c"),
            ("/a?api_key=other&b=k%2By+%2F%2541", "/a?api_key=other&b=k%2By+%2F%2541"),
            ("/a?b", "/a?b"),
            ("/a?", "/a?"),
            ("/a", "/a"),
        ] {
            assert_eq!(without_ours(told, &credential()), left, "{told}");
        }
        assert_eq!(without_ours("/a?api_key=k%2By", &[]), "/a?api_key=k%2By");
    }
}
