//! The local gateway, which does what API Gateway does in AWS, in front of the same routers.
//!
//! **Invariant:** a request reaches a function only with the claims of a token that was verified
//! here, or on an open path. Nothing else that callers claim about themselves is trusted.

use crate::functions::{Function, serving};
use crate::token::Verifier;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge::body::read_body;
use edge::{Problem, lambda};
use http::{StatusCode, header};
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription, ApiGatewayV2httpRequest,
    ApiGatewayV2httpRequestContext,
};
use std::collections::HashMap;
use std::sync::Arc;
use tower::ServiceExt;

/// State of the gateway.
pub struct LocalGateway {
    /// Functions, in the order in which a path is matched.
    pub functions: Vec<Function>,
    /// Verifies tokens.
    pub tokens: Verifier,
}

/// Paths that need no token.
const OPEN: [&str; 11] = [
    "/health",
    "/api/wallet/health",
    "/api/integration/health",
    "/api/loyalty/health",
    "/api/integration/webhook/razorpay",
    "/api/integration/webhook/stripe",
    "/api/integration/webhook/paypal",
    "/api/integration/webhook/google-pay",
    "/api/gift-cards/redeem",
    "/api/gift-cards/webhook/reloadly",
    "/api/gift-cards/webhook/tremendous",
];

/// Largest body, in bytes: Lambda's limit of six megabytes per request, minus the overhead of
/// base64.
const MAX_BODY: usize = 4_500_000;

/// Verifies the caller's token and passes the request to its function, converted to the event that
/// API Gateway would send.
pub async fn handle(State(gateway): State<Arc<LocalGateway>>, request: Request) -> Response {
    let id = request_id();
    match answer(&gateway, &id, request).await {
        Ok(response) => response,
        Err(problem) => problem.respond(&id),
    }
}

async fn answer(gateway: &LocalGateway, id: &str, request: Request) -> Result<Response, Problem> {
    let path = lambda::decode_path(request.uri().path())?;
    let Some(function) = serving(&gateway.functions, &path) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
    };
    let claims = bearer(&request).and_then(|token| gateway.tokens.claims(token));
    if claims.is_none() && !OPEN.contains(&path.as_str()) {
        return Err(Problem::unauthenticated());
    }
    let request =
        lambda::request(event(ClientRequest { id, address: "127.0.0.1" }, path, claims, request).await?)?;
    // In a task of its own: as in Lambda, a request that has reached its function is completed though
    // its caller has gone.
    match tokio::spawn(function.router.clone().oneshot(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => Err(Problem::internal()),
    }
}

/// Details of a request that API Gateway adds to the event.
pub struct ClientRequest<'a> {
    /// Id of the request.
    pub id: &'a str,
    /// IP address of the client.
    pub address: &'a str,
}

/// Returns the event that API Gateway sends for a request. The path must be decoded; query and
/// headers are as received.
pub async fn event(
    caller: ClientRequest<'_>,
    path: String,
    claims: Option<impl IntoIterator<Item = (String, String)>>,
    request: Request,
) -> Result<ApiGatewayV2httpRequest, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_BODY).await?;
    let mut event = ApiGatewayV2httpRequest::default();
    let mut context =
        context(caller.id.to_owned(), caller.address.to_owned(), claims.map(HashMap::from_iter));
    context.http.method = parts.method;
    event.request_context = context;
    event.raw_path = Some(path);
    event.raw_query_string = parts.uri.query().map(str::to_owned);
    event.headers = parts.headers;
    match String::from_utf8(body) {
        Ok(text) => event.body = Some(text),
        Err(bytes) => {
            event.body = Some(STANDARD.encode(bytes.as_bytes()));
            event.is_base64_encoded = true;
        }
    }
    Ok(event)
}

/// Returns the bearer token of a request that has exactly one `Authorization` header.
fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn context(
    id: String,
    address: String,
    claims: Option<HashMap<String, String>>,
) -> ApiGatewayV2httpRequestContext {
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.stage = Some("$default".to_owned());
    context.request_id = Some(id);
    context.http.source_ip = Some(address);
    context.authorizer = claims.map(|claims| {
        let mut jwt = ApiGatewayRequestAuthorizerJwtDescription::default();
        jwt.claims = claims;
        let mut authorizer = ApiGatewayRequestAuthorizer::default();
        authorizer.jwt = Some(jwt);
        authorizer
    });
    context
}

/// Returns a random id; it also identifies a request that has no idempotency key.
pub fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    rsa::rand_core::RngCore::fill_bytes(&mut rsa::rand_core::OsRng, &mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}
