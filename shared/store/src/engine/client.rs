//! The DynamoDB client: one per process, lean enough for a cold start.
//!
//! **Invariant:** the SDK retries nothing: a write whose outcome is unknown is resolved by its cause
//! ([`crate::Store::execute`]), and only there.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use std::time::Duration;

pub use aws_sdk_dynamodb::config::Credentials;
pub use aws_smithy_runtime_api::client::http::SharedHttpClient as HttpClient;

/// Where the table is, and as whom to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region.
    pub region: String,
    /// The credentials, from the environment.
    pub credentials: Credentials,
    /// Another endpoint than AWS's own.
    pub endpoint: Option<String>,
    /// How long one request may take before its outcome counts as unknown.
    pub attempt_timeout: Duration,
}

/// An HTTP client with TLS by ring (a third of the cold start of the default).
pub fn https() -> HttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Builds the client.
pub fn connect(settings: Settings, http: HttpClient) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(settings.attempt_timeout)
        .build();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region))
        .credentials_provider(settings.credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http);
    let mut config = config;
    config.set_endpoint_url(settings.endpoint);
    Client::from_conf(config.build())
}
