//! What callers see of redemptions and cards.
//!
//! **Invariant:** what cards cost us, and what is earned, is for admins alone.
//! **Invariant:** a body with a card is the only place where one stands in the clear.

use domain::giftcard::CardSource;
use domain::giftcard::card::{Part, PlainCard};
use domain::giftcard::redemption::{Redemption, RedemptionStatus};
use edge::json::Number;
use issuing::Issued;
use serde::Serialize;
use utoipa::ToSchema;

/// How a card reaches its recipient.
#[derive(Serialize, ToSchema)]
pub struct DeliveryBody {
    /// email, sms or whatsapp; null: not sent
    method: Option<&'static str>,
    /// Where to, in part.
    address: Option<String>,
    /// none, queued or sent
    status: &'static str,
}

/// What a code came to.
#[derive(Serialize, ToSchema)]
pub struct RedemptionBody {
    redemption_id: String,
    campaign_id: String,
    /// Whose credit paid.
    account_charged: String,
    brand_id: String,
    denomination: Number,
    /// PENDING, ISSUED, DELIVERED or FAILED
    status: &'static str,
    /// csv, buffer or api; null while there is no card
    source: Option<&'static str>,
    /// For admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    cost_basis: Option<Number>,
    amount_charged: Number,
    /// For admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    profit: Option<Number>,
    currency: &'static str,
    recipient_id: Option<String>,
    delivery: DeliveryBody,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    issued_at: Option<String>,
}

/// A card, in the clear.
#[derive(Serialize, ToSchema)]
pub struct CardBody {
    card_code: Option<String>,
    card_number: Option<String>,
    card_pin: Option<String>,
    card_url: Option<String>,
    card_value: Number,
    currency: &'static str,
    #[schema(format = Date)]
    expires_on: Option<String>,
}

/// A redemption with its card.
#[derive(Serialize, ToSchema)]
pub struct Provisioned {
    redemption: RedemptionBody,
    /// null while the supplier has not said.
    card: Option<CardBody>,
    /// csv, buffer or api
    source: Option<&'static str>,
    /// What the budget had left afterwards, as far as was seen.
    credit_remaining: Number,
}

/// What an end customer sees of a redemption.
#[derive(Serialize, ToSchema)]
pub struct RedeemedRedemption {
    redemption_id: String,
    campaign_id: String,
    brand_id: String,
    denomination: Number,
    /// PENDING or ISSUED
    status: &'static str,
    /// csv, buffer or api; null while there is no card
    source: Option<&'static str>,
    currency: &'static str,
    delivery: DeliveryBody,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    issued_at: Option<String>,
}

/// What an end customer gets for a code.
#[derive(Serialize, ToSchema)]
pub struct Redeemed {
    redemption: RedeemedRedemption,
    /// null while the supplier has not said.
    card: Option<CardBody>,
    /// csv, buffer or api
    source: Option<&'static str>,
}

fn delivery(redemption: &Redemption) -> DeliveryBody {
    let delivery = redemption.delivery.as_ref();
    let status = match (delivery, redemption.status) {
        (None, _) => "none",
        (Some(_), RedemptionStatus::Delivered) => "sent",
        (Some(_), RedemptionStatus::Pending | RedemptionStatus::Issued | RedemptionStatus::Failed) => {
            "queued"
        }
    };
    DeliveryBody {
        method: delivery.map(|delivery| delivery.method.as_str()),
        address: delivery.map(|delivery| delivery.shown.clone()),
        status,
    }
}

pub(crate) fn redemption(redemption: &Redemption, costs: bool) -> RedemptionBody {
    let currency = redemption.currency;
    let cost = redemption.cost.filter(|_| costs);
    let profit = redemption.profit().filter(|_| costs);
    RedemptionBody {
        redemption_id: redemption.id.to_string(),
        campaign_id: redemption.campaign.to_string(),
        account_charged: redemption.charged.to_string(),
        brand_id: redemption.brand.to_string(),
        denomination: Number::money(redemption.denomination, currency),
        status: redemption.status.as_str(),
        source: redemption.source.map(CardSource::as_str),
        cost_basis: cost.map(|cost| Number::money(cost, currency)),
        amount_charged: Number::money(redemption.amount, currency),
        profit: profit.map(|profit| Number::difference(profit, currency)),
        currency: currency.code(),
        recipient_id: redemption.recipient.as_ref().map(ToString::to_string),
        delivery: delivery(redemption),
        created_at: redemption.created_at.to_string(),
        issued_at: redemption.issued_at.map(|at| at.to_string()),
    }
}

pub(crate) fn card(redemption: &Redemption, card: &PlainCard) -> CardBody {
    let part = |part| card.parts.get(&part).cloned();
    CardBody {
        card_code: part(Part::Code),
        card_number: part(Part::Number),
        card_pin: part(Part::Pin),
        card_url: part(Part::Url),
        card_value: Number::money(redemption.denomination, redemption.currency),
        currency: redemption.currency.code(),
        expires_on: card.expires_on.map(|date| date.to_string()),
    }
}

pub(crate) fn provisioned(issued: &Issued, costs: bool) -> Provisioned {
    let found = &issued.redemption;
    Provisioned {
        redemption: redemption(found, costs),
        card: issued.card.as_ref().map(|plain| card(found, plain)),
        source: found.source.map(CardSource::as_str),
        credit_remaining: Number::money(found.credit_remaining, found.currency),
    }
}

pub(crate) fn redeemed(issued: &Issued) -> Redeemed {
    let found = &issued.redemption;
    Redeemed {
        redemption: RedeemedRedemption {
            redemption_id: found.id.to_string(),
            campaign_id: found.campaign.to_string(),
            brand_id: found.brand.to_string(),
            denomination: Number::money(found.denomination, found.currency),
            status: found.status.as_str(),
            source: found.source.map(CardSource::as_str),
            currency: found.currency.code(),
            delivery: delivery(found),
            created_at: found.created_at.to_string(),
            issued_at: found.issued_at.map(|at| at.to_string()),
        },
        card: issued.card.as_ref().map(|plain| card(found, plain)),
        source: found.source.map(CardSource::as_str),
    }
}
