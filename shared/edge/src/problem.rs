//! Problems: what failures look like as RFC 9457 responses.
//!
//! **Invariant:** internal error texts are logged here, once, and never sent.

use axum::response::{IntoResponse, Response};
use domain::currency::Currency;
use domain::money::Money;
use domain::permit::Denial;
use domain::rejection::Rejection;
use domain::unit::Unit;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use store::StoreError;

use crate::field_errors::{FieldError, FieldErrors};
use crate::json::Number;

/// The additional fields of `insufficient_funds`.
#[derive(Clone, Debug)]
pub struct Shortfall {
    pub(crate) available: Money,
    pub(crate) required: Money,
    pub(crate) unit: Unit,
    /// What available and required points are worth, and in which currency.
    pub(crate) values: Option<([Money; 2], Currency)>,
}

/// The additional fields of `redemption_policy`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointsLimit {
    pub(crate) points: u64,
    pub(crate) by: &'static str,
}

/// A rejection or failure, ready to be sent.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code that clients branch on.
    pub code: &'static str,
    detail: String,
    errors: Box<FieldErrors>,
    shortfall: Option<Box<Shortfall>>,
    limit: Option<Box<PointsLimit>>,
    required_tier: Option<Box<str>>,
    job_id: Option<Box<str>>,
    retry_after: Option<u32>,
}

/// Problem details (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URN that ends in the code.
    #[serde(rename = "type")]
    #[schema(examples("urn:scrip:problem:insufficient_funds"))]
    kind: String,
    /// The standard phrase of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Explanation for developers; the text may change.
    detail: String,
    /// Id of this request.
    instance: String,
    /// Stable code to branch on.
    #[schema(examples("insufficient_funds"))]
    code: &'static str,
    /// For `invalid_request`: the invalid fields, at most the first 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// The number of invalid fields, if there are more than are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    error_count: Option<usize>,
    /// For `insufficient_funds` and `insufficient_points`: the amount, or the points, that could be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<Number>,
    /// For `insufficient_funds` and `insufficient_points`: the requested amount or points.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<Number>,
    /// For `insufficient_points`: what the available points are worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    available_value: Option<Number>,
    /// For `insufficient_points`: what the requested points are worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_value: Option<Number>,
    /// For `insufficient_funds` and `insufficient_points`: the currency of the amounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
    /// For `redemption_policy`: the points that the rule allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_points: Option<u64>,
    /// For `redemption_policy`: the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_by: Option<&'static str>,
    /// For `tier_required`: the lowest tier whose members may.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_tier: Option<String>,
    /// For `job_repeated` and `upload_used`: the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    job_id: Option<String>,
}

