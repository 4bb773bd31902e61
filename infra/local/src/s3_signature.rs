//! Verifies that a request to the stand-in for S3 was signed.
//!
//! **Invariant:** what is verified is what was sent: the signature is computed again, from the request itself.

use aws::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use chrono::{DateTime, NaiveDateTime, Utc};
use http::request::Parts;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The region of the stand-in.
pub(crate) const REGION: &str = "us-east-1";

/// The most seconds for which a URL can be presigned, as in S3.
const MAX_SECONDS: u64 = 604_800;

const DENIED: &str = "AccessDenied";
const MISMATCH: &str = "SignatureDoesNotMatch";

/// Checks the signature of a request: in its URL, which has a time of its own, or in its headers.
pub(crate) fn verify(parts: &Parts, credentials: &Credentials) -> Result<(), &'static str> {
    let query = parts.uri.query().unwrap_or_default();
    let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    match query.get("X-Amz-Signature") {
        Some(signature) => presigned(parts, &query, signature, credentials),
        None => signed(parts, credentials),
    }
}

fn header<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn instant(text: &str) -> Result<SystemTime, &'static str> {
    let date = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").map_err(|_| DENIED)?;
    Ok(SystemTime::from(DateTime::<Utc>::from_naive_utc_and_offset(date, Utc)))
}

fn presigned(
    parts: &Parts,
    query: &BTreeMap<String, String>,
    signature: &str,
    credentials: &Credentials,
) -> Result<(), &'static str> {
    let named = |name: &str| query.get(name).map(String::as_str).ok_or(DENIED);
    let signed_at = instant(named("X-Amz-Date")?)?;
    let seconds: u64 = named("X-Amz-Expires")?.parse().map_err(|_| DENIED)?;
    let valid = Duration::from_secs(seconds);
    let until = signed_at.checked_add(valid).filter(|_| seconds <= MAX_SECONDS).ok_or(DENIED)?;
    if SystemTime::now() > until {
        return Err(DENIED);
    }
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(valid);
    let signed = Signed { names: named("X-Amz-SignedHeaders")?, at: signed_at, signature };
    compare(parts, credentials, signed, (settings, SignableBody::UnsignedPayload))
}

/// Checks a request of the platform's own functions.
fn signed(parts: &Parts, credentials: &Credentials) -> Result<(), &'static str> {
    let authorization =
        header(parts, "authorization").and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 "));
    let fields = authorization.ok_or(DENIED)?.split(',').filter_map(|field| field.trim().split_once('='));
    let fields: BTreeMap<&str, &str> = fields.collect();
    let field = |name: &str| fields.get(name).copied().ok_or(DENIED);
    let at = instant(header(parts, "x-amz-date").ok_or(DENIED)?)?;
    let body = SignableBody::Precomputed(header(parts, "x-amz-content-sha256").ok_or(DENIED)?.to_owned());
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let signed = Signed { names: field("SignedHeaders")?, at, signature: field("Signature")? };
    compare(parts, credentials, signed, (settings, body))
}

/// What a request says of its signature.
struct Signed<'a> {
    /// The headers that were signed.
    names: &'a str,
    at: SystemTime,
    signature: &'a str,
}

/// Headers that the signing itself adds.
const ADDED: [&str; 3] = ["host", "x-amz-date", "x-amz-content-sha256"];

fn compare(
    parts: &Parts,
    credentials: &Credentials,
    Signed { names, at, signature }: Signed<'_>,
    (mut settings, body): (SigningSettings, SignableBody<'_>),
) -> Result<(), &'static str> {
    let mut headers = vec![];
    for name in names.split(';').filter(|name| !ADDED.contains(name)) {
        headers.push((name, header(parts, name).ok_or(MISMATCH)?));
    }
    let url = format!("http://{}{}", header(parts, "host").ok_or(DENIED)?, parts.uri.path());
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(at)
        .settings(settings)
        .build()
        .map_err(|_| DENIED)?;
    let request = SignableRequest::new(parts.method.as_str(), url, headers.into_iter(), body);
    let computed = sign(request.map_err(|_| DENIED)?, &parameters.into()).map_err(|_| DENIED)?;
    if computed.signature() == signature { Ok(()) } else { Err(MISMATCH) }
}
