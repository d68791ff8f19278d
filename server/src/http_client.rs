//! The settings that all our outgoing HTTP requests share.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// Long for a handshake across the world, short for somebody who waits for an error.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that trusts what this machine trusts (so that a company's own authority counts) and hands every status
/// to its caller as an answer.
pub(crate) fn config() -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        // The library of the token code, so that there is one in the binary.
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .user_agent(concat!("corecast/", env!("CARGO_PKG_VERSION")))
}
