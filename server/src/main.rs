//! Starts the hub.
#![forbid(unsafe_code)]
fn main() {}
