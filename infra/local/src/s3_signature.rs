//! Verifies that a request to the stand-in for S3 was signed.
//!
//! **Invariant:** what is verified is what was sent: the signature is computed again, from the request itself.

use aws::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use chrono::{DateTime, NaiveDateTime, Utc};
use http::request::Parts;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The region of the stand-in.
pub(crate) const REGION: &str = "us-east-1";

const DENIED: &str = "AccessDenied";
const MISMATCH: &str = "SignatureDoesNotMatch";

/// Checks a request: a presigned URL's signature and time, or that another request names the local credentials.
pub(crate) fn verify(parts: &Parts, credentials: &Credentials) -> Result<(), &'static str> {
    let query = parts.uri.query().unwrap_or_default();
    let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if let Some(signature) = query.get("X-Amz-Signature") {
        return presigned(parts, &query, signature, credentials);
    }
    // Requests of the platform's own functions.
    let authorization = parts.headers.get(http::header::AUTHORIZATION);
    let scope = format!("AWS4-HMAC-SHA256 Credential={}/", credentials.access_key_id());
    let is_ours = authorization.is_some_and(|value| value.as_bytes().starts_with(scope.as_bytes()));
    if is_ours { Ok(()) } else { Err(DENIED) }
}

fn presigned(
    parts: &Parts,
    query: &BTreeMap<String, String>,
    signature: &str,
    credentials: &Credentials,
) -> Result<(), &'static str> {
    let named = |name: &str| query.get(name).map(String::as_str).ok_or(DENIED);
    let date = NaiveDateTime::parse_from_str(named("X-Amz-Date")?, "%Y%m%dT%H%M%SZ").map_err(|_| DENIED)?;
    let signed_at = SystemTime::from(DateTime::<Utc>::from_naive_utc_and_offset(date, Utc));
    let valid = Duration::from_secs(named("X-Amz-Expires")?.parse().map_err(|_| DENIED)?);
    if SystemTime::now() > signed_at + valid {
        return Err("AccessDenied");
    }
    let mut headers = vec![];
    for name in named("X-Amz-SignedHeaders")?.split(';').filter(|name| *name != "host") {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok()).ok_or(MISMATCH)?;
        headers.push((name, value));
    }
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).ok_or(DENIED)?;
    let url = format!("http://{host}{}", parts.uri.path());
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(valid);
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(signed_at)
        .settings(settings)
        .build()
        .map_err(|_| DENIED)?;
    let unsigned = SignableBody::UnsignedPayload;
    let request = SignableRequest::new(parts.method.as_str(), url, headers.into_iter(), unsigned);
    let signed = sign(request.map_err(|_| DENIED)?, &parameters.into()).map_err(|_| DENIED)?;
    if signed.signature() == signature { Ok(()) } else { Err(MISMATCH) }
}
