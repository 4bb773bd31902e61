//! The API views of movements of points, and of redemptions.
//!
//! **Invariant:** a movement, and what it changed, is rendered from what was stored with it, so a replay returns the
//! same.

use domain::currency::Currency;
use domain::ids::WalletId;
use domain::ledger::entry::Entry;
use domain::ledger::lot::Lot;
use domain::ledger::points::{PointsMove, Worth};
use domain::loyalty::lock::Redeemed;
use domain::loyalty::numbers::Points;
use domain::loyalty::record::redemption_status;
use domain::money::Money;
use domain::text::FreeText;
use edge::json::Number;
use edge::movement::ActorView;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Returns a quantity of an account of points.
pub(crate) fn whole(points: Money) -> u64 {
    Points::of_money(points).unwrap_or_default().get()
}

fn text(text: Option<&FreeText>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

pub(crate) fn shown<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}

/// Points of one expiry date.
#[derive(Serialize, ToSchema)]
pub struct PointsLot {
    points: u64,
    points_value: Number,
    /// Last date on which they can be spent; null: for good.
    #[schema(format = Date)]
    expires_on: Option<String>,
}

/// Spend that a movement adds or takes off.
#[derive(Serialize, ToSchema)]
pub struct SpendView {
    amount: Number,
    #[schema(format = Date)]
    date: String,
}

/// A campaign in the version by which a movement was decided.
#[derive(Serialize, ToSchema)]
pub struct CampaignUsed {
    campaign_id: String,
    version: u32,
}

/// The rules by which a movement was decided.
#[derive(Serialize, ToSchema)]
pub struct RulesView {
    program_version: u32,
    tier: String,
    campaigns: Vec<CampaignUsed>,
}

/// One movement of points. It never changes and is never deleted.
#[derive(Serialize, ToSchema)]
pub struct PointsTransaction {
    pub id: String,
    pub user_id: String,
    pub wallet_id: String,
    /// Sequence number, without gaps.
    pub seq: u64,
    #[serde(rename = "type")]
    #[schema(examples("EARN"))]
    pub kind: &'static str,
    /// Points moved; `type` determines the direction.
    pub points: u64,
    /// What they were worth when the movement was booked.
    pub points_value: Number,
    pub currency: &'static str,
    pub booking_id: Option<String>,
    pub payment_id: Option<String>,
    pub redemption_token: Option<String>,
    pub voucher_purchase_id: Option<String>,
    pub refund_id: Option<String>,
    pub reason: Option<String>,
    pub description: Option<String>,
    #[schema(examples("COMPLETED"))]
    pub status: &'static str,
    /// Balance (available + held) afterwards.
    pub balance_after: u64,
    pub balance_after_value: Number,
    /// Pending points afterwards.
    pub pending_after: u64,
    pub pending_after_value: Number,
    /// Spend that it adds or, if points are taken back, takes off.
    pub spend: Option<SpendView>,
    /// By how much what is owed rose; below zero if it fell.
    pub owed_raised: i64,
    pub owed_raised_value: Number,
    /// Points that had expired and so are not owed.
    pub forgiven: i64,
    pub forgiven_value: Number,
    #[schema(format = Date)]
    pub available_on: Option<String>,
    #[schema(format = Date)]
    pub expires_on: Option<String>,
    pub lots: Vec<PointsLot>,
    pub rules: Option<RulesView>,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub actor: ActorView,
    /// The cause of the movement; unique.
    pub reference: String,
    pub metadata: BTreeMap<String, String>,
}

fn difference(more: Money, less: Money) -> i64 {
    let of = |points: Money| i64::try_from(whole(points)).unwrap_or(i64::MAX);
    of(more).saturating_sub(of(less))
}

/// Returns what points are worth that may be below zero.
pub(crate) fn signed_value(worth: Worth, points: i64) -> Number {
    let value = worth.of(Points::of(points.unsigned_abs()).money()).value();
    Number::difference(if points < 0 { -value } else { value }, worth.currency)
}

