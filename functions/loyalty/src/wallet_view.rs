//! The API view of a customer's points.
//!
//! **Invariant:** what stands is shown with its value of now.

use crate::views::whole;
use domain::currency::Currency;
use domain::ids::WalletId;
use domain::ledger::spend::window_from;
use domain::loyalty::member::Member;
use domain::loyalty::numbers::{PointValue, Points};
use domain::loyalty::program::LoyaltyTier;
use domain::money::Money;
use domain::rejection::Rejection;
use domain::time::{Date, days_until};
use edge::json::Number;
use edge::params::Window;
use edge::{App, Problem, page};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The tier that a customer holds.
#[derive(Serialize, ToSchema)]
pub struct HeldTier {
    #[schema(examples("BRONZE"))]
    name: String,
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Last date of a tier granted by hand.
    #[schema(format = Date)]
    granted_until: Option<String>,
    multiplier: Number,
    max_points_per_booking: u64,
    max_share: Number,
    benefits: Vec<String>,
}

/// What the next tier needs.
#[derive(Serialize, ToSchema)]
pub struct Need {
    /// spend_12m or lifetime_points
    #[schema(examples("spend_12m"))]
    measure: &'static str,
    need: Number,
    have: Number,
    missing: Number,
}

/// How far it is to the next tier.
#[derive(Serialize, ToSchema)]
pub struct Progress {
    spend_12m: Number,
    /// First date whose spend counts today.
    #[schema(format = Date)]
    window_from: String,
    next_tier: Option<String>,
    /// The next tier is reached if one of them is.
    needs: Vec<Need>,
    /// Last date on which a tier is held that is no longer reached.
    #[schema(format = Date)]
    grace_ends_on: Option<String>,
}

/// Points that become available, or can no longer be spent, after a date.
#[derive(Serialize, ToSchema)]
pub struct PointsOn {
    points: u64,
    points_value: Number,
    #[schema(format = Date)]
    date: String,
}

/// A customer's points and tier.
#[derive(Serialize, ToSchema)]
pub struct PointsWallet {
    user_id: String,
    wallet_id: String,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// ACTIVE or FROZEN
    #[schema(examples("ACTIVE"))]
    status: &'static str,
    /// available + held
    balance: u64,
    balance_value: Number,
    available: u64,
    available_value: Number,
    held: u64,
    held_value: Number,
    pending: u64,
    pending_value: Number,
    owed: u64,
    owed_value: Number,
    lifetime_points: u64,
    total_redeemed: u64,
    total_expired: u64,
    /// Money for one point when spent.
    point_value: Number,
    tier: HeldTier,
    progress: Progress,
    next_expiry: Option<PointsOn>,
    next_pending: Option<PointsOn>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    #[schema(format = DateTime)]
    last_transaction_at: Option<String>,
    metadata: BTreeMap<String, String>,
}

/// Values points of now.
struct Worth {
    each: PointValue,
    currency: Currency,
}

impl Worth {
    fn of(&self, points: Money) -> Number {
        let points = Points::of_money(points).unwrap_or_default();
        Number::money(points.value(self.each, self.currency), self.currency)
    }

    fn on(&self, (date, points): (Date, Money)) -> PointsOn {
        PointsOn { points: whole(points), points_value: self.of(points), date: date.to_string() }
    }
}

fn needs(next: &LoyaltyTier, spend: Money, lifetime: Points, currency: Currency) -> Vec<Need> {
    let by_spend = next.spend_12m.map(|need| Need {
        measure: "spend_12m",
        need: Number::money(need, currency),
        have: Number::money(spend, currency),
        missing: Number::money(need.saturating_sub(spend), currency),
    });
    let points = |points: Points| Number::exact(points.get().into());
    let by_points = next.lifetime_points.map(|need| Need {
        measure: "lifetime_points",
        need: points(need),
        have: points(lifetime),
        missing: points(need.saturating_sub(lifetime)),
    });
    by_spend.into_iter().chain(by_points).collect()
}

