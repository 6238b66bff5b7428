//! Types of the webhooks, and what an event says.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::ids::{ConnectionId, DeliveryId, EventId, IncidentId, WebhookId};
use crate::reason::Reason;
use crate::secret::Secret;
use crate::tenants::Tenant;

/// How long events are kept, with their deliveries.
pub const KEPT: Duration = Duration::from_hours(30 * 24);
/// How many webhooks an environment may have: each event is sent to all of them.
pub const MAX_WEBHOOKS: usize = 100;

/// The events of the contract (section 13.3), and three of our own. Those of workflows are accepted in subscriptions, and
/// never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The first successful connect, migration or save.
    ConnectionCreated,
    /// Disconnected.
    ConnectionDeleted,
    /// Flagged: only the end customer can bring it back.
    ConnectionExpired,
    /// Foreseen to end; nothing has happened to it yet.
    ConnectionExpiring,
    /// A flagged connection works again: by reconnecting, or by itself.
    ConnectionRestored,
    /// An application as a whole stopped working in an environment: the team must look at its OAuth client.
    IncidentOpened,
    /// It works again, or the team has closed the matter.
    IncidentClosed,
    /// Out of scope.
    WorkflowCompleted,
    /// Out of scope.
    WorkflowErrored,
    /// Out of scope.
    WorkflowStopped,
    /// Out of scope.
    WorkflowTimedOut,
}

impl EventKind {
    /// All, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::ConnectionCreated,
        Self::ConnectionDeleted,
        Self::ConnectionExpired,
        Self::ConnectionExpiring,
        Self::ConnectionRestored,
        Self::IncidentOpened,
        Self::IncidentClosed,
        Self::WorkflowCompleted,
        Self::WorkflowErrored,
        Self::WorkflowStopped,
        Self::WorkflowTimedOut,
    ];

    /// The exact name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionCreated => "Connection Created",
            Self::ConnectionDeleted => "Connection Deleted",
            Self::ConnectionExpired => "Connection Expired",
            Self::ConnectionExpiring => "Connection Expiring",
            Self::ConnectionRestored => "Connection Restored",
            Self::IncidentOpened => "Application Incident Opened",
            Self::IncidentClosed => "Application Incident Closed",
            Self::WorkflowCompleted => "Workflow Completed",
            Self::WorkflowErrored => "Workflow Errored",
            Self::WorkflowStopped => "Workflow Stopped",
            Self::WorkflowTimedOut => "Workflow Timed Out",
        }
    }

    /// Reads a name in any case, with spaces or hyphens (the legacy spelling).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim().replace('-', " ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(&name))
    }

    /// Whether it tells of a workflow.
    #[must_use]
    pub const fn is_workflow(self) -> bool {
        matches!(
            self,
            Self::WorkflowCompleted | Self::WorkflowErrored | Self::WorkflowStopped | Self::WorkflowTimedOut
        )
    }
}

/// Something that has become so, told in the transaction that made it so.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Of whom or what.
    pub about: About,
    /// The application.
    pub slug: String,
    /// When.
    pub at: Timestamp,
}

/// Whom or what an event is about.
#[derive(Clone, Debug)]
pub enum About {
    /// One customer's connection.
    Connection {
        /// Which.
        id: ConnectionId,
        /// The caller's own id of its customer.
        linked_account_id: String,
        /// The customer's name, for templates.
        linked_account_name: Option<String>,
    },
    /// An application as a whole, in one environment.
    Application {
        /// What is wrong with it.
        incident: IncidentId,
        /// Why, as far as that is known.
        reason: Reason,
    },
}

impl About {
    /// The connection, where it is about one.
    #[must_use]
    pub fn connection(&self) -> Option<&ConnectionId> {
        match self {
            Self::Connection { id, .. } => Some(id),
            Self::Application { .. } => None,
        }
    }

    /// The caller's id of its customer; empty where it is about no single one, so that receivers which read it as text
    /// go on reading text.
    #[must_use]
    pub fn linked_account_id(&self) -> &str {
        match self {
            Self::Connection { linked_account_id, .. } => linked_account_id,
            Self::Application { .. } => "",
        }
    }

