//! The API views of redemptions and cards.
//!
//! **Invariant:** the cost of cards and the profit are shown to admins only.
//! **Invariant:** only response bodies with a card contain its content in plain text.

use domain::giftcard::CardSource;
use domain::giftcard::card::{Part, PlainCard};
use domain::giftcard::redemption::{Redemption, RedemptionStatus};
use edge::delivery::DeliveryBody;
use edge::json::Number;
use issuing::Issued;
use serde::Serialize;
use utoipa::ToSchema;

/// The redemption of a code.
#[derive(Serialize, ToSchema)]
pub struct RedemptionBody {
    redemption_id: String,
    campaign_id: String,
    /// Account whose credit pays: the campaign, or its client if the campaign is shared.
    account_charged: String,
    brand_id: String,
    denomination: Number,
    /// PENDING, ISSUED, DELIVERED or FAILED
    status: &'static str,
    /// csv, buffer or api; null until there is a card
    source: Option<&'static str>,
    /// Cost of the card; shown to admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    cost_basis: Option<Number>,
    amount_charged: Number,
    /// `amount_charged` minus `cost_basis`; negative if the card cost more. Shown to admins only.
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

/// The content of a card, in plain text.
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
    /// null until the supplier has delivered the card.
    card: Option<CardBody>,
    /// csv, buffer or api
    source: Option<&'static str>,
    /// Available credit of the budget afterwards, as far as it was read.
    credit_remaining: Number,
}

/// A redemption, as shown to an end customer.
#[derive(Serialize, ToSchema)]
pub struct RedeemedRedemption {
    redemption_id: String,
    campaign_id: String,
    brand_id: String,
    denomination: Number,
    /// PENDING or ISSUED
    status: &'static str,
    /// csv, buffer or api; null until there is a card
    source: Option<&'static str>,
    currency: &'static str,
    delivery: DeliveryBody,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    issued_at: Option<String>,
}

/// The redemption of a code and its card, as shown to an end customer.
#[derive(Serialize, ToSchema)]
pub struct Redeemed {
    redemption: RedeemedRedemption,
    /// null until the supplier has delivered the card.
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
    DeliveryBody::new(delivery.map(|delivery| (delivery.method, delivery.shown.as_str())), status)
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
