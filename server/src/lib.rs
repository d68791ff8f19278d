#![forbid(unsafe_code)]
//! The corecast hub as a library; `main.rs` is a thin face over it.