    /// Whom to name in a sentence.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Connection {
                linked_account_name, ..
            } => linked_account_name.as_deref(),
            Self::Application { .. } => Some("every customer"),
        }
    }
}

/// The keys in the order of the documentation: receivers re-serialise, and must get the same bytes.
#[derive(Serialize)]
struct Body<'a> {
    linked_account_id: &'a str,
    org_id: &'a str,
    environment: &'a str,
    r#type: &'a str,
    event: &'a str,
    slug: &'a str,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauth_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl Event {
    /// The body as it is signed and sent (contract, section 13.4): compact, non-ASCII as it is. `mark`, where there
    /// is one, stands in for the address of a re-auth link until the event is sent.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a struct of texts can be written as JSON")]
    pub fn body(&self, tenant: &Tenant, mark: Option<&EventId>) -> String {
        let (incident_id, reason) = match &self.about {
            About::Connection { .. } => (None, None),
            About::Application { incident, reason } => (Some(incident.as_str()), Some(reason.as_str())),
        };
        let body = Body {
            linked_account_id: self.about.linked_account_id(),
            org_id: tenant.org.as_str(),
            environment: tenant.environment.as_str(),
            r#type: "General",
            event: self.kind.as_str(),
            slug: &self.slug,
            created_at: self.at.http_date(),
            reauth_url: mark.map(EventId::as_str),
            incident_id,
            reason,
        };
        serde_json::to_string(&body).expect("a struct of texts can be written as JSON")
    }
}

/// What kind of receiver a webhook's template is made for; computed from the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookType {
    /// The event as it is.
    Default,
    /// A message that Slack's incoming webhooks accept.
    Slack,
    /// The team's own template.
    Custom,
}

impl WebhookType {
    /// The template that stands for the type; a custom webhook starts with the event itself.
    #[must_use]
    pub fn template(self) -> Value {
        match self {
            Self::Default | Self::Custom => json!("{{event}}"),
            Self::Slack => json!({ "text": "{{event.event}}: {{event.slug}} for {{linked_account_name}}" }),
        }
    }

    /// The type of a template, computed when a webhook is read.
    #[must_use]
    pub fn of(template: &Value) -> Self {
        [Self::Default, Self::Slack]
            .into_iter()
            .find(|kind| kind.template() == *template)
            .unwrap_or(Self::Custom)
    }
}

/// How the event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Unless the webhook says otherwise.
    Post,
    /// For receivers that want it.
    Put,
    /// For receivers that want it.
    Patch,
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch]
            .into_iter()
            .find(|method| method.as_str() == word)
    }
}

/// Where an environment's events are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// Which events.
    pub events: Vec<EventKind>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// The template of the body.
    pub body: Value,
    /// Names and templates of extra request headers. They may hold a receiver's token.
    pub headers: Vec<(String, Secret)>,
    /// How.
    pub method: Method,
    /// Only events of this application, which must be workflow events.
    pub slug: Option<String>,
    /// Only events of these workflows.
    pub workflow_ids: Vec<String>,
    /// The team's own words.
    pub description: Option<String>,
    /// The team's own words, under another name.
    pub webhook_description: Option<String>,
    /// What the team files it under.
    pub group: Option<String>,
    /// Counts changes: `__v`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How one event fares on its way to one webhook.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's id: `webhook-id` at the receiver.
    pub event: EventId,
    /// The event's name.
    pub kind: EventKind,
    /// The customer it tells of.
    pub linked_account_id: String,
    /// The application it tells of.
    pub slug: String,
    /// When the event happened.
    pub created_at: Timestamp,
    /// How many times it was sent.
    pub attempts: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// The HTTP status of the last answer.
    pub last_status: Option<i64>,
    /// What was wrong the last time.
    pub last_error: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is sent at this time, or as soon as its webhook is enabled.
    Waiting {
        /// Not before.
        until: Timestamp,
    },
    /// The receiver has it.
    Delivered {
        /// Since.
        at: Timestamp,
    },
    /// The schedule ended without success.
    GaveUp {
        /// When.
        at: Timestamp,
    },
}
