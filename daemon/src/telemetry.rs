//! Logs: to stderr, as text or JSON, one line an event with fields; errors once, at the boundary.

use tracing_subscriber::EnvFilter;

use crate::config::{Format, Log};

/// Starts logging. Only the first call of a process takes effect.
pub fn start(log: &Log) {
    // What the stores below say about themselves is only of interest when it is a warning; a level
    // with a filter of its own says otherwise.
    let quiet = format!("{},fjall=warn,lsm_tree=warn,refinery_core=warn", log.level);
    let level = if log.level.contains(['=', ',']) { &log.level } else { &quiet };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start (in tests) keeps the first one's.
    drop(match log.format {
        Format::Json => builder.json().try_init(),
        Format::Text => builder.with_ansi(false).try_init(),
    });
}
