//! The hub's numbers as OpenMetrics text, read at the moment they are asked for.
//!
//! Shards count in plain integers and leave copies; nothing here is shared with them, so that counting costs nothing.
//! `table` is the one list of what there is; `docs/metrics.md` is held against it by a test.
//! Not here: numbers of any user or address. There can be any number of those, and each would be a series; only the users
//! with the most streams are shown, and only if an operator asks for so many (`metrics.top_users`).

mod table;

mod exposition;
mod metric;
mod host;
mod process;
mod scrape;

#[cfg(test)]
mod tests;

pub(super) use self::exposition::expose;

/// Memory of this process that is in use, if the kernel tells.
pub(super) fn resident_bytes() -> Option<u64> {
    process::Process::read().memory.map(|memory| memory.resident_bytes)
}

/// The only format there is: it is the one that Prometheus asks for first, and others read it too.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
