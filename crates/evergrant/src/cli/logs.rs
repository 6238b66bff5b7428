//! Structured logs, to standard error. `docs/LOGGING.md` says what stands in them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging. `level` holds unless the operator set a filter.
pub(super) fn start(config: &Config, level: &str) {
    let filter = EnvFilter::new(config.log.as_deref().unwrap_or(level));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // The first subscriber stays: a second start, in a test, changes nothing.
    let _ = match config.log_format {
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).with_span_list(false).try_init(),
    };
}
