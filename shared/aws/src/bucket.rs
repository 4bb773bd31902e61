//! Objects of one S3 bucket: signed requests for the five operations that are used, and presigned URLs.
//!
//! **Invariant:** keys consist of letters, digits, `_`, `-`, `.` and `/`, so a key and its path are the same text.
//! **Invariant:** an object is read under the ETag that its reader has seen: a replaced object is never read as the first.
//! **Invariant:** only requests that can be repeated without harm are repeated.

use crate::{ATTEMPTS, CallError, failed};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Time after which a request for a part of an object has failed.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How a bucket is reached.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// The bucket's name.
    pub bucket: String,
    /// AWS region.
    pub region: String,
    /// Endpoint URL in place of AWS's own; None for AWS.
    pub endpoint: Option<String>,
    /// AWS credentials, from the environment.
    pub credentials: crate::Credentials,
}

impl BucketSettings {
    /// Reads the settings of a function: `required` fails for a variable that is not set.
    pub fn read<E>(
        credentials: crate::Credentials,
        required: impl Fn(&str) -> Result<String, E>,
        optional: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, E> {
        Ok(Self {
            bucket: required("SCRIP_FILES_BUCKET")?,
            region: required("AWS_REGION")?,
            endpoint: optional("AWS_ENDPOINT_URL_S3"),
            credentials,
        })
    }
}

/// What is known of an object without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Changes with the content.
    pub etag: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// Where an object is to be put. The URL is all that a caller needs, so it is a secret.
#[derive(Clone)]
pub struct PresignedPut {
    /// Takes it, without other credentials.
    pub url: String,
    /// The headers that the request must have.
    pub headers: Vec<(&'static str, String)>,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// The object has another ETag, or is gone.
    Changed,
}

/// Signs requests of a bucket.
#[derive(Debug)]
struct Signer {
    base: String,
    region: String,
    identity: Identity,
}

/// A bucket of S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    signer: Arc<Signer>,
    operation: Operation<ObjectCall, ObjectReply, CallError>,
}

#[derive(Clone)]
struct ObjectCall {
    method: &'static str,
    key: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl std::fmt::Debug for ObjectCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method)
    }
}

#[derive(Debug)]
struct ObjectReply {
    status: u16,
    etag: Option<String>,
    length: Option<u64>,
    body: Vec<u8>,
}

