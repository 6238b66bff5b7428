//! What came back, read whole.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;

/// How long a host may ask us to wait.
const LONGEST_PATIENCE: Duration = Duration::from_hours(24);

/// What came back: any status, at most 256 KiB of body. The body may hold tokens, so it does not print.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers that are text, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, cut at the limit.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of a name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// When the host sent it, by the host's own clock.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::parse_http_date(self.header("date")?.trim())
    }

    /// What `retry-after` asks for (RFC 9110, 10.2.3): seconds, or a date, which is read by the host's own clock. At most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        let wait = match text.parse().map(Duration::from_secs) {
            Ok(wait) => wait,
            Err(_) => Timestamp::parse_http_date(text)?.since(self.date()?),
        };
        Some(wait.min(LONGEST_PATIENCE))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date() {
        let asked = |headers: &[(&str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let reply = Reply {
                status: 503,
                headers: headers.collect(),
                body: Vec::new(),
            };
            reply.retry_after().map(|wait| wait.as_secs())
        };
        let date = ("date", "Tue, 02 Jan 2024 03:04:05 GMT");
        assert_eq!(asked(&[("retry-after", "120")]), Some(120));
        assert_eq!(asked(&[("retry-after", "99999999")]), Some(86_400));
        assert_eq!(
            asked(&[date, ("retry-after", "Tue, 02 Jan 2024 03:05:05 GMT")]),
            Some(60)
        );
        assert_eq!(
            asked(&[date, ("retry-after", "Mon, 01 Jan 2024 03:05:05 GMT")]),
            Some(0)
        );
        assert_eq!(
            asked(&[("retry-after", "Tue, 02 Jan 2024 03:05:05 GMT")]),
            None,
            "by whose clock?"
        );
        assert_eq!(asked(&[date, ("retry-after", "soon")]), None);
        assert_eq!(asked(&[date]), None);
    }
}
