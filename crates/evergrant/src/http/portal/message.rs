//! A page that says one thing: done, denied, failed, or "on your way to the provider".

use askama::Template;

use super::page::Frame;

/// What kind of news it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It is done.
    Success,
    /// The customer said no; nothing has changed.
    Denied,
    /// It failed; nothing has changed.
    Error,
    /// It goes on elsewhere.
    Onward,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Onward => "onward",
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Success => "✓",
            Self::Denied => "–",
            Self::Error => "!",
            Self::Onward => "→",
        }
    }

    const fn role(self) -> &'static str {
        match self {
            Self::Error => "alert",
            Self::Success | Self::Denied | Self::Onward => "status",
        }
    }
}

/// Somewhere to go.
#[derive(Clone, Debug)]
pub struct Link {
    /// An address of our own, or one that has been found to be registered.
    pub href: String,
    /// What it says.
    pub label: String,
}

/// What a page says to the window that opened it, so that its script need not wait for its next poll.
#[derive(Clone, Debug)]
pub struct News {
    /// The only origin that gets it.
    pub origin: String,
    /// Which authorisation it is about.
    pub flow: String,
    /// The application.
    pub slug: String,
    /// `connected`, `denied` or `failed`.
    pub outcome: &'static str,
    /// Why it failed, or nothing.
    pub code: &'static str,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    /// What stands around it.
    pub frame: Frame,
    /// What kind of news it is.
    pub tone: Tone,
    /// The news.
    pub title: String,
    /// What it means, and what to do.
    pub text: String,
    /// Where to go from here.
    pub link: Option<Link>,
    /// Where one may go instead.
    pub also: Option<Link>,
    /// Where the browser goes by itself, at once. This is how a form leads to a provider: `form-action 'self'` forbids a
    /// redirect from a form to another origin in Chromium, and says nothing about a page that moves on. Inside a frame it is
    /// a link to a window of its own instead, since providers let nobody frame them.
    pub go_to: Option<Link>,
    /// After how many milliseconds a window that a script has opened closes itself.
    pub closes_after_ms: Option<u32>,
    /// What it says to the window that opened it.
    pub news: Option<News>,
    /// Whether a script offers to open the session in a window: the frame's cookies are blocked.
    pub reopens: bool,
}

impl MessagePage {
    /// News without anywhere to go.
    #[must_use]
    pub fn new(frame: Frame, tone: Tone, title: &str, text: &str) -> Self {
        Self {
            frame,
            tone,
            title: title.to_owned(),
            text: text.to_owned(),
            link: None,
            also: None,
            go_to: None,
            closes_after_ms: None,
            news: None,
            reopens: false,
        }
    }

    /// "On your way to …": moves on at once, and offers the link to browsers that do not. `here` is where a reader in a frame
    /// looks afterwards.
    #[must_use]
    pub fn onward(frame: Frame, to: &str, (href, here): (String, &str)) -> Self {
        let framed = frame.reader.framed;
        let (title, text) = if framed {
            ("onward.window_title", "onward.window_text")
        } else {
            ("onward.title", "onward.text")
        };
        let after = Link {
            href: here.to_owned(),
            label: frame.say("onward.done").to_owned(),
        };
        let go_to = Link {
            href,
            label: frame.app("action.continue", to),
        };
        let (title, text) = (frame.app(title, to), frame.app(text, to));
        Self {
            link: framed.then_some(after),
            go_to: Some(go_to),
            ..Self::new(frame, Tone::Onward, &title, &text)
        }
    }
}
