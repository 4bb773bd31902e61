//! The API views of purchases, and of what they earn.
//!
//! **Invariant:** a purchase is rendered as it stood after one of its changes, from what was stored then.

use crate::views::{PointsTransaction, shown, signed_value};
use domain::currency::Currency;
use domain::ledger::points::Worth;
use domain::loyalty::explanation::Step;
use domain::loyalty::numbers::Points;
use domain::loyalty::record::{Booked, PurchaseRecord, PurchaseStep, RedemptionSeen};
use domain::money::Money;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::rewards::delivery::{DeliveryStep, OrderRecord};
use edge::Problem;
use edge::json::Number;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

/// A rule that was looked at.
#[derive(Serialize, ToSchema)]
pub struct StepView {
    /// exclude, base, tier, product, campaign, bonus, round or cap
    #[schema(examples("base"))]
    step: &'static str,
    rule: String,
    version: u32,
    applied: bool,
    factor: Option<Number>,
    /// What it added; below zero if it took away.
    points: Number,
    detail: String,
}

/// Why a purchase earns what it earns.
#[derive(Serialize, ToSchema)]
pub struct ExplanationView {
    tier: String,
    program_version: u32,
    amount: Number,
    eligible_amount: Number,
    /// The points before they were rounded and limited.
    raw: Number,
    points: u64,
    steps: Vec<StepView>,
}

fn number(text: &str) -> Number {
    Number::exact(text.parse().unwrap_or_default())
}

fn step(step: &Step) -> StepView {
    StepView {
        step: step.kind.as_str(),
        rule: step.rule.clone(),
        version: step.version,
        applied: step.is_applied,
        factor: step.factor.as_deref().and_then(|factor| factor.parse().ok()).map(Number::exact),
        points: number(&step.points),
        detail: step.detail.to_string(),
    }
}

/// What an explanation is about.
pub(crate) struct Explained<'a> {
    pub(crate) tier: &'a str,
    pub(crate) program_version: u32,
    pub(crate) amount: (Money, Currency),
    pub(crate) eligible: (Money, Currency),
    pub(crate) raw: &'a str,
    pub(crate) points: Points,
    pub(crate) steps: &'a [Step],
}

pub(crate) fn explanation(of: &Explained<'_>) -> ExplanationView {
    ExplanationView {
        tier: of.tier.to_owned(),
        program_version: of.program_version,
        amount: Number::money(of.amount.0, of.amount.1),
        eligible_amount: Number::money(of.eligible.0, of.eligible.1),
        raw: number(of.raw),
        points: of.points.get(),
        steps: of.steps.iter().map(step).collect(),
    }
}

/// A refund of a purchase.
#[derive(Serialize, ToSchema)]
pub struct RefundView {
    refund_id: String,
    amount: Number,
    points_reversed: i64,
    points_reversed_value: Number,
    points_back: u64,
    points_back_value: Number,
    #[schema(format = DateTime)]
    at: String,
}

/// The redemption of a booking.
#[derive(Serialize, ToSchema)]
pub struct RedemptionPart {
    token: String,
    points: u64,
    confirmed: u64,
    returned: u64,
    #[schema(examples("CONFIRMED"))]
    status: String,
}

/// A reward for delivery.
#[derive(Serialize, ToSchema)]
pub struct DeliveryRewardView {
    amount: Number,
    kept: Number,
    reversed: Number,
    owed: Number,
}

/// A purchase, and what it earned and kept.
#[derive(Serialize, ToSchema)]
pub struct LoyaltyPurchase {
    /// booking, payment or order
    #[schema(examples("booking"))]
    kind: &'static str,
    id: String,
    user_id: Option<String>,
    booking_id: Option<String>,
    payment_id: Option<String>,
    currency: &'static str,
    amount: Option<Number>,
    eligible_amount: Option<Number>,
    /// Spend of it that still counts.
    spend: Number,
    points: u64,
    points_value: Number,
    points_kept: u64,
    points_kept_value: Number,
    points_reversed: u64,
    points_reversed_value: Number,
    /// Of the reversed points: owed when they were taken back, collected or not.
    points_owed: i64,
    points_owed_value: Number,
    /// Of the reversed points: expired before they could be taken back.
    points_forgiven: i64,
    points_forgiven_value: Number,
    refunded: Number,
    /// EARNED, PARTIALLY_REVERSED, REVERSED or PARKED
    #[schema(examples("EARNED"))]
    status: &'static str,
    #[schema(format = Date)]
    available_on: Option<String>,
    #[schema(format = Date)]
    expires_on: Option<String>,
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
    #[schema(format = DateTime)]
    booked_at: Option<String>,
    explanation: Option<ExplanationView>,
    refunds: Vec<RefundView>,
    redemption: Option<RedemptionPart>,
    delivery_reward: Option<DeliveryRewardView>,
    /// Ids of its movements, oldest first.
    transactions: Vec<String>,
}