impl Signer {
    fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    fn instructions(
        &self,
        (method, url): (&str, &str),
        headers: &[(&'static str, String)],
        (body, valid): (SignableBody<'_>, Option<Duration>),
    ) -> Result<SigningInstructions, BoxError> {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        if let Some(valid) = valid {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(valid);
        } else {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        // A signature carries the machine's time.
        #[allow(clippy::disallowed_methods)]
        let time = SystemTime::now();
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("s3")
            .time(time)
            .settings(settings)
            .build()?;
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(method, url, headers, body)?;
        Ok(sign(signable, &parameters.into())?.into_parts().0)
    }

    fn request(&self, call: ObjectCall) -> Result<HttpRequest, BoxError> {
        let url = self.url(&call.key);
        let body = SignableBody::Bytes(&call.body);
        let instructions = self.instructions((call.method, &url), &call.headers, (body, None))?;
        // The runtime puts the endpoint, with its path, before the path of the request.
        let mut request = http::Request::builder().method(call.method).uri(format!("/{}", call.key));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(SdkBody::from(call.body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }

    fn presign(
        &self,
        method: &'static str,
        key: &str,
        headers: &[(&'static str, String)],
        valid: Duration,
    ) -> Result<String, BoxError> {
        let url = self.url(key);
        let unsigned = (SignableBody::UnsignedPayload, Some(valid));
        let instructions = self.instructions((method, &url), headers, unsigned)?;
        let mut request = http::Request::builder().method(method).uri(url).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.uri().to_string())
    }
}

fn reply(response: &HttpResponse) -> Result<ObjectReply, OrchestratorError<CallError>> {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let status = response.status().as_u16();
    if status >= 500 || status == 429 || status == 403 {
        return Err(OrchestratorError::operation(CallError::Refused(format!("status {status}"))));
    }
    Ok(ObjectReply {
        status,
        etag: header("etag"),
        length: header("content-length").and_then(|length| length.parse().ok()),
        body: response.body().bytes().unwrap_or_default().to_vec(),
    })
}

impl Bucket {
    /// Returns a bucket whose requests are sent by this client.
    pub fn new(settings: BucketSettings, http: SharedHttpClient) -> Self {
        let BucketSettings { bucket, region, endpoint, credentials } = settings;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        // AWS takes the bucket from the host; other servers from the path.
        let base = match endpoint {
            Some(url) => format!("{}/{bucket}", url.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.{suffix}"),
        };
        let signer = Arc::new(Signer { base: base.clone(), region, identity: Identity::from(credentials) });
        let signing = signer.clone();
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
        let operation = Operation::builder()
            .service_name("s3")
            .operation_name("object")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&base)
            .http_client(http)
            .timeout_config(timeouts)
            .no_auth()
            .no_retry()
            .serializer(move |call| signing.request(call))
            .deserializer(reply)
            .build();
        Self { signer, operation }
    }

    async fn call(&self, call: ObjectCall) -> Result<ObjectReply, CallError> {
        let mut attempt = 1;
        loop {
            match self.operation.invoke(call.clone()).await.map_err(|error| failed(&error)) {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    /// Returns a URL that takes exactly these bytes once, for some time: a PUT of an object that is there is refused.
    pub fn presign_put(
        &self,
        key: &str,
        (bytes, sha256): (u64, Option<&str>),
        valid: Duration,
    ) -> Result<PresignedPut, CallError> {
        let mut headers = vec![("content-length", bytes.to_string()), ("if-none-match", "*".to_owned())];
        headers.extend(sha256.map(|digest| ("x-amz-checksum-sha256", digest.to_owned())));
        let url = self.signer.presign("PUT", key, &headers, valid).map_err(|_| CallError::Malformed)?;
        Ok(PresignedPut { url, headers })
    }

    /// Returns a URL that gives an object for some time.
    pub fn presign_get(&self, key: &str, valid: Duration) -> Result<String, CallError> {
        self.signer.presign("GET", key, &[], valid).map_err(|_| CallError::Malformed)
    }

    /// Returns what is known of an object; `None` if there is none.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectHead>, CallError> {
        let call = ObjectCall { method: "HEAD", key: key.to_owned(), headers: vec![], body: vec![] };
        let reply = self.call(call).await?;
        match (reply.status, reply.etag, reply.length) {
            (200, Some(etag), Some(bytes)) => Ok(Some(ObjectHead { etag, bytes })),
            (404, ..) => Ok(None),
            (status, ..) => Err(CallError::Refused(format!("status {status}"))),
        }
    }

    /// Reads the bytes from `from` to before `until` of the object with this ETag.
    pub async fn part(&self, key: &str, etag: &str, from: u64, until: u64) -> Result<Part, CallError> {
        let range = format!("bytes={from}-{}", until.saturating_sub(1));
        let headers = vec![("if-match", etag.to_owned()), ("range", range)];
        let reply =
            self.call(ObjectCall { method: "GET", key: key.to_owned(), headers, body: vec![] }).await?;
        match reply.status {
            200 if from == 0 => Ok(Part::Bytes(reply.body)),
            206 => Ok(Part::Bytes(reply.body)),
            404 | 412 => Ok(Part::Changed),
            status => Err(CallError::Refused(format!("status {status}"))),
        }
    }

    /// Writes an object; one with this key is replaced.
    pub async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), CallError> {
        let headers = vec![("content-type", content_type.to_owned())];
        let reply = self.call(ObjectCall { method: "PUT", key: key.to_owned(), headers, body }).await?;
        if reply.status == 200 { Ok(()) } else { Err(CallError::Refused(format!("status {}", reply.status))) }
    }
}
