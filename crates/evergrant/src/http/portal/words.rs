//! What pages say, in the reader's language.
//!
//! The texts are in `messages/*.toml`, one file a language, all with the same keys and placeholders. Which language: what
//! `?lang=` says, which is then remembered in a cookie; else the `lang` of the hosted properties; else what the browser asks
//! for; else English. It is settled once per request, for everything that is rendered on the way.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::page::{Anybodys, with_headers};
use super::session::{FRAME_COOKIE, cookie_value};
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::TenantId;
use crate::tenants;

const COOKIE: &str = "evergrant_lang";

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// German.
    De,
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// Japanese.
    Ja,
}

impl Lang {
    /// All, in the order of their own names.
    pub const ALL: [Self; 5] = [Self::De, Self::En, Self::Es, Self::Fr, Self::Ja];

    /// The tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Ja => "ja",
        }
    }

    /// The language of a tag, regions and scripts aside.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let first = tag.trim().split(['-', '_']).next()?;
        Self::ALL
            .into_iter()
            .find(|lang| lang.tag().eq_ignore_ascii_case(first))
    }

    /// What the browser likes best of what there is (RFC 9110, section 12.5.4).
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        let wanted = header.split(',').filter_map(|part| {
            let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
            let weight = rest
                .trim()
                .strip_prefix("q=")
                .map_or(Some(1.0), |text| text.trim().parse::<f64>().ok())?;
            (weight > 0.0).then_some((Self::parse(tag)?, weight))
        });
        // Of equal weights the first one counts.
        let best = wanted.fold(None, |best: Option<(Self, f64)>, one| match best {
            Some(best) if best.1 >= one.1 => Some(best),
            _ => Some(one),
        });
        best.map(|(lang, _)| lang)
    }

    const fn file(self) -> &'static str {
        match self {
            Self::De => include_str!("../../../messages/de.toml"),
            Self::En => include_str!("../../../messages/en.toml"),
            Self::Es => include_str!("../../../messages/es.toml"),
            Self::Fr => include_str!("../../../messages/fr.toml"),
            Self::Ja => include_str!("../../../messages/ja.toml"),
        }
    }

    /// The text of a key; the key itself where there is none, which a test forbids.
    #[must_use]
    pub fn say(self, key: &'static str) -> &'static str {
        TEXTS[&self].get(key).map_or(key, String::as_str)
    }

    /// The text of a key with its placeholders filled in. What is filled in is not looked at again.
    #[must_use]
    pub fn fill(self, key: &'static str, values: &[(&str, &str)]) -> String {
        let mut out = String::new();
        let mut rest = self.say(key);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(
                values
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map_or("", |(_, value)| value),
            );
            rest = tail;
        }
        out + rest
    }

    /// A day in UTC, as people write it.
    #[must_use]
    pub fn day(self, at: Timestamp) -> String {
        let iso = at.iso();
        let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default().trim_start_matches('0');
        let month = MONTHS
            .get(part(5, 7).parse::<usize>().unwrap_or(1).saturating_sub(1))
            .unwrap_or(&MONTHS[0]);
        let day = if part(8, 10) == "1" {
            self.say("date.first")
        } else {
            part(8, 10)
        };
        self.fill(
            "date.form",
            &[("day", day), ("month", self.say(month)), ("year", part(0, 4))],
        )
    }
}

const MONTHS: [&str; 12] = [
    "date.m1", "date.m2", "date.m3", "date.m4", "date.m5", "date.m6", "date.m7", "date.m8", "date.m9", "date.m10",
    "date.m11", "date.m12",
];

static TEXTS: LazyLock<HashMap<Lang, HashMap<String, String>>> =
    LazyLock::new(|| Lang::ALL.into_iter().map(|lang| (lang, flat(lang.file()))).collect());

/// `table.key` and its text.
fn flat(file: &str) -> HashMap<String, String> {
    let mut texts = HashMap::new();
    for (name, value) in file.parse::<toml::Table>().unwrap_or_default() {
        match value {
            toml::Value::String(text) => drop(texts.insert(name, text)),
            toml::Value::Table(table) => {
                texts.extend(
                    table
                        .into_iter()
                        .filter_map(|(key, value)| Some((format!("{name}.{key}"), value.as_str()?.to_owned()))),
                );
            }
            _ => {}
        }
    }
    texts
}

/// Who reads, as far as the request says so.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four answers that have nothing to do with each other"
)]
pub struct Reader {
    /// The language.
    pub lang: Lang,
    /// Whether the reader chose it, now or before.
    pub chosen: bool,
    /// Whether the page is shown inside another one.
    pub framed: bool,
    /// Whether the page was opened by a token just now, within the frame of this environment.
    pub entering: bool,
    /// Whether the page can be asked for again in another language.
    pub again: bool,
    /// The path under which a proxy has put the server, without a slash at its end: nothing where it has a host of its own.
    pub base: String,
}

tokio::task_local! {
    static READER: Reader;
}

impl Reader {
    /// Of the request being answered; an English one outside of any.
    #[must_use]
    pub fn current() -> Self {
        READER.try_with(Clone::clone).unwrap_or_default()
    }

    /// Where something of ours is, as the reader's browser has to ask for it.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn of(app: &App, request: &Request) -> (Self, bool) {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "lang")
            .and_then(|(_, value)| Lang::parse(&value));
        let remembered = cookie_value(headers, COOKIE).and_then(|value| Lang::parse(value.expose()));
        let accepted = || text("accept-language").and_then(Lang::accepted);
        let reader = Self {
            lang: asked.or(remembered).or_else(accepted).unwrap_or_default(),
            chosen: asked.or(remembered).is_some(),
            framed: is_framed(headers),
            entering: environment_in_query(request).is_some(),
            again: !request.uri().path().starts_with("/api/"),
            base: app.public_url.path().trim_end_matches('/').to_owned(),
        };
        (reader, asked.is_some())
    }
}

/// The environment that a framed page was opened for, as its address says: it is no secret, and decides nothing but who may
/// show a page that says "no".
fn environment_in_query(request: &Request) -> Option<TenantId> {
    url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "in")
        .and_then(|(_, value)| value.parse().ok())
}

/// Whether the browser says that it loads the page into a frame.
fn is_framed(headers: &HeaderMap) -> bool {
    let dest = headers.get("sec-fetch-dest").and_then(|value| value.to_str().ok());
    matches!(dest, Some("iframe" | "frame" | "embed" | "object"))
}

/// Settles the language for everything that is rendered on the way, and remembers it where it was asked for.
pub async fn speak(State(app): State<App>, request: Request, next: Next) -> Response {
    let (reader, remember) = Reader::of(&app, &request);
    let (lang, framed) = (reader.lang, reader.framed);
    let environment = environment_in_query(&request)
        .or_else(|| cookie_value(request.headers(), FRAME_COOKIE).and_then(|value| value.expose().parse().ok()));
    let mut response = READER.scope(reader, next.run(request)).await;
    if framed
        && response.extensions().get::<Anybodys>().is_some()
        && let Some(environment) = environment
        && let Ok(origins) = frame_origins(&app, &environment).await
    {
        response = with_headers(response, &origins);
    }
    if remember {
        let place = if framed {
            "SameSite=None; Secure; Partitioned"
        } else {
            "SameSite=Lax"
        };
        let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; {place}", lang.tag());
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

async fn frame_origins(app: &App, environment: &TenantId) -> Result<Vec<String>, Error> {
    let found = tenants::store::get_environment(&mut *app.db.read().await?, environment).await?;
    Ok(found.frame_origins)
}

#[cfg(test)]
mod tests;