impl LoyaltyPurchase {
    /// Shows the redemption as it is now.
    pub(crate) fn show(&mut self, redemption: Option<&RedemptionSeen>) {
        self.redemption = redemption.map(redemption_part);
    }
}

/// Returns the contract's word for what a purchase keeps.
fn status(booked: Option<&Booked>, kept: Points, spend: Money) -> &'static str {
    match booked {
        None => "PARKED",
        // It earned no points, but spend that was taken back.
        Some(booked) if booked.points.is_zero() && spend.is_zero() && !booked.eligible.is_zero() => {
            "REVERSED"
        }
        Some(booked) if kept == booked.points => "EARNED",
        Some(_) if kept.is_zero() => "REVERSED",
        Some(_) => "PARTIALLY_REVERSED",
    }
}

fn refunds(record: &PurchaseRecord, currency: Currency, program: Currency) -> Vec<RefundView> {
    let worth = worth_of(record, program);
    let mut refunds: Vec<RefundView> = Vec::new();
    for step in record.steps.iter().filter(|step| step.amount.is_some()) {
        let (Some(id), Some(amount), Some(at)) = (&step.refund_id, step.amount, step.at) else { continue };
        refunds.push(RefundView {
            refund_id: id.to_string(),
            amount: Number::money(amount, currency),
            points_reversed: step.reversed,
            points_reversed_value: signed_value(worth, step.reversed),
            points_back: step.back.get(),
            points_back_value: Number::money(step.back_value, worth.currency),
            at: at.to_string(),
        });
    }
    refunds
}

/// Returns what a point was worth when the purchase was booked.
pub(crate) fn worth_of(record: &PurchaseRecord, program: Currency) -> Worth {
    let each = record.booked.as_ref().map_or(Decimal::ZERO, |booked| booked.point_value.value());
    Worth { each, currency: program }
}

/// Renders a purchase as it was after its last change.
pub(crate) fn purchase(record: &PurchaseRecord, program: Currency) -> LoyaltyPurchase {
    let booked = record.booked.as_ref();
    let currency = record.currency().unwrap_or(program);
    let kept = record.kept();
    let earned = booked.map_or(Points::ZERO, |booked| booked.points);
    let sum = |part: fn(&PurchaseStep) -> i64| record.steps.iter().map(part).sum::<i64>();
    let (owed, forgiven) = (sum(|step| step.owed), sum(|step| step.forgiven));
    let worth = worth_of(record, program);
    let value = |points: Points| Number::money(worth.of(points.money()), program);
    let account = domain::ids::AccountRef::points;
    let transaction = |user: &domain::ids::CustomerId, (cause, seq): &(String, u64)| {
        let cause = domain::cause::Cause::stored(cause.as_str());
        domain::ids::TransactionId::of(&account(user), *seq, &cause).to_string()
    };
    let transactions = record.user.iter().flat_map(|user| {
        record.steps.iter().flat_map(|step| &step.entries).map(move |entry| transaction(user, entry))
    });
    LoyaltyPurchase {
        kind: record.id.kind(),
        id: record.id.id().to_owned(),
        user_id: shown(record.user.as_ref()),
        booking_id: shown(record.booking_id.as_ref()),
        payment_id: shown(record.payment_id.as_ref()),
        currency: currency.code(),
        amount: booked.map(|booked| Number::money(booked.purchase.amount, currency)),
        eligible_amount: booked.map(|booked| Number::money(booked.eligible, program)),
        spend: Number::money(record.spend(), program),
        points: earned.get(),
        points_value: value(earned),
        points_kept: kept.get(),
        points_kept_value: value(kept),
        points_reversed: earned.saturating_sub(kept).get(),
        points_reversed_value: value(earned.saturating_sub(kept)),
        points_owed: owed,
        points_owed_value: signed_value(worth, owed),
        points_forgiven: forgiven,
        points_forgiven_value: signed_value(worth, forgiven),
        refunded: Number::money(record.steps.last().map_or(Money::ZERO, |step| step.refunded), currency),
        status: status(booked, kept, record.spend()),
        available_on: booked.map(|booked| booked.available_on.to_string()),
        expires_on: booked.and_then(|booked| shown(booked.expires_on.as_ref())),
        occurred_at: booked.map(|booked| booked.purchase.occurred_at.to_string()),
        booked_at: booked.map(|booked| booked.at.to_string()),
        explanation: booked.map(|booked| {
            explanation(&Explained {
                tier: &booked.tier,
                program_version: booked.program_version,
                amount: (booked.purchase.amount, currency),
                eligible: (booked.eligible, program),
                raw: &booked.raw,
                points: booked.points,
                steps: &booked.explanation,
            })
        }),
        refunds: refunds(record, currency, program),
        redemption: record.steps.last().and_then(|step| step.redemption.as_ref()).map(redemption_part),
        delivery_reward: None,
        transactions: transactions.collect(),
    }
}

