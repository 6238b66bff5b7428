//! Whether a token endpoint may be asked now, and what its answer teaches.

use url::Url;

use super::plan::Why;
use crate::app::App;
use crate::catalog::{Application, OAuth2Scheme};
use crate::clock::Timestamp;
use crate::egress::{Reply, Unreachable};
use crate::ids::random_fraction;
use crate::pace::Pass;

/// The permission to send one request.
pub(super) struct Way {
    /// The endpoint as a whole: it may be down.
    endpoint: Pass,
    /// One team's OAuth client there: it may have asked too often.
    client: Pass,
}

/// Whether a request may be sent now; else when to come back. Who demands a refresh by force is let through, since somebody wants
/// to see the answer; it counts like any other.
pub(super) fn way(app: &App, (url, client): (&Url, &str), why: Why) -> Result<Way, Timestamp> {
    let now = app.now();
    let circuits = &app.pace.circuits;
    let endpoint = endpoint_name(url.as_str());
    let client = format!("{endpoint} {client}");
    let (endpoint, client) = if why.by_hand() {
        (circuits.enter_anyhow(endpoint), circuits.enter_anyhow(&client))
    } else {
        (circuits.enter(endpoint, now)?, circuits.enter(&client, now)?)
    };
    Ok(Way { endpoint, client })
}

/// How many refreshes of an application its token endpoint admits now, as far as that is known before a credential is opened.
pub(super) fn admitted(app: &App, application: &Application, now: Timestamp) -> u32 {
    let endpoint = application.oauth2.as_ref().map(OAuth2Scheme::refresh_endpoint);
    // One with variables is known only together with the customer's values.
    let admitted = endpoint.and_then(|url| app.pace.circuits.admits(endpoint_name(url), now));
    admitted.unwrap_or(u32::MAX)
}

/// The address without what may differ from request to request.
fn endpoint_name(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

impl Way {
    /// Learns from an answer. Trouble of our own making teaches nothing.
    pub(super) fn learn(self, app: &App, answer: &Result<Reply, Unreachable>) {
        let now = app.now();
        match answer {
            Err(Unreachable::Forbidden) => {}
            Err(_) => self.endpoint.failed(random_fraction(), now),
            Ok(reply) if reply.status >= 500 => match reply.retry_after() {
                Some(wait) => self.endpoint.told_to_wait(wait, now),
                None => self.endpoint.failed(random_fraction(), now),
            },
            Ok(reply) => {
                self.endpoint.answered();
                match reply.retry_after().filter(|_| reply.status == 429) {
                    Some(wait) => self.client.told_to_wait(wait, now),
                    None => self.client.answered(),
                }
            }
        }
    }
}
