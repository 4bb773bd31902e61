//! Problems: the one mapping from refusals and failures to RFC 9457 answers.
//!
//! **Invariant:** the mapping is exhaustive without a catch-all, so a new rejection cannot be forgotten.
//! **Invariant:** inner causes are logged here, once, and never sent.

use axum::response::{IntoResponse, Response};
use domain::money::Money;
use domain::permit::Denial;
use domain::rejection::Rejection;
use domain::unit::Unit;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use store::StoreError;

use crate::json::Number;

/// One offending field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer into the body, or the name of a parameter behind a slash.
    #[schema(examples("/amount"))]
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What `insufficient_funds` tells beyond.
#[derive(Clone, Debug)]
pub struct Shortfall {
    available: Money,
    required: Money,
    unit: Unit,
}

/// A refusal or failure, ready to be answered.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    shortfall: Option<Shortfall>,
    retry_after: Option<u32>,
}

/// A problem as it is sent.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A URN that ends in the code.
    #[serde(rename = "type")]
    #[schema(examples("urn:scrip:problem:insufficient_funds"))]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, for a developer.
    detail: String,
    /// The id of this request.
    instance: String,
    /// The stable code to branch on.
    #[schema(examples("insufficient_funds"))]
    code: &'static str,
    /// Every offending field, for `invalid_request`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// What could be spent, for `insufficient_funds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<Number>,
    /// What was asked for, for `insufficient_funds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<Number>,
    /// In which currency, for `insufficient_funds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
}

