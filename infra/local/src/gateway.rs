//! The local gateway: what API Gateway does in AWS, in front of the same routers.
//!
//! **Invariant:** a request reaches a function only with the claims of a token that was verified here, or on a
//! route that is open; what a caller sends about itself counts for nothing.

use crate::functions::{Function, serving};
use crate::keys::Keys;
use crate::token;
use axum::extract::{Request, State};
use axum::response::Response;
use edge::Problem;
use http::{StatusCode, header};
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription, ApiGatewayV2httpRequestContext,
};
use lambda_http::request::RequestContext;
use std::collections::HashMap;
use std::sync::Arc;
use tower::ServiceExt;

/// The gateway's state.
pub struct Gateway {
    /// The functions, by path.
    pub functions: Vec<Function>,
    /// What verifies tokens.
    pub keys: Arc<Keys>,
}

/// Paths that need no token.
const OPEN: [&str; 10] = [
    "/health",
    "/api/wallet/health",
    "/api/integration/health",
    "/api/integration/webhook/razorpay",
    "/api/integration/webhook/stripe",
    "/api/integration/webhook/paypal",
    "/api/integration/webhook/google-pay",
    "/api/gift-cards/redeem",
    "/api/gift-cards/webhook/reloadly",
    "/api/gift-cards/webhook/tremendous",
];

/// Verifies the caller and hands the request to its function.
pub async fn handle(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Response {
    let id = request_id();
    let path = request.uri().path();
    let Some(function) = serving(&gateway.functions, path) else {
        let detail = "there is nothing at this path";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", detail).respond(&id);
    };
    let claims = match bearer(&request).and_then(|token| token::verify(token, &gateway.keys)) {
        Some(claims) => Some(claims),
        None if OPEN.contains(&path) => None,
        None => return Problem::unauthenticated().respond(&id),
    };
    let context = context(id, claims);
    request.extensions_mut().insert(RequestContext::ApiGatewayV2(context));
    match function.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The one bearer token of a request.
fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn context(id: String, claims: Option<HashMap<String, String>>) -> ApiGatewayV2httpRequestContext {
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.stage = Some("$default".to_owned());
    context.request_id = Some(id);
    context.http.source_ip = Some("127.0.0.1".to_owned());
    context.authorizer = claims.map(|claims| {
        let mut jwt = ApiGatewayRequestAuthorizerJwtDescription::default();
        jwt.claims = claims;
        let mut authorizer = ApiGatewayRequestAuthorizer::default();
        authorizer.jwt = Some(jwt);
        authorizer
    });
    context
}

/// A fresh id; a request without a key is known by it.
pub fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    rsa::rand_core::RngCore::fill_bytes(&mut rsa::rand_core::OsRng, &mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}
