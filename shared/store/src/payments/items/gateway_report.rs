//! What a gateway's report says, as a map in the report's item.

use crate::engine::attr::{Attributes, Reader};
use crate::engine::error::StoreError;
use domain::currency::Currency;
use domain::ids::{Gateway, GatewayId, ReversalId, TopUpId};
use domain::payments::gateway_report::{Fact, Phase, Told};
use domain::time::Timestamp;

pub(crate) fn to_map(told: &Told) -> Attributes {
    let map = Attributes::default()
        .text("gateway", told.gateway.as_str())
        .maybe("topup", told.topup.as_ref())
        .maybe("order", told.order.as_ref())
        .maybe("payment", told.payment.as_ref())
        .maybe("charge", told.charge.as_ref())
        .maybe("method", told.method.as_ref())
        .maybe("at", told.at);
    let map = match told.customer_fee {
        Some(fee) => map.number("customer_fee", fee),
        None => map,
    };
    match &told.fact {
        Fact::Captured { amount, currency } => {
            map.text("fact", "captured").number("amount", amount).text("currency", currency)
        }
        Fact::Failed => map.text("fact", "failed"),
        Fact::Reversed { id, phase, amount, currency } => map
            .text("fact", "reversed")
            .text("reversal", id)
            .text("phase", phase.as_str())
            .number("amount", amount)
            .text("currency", currency),
        Fact::Refund { of, refund, failed, amount, currency } => map
            .text("fact", if *failed { "refund-failed" } else { "refund" })
            .text("reversal", of)
            .text("refund", refund)
            .number("amount", amount)
            .text("currency", currency),
        Fact::Nothing => map.text("fact", "nothing"),
    }
}

pub(crate) fn from_map(reader: &Reader<'_>) -> Result<Told, StoreError> {
    let currency = || reader.parse("currency", Currency::parse);
    let fact = match reader.text("fact")? {
        "captured" => Fact::Captured { amount: reader.money("amount")?, currency: currency()? },
        "failed" => Fact::Failed,
        "reversed" => Fact::Reversed {
            id: ReversalId::stored(reader.text("reversal")?),
            phase: reader.parse("phase", Phase::parse)?,
            amount: reader.money("amount")?,
            currency: currency()?,
        },
        word @ ("refund" | "refund-failed") => Fact::Refund {
            of: ReversalId::stored(reader.text("reversal")?),
            refund: reader.parse("refund", GatewayId::parse)?,
            failed: word == "refund-failed",
            amount: reader.money("amount")?,
            currency: currency()?,
        },
        "nothing" => Fact::Nothing,
        _ => return Err(reader.corrupt("fact")),
    };
    Ok(Told {
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
