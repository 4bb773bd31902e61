//! The DynamoDB client: one for each process, with few features, for a short cold start.
//!
//! **Invariant:** the SDK retries nothing. A write with an unknown outcome is resolved through its
//! cause, by the operation that sent it ([`crate::Wallets::execute`]).

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use std::time::Duration;

pub use aws_sdk_dynamodb::config::Credentials;
pub use transport::{HttpClient, https};

/// Settings of the DynamoDB client.
#[derive(Clone, Debug)]
pub struct Settings {
    /// AWS region of the table.
    pub region: String,
    /// AWS credentials, from the environment.
    pub credentials: Credentials,
    /// Endpoint URL in place of AWS's own; None for AWS.
    pub endpoint: Option<String>,
    /// Time after which a request without response counts as one with an unknown outcome.
    pub attempt_timeout: Duration,
}

/// Returns a DynamoDB client that does not retry.
pub fn connect(settings: Settings, http: HttpClient) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(settings.attempt_timeout).build();
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
