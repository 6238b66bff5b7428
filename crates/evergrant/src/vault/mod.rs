//! Encryption at rest.
//!
//! A [`Keyring`] of master keys wraps one data key per organisation; a [`DataKey`] seals values with AES-256-GCM. The
//! associated data is the value's [`Place`] (tenant, table, row, column), so that a sealed value which is copied to
//! another row does not open. The sealed form names its key, so that keys can rotate while old values stay readable:
//!
//! ```text
//! 1 byte   format, 1
//! 12 bytes id of the data key
//! 12 bytes nonce, random
//! n bytes  AES-256-GCM ciphertext
//! 16 bytes tag
//! ```
//!
//! The vault knows nothing of tables: who stores what is the subjects' affair.

mod keyring;
mod seal;
#[cfg(test)]
mod tests;

pub use keyring::{Keyring, MasterKeyId};
pub use seal::{DataKey, Place, Sealed, Sealer};

/// A value that does not open: wrong key, wrong place, or altered bytes. Which one is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct DoesNotOpen;