pub(crate) fn redemption_part(seen: &domain::loyalty::record::RedemptionSeen) -> RedemptionPart {
    RedemptionPart {
        token: seen.token.to_string(),
        points: seen.points.get(),
        confirmed: seen.confirmed.get(),
        returned: seen.returned.get(),
        status: seen.status.clone(),
    }
}

/// Renders what was reported of an order.
pub(crate) fn order(record: &OrderRecord, currency: Currency, program: Currency) -> LoyaltyPurchase {
    let none = || Number::money(Money::ZERO, program);
    let money = |amount: Money| Number::money(amount, currency);
    let delivered = record.delivered.as_ref();
    let status = match delivered {
        None => "PARKED",
        Some(delivered) if record.kept() == delivered.amount => "EARNED",
        Some(_) if record.kept().is_zero() => "REVERSED",
        Some(_) => "PARTIALLY_REVERSED",
    };
    let refund = |step: &DeliveryStep| {
        Some(RefundView {
            refund_id: step.refund_id.as_ref()?.to_string(),
            amount: money(step.amount?),
            points_reversed: 0,
            points_reversed_value: none(),
            points_back: 0,
            points_back_value: none(),
            at: step.at?.to_string(),
        })
    };
    let last = record.steps.last();
    LoyaltyPurchase {
        kind: "order",
        id: record.order.to_string(),
        user_id: shown(record.customer.as_ref()),
        booking_id: None,
        payment_id: None,
        currency: currency.code(),
        amount: delivered.map(|delivered| money(delivered.total)),
        eligible_amount: None,
        spend: none(),
        points: 0,
        points_value: none(),
        points_kept: 0,
        points_kept_value: none(),
        points_reversed: 0,
        points_reversed_value: none(),
        points_owed: 0,
        points_owed_value: none(),
        points_forgiven: 0,
        points_forgiven_value: none(),
        refunded: money(last.map_or(Money::ZERO, |step| step.refunded)),
        status,
        available_on: None,
        expires_on: delivered.and_then(|delivered| shown(delivered.expires_on.as_ref())),
        occurred_at: delivered.map(|delivered| delivered.at.to_string()),
        booked_at: delivered.map(|delivered| delivered.at.to_string()),
        explanation: None,
        refunds: record.steps.iter().filter_map(refund).collect(),
        redemption: None,
        delivery_reward: delivered.map(|delivered| DeliveryRewardView {
            amount: money(delivered.amount),
            kept: money(record.kept()),
            reversed: money(delivered.amount.saturating_sub(record.kept())),
            owed: money(last.map_or(Money::ZERO, |step| step.owed)),
        }),
        transactions: record.steps.iter().flat_map(|step| &step.transactions).cloned().collect(),
    }
}

/// A purchase after a refund, the failure of one, or a cancellation.
#[derive(Serialize, ToSchema)]
pub struct Refunded {
    pub(crate) purchase: LoyaltyPurchase,
    pub(crate) redemption: Option<RedemptionPart>,
    /// Points that it took back, owed and forgiven ones included; below zero if it gave some back.
    pub(crate) points_reversed: i64,
    pub(crate) points_reversed_value: Number,
    pub(crate) points_owed: i64,
    pub(crate) points_owed_value: Number,
    pub(crate) points_forgiven: i64,
    pub(crate) points_forgiven_value: Number,
    /// Points that had paid and came back.
    pub(crate) points_back: u64,
    pub(crate) points_back_value: Number,
    /// Wallet credit that it took back.
    pub(crate) credit_reversed: Number,
    pub(crate) transactions: Vec<PointsTransaction>,
}

/// How a refund divides into money and points.
#[derive(Serialize, ToSchema)]
pub struct RefundSplit {
    pub(crate) gross: Number,
    pub(crate) money: Number,
    pub(crate) points: u64,
    pub(crate) points_value: Number,
    pub(crate) points_reversed: i64,
}

/// A purchase, and how a planned refund of it divides.
#[derive(Serialize, ToSchema)]
pub struct PurchaseWithSplit {
    #[serde(flatten)]
    pub(crate) purchase: LoyaltyPurchase,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(crate) refund_split: Option<RefundSplit>,
}

/// The answer about a purchase that does not exist, or belongs to another.
pub(crate) fn unknown() -> Problem {
    Problem::from(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound))
}
