//! Linked accounts: the team's own customers, named by the team's own ids.
//!
//! An account has a name, fields (`udf`: key and primitive value) and, where the team gave credentials with
//! `your_app`, a default app: a sealed map of credentials. Two promises:
//!
//! * Every look-up names the tenant; another tenant's account looks like one that does not exist.
//! * Deleting an account takes its fields, default app and session tokens along in one transaction. Its connections
//!   are a matter of `connections`, which stands above this module and is told first.

mod model;
mod spelling;
pub mod store;
mod work;

pub use model::{Change, DefaultApp, Field, FieldChange, FieldFilter, LinkedAccount, NewDefaultApp, Page, Record};
pub use spelling::{account_id_of_header, is_account_id};
pub use work::{create, delete, delete_credential, find, hold, list, put_credential, record, upsert};
