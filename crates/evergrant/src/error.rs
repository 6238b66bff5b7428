//! What can go wrong, as something a caller would act on differently.
//!
//! Causes are kept as sources and logged once, where the error becomes a response or a job's outcome; none is
//! ever formatted into a text that leaves the server. `http/error.rs` is the one table from here to the wire.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::ConnectionId;
use crate::reason::Reason;

/// The stable internal codes of the wire contract (section 2.2), sent as `error` and `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The unspecific one, which the documented API sends for most mistakes.
    ServerError,
    /// An id that no linked account has, or none given.
    InvalidLinkedAccountId,
    /// An event name outside the documented list.
    InvalidEvent,
    /// A webhook, default app or credential key that does not exist.
    ResourceNotFound,
}

/// A grant that only the end customer can bring back (contract section 19, row 2).
#[derive(Debug)]
pub struct ReauthRequired {
    /// The application.
    pub slug: String,
    /// The caller's own id of its customer.
    pub linked_account_id: String,
    /// The connection to repair.
    pub connection_id: ConnectionId,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// Where the customer can reconnect.
    pub reauth_url: Option<String>,
}

/// Why a call to a provider brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The caller's body is longer than the operator allows.
    #[error("The body is longer than this server passes on")]
    TooLarge,
    /// The caller broke off, or let its body stand still.
    #[error("The request broke off, or its body stood still for too long")]
    BrokenOff,
    /// Nothing was sent: the caller may try again.
    #[error("The provider could not be reached; nothing was sent")]
    NotConnected,
    /// The provider may have acted on the call.
    #[error("The provider broke off before its answer was there; it may have acted on the call")]
    ReplyLost,
    /// The provider may have acted on the call.
    #[error("The provider did not answer in time; it may have acted on the call")]
    TimedOut,
    /// The access token was refused and has been renewed: the caller must send the call again.
    #[error(
        "The provider refused the access token, which has been renewed; the body is too long to be sent again from here, so send          the call again"
    )]
    Repeat,
}

/// Two accounts at the provider, as people call them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherAccount {
    /// Whose the connection is.
    pub expected: String,
    /// Whose the new credential is.
    pub found: String,
}

/// Everything a request or a job can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's input is wrong; the message says what to change.
    #[error("{message}")]
    Invalid {
        /// The contract's code.
        code: Code,
        /// What is wrong, with what, and what to do.
        message: String,
    },
    /// No valid API key: the caller must send one of this server.
    #[error("Invalid Credentials")]
    InvalidApiKey,
    /// The session token is unknown, revoked or expired: the team must issue another.
    #[error("Invalid token")]
    InvalidSessionToken,
    /// No session token was sent where one is needed.
    #[error("Authorization Token Missing")]
    MissingSessionToken,
    /// The API key is valid and lacks the scope: the team must use another key.
    #[error("This API key lacks the scope `{0}`")]
    ScopeLacking(&'static str),
    /// No such linked account in this environment, or another tenant's: the two look the same.
    #[error("Linked Account with account id {id} for org {org} in environment {environment} not found")]
    AccountNotFound {
        /// As the caller gave it.
        id: String,
        /// The caller's organisation.
        org: String,
        /// The caller's environment.
        environment: &'static str,
    },
    /// The catalogue has no such application.
    #[error("Application with app_type '{slug}' not found for org {org}")]
    ApplicationNotFound {
        /// As the caller gave it.
        slug: String,
        /// The caller's organisation.
        org: String,
    },
    /// The team has set no OAuth client for an application that needs one: it must set it first.
    #[error(
        "no OAuth client is set for `{slug}` in {environment}: set one with `evergrant app client set {slug} --env {environment}`"
    )]
    NoOAuthClient {
        /// The application.
        slug: String,
        /// The environment.
        environment: &'static str,
    },
    /// The catalogue has no such application (the unauthenticated route).
    #[error("Schema not found for integration type: {0}")]
    SchemaNotFound(String),
    /// The linked account has no default app: the team must first give one with `your_app`.
    #[error("Default app integration not found for linked account {0}")]
    DefaultAppNotFound(String),
    /// The default app has no credential of this name.
    #[error("Auth credential key '{0}' not found")]
    CredentialNotFound(String),
    /// The id is unknown, or belongs to another tenant: the two look the same from outside.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Something of that name exists, or is in use; the message says what to do first.
    #[error("{0}")]
    Conflict(String),
    /// A new credential belongs to another account at the provider than the connection: the customer must use the expected
    /// one. Nothing was changed.
    #[error(
        "this credential belongs to `{}`, the connection to `{}`; nothing was changed. Use the account that was connected \
         before, or disconnect it first",
        .0.found, .0.expected
    )]
    OtherAccount(Box<OtherAccount>),
    /// Only the end customer can fix this one, by reconnecting.
    #[error("The connection must be re-authorised: {}", .0.reason)]
    ReauthRequired(Box<ReauthRequired>),
    /// A notice whose sender did not prove itself. The team sees why beside the address; the sender sees only this.
    #[error("The notice was refused")]
    NoticeRefused,
    /// The provider refused a key or a migrated token: the caller must give a good one. Nothing was changed.
    #[error("Failed to verify credentials: {0}")]
    CredentialsRefused(String),
    /// The provider is down, slow or unintelligible; what we hold is unchanged and it is worth trying again.
    #[error("The provider did not give a usable answer; nothing was changed, try again")]
    ProviderUnavailable {
        /// What the provider asked for, where it did.
        retry_after: Option<Duration>,
    },
    /// A call to a provider brought no answer.
    #[error("{0}")]
    Call(CallFault),
    /// Another worker is at it, and has not finished in the time a caller waits.
    #[error("The connection is being refreshed; try again")]
    Busy,
    /// A database that is down, full or misconfigured: the operator's.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// A sealed value that does not open: wrong master key, or a row that was tampered with. The operator's.
    #[error("a sealed value in {table} does not open")]
    Sealed {
        /// Where it stands.
        table: &'static str,
    },
    /// A row that makes no sense: ours, or somebody edited the database by hand.
    #[error("the row {id} of {table} makes no sense")]
    Corrupt {
        /// Where it stands.
        table: &'static str,
        /// Which one.
        id: String,
    },
    /// A fault of this program; the text is for the log.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// What a customer typed into an address does not fit: the message names the field, never the value.
impl From<evergrant_oauth::TemplateError> for Error {
    fn from(error: evergrant_oauth::TemplateError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl Error {
    /// A mistake in the input, with the unspecific code.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            code: Code::ServerError,
            message: message.into(),
        }
    }

    /// Whether the database gave this transaction up for the sake of another: a deadlock, or one that could not be put in order
    /// (SQLSTATE 40P01 and 40001). It may well succeed if it is made once more.
    #[must_use]
    pub fn is_worth_repeating(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        matches!(error.code().as_deref(), Some("40P01" | "40001"))
    }

    /// Whether this is the violation of a unique constraint: somebody else was first.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(e)) if e.is_unique_violation())
    }
}
