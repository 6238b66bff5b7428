//! A notice, from its arrival to the flag.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::event_token::EventToken;
use super::model::{Address, Heard, Proved, REMEMBERED, Refused, Said, TokenNamed};
use super::proof::{basic, body_of, digest};
use super::{address, keys, said, signature, store};
use crate::app::App;
use crate::catalog::notices::{Challenge, Hmac, SigningSecret, Verification};
use crate::catalog::{Application, AuthType, Notices};
use crate::clients::{self, OAuthClient};
use crate::clock::Timestamp;
use crate::connections::{self, Connection, ConnectionStatus, Credential, Guard, Observed, Recorded, Writer};
use crate::error::Error;
use crate::reason::{Confidence, Verdict};
use crate::refresh;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};
use crate::verdict::{Evidence, Judgement};

/// How often a refusal is written down at most.
const REFUSALS_EVERY: Duration = Duration::from_mins(1);
/// How often a flag is tried while refreshes store newer tokens under it.
const TRIES: u32 = 5;

/// What the provider gets for an answer.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Thank you.
    Received,
    /// The same for a security event token (RFC 8935, section 2.2).
    Accepted,
    /// What it asked for, to see that somebody who knows the secret is here.
    Challenge(Value),
}

/// Everything about one address that a notice is read with.
struct Ear<'a> {
    app: &'a App,
    tenant: Tenant,
    application: &'a Application,
    notices: &'a Notices,
    client: Option<OAuthClient>,
}

/// Hears a notice at an address. A stranger learns whether the address exists, and that a notice was refused, and no more.
pub async fn hear(app: &App, id: &str, heard: &Heard<'_>) -> Result<Answer, Error> {
    // Nothing stored holds a NUL, and PostgreSQL refuses to look for one.
    if id.contains('\0') {
        return Err(Error::NotFound("Address for notices"));
    }
    let mut conn = app.db.read().await?;
    let found = store::by_id_of_all_tenants(&mut conn, id).await?;
    let address = found.ok_or(Error::NotFound("Address for notices"))?;
    let tenant = tenants::store::get_environment(&mut conn, &address.tenant)
        .await?
        .tenant;
    let client = clients::store::find(&mut conn, &address.tenant, &address.slug).await?;
    drop(conn);
    let application: Arc<Application> = app
        .catalog
        .get(&address.slug)
        .cloned()
        .ok_or(Error::NotFound("Address for notices"))?;
    let notices = application
        .notices
        .as_ref()
        .ok_or(Error::NotFound("Address for notices"))?;
    let ear = Ear {
        app,
        tenant,
        application: &application,
        notices,
        client,
    };
    let proved = match &notices.verified_by {
        Verification::Hmac(hmac) => ear.by_hash(hmac, &address, heard).await?,
        Verification::ClientBasic => ear.by_client(heard).await?,
        Verification::SecurityEventToken(issuer) => {
            let token = EventToken::parse(heard.body);
            match token {
                Ok(token) => match keys::key_set(app, &issuer.jwks_url, &token.key_id).await {
                    Ok(keys) => token.verify(issuer, &keys, app.now()),
                    Err(refused) => Err(refused),
                },
                Err(refused) => Err(refused),
            }
        }
    };
    match proved.and_then(|proved| ear.meant_for_us(proved)) {
        Ok(proved) => ear.take_in(&address, heard, proved).await,
        Err(refused) => {
            note_refusal(app, &address, refused).await?;
            Err(Error::NoticeRefused)
        }
    }
}

/// Hears a notice that names no address but an OAuth client, in HTTP Basic: Pipedrive sends it to the callback, which all
/// tenants share. The secret decides whose it is; without an address of theirs a tenant hears nothing.
pub async fn hear_of_client(app: &App, slug: &str, heard: &Heard<'_>) -> Result<Answer, Error> {
    let by_client = app
        .catalog
        .get(slug)
        .and_then(|application| application.notices.as_ref());
    if !by_client.is_some_and(|notices| notices.verified_by == Verification::ClientBasic) {
        return Err(Error::NoticeRefused);
    }
    let (client_id, _) = basic(heard)
        .filter(|(id, _)| !id.contains('\0'))
        .ok_or(Error::NoticeRefused)?;
    let mut conn = app.db.read().await?;
    let clients = clients::store::of_client_id_of_all_tenants(&mut conn, slug, &client_id).await?;
    let mut addresses = Vec::new();
    for client in clients {
        addresses.extend(store::find(&mut conn, &client.tenant, slug).await?);
    }
    drop(conn);
    let mut answer = Err(Error::NoticeRefused);
    for address in addresses {
        match hear(app, &address.id, heard).await {
            Ok(received) => answer = Ok(received),
            Err(Error::NoticeRefused) => {}
            Err(other) => return Err(other),
        }
    }
    answer
}

