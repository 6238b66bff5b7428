//! The hosted pages: what an end customer sees. They work without a script and ask nothing of another server.
//!
//! `/connect/{session token}` trades the token for a cookie and redirects to a clean URL (contract section 19, row 10);
//! from then on the cookie says who is looking. Every form carries a token that is derived from the session, so that no
//! other site can send one. No page may be framed, except by origins that the environment names.
//!
//! Reading order: `session` (who is looking), `page` (how a page is sent), `message`, `list`, `form` (what they show), `connect` (what visitors do), `consent` (out to the provider and back).

mod connect;
mod consent;
mod form;
mod list;
mod message;
mod page;
mod session;
mod style;

pub use connect::{act, open_or_form};
pub use consent::{callback, start};
pub use form::{FieldOption, FormField, FormPage, Input};
pub use list::{AppCard, CardState, ListPage, ListQuery, Way, plain_reason, show_list};
pub use message::{Link, MessagePage, News, Tone};
pub use page::{Frame, PageError, frame_ancestors, send};
pub use session::{Posted, Visitor};
pub use style::{icon, script, stylesheet};
