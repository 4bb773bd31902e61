//! The API views of rewards, claims and referrals.
//!
//! **Invariant:** the answer to a claim is rendered from its entry alone, so a replay returns the same.

use domain::currency::Currency;
use domain::ids::CustomerId;
use domain::ledger::entry::Entry;
use domain::money::Money;
use domain::rewards::causes::claimed;
use domain::rewards::program::ReferralProgram;
use domain::rewards::reward::Reward;
use domain::text::FreeText;
use domain::time::Timestamp;
use edge::Problem;
use edge::json::Number;
use edge::movement::{Transaction, transaction};
use serde::Serialize;
use store::ListedClaim;
use utoipa::ToSchema;

/// A reward.
#[derive(Serialize, ToSchema)]
#[schema(as = Reward)]
pub(crate) struct RewardView {
    pub(crate) reward_id: String,
    name: String,
    description: Option<String>,
    credit_amount: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    min_purchase_amount: Number,
    /// How many customers can claim it; null: no limit.
    max_uses: Option<u64>,
    /// How many customers have claimed it.
    total_uses: u64,
    uses_left: Option<u64>,
    #[schema(format = DateTime)]
    valid_from: String,
    #[schema(format = DateTime)]
    valid_until: Option<String>,
    applicable_to: Vec<String>,
    /// ACTIVE, INACTIVE or EXPIRED
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    created_by: String,
}

/// Renders a reward that was claimed so often.
pub(crate) fn reward(reward: &Reward, total_uses: u64, now: Timestamp) -> RewardView {
    let terms = &reward.terms;
    let money = |amount: Money| Number::money(amount, terms.currency);
    RewardView {
        reward_id: reward.id.to_string(),
        name: terms.name.as_str().to_owned(),
        description: terms.description.as_ref().map(FreeText::as_str).map(str::to_owned),
        credit_amount: money(terms.credit_amount),
        currency: terms.currency.code(),
        min_purchase_amount: money(terms.min_purchase_amount),
        max_uses: terms.max_uses,
        total_uses,
        uses_left: terms.max_uses.map(|most| most.saturating_sub(total_uses)),
        valid_from: terms.valid_from.to_string(),
        valid_until: terms.valid_until.map(|until| until.to_string()),
        applicable_to: terms.applicable_to.iter().map(ToString::to_string).collect(),
        status: reward.status(now).as_str(),
        created_at: reward.created_at.to_string(),
        updated_at: reward.updated_at.to_string(),
        created_by: reward.created_by.sub.clone(),
    }
}

/// A page of rewards, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rewards {
    pub(crate) rewards: Vec<RewardView>,
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// A claim of a reward.
#[derive(Serialize, ToSchema)]
pub(crate) struct Claim {
    customer_id: String,
    transaction_id: String,
    order_id: Option<String>,
    credit_amount: Number,
    #[schema(format = DateTime)]
    claimed_at: String,
}

/// Renders a claim.
pub(crate) fn claim(claim: &ListedClaim, currency: Currency) -> Claim {
    Claim {
        customer_id: claim.customer.to_string(),
        transaction_id: claim.transaction.to_string(),
        order_id: claim.order.as_ref().map(ToString::to_string),
        credit_amount: Number::money(claim.amount, currency),
        claimed_at: claim.at.to_string(),
    }
}

/// A page of claims, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Claims {
    pub(crate) claims: Vec<Claim>,
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// What of a reward its claim shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimedReward {
    reward_id: String,
    name: Option<String>,
    credit_amount: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
}

/// A claimed reward, and the transaction that credits it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Applied {
    reward: ClaimedReward,
    transaction: Transaction,
}

/// Renders a claim from its entry.
pub(crate) fn applied(entry: &Entry) -> Result<Applied, Problem> {
    let reward = ClaimedReward {
        reward_id: claimed(&entry.cause).ok_or_else(Problem::internal)?.to_string(),
        name: entry.reason.as_ref().map(FreeText::as_str).map(str::to_owned),
        credit_amount: Number::money(entry.amount, entry.unit),
        currency: entry.unit.code(),
    };
    Ok(Applied { reward, transaction: transaction(entry) })
}

/// A reward that a customer has not claimed.
#[derive(Serialize, ToSchema)]
pub(crate) struct AvailableReward {
    #[serde(flatten)]
    pub(crate) reward: RewardView,
    /// True if it is claimed with an order.
    pub(crate) needs_order: bool,
    /// True if the customer can claim it; with an order, one that is registered.
    pub(crate) eligible: bool,
    /// Null, min_purchase, products, account_frozen or account_suspended
    pub(crate) reason: Option<&'static str>,
}

/// The rewards that a customer can claim, or could.
#[derive(Serialize, ToSchema)]
pub(crate) struct AvailableRewards {
    pub(crate) rewards: Vec<AvailableReward>,
}

/// A referral, and the transactions of both customers.
#[derive(Serialize, ToSchema)]
#[schema(as = AppliedReferral)]
pub(crate) struct Referral {
    referrer_id: String,
    referred_id: String,
    /// Null if nothing could be taken back: it is owed, or had expired.
    referrer_transaction: Option<Transaction>,
    /// Null if the program gives nothing to the referred customer, or nothing could be taken back.
    referred_transaction: Option<Transaction>,
    /// How many customers the referrer has referred.
    referral_count: u64,
}

/// Renders a referral, or its reversal.
pub(crate) fn referral(
    [from, newcomer]: [&CustomerId; 2],
    transactions: [Option<&Entry>; 2],
    referral_count: u64,
) -> Referral {
    let [first, second] = transactions.map(|entry| entry.map(transaction));
    Referral {
        referrer_id: from.to_string(),
        referred_id: newcomer.to_string(),
        referrer_transaction: first,
        referred_transaction: second,
        referral_count,
    }
}

/// What referrals give.
#[derive(Serialize, ToSchema)]
#[schema(as = ReferralProgram)]
pub(crate) struct ProgramView {
    version: u32,
    referrer_bonus: Number,
    referred_bonus: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    expiry_days: u32,
    /// Null: no limit.
    max_per_referrer: Option<u64>,
    /// Null for the defaults.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    created_by: Option<String>,
}

/// Renders a version of the referral program.
pub(crate) fn program(program: &ReferralProgram, currency: Currency) -> ProgramView {
    ProgramView {
        version: program.version,
        referrer_bonus: Number::money(program.referrer_bonus, currency),
        referred_bonus: Number::money(program.referred_bonus, currency),
        currency: currency.code(),
        expiry_days: program.expiry_days,
        max_per_referrer: program.max_per_referrer,
        created_at: program.made.as_ref().map(|(at, _)| at.to_string()),
        created_by: program.made.as_ref().map(|(_, by)| by.sub.clone()),
    }
}
