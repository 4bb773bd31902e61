//! Outgoing HTTP: the TLS configuration of all calls, and the HTTP/1.1 client of calls to AWS.
//!
//! AWS answers these calls by HTTP/1.1 alone, so the SDK's own client, which brings HTTP/2 and proxies, is left
//! out (docs/performance.md).
//!
//! **Invariant:** a connection is opened within [`CONNECT`] or not at all, and an error tells by [`is_unsent`]
//! that the request cannot have been received.

mod client;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use aws_smithy_runtime_api::client::http::SharedHttpClient as HttpClient;
pub use client::{https, is_unsent};

/// Time in which a connection to AWS is opened, TLS included.
pub const CONNECT: Duration = Duration::from_secs(1);

/// Returns the TLS configuration of outgoing calls: ring, and the machine's roots (or those of `SSL_CERT_FILE`).
/// They are read once, because that takes longer than all else at the start of a function.
pub fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    static READ: OnceLock<rustls::ClientConfig> = OnceLock::new();
    if let Some(config) = READ.get() {
        return Ok(config.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a file of trusted certificates cannot be read");
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::error!("no trusted certificate is found: no call by TLS will succeed");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(READ.get_or_init(|| config.with_root_certificates(roots).with_no_client_auth()).clone())
}
