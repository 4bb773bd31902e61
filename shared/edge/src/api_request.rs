//! The request that a handler receives: the verified caller, path, query, idempotency key and body.
//!
//! **Invariant:** the caller comes from the claims that the authorizer put into the request context, never from
//! a header.
//! **Invariant:** a decoded body never exceeds its size limit; decompression stops there.

use crate::app::App;
use crate::body::{BodyLimit, MAX_BODY, MAX_CSV, read_body};
use crate::fields::Fields;
use crate::params::Params;
use crate::paths::{CustomerPath, Segment};
use crate::problem::Problem;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::HeaderMap;
use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{CustomerId, IdempotencyKey, RequestId};
use domain::parse::ParseError;
use domain::permit::{Action, Permission};
use domain::wallet::permit::WalletAction;
use http::{HeaderValue, StatusCode, header};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use std::io::Read;

/// The client of a request, as API Gateway reports it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The source IP address.
    pub ip: Option<String>,
    /// The `User-Agent` header without control characters, at most 200 characters.
    pub user_agent: Option<String>,
}

/// An API request with a decoded body.
pub struct ApiRequest {
    actor: Option<Actor>,
    from: Origin,
    request: RequestId,
    path: Vec<(String, String)>,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<S: Send + Sync> FromRequest<S> for ApiRequest
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, state).await;
        let path = path.map_err(|_| Problem::invalid("the path is not UTF-8"))?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let of_router = parts.extensions.get::<BodyLimit>().map_or(MAX_BODY, |limit| limit.0);
        let limit = if is_kind(&parts.headers, "text/csv") { MAX_CSV } else { of_router };
        let body = decoded(&parts.headers, read_body(body, limit).await?, limit)?;
        Ok(Self {
            actor: actor_of(&App::from_ref(state), &parts.extensions),
            from: origin_of(&parts),
            request: request_id(&parts.extensions),
            path,
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
        })
    }
}

impl ApiRequest {
    /// Returns the verified caller, or the problem `unauthenticated`.
    pub fn actor(&self) -> Result<&Actor, Problem> {
        self.actor.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// Returns the caller's permission for the action on some resource, or a problem.
    pub fn permission<A: Action>(&self, action: A) -> Result<Permission<'_, A>, Problem> {
        Permission::of(self.actor()?, action).map_err(|_| Problem::forbidden())
    }

    /// Checks that the caller may do this to the wallet.
    pub fn permit(&self, action: WalletAction, customer: &CustomerId) -> Result<(), Problem> {
        self.permit_or(action, customer, Problem::wallet_not_found)
    }

    /// Checks that the caller may do this to the resource. If the caller may not know of the resource,
    /// returns `not_found`.
    pub fn permit_or<A: Action>(
        &self,
        action: A,
        resource: &A::Resource,
        not_found: fn() -> Problem,
    ) -> Result<(), Problem> {
        self.permission(action)?.on(resource).map_err(|denial| Problem::denied(denial, not_found))
    }

    /// Returns the context for a decision: time, caller, request id and policy.
    pub fn context(&self, app: &App) -> Result<Context, Problem> {
        self.context_as(app, self.actor()?.clone())
    }

    fn context_as(&self, app: &App, actor: Actor) -> Result<Context, Problem> {
        if self.request.as_str().is_empty() {
            // A request without a key uses its id as its cause, so two requests without an id would
            // share one.
            tracing::error!("the request has no id: neither Lambda nor API Gateway has set one");
            return Err(Problem::internal());
        }
        Ok(Context { now: app.clock.now(), actor, request: self.request.clone(), policy: app.policy.clone() })
    }

    /// Returns the id of this invocation.
    pub fn id(&self) -> &RequestId {
        &self.request
    }

    /// Reads a segment of the path as the API document describes it.
    pub fn segment<S: Segment>(&self) -> Result<S::Id, Problem> {
        self.path(S::NAME, S::parse)
    }

