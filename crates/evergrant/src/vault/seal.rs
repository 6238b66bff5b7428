//! Sealing and opening values, each bound to its place.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::LessSafeKey;

use super::DoesNotOpen;
use super::keyring::{decrypt, encrypt};
use crate::error::Error;
use crate::ids::{DataKeyId, TenantId, fill_random};
use crate::secret::{Secret, SecretBytes};

const FORMAT: u8 = 1;
const ID_LEN: usize = 12;
const NONCE_LEN: usize = 12;

/// Where a sealed value stands. It opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table, for the associated data and for error messages.
    pub table: &'static str,
    /// The row.
    pub id: &'a str,
    /// The column.
    pub column: &'static str,
}

/// A sealed value, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// From a stored column.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For a stored column.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id of its data key, the nonce, and the rest.
    fn parts(&self) -> Option<(&[u8], &[u8], &[u8])> {
        let (&format, rest) = self.0.split_first()?;
        let (id, rest) = rest.split_at_checked(ID_LEN)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        (format == FORMAT).then_some((id, nonce, body))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// An organisation's data key, unwrapped; it lives in memory only.
pub struct DataKey {
    id: DataKeyId,
    /// The id as sealed values name it.
    raw_id: [u8; ID_LEN],
    key: LessSafeKey,
}

impl DataKey {
    pub(super) fn new(id: DataKeyId, key: LessSafeKey) -> Self {
        Self {
            raw_id: raw_id(&id),
            id,
            key,
        }
    }

    /// Its name in the sealed values.
    #[must_use]
    pub fn id(&self) -> &DataKeyId {
        &self.id
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

/// Seals and opens the values of one tenant with its organisation's keys, the newest first.
#[derive(Clone, Debug)]
pub struct Sealer {
    tenant: TenantId,
    keys: Arc<Vec<DataKey>>,
}

impl Sealer {
    /// For one tenant; `keys` must hold at least one, the newest first.
    #[must_use]
    pub fn new(tenant: TenantId, keys: Arc<Vec<DataKey>>) -> Self {
        Self { tenant, keys }
    }

    /// Seals a value for its place.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Sealed {
        let key = &self.keys[0];
        let mut out = Vec::with_capacity(1 + ID_LEN + NONCE_LEN + plain.len() + 16);
        out.push(FORMAT);
        out.extend(key.raw_id);
        let mut nonce = [0_u8; NONCE_LEN];
        fill_random(&mut nonce);
        out.extend(nonce);
        out.extend(encrypt(&key.key, &nonce, &self.bound_to(place), plain));
        Sealed(out)
    }

    /// Opens a value in its place.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<SecretBytes, Error> {
        self.try_open(place, sealed)
            .map_err(|DoesNotOpen| Error::Sealed { table: place.table })
    }

    /// Opens a text in its place.
    pub fn open_text(&self, place: Place<'_>, sealed: &Sealed) -> Result<Secret, Error> {
        self.open(place, sealed)?
            .into_text()
            .ok_or(Error::Sealed { table: place.table })
    }

    fn try_open(&self, place: Place<'_>, sealed: &Sealed) -> Result<SecretBytes, DoesNotOpen> {
        let (id, nonce, body) = sealed.parts().ok_or(DoesNotOpen)?;
        let key = self.keys.iter().find(|key| key.raw_id == id).ok_or(DoesNotOpen)?;
        decrypt(&key.key, nonce, &self.bound_to(place), body).map(SecretBytes::of)
    }

    fn bound_to(&self, place: Place<'_>) -> Vec<u8> {
        ["evergrant 1", self.tenant.as_str(), place.table, place.id, place.column]
            .join("\0")
            .into_bytes()
    }
}

fn raw_id(id: &DataKeyId) -> [u8; ID_LEN] {
    let mut raw = [0_u8; ID_LEN];
    for (byte, pair) in raw.iter_mut().zip(id.as_str().as_bytes().chunks_exact(2)) {
        *byte = std::str::from_utf8(pair)
            .ok()
            .and_then(|text| u8::from_str_radix(text, 16).ok())
            .unwrap_or(0);
    }
    raw
}
