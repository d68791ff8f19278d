#![forbid(unsafe_code)]
//! The corecast hub as a library; `main.rs` is a thin face over it.

pub mod cli;
pub mod config;
mod http_client;
pub mod hub;
pub mod logging;