/// Renders the points of a customer.
pub(crate) fn wallet(member: &Member) -> Result<PointsWallet, Rejection> {
    let (account, program) = (&member.posting.account, member.program()?);
    let (tier, today, part) = (member.tier()?, member.posting.today(), member.part()?);
    let currency = program.currency;
    let worth = Worth { each: program.rules.point_value, currency };
    let exists = account.version > 0;
    let spend = part.spend.trailing(today);
    let tiers = program.rules.tiers.all();
    let rank = program.rules.tiers.rank(&tier.name).unwrap_or(0);
    let next = tiers.get(rank + 1);
    let standing = &member.standing;
    let granted = standing.granted.as_ref().filter(|grant| today <= grant.until);
    let balance = account.balance();
    Ok(PointsWallet {
        user_id: account.id.customer().to_string(),
        wallet_id: WalletId::of_points(account.id.customer()).to_string(),
        currency: currency.code(),
        status: account.status.as_str(),
        balance: whole(balance),
        balance_value: worth.of(balance),
        available: whole(account.available()),
        available_value: worth.of(account.available()),
        held: whole(account.held()),
        held_value: worth.of(account.held()),
        pending: whole(account.pending()),
        pending_value: worth.of(account.pending()),
        owed: whole(account.owed.total()),
        owed_value: worth.of(account.owed.total()),
        lifetime_points: member.lifetime().get(),
        total_redeemed: whole(account.totals.spent),
        total_expired: whole(account.totals.expired),
        point_value: Number::exact(program.rules.point_value.value()),
        tier: HeldTier {
            name: tier.name.as_str().to_owned(),
            since: exists.then(|| standing.since.to_string()),
            granted_until: granted.map(|grant| grant.until.to_string()),
            multiplier: Number::exact(tier.multiplier.value()),
            max_points_per_booking: tier.max_points_per_booking.get(),
            max_share: Number::exact(tier.max_share.value()),
            benefits: tier.benefits.clone(),
        },
        progress: Progress {
            spend_12m: Number::money(spend, currency),
            window_from: window_from(today).to_string(),
            next_tier: next.map(|next| next.name.as_str().to_owned()),
            needs: next.map(|next| needs(next, spend, member.lifetime(), currency)).unwrap_or_default(),
            grace_ends_on: standing
                .grace
                .and_then(|grace| grace.ends.pred_opt())
                .map(|date| date.to_string()),
        },
        next_expiry: account.lots.next_expiry().map(|next| worth.on(next)),
        next_pending: part.pending.next().map(|next| worth.on(next)),
        created_at: exists.then(|| account.created_at.to_string()),
        updated_at: exists.then(|| account.updated_at.to_string()),
        last_transaction_at: account.last_transaction_at.map(|at| at.to_string()),
        metadata: BTreeMap::new(),
    })
}

/// Points that can no longer be spent after a date.
#[derive(Serialize, ToSchema)]
pub struct ExpiringPoints {
    points: u64,
    points_value: Number,
    #[schema(format = Date)]
    expires_on: String,
    days_remaining: u64,
}

/// Points that expire soon, soonest first.
#[derive(Serialize, ToSchema)]
pub struct ExpiringList {
    lots: Vec<ExpiringPoints>,
    /// Sum of all lots that match, not only of this page.
    points: u64,
    points_value: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists the points that expire within some days.
pub(crate) fn expiring(
    app: &App,
    member: &Member,
    days: u16,
    window: &Window,
) -> Result<ExpiringList, Problem> {
    let (program, today) = (member.program()?, member.posting.today());
    let worth = Worth { each: program.rules.point_value, currency: program.currency };
    let mut by_date: BTreeMap<Date, Money> = BTreeMap::new();
    for lot in member.posting.account.lots.iter() {
        let soon = |date: &Date| days_until(today, *date) <= u64::from(days);
        let Some(date) = lot.expires_on.filter(soon) else { continue };
        let sum = by_date.entry(date).or_default();
        *sum = [*sum, lot.amount].into_iter().sum();
    }
    let sum: Money = by_date.values().copied().sum();
    let list = format!("points-expiring|{}|{days}", member.posting.account.id.customer());
    let page = page::of(app, &list, window, by_date.into_iter().collect(), |(date, _)| date.to_string())?;
    let lot = |(date, points): &(Date, Money)| ExpiringPoints {
        points: whole(*points),
        points_value: worth.of(*points),
        expires_on: date.to_string(),
        days_remaining: days_until(today, *date),
    };
    Ok(ExpiringList {
        lots: page.items.iter().map(lot).collect(),
        points: whole(sum),
        points_value: worth.of(sum),
        currency: program.currency.code(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next_cursor,
    })
}
