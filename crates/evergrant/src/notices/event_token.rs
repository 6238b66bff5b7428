//! Security event tokens (RFC 8417), signed with RS256 (RFC 7518, section 3.3). Pure.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::model::{Proved, Refused};
use crate::catalog::notices::Issuer;
use crate::clock::Timestamp;
use crate::ids::sha256_hex;

/// How long a token counts from its `iat` on. Google delivers late ones for days; none is believed after a week, and each
/// `jti` is remembered as long.
pub(super) const HOLDS: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// A token, taken apart but not believed.
pub(super) struct EventToken<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    /// Which key signed it.
    pub(super) key_id: String,
    claims: Value,
}

impl<'a> EventToken<'a> {
    /// Takes a body apart. Anything but RS256 is refused here: `none` and keyed hashes are what attackers ask for
    /// (RFC 8725, section 3.1).
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(body).map_err(|_| Refused::Unreadable)?.trim();
        let (signed, signature) = text.rsplit_once('.').ok_or(Refused::Unreadable)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Unreadable)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Unreadable);
        let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| Refused::Unreadable);
        let header = json(header)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if text("alg") != Some("RS256") || header.get("crit").is_some() {
            return Err(Refused::Forged);
        }
        Ok(Self {
            signed,
            signature: decode(signature)?,
            key_id: text("kid").ok_or(Refused::Forged)?.to_owned(),
            claims: json(claims)?,
        })
    }

    /// Believes it, if one of the issuer's keys has signed it, and it is fresh and for somebody.
    pub(super) fn verify(self, issuer: &Issuer, keys: &Value, now: Timestamp) -> Result<Proved, Refused> {
        let key = keys.get("keys").and_then(Value::as_array).into_iter().flatten();
        let key = key.filter(|key| key.get("kid").and_then(Value::as_str) == Some(&self.key_id));
        let holds = |key: &Value| {
            let part = |name: &str| URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
            let (Some(n), Some(e)) = (part("n"), part("e")) else {
                return false;
            };
            let public = RsaPublicKeyComponents { n, e };
            key.get("kty").and_then(Value::as_str) == Some("RSA")
                && public
                    .verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature)
                    .is_ok()
        };
        if !key.into_iter().any(holds) {
            return Err(Refused::Forged);
        }
        let claim = |name: &str| self.claims.get(name);
        let named = claim("iss").and_then(Value::as_str);
        if !issuer.issuer.iter().any(|known| Some(known.as_str()) == named) {
            return Err(Refused::Forged);
        }
        let issued = claim("iat")
            .and_then(Value::as_i64)
            .and_then(|secs| secs.checked_mul(1000));
        let issued = Timestamp::from_millis(issued.ok_or(Refused::Stale)?.saturating_add(999));
        if now.since(issued) > HOLDS || issued.since(now) > super::model::WINDOW {
            return Err(Refused::Stale);
        }
        let jti = claim("jti").and_then(Value::as_str).ok_or(Refused::Unreadable)?;
        let clients = match claim("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return Err(Refused::NotForUs),
        };
        Ok(Proved {
            digest: sha256_hex(format!("{}\0{jti}", named.unwrap_or_default()).as_bytes()),
            signed_at: Some(issued),
            window: HOLDS,
            clients: Some(clients),
            body: self.claims,
        })
    }
}
