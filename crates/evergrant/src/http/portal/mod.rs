//! The hosted pages: what an end customer sees. They work without a script, better with one, and ask nothing of another
//! server.
//!
//! `/connect/{session token}` trades the token for a cookie and redirects to a clean URL (contract section 19, row 10);
//! from then on the cookie says who is looking. `/reauth/{link token}` is a link out of an e-mail, which opens one
//! connection. Every form carries a token that is derived from the session, so that no other site can send one. No page may
//! be framed, except by origins that the environment names; in a frame the cookie is partitioned, and the provider opens in
//! a window.
//!
//! Reading order: `words` (who reads, in which language), `session` (who is looking), `page` (how a page is sent), `theme`
//! (a team's colours), `standing` (how an account stands with an application), `message`, `list`, `detail`, `form` (what
//! they show), `connect` (what visitors do), `link` (repairing by link), `consent` (out to the provider and back), `account`
//! (another account than before).

mod account;
mod connect;
mod consent;
mod detail;
mod form;
mod icons;
mod link;
mod list;
mod message;
mod page;
mod session;
mod standing;
mod style;
mod theme;
mod words;

pub use account::{AccountPage, decide};
pub use connect::{act, open_or_detail, state};
pub use consent::{callback, start, unopened};
pub use detail::DetailPage;
pub use form::{FieldOption, FormField, Input};
pub use icons::icon;
pub use link::{LinkPage, act_on_repair, follow_link, show_link, show_repair};
pub use list::{AppCard, ListPage, ListQuery, show_list};
pub use message::{Link, MessagePage, News, Tone};
pub use page::{Frame, PageError, frame_ancestors, send};
pub use session::{Posted, SentForm, Visitor};
pub use standing::{Standing, Status, plain_reason};
pub use style::{asset, script};
pub use theme::Theme;
pub use words::{Lang, Reader, speak};
