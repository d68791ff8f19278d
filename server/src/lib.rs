#![forbid(unsafe_code)]
//! The corecast hub as a library; `main.rs` is a thin face over it.

pub mod config;
pub mod hub;
pub mod logging;
//CLI
mod http_client;
