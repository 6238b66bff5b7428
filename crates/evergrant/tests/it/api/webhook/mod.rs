//! `/api/v2/public/webhook`.

mod change;
mod create;
mod hostile;