/// Renders an entry for callers; `currency` is that of the program.
pub(crate) fn transaction(entry: &Entry, currency: Currency) -> PointsTransaction {
    let moved: PointsMove = entry.points.as_deref().cloned().unwrap_or_default();
    let worth = moved.worth.unwrap_or(Worth { each: Decimal::ZERO, currency });
    let currency = worth.currency;
    let value = |points: Money| Number::money(worth.of(points), currency);
    let owed = moved.owed.as_ref();
    let lot = |lot: &Lot| PointsLot {
        points: whole(lot.amount),
        points_value: value(lot.amount),
        expires_on: shown(lot.expires_on.as_ref()),
    };
    let pending = moved.pending.iter().map(|pending| lot(&pending.lot));
    let is_activation = entry.kind == domain::ledger::entry::EntryType::Activation;
    let lots = entry.lots.iter().map(lot).chain(pending.filter(|_| !is_activation)).collect();
    let forgiven =
        |part: Option<domain::ledger::owed::Forgiven>| part.map_or(Money::ZERO, |part| part.amount);
    let owed_raised = owed.map_or(0, |owed| difference(owed.raised, owed.cancelled));
    let forgiven_points = owed.map_or(0, |owed| difference(forgiven(owed.forgiven), forgiven(owed.restored)));
    let campaign = |(campaign_id, version): (String, u32)| CampaignUsed { campaign_id, version };
    PointsTransaction {
        id: entry.id().to_string(),
        user_id: entry.account.customer().to_string(),
        wallet_id: WalletId::of_points(entry.account.customer()).to_string(),
        seq: entry.seq,
        kind: entry.kind.as_str(),
        points: whole(entry.amount),
        points_value: value(entry.amount),
        currency: currency.code(),
        booking_id: shown(moved.booking_id.as_ref()),
        payment_id: shown(moved.payment_id.as_ref()),
        redemption_token: shown(moved.redemption.as_ref().or(entry.hold_id.as_ref())),
        voucher_purchase_id: shown(moved.voucher_purchase_id.as_ref()),
        refund_id: shown(moved.refund_id.as_ref()),
        reason: text(entry.reason.as_ref()),
        description: text(moved.description.as_ref()),
        status: "COMPLETED",
        balance_after: whole(entry.balance_after),
        balance_after_value: value(entry.balance_after),
        pending_after: whole(moved.pending_after),
        pending_after_value: value(moved.pending_after),
        spend: moved.spend.map(|spend| SpendView {
            amount: Number::money(spend.amount, currency),
            date: spend.on.to_string(),
        }),
        owed_raised,
        owed_raised_value: signed_value(worth, owed_raised),
        forgiven: forgiven_points,
        forgiven_value: signed_value(worth, forgiven_points),
        available_on: shown(moved.available_on.as_ref()),
        expires_on: shown(entry.expires_on.as_ref()),
        lots,
        rules: moved.rules.map(|rules| RulesView {
            program_version: rules.program_version,
            tier: rules.tier,
            campaigns: rules.campaigns.into_iter().map(campaign).collect(),
        }),
        created_at: entry.at.to_string(),
        actor: ActorView { role: entry.by.role.as_str(), sub: entry.by.sub.clone() },
        reference: entry.cause.to_string(),
        metadata: entry.metadata.pairs().clone(),
    }
}

/// Returns the path under which a movement can be read.
pub(crate) fn location(entry: &Entry) -> String {
    format!("/api/loyalty/wallets/{}/transactions/{}", entry.account.customer(), entry.id())
}

/// Locked points.
#[derive(Serialize, ToSchema)]
pub struct PointsRedemption {
    pub token: String,
    user_id: String,
    booking_id: String,
    points: u64,
    points_value: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// What one point is worth, whatever changes later.
    point_value: Number,
    charge: Number,
    /// What is left to pay in money.
    charge_after: Number,
    coupon_discount: Number,
    campaign_id: Option<String>,
    program_version: u32,
    /// LOCKED, CONFIRMED, RELEASED or EXPIRED
    #[schema(examples("LOCKED"))]
    status: &'static str,
    confirmed_points: u64,
    confirmed_points_value: Number,
    /// Of the confirmed points: given back by refunds.
    returned_points: u64,
    returned_points_value: Number,
    /// Of the confirmed points: missing when the lock was confirmed late.
    owed_points: u64,
    owed_points_value: Number,
    late: bool,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Ids of its movements, oldest first.
    transactions: Vec<String>,
}

/// Renders a redemption; `None` for a hold of money.
pub(crate) fn redemption(redeemed: &Redeemed) -> Option<PointsRedemption> {
    let (view, lock) = (&redeemed.view, redeemed.view.lock.as_ref()?);
    let value = |points: Money| lock.worth().of(points);
    let worth = |points: Money| Number::money(value(points), lock.currency);
    let money = |amount: Money| Number::money(amount, lock.currency);
    Some(PointsRedemption {
        token: redeemed.token.to_string(),
        user_id: redeemed.token.customer().to_string(),
        booking_id: lock.booking_id.to_string(),
        points: whole(view.amount),
        points_value: worth(view.amount),
        currency: lock.currency.code(),
        point_value: Number::exact(lock.point_value),
        charge: money(lock.charge),
        charge_after: money(lock.charge.saturating_sub(value(view.amount))),
        coupon_discount: money(lock.coupon_discount),
        campaign_id: shown(lock.campaign_id.as_ref()),
        program_version: lock.program_version,
        status: redemption_status(view.status),
        confirmed_points: whole(view.captured),
        confirmed_points_value: worth(view.captured),
        returned_points: whole(lock.returned),
        returned_points_value: worth(lock.returned),
        owed_points: whole(lock.owed),
        owed_points_value: worth(lock.owed),
        late: lock.late,
        expires_at: view.expires_at.to_string(),
        created_at: lock.created_at.to_string(),
        transactions: view.transactions.iter().map(ToString::to_string).collect(),
    })
}
