//! Runs an HTTP function in Lambda; checks each event before the adapter of `lambda_http` reads it.
//!
//! API Gateway's HTTP APIs pass a decoded `rawPath`. The adapter parses it as a URL again, where `#`,
//! `?`, `\` and dot segments have a meaning, and it panics on a query, host or body that it cannot read.
//! Therefore the path is encoded again here, segment by segment, and an event that the adapter cannot
//! read is answered with a 400.
//!
//! **Invariant:** a handler sees each segment of `rawPath` byte for byte, without the leading stage: the
//! path that is routed, the id that is parsed and the id that is authorized are the same text.
//! **Invariant:** no event makes the adapter panic.

use crate::problem::Problem;
use crate::telemetry;
use crate::wiring::{BuildError, Function, Parts, deployed_name};
use axum::response::Response;
use axum::{Router, middleware};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Request, Service, TransformResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use std::convert::Infallible;
use std::task::{Context, Poll};

/// The complement of RFC 3986's "unreserved" characters: everything that is percent-encoded in a path.
const ENCODED_IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The longest path, in bytes. API Gateway accepts at most 10 KB for the request line and all headers.
const MAX_PATH_BYTES: usize = 8_192;

/// The longest query, in bytes.
const MAX_QUERY_BYTES: usize = 16_384;

/// Runs an HTTP function of this name until Lambda ends the process; `build` builds its routes.
pub async fn run(
    name: &str,
    build: impl AsyncFn(Parts) -> Result<Router, BuildError>,
) -> Result<(), BuildError> {
    telemetry::init_lambda(name, &deployed_name(name));
    let function = Function::start(build).await?;
    let handle = async |event| HttpFunction { router: function.current().await }.call(event).await;
    lambda_http::lambda_runtime::run(lambda_http::service_fn(|event| Box::pin(handle(event)))).await
}

/// An event of API Gateway's HTTP API (payload format 2.0).
#[derive(Debug)]
pub struct HttpEvent(pub ApiGatewayV2httpRequest);

impl<'de> Deserialize<'de> for HttpEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Value::deserialize(deserializer)?;
        if let Some(Value::Object(claims)) = event.pointer_mut("/requestContext/authorizer/jwt/claims") {
            claims.retain(|_, claim| !claim.is_null());
            claims.values_mut().for_each(|claim| *claim = Value::String(claim_text(claim)));
        }
        serde_json::from_value(event).map(Self).map_err(de::Error::custom)
    }
}

/// Formats a claim as API Gateway passes it: text unchanged, a list as `[a b]`, anything else as JSON.
pub fn claim_text(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(claim_text).collect::<Vec<_>>().join(" ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => claim.to_string(),
    }
}

/// An HTTP function as a service that the Lambda runtime calls.
#[derive(Clone)]
pub struct HttpFunction {
    /// The routes of the function.
    pub router: Router,
}

impl Service<LambdaEvent<HttpEvent>> for HttpFunction {
    type Response = <Adapter<'static, Response, Router> as Service<LambdaEvent<LambdaRequest>>>::Response;
    type Error = Infallible;
    type Future = TransformResponse<'static, Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: LambdaEvent<HttpEvent>) -> Self::Future {
        let LambdaEvent { payload: HttpEvent(mut event), context } = event;
        let router = match check(&mut event) {
            Ok(()) => self.router.clone(),
            Err(problem) => {
                event.raw_path = Some("/".to_owned());
                event.raw_query_string = None;
                event.body = None;
                event.headers.remove(header::HOST);
                event.request_context.domain_name = None;
                refusing(problem)
            }
        };
        Adapter::from(router).call(LambdaEvent::new(LambdaRequest::ApiGatewayV2(event), context))
    }
}

/// Checks an event and converts it to the request that the adapter makes of it.
pub fn request(mut event: ApiGatewayV2httpRequest) -> Result<Request, Problem> {
    check(&mut event)?;
    Ok(Request::from(LambdaRequest::ApiGatewayV2(event)))
}

/// Returns a router that answers every request with one problem.
fn refusing(problem: Problem) -> Router {
    let answer = move || async move { problem };
    Router::new().fallback(answer).layer(middleware::from_fn(telemetry::layer))
}

