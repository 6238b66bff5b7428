//! The master keys, which wrap the organisations' data keys.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{DataKey, DoesNotOpen};
use crate::ids::{DataKeyId, OrgId, fill_random, sha256_hex};
use crate::secret::Secret;

const CHECK_TEXT: &[u8] = b"evergrant master key check";
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// Names a master key without revealing it: the first 16 hex characters of the key's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeyId(String);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The master keys. The first wraps; all of them unwrap, so that a new one can be put in front while the old
/// one still stands behind it.
pub struct Keyring {
    keys: Vec<(MasterKeyId, LessSafeKey)>,
}

/// Why a text is no key ring.
#[derive(Debug, thiserror::Error)]
#[error(
    "a master key is 32 random bytes in base64 (44 characters, as `openssl rand -base64 32` prints); several are separated by commas, the newest first"
)]
pub struct NotAKeyring;

impl Keyring {
    /// Reads keys in base64, separated by commas or white space, the newest first.
    pub fn parse(text: &Secret) -> Result<Self, NotAKeyring> {
        let mut keys = Vec::new();
        for word in text
            .expose()
            .split([',', '\n', '\r', ' ', '\t'])
            .filter(|word| !word.is_empty())
        {
            let bytes = Zeroizing::new(STANDARD.decode(word).map_err(|_| NotAKeyring)?);
            if bytes.len() != KEY_LEN {
                return Err(NotAKeyring);
            }
            let id = MasterKeyId(sha256_hex(&bytes)[..16].to_owned());
            keys.push((id, aead_key(&bytes)));
        }
        if keys.is_empty() {
            Err(NotAKeyring)
        } else {
            Ok(Self { keys })
        }
    }

    /// A new master key, in the form that [`Keyring::parse`] reads.
    #[must_use]
    pub fn generate() -> Secret {
        let mut bytes = Zeroizing::new([0_u8; KEY_LEN]);
        fill_random(bytes.as_mut_slice());
        Secret::from(STANDARD.encode(bytes.as_slice()))
    }

    /// The key that wraps new data keys.
    #[must_use]
    pub fn primary(&self) -> &MasterKeyId {
        &self.keys[0].0
    }

    /// A value that only this ring opens; the server keeps it in the database and tries it at every start.
    #[must_use]
    pub fn check_value(&self) -> Vec<u8> {
        self.wrap(CHECK_TEXT, b"check")
    }

    /// Whether this ring opens a value of [`Keyring::check_value`].
    #[must_use]
    pub fn opens(&self, check_value: &[u8]) -> bool {
        self.unwrap(check_value, b"check")
            .is_ok_and(|text| text.as_slice() == CHECK_TEXT)
    }

    /// A fresh data key for an organisation, and its wrapped form for the database.
    #[must_use]
    pub fn new_data_key(&self, org: &OrgId, id: DataKeyId) -> (DataKey, Vec<u8>) {
        let mut bytes = Zeroizing::new([0_u8; KEY_LEN]);
        fill_random(bytes.as_mut_slice());
        let wrapped = self.wrap(bytes.as_slice(), data_key_place(org, &id).as_bytes());
        (DataKey::new(id, aead_key(bytes.as_slice())), wrapped)
    }

    /// Unwraps an organisation's data key.
    pub fn open_data_key(&self, org: &OrgId, id: DataKeyId, wrapped: &[u8]) -> Result<DataKey, DoesNotOpen> {
        let bytes = self.unwrap(wrapped, data_key_place(org, &id).as_bytes())?;
        if bytes.len() != KEY_LEN {
            return Err(DoesNotOpen);
        }
        Ok(DataKey::new(id, aead_key(&bytes)))
    }

    fn wrap(&self, plain: &[u8], place: &[u8]) -> Vec<u8> {
        let mut out = vec![0_u8; NONCE_LEN];
        fill_random(&mut out);
        out.extend(encrypt(&self.keys[0].1, &out, place, plain));
        out
    }

    fn unwrap(&self, wrapped: &[u8], place: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, body) = wrapped.split_at_checked(NONCE_LEN).ok_or(DoesNotOpen)?;
        self.keys
            .iter()
            .find_map(|(_, key)| decrypt(key, nonce, place, body).ok())
            .ok_or(DoesNotOpen)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

fn data_key_place(org: &OrgId, id: &DataKeyId) -> String {
    format!("data key\0{org}\0{id}")
}

fn aead_key(bytes: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("the length was checked"))
}

pub(super) fn encrypt(key: &LessSafeKey, nonce: &[u8], place: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("nonces are 12 bytes");
    let mut body = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(place), &mut body)
        .expect("values are far below the cipher's limit");
    body
}

pub(super) fn decrypt(
    key: &LessSafeKey,
    nonce: &[u8],
    place: &[u8],
    body: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
    let mut body = Zeroizing::new(body.to_vec());
    let len = key
        .open_in_place(nonce, Aad::from(place), &mut body)
        .map_err(|_| DoesNotOpen)?
        .len();
    body.truncate(len);
    Ok(body)
}
