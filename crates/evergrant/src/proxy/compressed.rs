//! Reading what came compressed: for judging only, the caller gets it as it came.
//!
//! Of the codings that callers offer, those that cannot be read here are not passed on (RFC 9110, 12.5.3): an answer that says
//! why a credential is refused must not go by unread.

use http::{HeaderMap, HeaderValue, header};

/// Leaves of `accept-encoding` what can be read here.
pub(super) fn offer_readable(headers: &mut HeaderMap) {
    if !headers.contains_key(header::ACCEPT_ENCODING) {
        return;
    }
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut offers = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let gzip = offers.any(|offer| {
        let (coding, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.trim().parse::<f32>().ok())
            == Some(0.0);
        matches!(coding.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip" | "*") && !refused
    });
    let offer = if gzip { "gzip" } else { "identity" };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(offer));
}

/// The beginning of a body as it reads, at most `most` bytes; empty where it cannot be read.
pub(super) fn readable(headers: &HeaderMap, body: Vec<u8>, most: usize) -> Vec<u8> {
    let coding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    match coding.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"" | b"identity") => body,
        Some(b"gzip" | b"x-gzip") => gunzip(&body, most).unwrap_or_default(),
        Some(_) => Vec::new(),
    }
}

/// The first member of a gzip file (RFC 1952), as far as it goes.
fn gunzip(body: &[u8], most: usize) -> Option<Vec<u8>> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = body else {
        return None;
    };
    let mut rest = rest;
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for named in [8, 16] {
        if flags & named != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    // A cut is no fault: what matters comes early.
    Some(miniz_oxide::inflate::decompress_to_vec_with_limit(rest, most).unwrap_or_else(|cut| cut.output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        out.extend(fields);
        out.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
        out.extend([0; 8]);
        out
    }

    fn coded(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    #[test]
    fn what_came_compressed_is_read_whatever_its_header_fields() {
        let text = br#"{"ok":false}"#;
        let all = [&[3, 0, 1, 2, 3][..], b"name\0", b"comment\0", &[9, 9]].concat();
        for body in [
            gzip(text, 0, &[]),
            gzip(text, 8, b"name\0"),
            gzip(text, 4 | 8 | 16 | 2, &all),
        ] {
            assert_eq!(readable(&coded("gzip"), body.clone(), 100), text);
            assert_eq!(readable(&coded("GZIP"), body, 100), text);
        }
        assert_eq!(readable(&HeaderMap::new(), text.to_vec(), 100), text);
    }

    #[test]
    fn a_bomb_is_cut_and_garbage_is_nothing() {
        let bomb = gzip(&vec![b'a'; 1_000_000], 0, &[]);
        assert_eq!(readable(&coded("gzip"), bomb.clone(), 1000).len(), 1000);
        assert!(
            !readable(&coded("gzip"), bomb[..200].to_vec(), 100_000).is_empty(),
            "the beginning of it reads"
        );
        for garbage in [
            &b"<html>"[..],
            &[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 255, 255],
            &[0x1f, 0x8b, 8],
        ] {
            assert!(readable(&coded("gzip"), garbage.to_vec(), 100).is_empty());
        }
        assert!(readable(&coded("br"), b"x".to_vec(), 100).is_empty());
    }

    #[test]
    fn only_what_can_be_read_is_offered() {
        for (offered, passed) in [
            ("gzip, deflate, br, zstd", "gzip"),
            ("br", "identity"),
            ("gzip;q=0, br", "identity"),
            ("br;q=1.0, GZIP;q=0.8", "gzip"),
            ("*", "gzip"),
            ("identity", "identity"),
        ] {
            let mut headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(offered))]);
            offer_readable(&mut headers);
            assert_eq!(headers[header::ACCEPT_ENCODING], passed, "{offered}");
        }
        let mut none = HeaderMap::new();
        offer_readable(&mut none);
        assert!(none.is_empty());
    }
}