async fn note_refusal(app: &App, address: &Address, refused: Refused) -> Result<(), Error> {
    let now = app.now();
    tracing::info!(slug = address.slug, tenant = %address.tenant, why = %refused, "a notice was refused");
    if address
        .refused
        .as_ref()
        .is_some_and(|(at, _)| now.since(*at) < REFUSALS_EVERY)
    {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    let times = (now, now.before(REFUSALS_EVERY));
    store::refused(&mut tx, &address.tenant, (&address.slug, &refused.to_string()), times).await?;
    tx.commit().await
}

impl Ear<'_> {
    async fn client_secret(&self) -> Result<Option<Secret>, Error> {
        match &self.client {
            Some(client) => clients::secret(self.app, &self.tenant, client).await,
            None => Ok(None),
        }
    }

    async fn secrets(&self, hmac: &Hmac, address: &Address) -> Result<Vec<Secret>, Error> {
        match hmac.secret {
            SigningSecret::Own => address::secrets(self.app, &self.tenant, address).await,
            SigningSecret::Client => Ok(self.client_secret().await?.into_iter().collect()),
        }
    }

    async fn by_hash(
        &self,
        hmac: &Hmac,
        address: &Address,
        heard: &Heard<'_>,
    ) -> Result<Result<Proved, Refused>, Error> {
        let secrets = self.secrets(hmac, address).await?;
        let verified = signature::verify(hmac, &secrets, heard, self.app.now());
        Ok(verified.and_then(|signed| {
            Ok(Proved {
                body: body_of(heard)?,
                digest: digest(&signed.content),
                signed_at: signed.at,
                window: super::WINDOW,
                clients: None,
            })
        }))
    }

    async fn by_client(&self, heard: &Heard<'_>) -> Result<Result<Proved, Refused>, Error> {
        let (Some(client), Some(secret)) = (&self.client, self.client_secret().await?) else {
            return Ok(Err(Refused::NoSecret));
        };
        let Some((id, given)) = basic(heard) else {
            return Ok(Err(Refused::Unsigned));
        };
        // `Secret` compares in constant time.
        if id != client.client_id || given != secret {
            return Ok(Err(Refused::Forged));
        }
        Ok(body_of(heard).map(|body| Proved {
            body,
            digest: digest(heard.body),
            signed_at: None,
            window: super::WINDOW,
            clients: None,
        }))
    }

    /// Where the notice names OAuth clients, the team's must be one of them.
    fn meant_for_us(&self, mut proved: Proved) -> Result<Proved, Refused> {
        let named = said::clients_named(self.notices, &proved.body);
        if !named.is_empty() {
            proved.clients.get_or_insert_default().extend(named);
        }
        let ours = self.client.as_ref().map(|client| client.client_id.as_str());
        match &proved.clients {
            Some(named) if !named.iter().any(|id| Some(id.as_str()) == ours) => Err(Refused::NotForUs),
            _ => Ok(proved),
        }
    }

    /// Takes in what is proved.
    async fn take_in(&self, address: &Address, heard: &Heard<'_>, proved: Proved) -> Result<Answer, Error> {
        let now = self.app.now();
        if let Some(answer) = self.challenge(address, &proved.body).await? {
            return Ok(answer);
        }
        let key = (address.slug.as_str(), proved.digest.as_str());
        let repeated = store::was_heard(&mut *self.app.db.read().await?, &self.tenant.id, key, now).await?;
        if repeated && proved.signed_at.is_some() {
            // RFC 8935 knows no replay: a transmitter that is told of an error sends the token again, or gives up on us.
            return match self.notices.verified_by {
                Verification::SecurityEventToken(_) => Ok(Answer::Accepted),
                _ => Err(Error::Conflict("this notice has been received already".to_owned())),
            };
        }
        for said in said::said(self.notices, heard, &proved.body) {
            let at = said.at.or(proved.signed_at).unwrap_or(now);
            for connection in self.meant_by(&said).await? {
                if repeated {
                    self.ask(&connection, at).await?;
                } else {
                    self.end(connection, &said, at).await?;
                }
            }
        }
        // Twice the window: a time may be signed that far in the future.
        let until = match proved.signed_at {
            Some(signed_at) => signed_at.max(now).after(proved.window * 2),
            None => now.after(REMEMBERED),
        };
        let mut tx = self.app.db.begin().await?;
        store::remember(&mut tx, &self.tenant.id, key, until).await?;
        store::heard(&mut tx, &self.tenant.id, &address.slug, now).await?;
        tx.commit().await?;
        Ok(match self.notices.verified_by {
            Verification::SecurityEventToken(_) => Answer::Accepted,
            _ => Answer::Received,
        })
    }

    async fn challenge(&self, address: &Address, body: &Value) -> Result<Option<Answer>, Error> {
        let Some(challenge) = self
            .notices
            .challenge
            .as_ref()
            .filter(|challenge| is_asked(challenge, body))
        else {
            return Ok(None);
        };
        let text = body
            .pointer(&challenge.value)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut answer = Map::from_iter([(challenge.answer.clone(), json!(text))]);
        if let (Some(member), Verification::Hmac(hmac)) = (&challenge.signed, &self.notices.verified_by) {
            let secrets = self.secrets(hmac, address).await?;
            let secret = secrets.first().ok_or(Error::NoticeRefused)?;
            answer.insert(member.clone(), json!(signature::sign_hex(hmac, secret, text)));
        }
        Ok(Some(Answer::Challenge(answer.into())))
    }

    /// The live connections that are meant, inside this tenant and client.
    async fn meant_by(&self, said: &Said) -> Result<Vec<Connection>, Error> {
        let (tenant, slug) = (&self.tenant.id, self.application.slug.as_str());
        let mut conn = self.app.db.read().await?;
        let mut found = Vec::new();
        for account in &said.accounts {
            let key = (slug, account.as_str());
            found.extend(connections::store::of_external_account(&mut conn, tenant, key).await?);
        }
        if said.token.is_some() {
            found.extend(connections::store::live_of_application(&mut conn, tenant, slug).await?);
        }
        drop(conn);
        let mut meant = Vec::new();
        for connection in found {
            if connection.auth_type == AuthType::OAuth2 && self.is_of_our_client(&connection, said).await? {
                meant.push(connection);
            }
        }
        Ok(meant)
    }

    async fn is_of_our_client(&self, connection: &Connection, said: &Said) -> Result<bool, Error> {
        let Credential::OAuth2(tokens) = connections::open_credential(self.app, &self.tenant, connection).await? else {
            return Ok(false);
        };
        let ours = self
            .client
            .as_ref()
            .is_some_and(|client| client.client_id == tokens.client_id);
        let named = match (&said.token, &tokens.refresh_token) {
            (None, _) => true,
            (Some(named), Some(held)) => named.is(held),
            (Some(_), None) => false,
        };
        Ok(ours && named)
    }

    /// Flags a connection, unless its grant is younger than the notice. A refresh that stores a newer token meanwhile does
    /// not make the notice untrue.
    async fn end(&self, mut connection: Connection, said: &Said, at: Timestamp) -> Result<(), Error> {
        for _ in 0..TRIES {
            if connection.status != ConnectionStatus::Active || at <= connection.connected_at {
                return Ok(());
            }
            let seen = Observed {
                guard: Guard {
                    version: connection.version,
                    writer: Writer::Beside,
                },
                judgement: judgement(said),
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            match connections::record(self.app, &self.tenant, &connection.id, &seen).await? {
                Recorded::Changed(..) => return Ok(()),
                Recorded::Superseded => connection = connections::find(self.app, &self.tenant, &connection.id).await?,
            }
        }
        Err(Error::Busy)
    }

    /// A repeated notice whose time is not signed may be an old one: the provider is asked.
    async fn ask(&self, connection: &Connection, at: Timestamp) -> Result<(), Error> {
        if connection.status != ConnectionStatus::Active || at <= connection.connected_at {
            return Ok(());
        }
        match refresh::check(self.app, &self.tenant, &connection.id).await {
            Ok(_) | Err(Error::NotFound(_) | Error::Busy | Error::ProviderUnavailable { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

fn is_asked(challenge: &Challenge, body: &Value) -> bool {
    challenge
        .pointer
        .iter()
        .all(|(at, wanted)| body.pointer(at) == Some(wanted))
}

fn judgement(said: &Said) -> Judgement {
    Judgement {
        verdict: Verdict::Reauth,
        reason: Some(said.reason),
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: format!("notice.{}", said.rule),
            words: "the provider said so in a signed notice".to_owned(),
            status: 0,
        },
    }
}

impl TokenNamed {
    fn is(&self, held: &Secret) -> bool {
        let held = held.expose();
        match self {
            Self::Prefix(prefix) => held.starts_with(prefix.as_str()),
            Self::Sha512Twice(named) => {
                let sha = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, bytes);
                STANDARD.encode(sha(sha(held.as_bytes()).as_ref())) == *named
            }
        }
    }
}
