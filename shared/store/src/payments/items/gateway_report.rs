//! Content of a gateway's report, as a map in the report's item.

use crate::engine::attr::{Attributes, Reader};
use crate::engine::error::StoreError;
use domain::currency::Currency;
use domain::ids::{Gateway, GatewayId, ReversalId, TopUpId};
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::time::Timestamp;

pub(crate) fn to_map(report: &GatewayReport) -> Attributes {
    let map = Attributes::default()
        .text("gateway", report.gateway.as_str())
        .maybe("topup", report.topup.as_ref())
        .maybe("order", report.order.as_ref())
        .maybe("payment", report.payment.as_ref())
        .maybe("charge", report.charge.as_ref())
        .maybe("method", report.method.as_ref())
        .maybe("at", report.at);
    let map = match report.customer_fee {
        Some(fee) => map.number("customer_fee", fee),
        None => map,
    };
    match &report.fact {
        PaymentFact::Captured { amount, currency } => {
            map.text("fact", "captured").number("amount", amount).text("currency", currency)
        }
        PaymentFact::Failed => map.text("fact", "failed"),
        PaymentFact::Reversed { id, phase, amount, currency } => map
            .text("fact", "reversed")
            .text("reversal", id)
            .text("phase", phase.as_str())
            .number("amount", amount)
            .text("currency", currency),
        PaymentFact::Refund { of, refund, failed, amount, currency } => map
            .text("fact", if *failed { "refund-failed" } else { "refund" })
            .text("reversal", of)
            .text("refund", refund)
            .number("amount", amount)
            .text("currency", currency),
        PaymentFact::Nothing => map.text("fact", "nothing"),
    }
}

pub(crate) fn from_map(reader: &Reader<'_>) -> Result<GatewayReport, StoreError> {
    let currency = || reader.parse("currency", Currency::parse);
    let fact = match reader.text("fact")? {
        "captured" => PaymentFact::Captured { amount: reader.money("amount")?, currency: currency()? },
        "failed" => PaymentFact::Failed,
        "reversed" => PaymentFact::Reversed {
            id: ReversalId::stored(reader.text("reversal")?),
            phase: reader.parse("phase", ReversalState::parse)?,
            amount: reader.money("amount")?,
            currency: currency()?,
        },
        word @ ("refund" | "refund-failed") => PaymentFact::Refund {
            of: ReversalId::stored(reader.text("reversal")?),
            refund: reader.parse("refund", GatewayId::parse)?,
            failed: word == "refund-failed",
            amount: reader.money("amount")?,
            currency: currency()?,
        },
        "nothing" => PaymentFact::Nothing,
        _ => return Err(reader.corrupt("fact")),
    };
    Ok(GatewayReport {
        gateway: reader.parse("gateway", Gateway::parse)?,
        topup: reader.maybe("topup", TopUpId::parse)?,
        order: reader.maybe("order", GatewayId::parse)?,
        payment: reader.maybe("payment", GatewayId::parse)?,
        charge: reader.maybe("charge", GatewayId::parse)?,
        method: reader.maybe_text("method")?.map(str::to_owned),
        customer_fee: if reader.has("customer_fee") { Some(reader.money("customer_fee")?) } else { None },
        at: reader.maybe("at", Timestamp::parse)?,
        fact,
    })
}
