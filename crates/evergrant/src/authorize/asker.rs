//! Who asked for a consent, and how its page learns what became of it.

use serde::{Deserialize, Serialize};
use url::Url;

use super::complete::NotCompleted;
use crate::ids::random_token;

const MAX_ADDRESS: usize = 2048;

/// The page that asked, bound to an authorisation when it begins and sealed with it. What a page is told is news, never a
/// credential: which application, and which of three ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Names the authorisation to its page, so that it takes no other's news for its own.
    pub flow: String,
    /// The origin of the page, as its browser stated it; only that origin gets the message.
    pub origin: Option<String>,
    /// Where the browser goes when the page itself was sent to the provider. Its origin is a registered one.
    pub return_to: Option<String>,
    /// Whether only the account that was connected before may come back, whatever the environment's policy is: the consent
    /// was asked for by a link that can be forwarded.
    #[serde(default)]
    pub strict: bool,
}

impl Asker {
    /// A page of this origin, where it is one that a browser can be told.
    #[must_use]
    pub fn at(origin: Option<&str>) -> Self {
        let web = |url: &Url| matches!(url.scheme(), "https" | "http");
        let origin = origin.and_then(|text| Url::parse(text).ok()).filter(web);
        Self {
            flow: random_token("").expose().to_owned(),
            origin: origin.map(|url| url.origin().ascii_serialization()),
            return_to: None,
            strict: false,
        }
    }

    /// No page, and no other account than before.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            strict: true,
            ..Self::at(None)
        }
    }

    /// Whether a browser can be sent back to the page.
    #[must_use]
    pub fn can_return(&self, registered: &[String]) -> bool {
        self.origin.as_ref().is_some_and(|origin| registered.contains(origin))
    }

    /// The address that the end is told to by going there.
    #[must_use]
    pub fn address(&self, slug: &str, ending: Ending) -> Option<Url> {
        let mut url = Url::parse(self.return_to.as_deref()?).ok()?;
        let ours = |name: &str| name.starts_with("evergrant_");
        let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| !ours(name)).collect();
        let mut query = url.query_pairs_mut();
        query.clear().extend_pairs(kept).append_pair("evergrant_slug", slug);
        query.append_pair("evergrant_outcome", ending.outcome);
        if let Some(code) = ending.code {
            query.append_pair("evergrant_code", code);
        }
        drop(query);
        Some(url)
    }
}

/// An address that a browser may be sent back to: its origin is registered for the environment.
pub(super) fn return_address(text: &str, registered: &[String]) -> Option<String> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_ADDRESS)?;
    // `blob:` addresses have the origin that they name inside.
    let web = matches!(url.scheme(), "https" | "http");
    let plain = web && url.username().is_empty() && url.password().is_none();
    (plain && registered.contains(&url.origin().ascii_serialization())).then(|| url.to_string())
}

/// How an authorisation ended, in words that are stable API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `connected`, `denied` or `failed`.
    pub outcome: &'static str,
    /// Why it failed.
    pub code: Option<&'static str>,
}

impl Ending {
    /// It is connected.
    pub const CONNECTED: Self = Self {
        outcome: "connected",
        code: None,
    };

    /// Why it is not.
    #[must_use]
    pub const fn of(error: &NotCompleted) -> Self {
        let code = match error {
            NotCompleted::Denied { .. } => {
                return Self {
                    outcome: "denied",
                    code: None,
                };
            }
            NotCompleted::Invalid => "LINK_INVALID",
            NotCompleted::OtherAccount(_) => "ACCOUNT_MISMATCH",
            NotCompleted::ProviderProblem { .. } => "PROVIDER_PROBLEM",
            NotCompleted::NotSetUp { .. } => "NOT_SET_UP",
            NotCompleted::NoTokens { .. } => "NO_TOKENS",
            NotCompleted::Failed(_) => "SERVER_ERROR",
        };
        Self {
            outcome: "failed",
            code: Some(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_pages_are_told_by_message() {
        for (given, origin) in [
            (Some("https://app.example:8443"), Some("https://app.example:8443")),
            (Some("HTTPS://App.Example:443"), Some("https://app.example")),
            (Some("null"), None),
            (Some("file://"), None),
            (Some("javascript:alert(1)"), None),
            (Some("chrome-extension://abc"), None),
            (None, None),
        ] {
            assert_eq!(Asker::at(given).origin.as_deref(), origin, "{given:?}");
        }
        assert_ne!(Asker::at(None).flow, Asker::at(None).flow);
    }

    #[test]
    fn browsers_are_sent_back_to_registered_origins_only() {
        let registered = ["https://app.example".to_owned()];
        let back = |text: &str| return_address(text, &registered);
        assert_eq!(
            back("https://app.example/a?b=c#d").unwrap(),
            "https://app.example/a?b=c#d"
        );
        for refused in [
            "https://app.example.evil.example/",
            "https://app.example@evil.example/",
            "https://u:p@app.example/",
            "http://app.example/",
            "//app.example/",
            "javascript:alert(1)",
            &format!("https://app.example/{}", "x".repeat(2048)),
            "https:\\\\evil.example/",
            "https://evil.example\\app.example/",
            "https://evil.example/?https://app.example/",
            "https://evil.example#https://app.example/",
            "https://app.example:444/",
            "https://app.example%2eevil.example/",
            "https://app\u{ff0e}example.evil.example/",
            "https://app.example\u{2024}evil.example/",
            "data:text/html,<script>alert(1)</script>",
            "blob:https://app.example/1",
            "view-source:https://app.example/",
            "filesystem:https://app.example/",
            "vbscript:x",
            "",
        ] {
            assert_eq!(back(refused), None, "{refused}");
        }
        // Control characters, backslashes and capitals are written as browsers read them; none of them reaches a header.
        for (given, sent) in [
            (
                "https://app.example/a\r\nset-cookie: b=c",
                "https://app.example/aset-cookie:%20b=c",
            ),
            ("\tht\ntps://app.example/", "https://app.example/"),
            ("https:\\\\app.example\\a", "https://app.example/a"),
            (
                "https://app.example\\@evil.example/",
                "https://app.example/@evil.example/",
            ),
            ("HTTPS://APP.EXAMPLE:443", "https://app.example/"),
            ("https://app.example/\u{0}\u{7f}é", "https://app.example/%00%7F%C3%A9"),
        ] {
            assert_eq!(back(given).as_deref(), Some(sent), "{given:?}");
        }
    }

    #[test]
    fn the_end_stands_in_the_address_once() {
        let asker = Asker {
            return_to: Some("https://app.example/a?x=1&evergrant_outcome=connected&evergrant_code=X#here".to_owned()),
            ..Asker::at(None)
        };
        let denied = Ending::of(&NotCompleted::Denied {
            application: String::new(),
        });
        assert_eq!(
            asker.address("crm", denied).unwrap().as_str(),
            "https://app.example/a?x=1&evergrant_slug=crm&evergrant_outcome=denied#here"
        );
        assert_eq!(
            asker
                .address("crm", Ending::of(&NotCompleted::Invalid))
                .unwrap()
                .as_str(),
            "https://app.example/a?x=1&evergrant_slug=crm&evergrant_outcome=failed&evergrant_code=LINK_INVALID#here"
        );
    }
}
