//! Fuzz targets: what must hold for any bytes from outside, as plain functions.
//!
//! Each has two hosts. `tests/fuzz` feeds it by coverage (cargo-fuzz, nightly Rust); `tests/tests/fuzz_smoke.rs` feeds it
//! mutated seeds on every run of the tests, on stable Rust.
//!
//! A new one is a module here with a `TARGET`, an entry in `TARGETS`, a file of the same name in `tests/fuzz/fuzz_targets`
//! and its `[[bin]]`; the smoke test says which of them is missing.

pub mod engine;
pub mod frame;
pub mod http_body;
pub mod http_head;
pub mod http_query;
pub mod publish_body;
pub mod selector;
pub mod token;

mod mutate;

pub use self::mutate::mutated;

/// One fuzz target.
pub struct Target {
    /// Its module's name, and that of its file in `tests/fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Panics if something that must hold does not.
    pub run: fn(&[u8]),
    /// Inputs that reach deep; mutations start from them.
    pub seeds: &'static [&'static [u8]],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    engine::TARGET,
    frame::TARGET,
    http_body::TARGET,
    http_head::TARGET,
    http_query::TARGET,
    publish_body::TARGET,
    selector::TARGET,
    token::TARGET,
];
