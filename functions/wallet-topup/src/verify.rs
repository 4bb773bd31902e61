//! A client says that it has paid: the gateway is asked.
//!
//! **Invariant:** what credits is the gateway's answer, by the same decision as its webhook; a signature that is
//! wrong, or a payment of something else, changes nothing.

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

/// Asks the gateway about a payment, and credits it if it is captured.
///
/// Answers the top-up as it stands afterwards; a payment that is not captured yet leaves it as it was.
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
        // PayPal is asked about the order: one that its customer has not approved has no payment yet.
        if answers.is_empty() && topup.gateway != Gateway::PayPal {
            return Err(Problem::payment_not_found());
        }
        for answered in answers {
            take(&services, &topup, answered, &context).await?;
        }
    }
    let topup = services.app.store.payments().topup(&word.topup).await?.ok_or_else(unknown)?;
    reply::ok(&edge::topup::topup(&topup, services.app.clock.now()))
}

/// Razorpay's checkout signs what it tells the client.
fn check_signature(services: &Services, topup: &TopUp, word: &wire::Word) -> Result<(), Problem> {
    if topup.gateway != Gateway::Razorpay {
        return Ok(());
    }
    if !word.payment.as_str().starts_with("pay_") {
        // No payment of Razorpay has such an id.
        return Err(Problem::payment_not_found());
    }
    let wrong = || Problem::field("/signature", "is not that of this payment for the order of this top-up");
    let signature = word.signature.as_ref().ok_or_else(|| Problem::field("/signature", "is required"))?;
    let placed = topup.placed.as_ref().ok_or_else(wrong)?;
    services.tools.gateways.checkout_signature(&placed.order, &word.payment, signature).map_err(|_| wrong())
}

/// Takes what the gateway answered as it takes a webhook; it is kept only if something is wrong with it.
async fn take(
    services: &Services,
    topup: &TopUp,
    answered: PolledReport,
    context: &Context,
) -> Result<(), Problem> {
    let report = &answered.report;
    let named = report.topup.as_ref() == Some(&topup.id);
    // A payment that names no top-up is this one's only if it is of the order that the gateway made for it.
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
        services.app.store.payments().process_report(report, context).await?;
    }
    Ok(())
}