impl Problem {
    /// Creates a problem with this status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Box::default(),
            shortfall: None,
            limit: None,
            required_tier: None,
            job_id: None,
            retry_after: None,
        }
    }

    /// A request that is invalid as a whole.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// A request with invalid fields.
    pub fn fields(errors: FieldErrors) -> Self {
        Self { errors: Box::new(errors), ..Self::invalid("some fields are invalid; see errors") }
    }

    /// A request with one invalid field.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(|| pointer.into(), &detail.into());
        Self::fields(errors)
    }

    /// Returns the invalid fields that are listed.
    pub fn errors(&self) -> &[FieldError] {
        self.errors.listed()
    }

    /// Returns the invalid fields.
    pub fn into_errors(self) -> FieldErrors {
        *self.errors
    }

    /// Returns the explanation for developers.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Adds the job that the problem is about.
    pub fn with_job(mut self, job: &str) -> Self {
        self.job_id = Some(job.into());
        self
    }

    /// Adds the field that the problem is about.
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        let detail = self.detail.clone();
        self.errors.add(|| pointer.into(), &detail);
        self
    }

    /// The request has no verified caller.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a valid bearer token is required")
    }

    /// The caller's role or scope does not allow the action.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "the token's role or scope does not allow this")
    }

    pub(crate) fn missing(code: &'static str, detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// The budget account does not exist, or the caller may not know of it.
    pub fn account_not_found() -> Self {
        Self::from(Rejection::AccountNotFound)
    }

    /// The redemption code cannot be redeemed; the same for every reason.
    pub fn code_not_found() -> Self {
        Self::missing("code_not_found", "this code cannot be redeemed".to_owned())
    }

    /// The caller has made too many attempts; retry after these seconds.
    pub fn rate_limited(seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many attempts; retry later")
            .retry(seconds)
    }

    /// The wallet does not exist, or the caller may not know of it.
    pub fn wallet_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "wallet_not_found", "there is no such wallet")
    }

    /// The hold does not exist, or the caller may not know of it.
    pub fn hold_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "hold_not_found", "there is no such hold")
    }

    /// The gateway does not know the payment.
    pub fn payment_not_found() -> Self {
        let detail = "the gateway of this top-up does not know this payment";
        Self::new(StatusCode::NOT_FOUND, "payment_not_found", detail).at("/gateway_payment_id")
    }

    /// The top-up does not exist, or the caller may not know of it.
    pub fn topup_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "topup_not_found", "there is no such top-up")
    }

    /// The gateway does not answer; a repeated request with the same key resumes.
    pub fn gateway_unavailable() -> Self {
        let detail =
            "the payment gateway does not answer; retry with the same Idempotency-Key to resume the request";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(5)
    }

    /// The gateway refuses the call, most often because its API keys are wrong.
    pub fn gateway_refused() -> Self {
        let detail = "the payment gateway refuses the request (its API keys may be wrong: see the log); nothing was credited";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(60)
    }

    /// The body exceeds the size limit.
    pub fn too_large() -> Self {
        let detail = "the body must be at most 256 KiB (CSV: 4 MiB)";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// The gateway refuses the payment permanently; `reason` is shown to the caller.
    pub fn gateway_rejected(reason: &str) -> Self {
        let detail = format!(
            "the payment gateway refuses this payment: {reason}; nothing was started, and the key can be used again"
        );
        Self::new(StatusCode::CONFLICT, "gateway_rejected", detail)
    }

    /// An internal error.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error occurred")
    }

    pub(crate) fn retry(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(crate) fn limited(self, limit: PointsLimit) -> Self {
        Self { limit: Some(Box::new(limit)), ..self }
    }

    pub(crate) fn of_tier(self, tier: &str) -> Self {
        Self { required_tier: Some(tier.into()), ..self }
    }

    pub(crate) fn short(code: &'static str, shortfall: Shortfall, detail: String) -> Self {
        let problem = Self::new(StatusCode::PAYMENT_REQUIRED, code, detail);
        Self { shortfall: Some(Box::new(shortfall)), ..problem }
    }

    /// Returns the response for the problem; `instance` is the request's id.
    pub fn respond(&self, instance: &str) -> Response {
        let short = self.shortfall.as_deref();
        let values = short.and_then(|short| short.values);
        let body = ProblemBody {
            kind: format!("urn:scrip:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            code: self.code,
            errors: self.errors.listed().to_vec(),
            error_count: Some(self.errors.count()).filter(|count| *count > self.errors.listed().len()),
            available: short.map(|s| Number::money(s.available, s.unit)),
            required: short.map(|s| Number::money(s.required, s.unit)),
            available_value: values.map(|([available, _], currency)| Number::money(available, currency)),
            required_value: values.map(|([_, required], currency)| Number::money(required, currency)),
            currency: short.map(|s| s.values.map_or(s.unit.code(), |(_, currency)| currency.code())),
            limit_points: self.limit.as_ref().map(|limit| limit.points),
            limited_by: self.limit.as_ref().map(|limit| limit.by),
            required_tier: self.required_tier.as_deref().map(str::to_owned),
            job_id: self.job_id.as_deref().map(str::to_owned),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, bytes).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The telemetry layer replaces this response by one with the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.respond("");
        response.extensions_mut().insert(self);
        response
    }
}

impl Problem {
    /// The caller may not do this. If the caller may not know of the resource, the problem is
    /// `not_found`.
    pub fn denied(denial: Denial, not_found: fn() -> Self) -> Self {
        match denial {
            Denial::Forbidden => Self::forbidden(),
            Denial::Unknown => not_found(),
        }
    }
}

const OUTCOME_UNKNOWN: &str = "the outcome is unknown; retry with the same Idempotency-Key to learn it";

const NOTHING_APPLIED: &str =
    "the table cannot be reached; nothing was applied, try again later with the same Idempotency-Key";

impl Problem {
    /// Returns the problem as the answer to a request that has applied something before.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        if self.detail == NOTHING_APPLIED || self.code == "contention" {
            self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", OUTCOME_UNKNOWN).retry(2);
        }
        self
    }

    /// Returns the problem as the answer to a request that only reads, and so has no outcome.
    pub(crate) fn of_read(mut self) -> Self {
        if self.detail == OUTCOME_UNKNOWN || self.detail == NOTHING_APPLIED {
            self.detail = "the table does not answer at the moment; try again".into();
        }
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            StoreError::Rejected(rejection) => Self::from(rejection),
            StoreError::Contention(inner) => {
                tracing::warn!(inner, "contention");
                let detail = "too many conflicting requests; nothing was applied, try again";
                Self::new(unavailable, "contention", detail).retry(1)
            }
            StoreError::Unreachable(inner) => {
                tracing::error!(inner, "unreachable");
                Self::new(unavailable, "unavailable", NOTHING_APPLIED).retry(5)
            }
            StoreError::Unavailable(inner) => {
                tracing::error!(inner, "unavailable");
                Self::new(unavailable, "unavailable", OUTCOME_UNKNOWN).retry(2)
            }
            StoreError::Corrupt(inner) => {
                tracing::error!(inner, "stored item is unreadable");
                Self::new(unavailable, "unavailable", "this account cannot be served at the moment").retry(60)
            }
        }
    }
}

/// A required field is missing or invalid; its error is already recorded.
#[derive(Clone, Copy, Debug)]
pub struct MissingField;

/// Not reached in practice, because [`crate::fields::Fields::finish`] has already reported the field.
impl From<MissingField> for Problem {
    fn from(_: MissingField) -> Self {
        Self::invalid("a required field is missing")
    }
}
