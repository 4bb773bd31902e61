//! Parses requests into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::cause::{Cause, Operation};
use domain::ids::{CustomerId, Gateway, GatewayId, TopUpId};
use domain::money::Amount;
use domain::parse::ParseError;
use domain::payments::initiate::InitiateTopUp;
use edge::input::Text;
use edge::{ApiRequest, Problem, request, schema};
use gateways::Gateways;
use http::Uri;
use serde_json::{Value, json};

/// URL to which the customer returns after paying; http is allowed for localhost only.
pub(crate) struct ReturnUrl(String);

impl Text for ReturnUrl {
    fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be an https URL of at most 2000 characters");
        let uri: Uri = text.parse().map_err(|_| SHAPE)?;
        let host = uri.host().ok_or(SHAPE)?;
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let scheme = uri.scheme_str().is_some_and(|scheme| scheme == "https" || (scheme == "http" && local));
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if scheme && plain && text.len() <= 2_000 { Ok(Self(text.to_owned())) } else { Err(SHAPE) }
    }

    fn schema() -> Value {
        let host = r"(https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|https?://(localhost|127\.0\.0\.1))";
        let rest = r"(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@/%{}-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@/?%{}-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@/?%{}-]*)?";
        let bounds = json!({"maxLength": 2_000, "examples": ["https://shop.example.com/paid"]});
        schema::with(schema::pattern(&format!("^{host}{rest}$")), bounds)
    }
}

request! {
    /// A new top-up of a wallet.
    pub(crate) struct InitiateTopUpRequest {
        /// The customer whose wallet is credited.
        customer_id: CustomerId,
        /// Amount to pay, in the wallet's currency.
        amount: Amount,
        /// Defaults to razorpay.
        gateway: Option<Gateway>,
        /// URL to which the customer returns after paying: https, or http for localhost. With it,
        /// Stripe returns a `checkout_url`; without it, a `client_secret` for your own payment
        /// form.
        return_url: Option<ReturnUrl>,
    }
    check(fields, gateways: &Gateways) {
        if !gateways.has(gateway.unwrap_or(Gateway::Razorpay)) {
            fields.offend("gateway", "is not configured");
        }
    }
    rules [
        least_of(Gateway::Stripe, 50),
        json!({"anyOf": [
            {"properties": {"gateway": {"enum": ["stripe", "paypal"]}}, "required": ["gateway"]},
            {"properties": {"amount": schema::amount_from(100)}},
        ]}),
    ]
}

/// Returns the rule for a gateway's minimum amount, in hundredths of the default currency.
fn least_of(gateway: Gateway, least_hundredths: u64) -> Value {
    schema::when(
        &json!({"properties": {"gateway": {"const": gateway.as_str()}}, "required": ["gateway"]}),
        &json!({"properties": {"amount": schema::amount_from(least_hundredths)}}),
    )
}

/// Signature that Razorpay's checkout returned to the client.
pub(crate) struct Signature(String);

impl Text for Signature {
    fn parse(text: &str) -> Result<Self, ParseError> {
        // The signature itself is checked later, with the gateway's key; PayPal and Stripe have
        // none.
        if text.chars().count() <= 1_000 { Ok(Self(text.to_owned())) } else { Err(ParseError("is too long")) }
    }

    fn schema() -> Value {
        json!({"type": "string", "maxLength": 1_000, "description": "64 hexadecimal digits"})
    }
}

request! {
    /// A request to poll the gateway for a payment.
    pub(crate) struct VerifyTopUpRequest {
        /// The top-up that was paid.
        topup_id: TopUpId,
        /// Gateway's id of the payment, as its SDK returned it to the client.
        gateway_payment_id: GatewayId,
        /// Signature that Razorpay's checkout returned to the client; required for Razorpay,
        /// ignored otherwise.
        signature: Option<Signature>,
    }
}

pub(crate) fn initiate(request: &ApiRequest, gateways: &Gateways) -> Result<InitiateTopUp, Problem> {
    let sent = InitiateTopUpRequest::read(request.fields()?, gateways)?;
    Ok(InitiateTopUp {
        customer: sent.customer_id,
        amount: sent.amount,
        gateway: sent.gateway.unwrap_or(Gateway::Razorpay),
        return_url: sent.return_url.map(|url| url.0),
        cause: Cause::of_request(Operation::TopUp, request.key()?.as_ref(), request.id()),
    })
}

/// A client's claim that it has made a payment.
pub(crate) struct Word {
    pub topup: TopUpId,
    pub payment: GatewayId,
    pub signature: Option<String>,
}

pub(crate) fn verify(request: &ApiRequest) -> Result<Word, Problem> {
    let sent = VerifyTopUpRequest::read(request.fields()?)?;
    request.key()?;
    let signature = sent.signature.map(|signature| signature.0);
    Ok(Word { topup: sent.topup_id, payment: sent.gateway_payment_id, signature })
}
