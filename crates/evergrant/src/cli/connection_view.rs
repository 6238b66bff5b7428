//! How a connection is shown.

use serde_json::Value;

use super::out::{or_dash, time};
use crate::catalog::Catalog;
use crate::connections::{Connection, ConnectionStatus, Named, TimelineEntry};
use crate::http::api::connections::ConnectionView;
use crate::reason::{Confidence, Reason, Verdict};
use crate::refresh::Did;

/// The columns of a list.
pub(super) const HEAD: [&str; 7] = [
    "ID",
    "LINKED ACCOUNT",
    "APPLICATION",
    "AUTH",
    "STATUS",
    "REASON",
    "SINCE",
];

pub(super) fn row(named: &Named) -> [String; 7] {
    let connection = &named.connection;
    let (reason, since) = why(connection);
    [
        connection.id.to_string(),
        named.linked_account_id.clone(),
        connection.slug.clone(),
        connection.auth_type.as_str().to_owned(),
        status(connection).to_owned(),
        or_dash(reason.map(Reason::as_str)),
        time(since),
    ]
}

/// The status for people, who want to know of trouble too.
fn status(connection: &Connection) -> &'static str {
    match (&connection.status, &connection.trouble) {
        (ConnectionStatus::Active, Some(_)) => "degraded",
        (status, _) => status.as_str(),
    }
}

fn why(connection: &Connection) -> (Option<Reason>, Option<crate::clock::Timestamp>) {
    match (&connection.status, &connection.trouble) {
        (ConnectionStatus::ReauthRequired(flag), _) => (Some(flag.reason), Some(flag.since)),
        (ConnectionStatus::Disconnected { at }, _) => (None, Some(*at)),
        (ConnectionStatus::Active, Some(trouble)) => (trouble.reason, Some(trouble.since)),
        (ConnectionStatus::Active, None) => (None, None),
    }
}

/// A connection for programs: the object of `connection show`, which is that of the REST API, without its timeline.
pub(super) fn summary(catalog: &Catalog, named: &Named) -> serde_json::Result<Value> {
    serde_json::to_value(ConnectionView::summary(catalog, named.clone()))
}

/// A connection for people.
pub(super) fn fields(named: &Named, timeline: &[TimelineEntry]) -> Vec<(&'static str, String)> {
    let connection = &named.connection;
    let (reason, since) = why(connection);
    let mut fields = vec![
        ("id", connection.id.to_string()),
        ("linked account", named.linked_account_id.clone()),
        ("application", connection.slug.clone()),
        ("auth", connection.auth_type.as_str().to_owned()),
        ("status", status(connection).to_owned()),
    ];
    if let Some(since) = since {
        fields.push(("since", since.iso()));
    }
    if let Some(reason) = reason {
        fields.push(("reason", reason.to_string()));
    }
    if let Some(flag) = connection.status.flag() {
        fields.push((
            "evidence",
            format!("{}, by {} {}", flag.confidence, flag.evidence.rule, flag.evidence.words),
        ));
    }
    let identifier = match &connection.identifier {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    };
    fields.push(("identifier", identifier));
    fields.push(("token ends", time(connection.schedule.expires_at)));
    fields.push(("next due", time(connection.schedule.due_at)));
    fields.push(("last worked", time(connection.last_ok_at)));
    fields.push(("connected", connection.connected_at.iso()));
    fields.extend(timeline.iter().map(|entry| ("timeline", line(entry))));
    fields
}

/// An entry of a timeline, on one line.
pub(super) fn line(entry: &TimelineEntry) -> String {
    let evidence = entry.evidence.as_ref();
    let words = [
        Some(entry.at.iso()),
        Some(entry.kind.clone()),
        entry.verdict.map(Verdict::as_str).map(str::to_owned),
        entry.reason.map(Reason::as_str).map(str::to_owned),
        entry.confidence.map(Confidence::as_str).map(str::to_owned),
        evidence.map(|evidence| evidence.rule.clone()),
        evidence
            .map(|evidence| evidence.words.clone())
            .filter(|words| !words.is_empty()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

pub(super) const fn what_was_done(did: Did) -> &'static str {
    match did {
        Did::Renewed => "refreshed: a new access token is stored",
        Did::NotNeeded => "nothing to do: the credential will do as it is",
        Did::Asked => "the provider was asked",
        Did::Failed => "the refresh failed; the connection says how",
        Did::Waited => "another process was at it, and has finished",
        Did::Superseded => "the credential was replaced meanwhile; the newer one stands",
        Did::Unverified => "the application has no call that would prove anything",
        Did::HeldBack => "held back: the application has an open incident; see `evergrant incident list`",
        Did::Paused { .. } => "the provider is left alone for now: it fails, or has asked for patience",
        Did::NoClient => "no OAuth client is set for this application; set one with `evergrant app client set`",
    }
}