    /// Reads the segment of the path with this name.
    pub fn path<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, ParseError>) -> Result<T, Problem> {
        self.actor()?;
        let (_, text) = self.path.iter().find(|(param, _)| param == name).ok_or_else(Problem::internal)?;
        parse(text).map_err(|error| Problem::field(format!("/{name}"), error.0))
    }

    /// Reads the customer id from the path.
    pub fn customer(&self) -> Result<CustomerId, Problem> {
        self.segment::<CustomerPath>()
    }

    /// Returns the query parameters.
    pub fn params(&self) -> Params {
        Params::new(self.query.as_deref())
    }

    /// Reads the `Idempotency-Key` header, if it was sent.
    pub fn key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let mut values = self.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(None) };
        let detail = "must be sent once, as 1 to 255 printable ASCII characters";
        let bad = || Problem::field("/Idempotency-Key", detail);
        if values.next().is_some() {
            return Err(bad());
        }
        let text = value.to_str().map_err(|_| bad())?;
        IdempotencyKey::parse(text).map(Some).map_err(|_| bad())
    }

    /// Returns the client's address and program.
    pub fn origin(&self) -> &Origin {
        &self.from
    }

    /// True if the body was sent as `text/csv`.
    pub fn is_csv(&self) -> bool {
        is_kind(&self.headers, "text/csv")
    }

    /// True if the caller wants `text/csv`.
    pub fn accepts_csv(&self) -> bool {
        self.accepts("text/csv")
    }

    /// True if the caller wants `text/html`.
    pub fn accepts_html(&self) -> bool {
        self.accepts("text/html")
    }

    fn accepts(&self, wanted: &str) -> bool {
        let accepted = self.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let kinds = accepted.flat_map(|value| value.split(','));
        kinds.filter_map(|kind| kind.split(';').next()).any(|kind| kind.trim().eq_ignore_ascii_case(wanted))
    }

    /// Returns the bytes of a CSV body.
    pub fn csv(&self) -> Result<&[u8], Problem> {
        self.actor()?;
        if !self.is_csv() {
            let detail = "the body must be sent as text/csv";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        Ok(&self.body)
    }

    /// Reads the fields of the JSON body of an operation that needs no token.
    pub fn anonymous_fields(&self) -> Result<Fields<'_>, Problem> {
        self.params().finish()?;
        self.parsed()
    }

    /// Returns the context for a decision of an operation that needs no token.
    pub fn anonymous_context(&self, app: &App) -> Result<Context, Problem> {
        let actor = self.actor.clone().unwrap_or_else(|| Actor::system("redeem"));
        self.context_as(app, actor)
    }

    /// Reads the fields of the JSON body; operations with a body take no query parameters.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        self.actor()?;
        self.params().finish()?;
        self.parsed()
    }

    /// Reads the fields of a JSON body that is required, even if every field is optional.
    pub fn some_fields(&self) -> Result<Fields<'_>, Problem> {
        self.actor()?;
        if self.body.is_empty() {
            return Err(Problem::invalid("the body is missing: a JSON object is required"));
        }
        self.fields()
    }

    fn parsed(&self) -> Result<Fields<'_>, Problem> {
        if !self.body.is_empty() && !is_json(&self.headers) {
            let detail = "the body must be sent as application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        Fields::parse(&self.body)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    is_kind(headers, "application/json")
}

fn is_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(Ok(kind)), None) = (kinds.next().map(HeaderValue::to_str), kinds.next()) else { return false };
    let mut parts = kind.split(';').map(str::trim);
    let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
    let utf8 = |part: &str| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            // Accepts all usual spellings: UTF-8, utf8, "utf-8", utf_8.
            let letters = value.chars().filter(char::is_ascii_alphanumeric);
            letters.collect::<String>().eq_ignore_ascii_case("utf8")
        }
        Some(_) | None => true,
    };
    named && parts.all(utf8)
}

/// Decompresses the body; refuses one that would exceed `most` bytes, such as a decompression bomb.
fn decoded(headers: &HeaderMap, body: Vec<u8>, most: usize) -> Result<Vec<u8>, Problem> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(body) };
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    let read = match encoding.to_str().map(str::to_ascii_lowercase).as_deref() {
        Ok("identity") => return Ok(body),
        Ok("gzip") => flate2::read::MultiGzDecoder::new(body.as_slice()).take(limit).read_to_end(&mut plain),
        Ok("deflate") => flate2::read::ZlibDecoder::new(body.as_slice()).take(limit).read_to_end(&mut plain),
        Ok(_) | Err(_) => {
            let detail = "the Content-Encoding must be gzip or deflate";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
    };
    read.map_err(|_| Problem::invalid("the body does not match its Content-Encoding"))?;
    if plain.len() > most { Err(Problem::too_large()) } else { Ok(plain) }
}

/// Returns the caller from the claims of the JWT authorizer.
fn actor_of(app: &App, extensions: &http::Extensions) -> Option<Actor> {
    let Some(RequestContext::ApiGatewayV2(context)) = extensions.request_context_ref() else { return None };
    app.claims.actor(&context.authorizer.as_ref()?.jwt.as_ref()?.claims)
}

/// Returns the caller's address and program, as API Gateway reports them.
fn origin_of(parts: &http::request::Parts) -> Origin {
    let ip = match parts.extensions.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
        _ => None,
    };
    let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect());
    Origin { ip, user_agent: agent }
}

/// Returns the invocation's id: Lambda's, else API Gateway's, else an empty one.
pub(crate) fn request_id(extensions: &http::Extensions) -> RequestId {
    let lambda = extensions.lambda_context_ref().map(|context| context.request_id.clone());
    let gateway = match extensions.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    RequestId::new(lambda.filter(|id| !id.is_empty()).or(gateway).unwrap_or_default())
}
