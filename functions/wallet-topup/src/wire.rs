//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::cause::{Cause, Operation};
use domain::decide::topups::InitiateTopUp;
use domain::gateway::Gateway;
use domain::ids::{CustomerId, GatewayId, TopUpId};
use domain::parse::ParseError;
use edge::json::amount_schema;
use edge::{Ask, Problem, json};
use gateways::Gateways;
use http::Uri;
use utoipa::ToSchema;

/// Begin a top-up.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `initiate` reads
pub(crate) struct InitiateTopUpRequest {
    /// Into whose wallet.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    customer_id: String,
    /// How much, in the wallet's currency.
    #[schema(schema_with = amount_schema)]
    amount: String,
    /// razorpay (default), stripe or paypal
    #[schema(examples("razorpay"))]
    gateway: Option<String>,
    /// Where the customer goes afterwards: an https address (http on this machine). With it, Stripe gives a
    /// `checkout_url`; without, a `client_secret` for a form of your own.
    #[schema(max_length = 2_000)]
    return_url: Option<String>,
}

/// Have the gateway asked about a payment.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `verify` reads
pub(crate) struct VerifyTopUpRequest {
    /// Which.
    topup_id: String,
    /// The gateway's payment, as its SDK told the client.
    #[schema(min_length = 1, max_length = 128)]
    gateway_payment_id: String,
    /// Razorpay's signature, as its checkout told the client; required for Razorpay.
    signature: Option<String>,
}

pub(crate) fn initiate(ask: &Ask, gateways: &Gateways) -> Result<InitiateTopUp, Problem> {
    let mut fields = ask.fields()?;
    let customer = fields.required("customer_id", json::of(CustomerId::parse));
    let amount = fields.required("amount", json::amount);
    let gateway = fields.optional("gateway", json::of(Gateway::parse)).unwrap_or(Gateway::Razorpay);
    let return_url = fields.optional("return_url", json::of(return_url));
    if !gateways.has(gateway) {
        fields.offend("gateway", "is not configured here");
    }
    fields.finish()?;
    let cause = Cause::of_request(Operation::TopUp, ask.key()?.as_ref(), ask.request());
    Ok(InitiateTopUp { customer: customer?, amount: amount?, gateway, return_url, cause })
}

/// A client's word about a payment.
pub(crate) struct Word {
    pub topup: TopUpId,
    pub payment: GatewayId,
    pub signature: Option<String>,
}

pub(crate) fn verify(ask: &Ask) -> Result<Word, Problem> {
    let mut fields = ask.fields()?;
    let topup = fields.required("topup_id", json::of(TopUpId::parse));
    let payment = fields.required("gateway_payment_id", json::of(GatewayId::parse));
    let signature = fields.optional("signature", json::of(|text| Ok(text.to_owned())));
    fields.finish()?;
    ask.key()?;
    Ok(Word { topup: topup?, payment: payment?, signature })
}

fn return_url(text: &str) -> Result<String, ParseError> {
    const SHAPE: ParseError = ParseError("must be an https address of at most 2000 characters");
    let uri: Uri = text.parse().map_err(|_| SHAPE)?;
    let host = uri.host().ok_or(SHAPE)?;
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let scheme = uri.scheme_str().is_some_and(|scheme| scheme == "https" || (scheme == "http" && local));
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if scheme && plain && text.len() <= 2_000 { Ok(text.to_owned()) } else { Err(SHAPE) }
}