impl Problem {
    /// A problem with this status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: vec![], shortfall: None, retry_after: None }
    }

    /// A request that cannot be understood as a whole.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// A request with offending fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::invalid("some fields are not as they must be; see errors") }
    }

    /// A request with one offending field.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// The same, with the field that it is about.
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: self.detail.clone() });
        self
    }

    /// No verified caller.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a valid bearer token is required")
    }

    /// The role or scope is too small.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "the token's role or scope does not allow this")
    }

    fn missing(code: &'static str, detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// No such budget account, for all the caller may know.
    pub fn account_not_found() -> Self {
        Self::from(Rejection::AccountNotFound)
    }

    /// A redemption code that comes to nothing, whatever the reason.
    pub fn code_not_found() -> Self {
        Self::missing("code_not_found", "this code cannot be redeemed".to_owned())
    }

    /// Too many tries.
    pub fn rate_limited(seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many tries; wait a while")
            .retry(seconds)
    }

    /// No such wallet, for all the caller may know.
    pub fn wallet_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "wallet_not_found", "there is no such wallet")
    }

    /// No such hold, for all the caller may know.
    pub fn hold_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "hold_not_found", "there is no such hold")
    }

    /// The gateway knows no such payment.
    pub fn payment_not_found() -> Self {
        let detail = "the gateway of this top-up knows no such payment";
        Self::new(StatusCode::NOT_FOUND, "payment_not_found", detail).at("/gateway_payment_id")
    }

    /// No such top-up, for all the caller may know.
    pub fn topup_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "topup_not_found", "there is no such top-up")
    }

    /// A gateway that does not do its part; the same request with the same key resumes.
    pub fn gateway_unavailable() -> Self {
        let detail =
            "the payment gateway does not answer; the same request with the same Idempotency-Key resumes";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(5)
    }

    /// A gateway that refuses what we ask: most often its keys are wrong.
    pub fn gateway_refused() -> Self {
        let detail = "the payment gateway refuses the request (its keys may be wrong: see the log); nothing was credited";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(60)
    }

    /// A body over the limit.
    pub fn too_large() -> Self {
        let detail = "the body must be at most 256 KiB (CSV: 4 MiB)";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// A gateway that refuses for good what it was asked; its reason is for the caller.
    pub fn gateway_rejected(reason: &str) -> Self {
        let detail = format!(
            "the payment gateway refuses this payment: {reason}; nothing was begun, and the key is free"
        );
        Self::new(StatusCode::CONFLICT, "gateway_rejected", detail)
    }

    /// A failure of ours.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
    }

    fn retry(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn short(shortfall: Shortfall, detail: String) -> Self {
        let problem = Self::new(StatusCode::PAYMENT_REQUIRED, "insufficient_funds", detail);
        Self { shortfall: Some(shortfall), ..problem }
    }

    /// Sends the problem; `instance` is the request's id.
    pub fn respond(&self, instance: &str) -> Response {
        let short = self.shortfall.as_ref();
        let body = ProblemBody {
            kind: format!("urn:scrip:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            code: self.code,
            errors: self.errors.clone(),
            available: short.map(|s| Number::money(s.available, s.unit)),
            required: short.map(|s| Number::money(s.required, s.unit)),
            currency: short.map(|s| s.unit.code()),
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

/// The telemetry layer, which knows the request's id, sends the problem again with it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.respond("");
        response.extensions_mut().insert(self);
        response
    }
}

impl Problem {
    /// Why a caller may not; of what they may not know, that it is not there.
    pub fn denied(denial: Denial, not_found: fn() -> Self) -> Self {
        match denial {
            Denial::Forbidden => Self::forbidden(),
            Denial::Unknown => not_found(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            StoreError::Rejected(rejection) => Self::from(rejection),
            StoreError::Contention(inner) => {
                tracing::warn!(inner, "contention");
                let detail = "others were quicker for too long; nothing was applied, try again";
                Self::new(unavailable, "contention", detail).retry(1)
            }
            StoreError::Unavailable(inner) => {
                tracing::error!(inner, "unavailable");
                let detail = "the outcome is unknown; the same request with the same Idempotency-Key tells";
                Self::new(unavailable, "unavailable", detail).retry(2)
            }
            StoreError::Corrupt(inner) => {
                tracing::error!(inner, "stored item is unreadable");
                Self::new(unavailable, "unavailable", "this account cannot be served at the moment").retry(60)
            }
        }
    }
}

const EXPIRY: &str = "the expiry must be tomorrow or later, and before the year 10000";

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        let bad = |code| Self::new(StatusCode::BAD_REQUEST, code, detail.clone());
        match rejection {
            Rejection::TooPrecise { unit } => Self::field("/amount", format!("has more digits than {unit}")),
            Rejection::BelowMinimum { least, currency } => {
                Self::field("/amount", format!("must be at least {} {currency}", currency.format(least)))
            }
            Rejection::GatewayTooPrecise { .. } => Self::field("/amount", detail),
            Rejection::ExpiryNotInFuture => Self::field("/expires_on", EXPIRY),
            Rejection::SourceReserved => Self::field("/source", "is reserved for captured payments"),
            Rejection::SelfTransfer => bad("self_transfer"),
            Rejection::CurrencyMismatch => bad("currency_mismatch"),
            Rejection::NotAChild => bad("not_a_child"),
            Rejection::WrongParent => Self::field("/parent_id", detail),
            Rejection::SharedCampaign => Self::field("/to_account_id", detail),
            Rejection::NoCampaign => conflict("not_a_campaign").at("/budget_mode"),
            Rejection::NoAgency => conflict("not_an_agency").at("/brands"),
            Rejection::FewerSlices => conflict("too_few_slices").at("/slices"),
            Rejection::NoSuchDenomination => {
                Self::missing("denomination_not_found", detail).at("/denomination")
            }
            Rejection::AccountNotFound => Self::missing("account_not_found", detail),
            Rejection::BrandNotFound => Self::missing("brand_not_found", detail),
            Rejection::PoolNotFound => Self::missing("pool_not_found", detail),
            Rejection::RedemptionNotFound => Self::missing("redemption_not_found", detail),
            Rejection::AlertNotFound => Self::missing("alert_not_found", detail),
            Rejection::BrandNotAllowed | Rejection::NotYourHold => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            Rejection::WalletNotFound(_) => Self::wallet_not_found(),
            Rejection::HoldNotFound => Self::hold_not_found(),
            Rejection::TopUpNotFound => Self::topup_not_found(),
            Rejection::OrderNotFound => Self::new(StatusCode::NOT_FOUND, "order_not_found", detail),
            Rejection::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            Rejection::WalletExists => conflict("wallet_exists"),
            Rejection::AccountSuspended(_) => conflict("account_suspended"),
            Rejection::AccountFrozen(_) => conflict("account_frozen"),
            Rejection::HoldClosed => conflict("hold_closed"),
            Rejection::HoldExpired => conflict("hold_expired"),
            Rejection::CaptureExceedsHold => conflict("capture_exceeds_hold"),
            Rejection::TooManyHolds => conflict("too_many_holds"),
            Rejection::OrderExists => conflict("order_exists"),
            Rejection::OrderAlreadyPaid => conflict("order_already_paid"),
            Rejection::PaymentExceedsDue => conflict("payment_exceeds_due"),
            Rejection::RefundExceedsPayment => conflict("refund_exceeds_payment"),
            Rejection::AlreadyRedeemed => conflict("already_redeemed"),
            Rejection::BudgetPaused => conflict("budget_paused"),
            Rejection::AccountNotEmpty => conflict("account_not_empty"),
            Rejection::OutOfStock => conflict("out_of_stock"),
            Rejection::SupplierRejected => conflict("supplier_rejected"),
            Rejection::SuppliersBusy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "contention", detail).retry(60)
            }
            Rejection::InsufficientFunds { available, required, unit } => {
                Self::short(Shortfall { available, required, unit }, detail)
            }
            Rejection::BudgetShort { available, required, currency } => {
                Self::short(Shortfall { available, required, unit: currency.into() }, detail)
            }
            Rejection::Inconsistent(_) => Self::from(StoreError::Corrupt(detail)),
        }
    }
}

/// A required field that could not be read; the error is noted already.
#[derive(Clone, Copy, Debug)]
pub struct MissingField;

/// [`crate::fields::Fields::finish`] has reported the field already.
impl From<MissingField> for Problem {
    fn from(_: MissingField) -> Self {
        Self::invalid("a required field is missing")
    }
}