/// Normalises an event so that the adapter reads it correctly, or returns what is wrong with it.
fn check(event: &mut ApiGatewayV2httpRequest) -> Result<(), Problem> {
    let path = event.raw_path.as_deref().unwrap_or("/");
    let stage = event.request_context.stage.as_deref();
    let path = encode_path(without_stage(path, stage, event.route_key.as_deref()))?;
    check_query(event.raw_query_string.as_deref().unwrap_or_default())?;
    check_host(event)?;
    let body = event.body.as_deref().filter(|_| event.is_base64_encoded);
    if body.is_some_and(|body| STANDARD.decode(body).is_err()) {
        return Err(Problem::invalid("the body is not base64"));
    }
    event.raw_path = Some(path);
    // The adapter would prepend the stage again. Functions do not use the host.
    event.request_context.stage = Some("$default".to_owned());
    event.request_context.domain_name = None;
    event.headers.remove(header::HOST);
    Ok(())
}

/// Returns the path without the leading stage. If the route's pattern matches the whole path, the path
/// has no stage, as with a custom domain that omits it.
fn without_stage<'a>(path: &'a str, stage: Option<&str>, route: Option<&str>) -> &'a str {
    let rest = stage.filter(|stage| !stage.is_empty() && *stage != "$default").and_then(|stage| {
        let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    });
    let Some(rest) = rest else { return path };
    let pattern = route.and_then(|route| route.split_once(' ')).map(|(_, pattern)| pattern);
    if pattern.is_some_and(|pattern| fits(pattern, path)) {
        return path;
    }
    if rest.is_empty() { "/" } else { rest }
}

/// True if a path matches the pattern of a route, such as `/api/wallet/{proxy+}`.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(_)) if pattern.starts_with('{') && pattern.ends_with("+}") => return true,
            (Some(pattern), Some(segment)) => {
                let any = pattern.starts_with('{') && pattern.ends_with('}');
                if !any && pattern != segment {
                    return false;
                }
            }
            (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

/// Percent-encodes a path so that decoding returns each segment unchanged.
fn encode_path(path: &str) -> Result<String, Problem> {
    let bad = |detail: &str| Err(Problem::invalid(detail));
    let Some(rest) = path.strip_prefix('/') else { return bad("the path does not begin with a slash") };
    if path.len() > MAX_PATH_BYTES {
        return bad("the path is too long");
    }
    if path.chars().any(char::is_control) {
        return bad("the path contains control characters");
    }
    if rest.split('/').any(|segment| matches!(segment, "." | "..")) {
        return bad("the path contains dot segments");
    }
    let encoded = rest.split('/').map(|segment| utf8_percent_encode(segment, ENCODED_IN_PATHS).to_string());
    Ok(format!("/{}", encoded.collect::<Vec<_>>().join("/")))
}

/// Undoes the percent-encoding of a path once, as API Gateway does.
pub fn decode_path(path: &str) -> Result<String, Problem> {
    let bad = || Problem::invalid("the path is not percent-encoded UTF-8");
    if !is_percent_encoded(path) {
        return Err(bad());
    }
    percent_decode_str(path).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| bad())
}

/// True if every percent sign is followed by two hexadecimal digits.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let code = rest.as_bytes().first_chunk::<2>();
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Refuses a query that is not valid in a URI (RFC 3986, section 3.4). Brackets, braces and bars are
/// allowed, because browsers send them unencoded.
fn check_query(query: &str) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`');
    let is_text = || percent_decode_str(query).decode_utf8().is_ok();
    if query.len() > MAX_QUERY_BYTES || !query.bytes().all(plain) || !is_percent_encoded(query) || !is_text()
    {
        return Err(Problem::invalid("the query is not a percent-encoded URI query"));
    }
    Ok(())
}

/// Refuses a `Host` header that contains more than a host and a port.
fn check_host(event: &ApiGatewayV2httpRequest) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let is_host = |host: &[u8]| !host.is_empty() && host.iter().copied().all(plain);
    if event.headers.get_all(header::HOST).iter().all(|host| is_host(host.as_bytes())) {
        Ok(())
    } else {
        Err(Problem::invalid("the Host header is not a host"))
    }
}
