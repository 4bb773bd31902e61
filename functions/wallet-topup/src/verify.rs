//! Polls the gateway when a client claims that it has paid.
//!
//! **Invariant:** only the gateway's answer can credit the wallet, through the same decision as its
//! webhook; a wrong signature, or a payment for something else, changes nothing.

use crate::{Services, failed, permitted, wire};
use axum::extract::State;
use axum::response::Response;
use domain::context::Context;
use domain::ids::Gateway;
use domain::payments::gateway_report::PaymentFact;
use domain::payments::topup::TopUp;
use domain::wallet::permit::WalletAction;
use edge::topup::TopUpBody;
use edge::{ApiRequest, Problem, reply};
use gateways::PolledReport;
use store::StoreError;

/// Polls the gateway for a payment, and credits it if it is captured.
///
/// Returns the resulting top-up; a payment that is not captured yet leaves it unchanged.
#[utoipa::path(post, path = "/api/integration/wallet/topup/verify", tag = "payments",
    request_body = wire::VerifyTopUpRequest, responses((status = 200, body = TopUpBody)))]
pub(crate) async fn verify(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let word = wire::verify(&request)?;
    permitted(&request, WalletAction::TopUp, &word.topup)?;
    let unknown = Problem::topup_not_found;
    let topup = services.app.store.payments().topup(&word.topup).await?.ok_or_else(unknown)?;
    check_signature(&services, &topup, &word)?;
    let credited = topup.credited.as_ref().is_some_and(|credited| credited.payment == word.payment);
    if !credited {
        let context = request.context(&services.app)?;
        let answers = services.tools.gateways.poll_payment(&topup, &word.payment).await;
        let answers = answers.map_err(|error| failed(&topup, &error))?;
        // PayPal is polled by order; an order that the customer has not approved has no payment
        // yet.
        if answers.is_empty() && topup.gateway != Gateway::PayPal {
            return Err(Problem::payment_not_found());
        }
        for answered in answers {
            take(&services, &topup, answered, &context).await?;
        }
    }
    let topup = services.app.store.payments().topup(&word.topup).await;
    let topup = topup.map_err(StoreError::after_effect)?.ok_or_else(unknown)?;
    reply::ok(&edge::topup::topup(&topup, services.app.clock.now()))
}

/// Checks the signature that Razorpay's checkout gave the client; other gateways have none.
fn check_signature(services: &Services, topup: &TopUp, word: &wire::Word) -> Result<(), Problem> {
    if topup.gateway != Gateway::Razorpay {
        return Ok(());
    }
    if !word.payment.as_str().starts_with("pay_") {
        // All payment ids of Razorpay start with `pay_`.
        return Err(Problem::payment_not_found());
    }
    let wrong = || Problem::field("/signature", "is not valid for this payment and the order of this top-up");
    let signature = word.signature.as_ref().ok_or_else(|| Problem::field("/signature", "is required"))?;
    let placed = topup.placed.as_ref().ok_or_else(wrong)?;
    services.tools.gateways.checkout_signature(&placed.order, &word.payment, signature).map_err(|_| wrong())
}

/// Processes a polled report like a webhook; it is stored only if it is neither processed nor
/// ignored.
async fn take(
    services: &Services,
    topup: &TopUp,
    answered: PolledReport,
    context: &Context,
) -> Result<(), Problem> {
    let report = &answered.report;
    let named = report.topup.as_ref() == Some(&topup.id);
    // A payment that names no top-up belongs to this one only if it has the gateway's order of this
    // top-up.
    let by_order = topup.placed.as_ref().is_some_and(|placed| {
        report.topup.is_none()
            && (report.order.as_ref() == Some(&placed.order)
                || report.payment.as_ref() == Some(&placed.order))
    });
    let of_credited = matches!(report.fact, PaymentFact::Reversed { .. } | PaymentFact::Refund { .. });
    if !named && !by_order && !of_credited {
        return Err(Problem::field("/gateway_payment_id", "is not a payment of this top-up"));
    }
    if let Some(report) = answered.report(topup, |name, body| services.tools.seal.seal(name, body)) {
        // An earlier report of the same poll may have been applied.
        let done = services.app.store.payments().process_report(report, context).await;
        done.map_err(StoreError::after_effect)?;
    }
    Ok(())
}
