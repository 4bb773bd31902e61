//! Calls of AWS services that need only a few operations (KMS, Secrets Manager, S3), without their SDKs.
//!
//! The SDK's runtime sends the requests: its connections, timeouts and signature. Only the generated types of
//! some hundred operations are left out, which take longer to compile than the rest of a function.
//!
//! **Invariant:** only operations that read, or write the same again, are called: a call without an answer is repeated.
//! **Invariant:** errors contain neither the request nor the answer.

mod bucket;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};

pub use aws_credential_types::Credentials;
pub use bucket::{Bucket, BucketSettings, ObjectHead, Part, PresignedPut};

/// Attempts of a call before it fails.
const ATTEMPTS: u32 = 3;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service refused; holds its error code, such as `AccessDeniedException`.
    #[error("refused: {0}")]
    Refused(String),
    /// No attempt was answered; holds the kind of failure.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer cannot be read.
    #[error("an answer that cannot be read")]
    Malformed,
}

impl CallError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused(code) => {
                let passing = ["Throttl", "Internal", "Unavailable", "Timeout", "status 5"];
                passing.into_iter().any(|part| code.contains(part))
            }
            Self::NoAnswer(_) => true,
            Self::Malformed => false,
        }
    }
}

/// How a service is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service's name in signatures and hosts, such as `kms`.
    pub service: &'static str,
    /// AWS region.
    pub region: String,
    /// Endpoint URL in place of AWS's own; None for AWS.
    pub endpoint: Option<String>,
    /// AWS credentials, from the environment.
    pub credentials: Credentials,
}

/// One service of AWS.
#[derive(Clone, Debug)]
pub struct Service(Operation<Call, Vec<u8>, CallError>);

#[derive(Clone)]
struct Call {
    target: &'static str,
    body: String,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.target)
    }
}

impl Service {
    /// Returns a service whose requests are sent by this client.
    pub fn new(settings: Settings, http: SharedHttpClient) -> Self {
        let Settings { service, region, endpoint, credentials } = settings;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = endpoint.unwrap_or_else(|| format!("https://{service}.{region}.{suffix}"));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(3)).build();
        let (signed_url, identity) = (url.clone(), Identity::from(credentials));
        let operation = Operation::builder()
            .service_name(service)
            .operation_name("call")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&url)
            .http_client(http)
            .timeout_config(timeouts)
            .no_auth()
            .no_retry()
            .serializer(move |call| request(&signed_url, service, &region, &identity, call))
            .deserializer(answer)
            .build();
        Self(operation)
    }

    /// Calls an operation, such as `TrentService.Decrypt`, and reads its answer.
    pub async fn call<T: DeserializeOwned>(
        &self,
        target: &'static str,
        body: &serde_json::Value,
    ) -> Result<T, CallError> {
        let mut attempt = 1;
        loop {
            let call = Call { target, body: body.to_string() };
            match self.0.invoke(call).await.map_err(|error| failed(&error)) {
                Ok(answer) => return serde_json::from_slice(&answer).map_err(|_| CallError::Malformed),
                Err(error) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns the signed request of a call.
fn request(
    url: &str,
    service: &str,
    region: &str,
    identity: &Identity,
    call: Call,
) -> Result<HttpRequest, BoxError> {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", call.target)];
    // A signature carries the machine's time.
    #[allow(clippy::disallowed_methods)]
    let time = SystemTime::now();
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(service)
        .time(time)
        .settings(SigningSettings::default())
        .build()?;
    let body = SignableBody::Bytes(call.body.as_bytes());
    let signable = SignableRequest::new("POST", url, headers.into_iter(), body)?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(SdkBody::from(call.body))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.try_into()?)
}

#[derive(serde::Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

fn answer(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<CallError>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(body.to_vec());
    }
    let refusal = serde_json::from_slice::<Refusal>(body);
    let code = refusal.map_or_else(
        |_| format!("status {}", response.status().as_u16()),
        // The code may be qualified: `com.amazonaws.kms#AccessDeniedException`.
        |refusal| refusal.kind.rsplit('#').next().unwrap_or_default().to_owned(),
    );
    Err(OrchestratorError::operation(CallError::Refused(code)))
}

pub(crate) fn failed(error: &SdkError<CallError, HttpResponse>) -> CallError {
    let kind = match error {
        SdkError::ServiceError(refused) => return refused.err().clone(),
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "broken off",
        SdkError::ConstructionFailure(_) | _ => "not sent",
    };
    CallError::NoAnswer(kind.to_owned())
}
