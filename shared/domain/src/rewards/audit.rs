//! The laws of rewards and referrals.
//!
//! **Invariant:** minted = free + claimed, and every claim has its credit.
//! **Invariant:** a referral's record names the credits of both wallets, and a wallet counts the customers whom it has
//! referred, less those reversed.

use crate::cause::Cause;
use crate::ids::{CustomerId, OrderId};
use crate::ledger::audit::{AccountAudit, Difference};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::order::{Order, OrderReports};
use crate::money::Money;
use crate::rewards::causes::{CLAIMS, REFERRAL_REVERSALS, REFERRALS, REFERRED};
use crate::rewards::delivery::OrderRecord;
use crate::rewards::reward::Reward;
use crate::rewards::state::ReferralRecord;
use crate::wallet::profile::Profile;
use std::collections::BTreeSet;

/// Compares a wallet with the referrals in which it takes part.
pub fn compare(audit: &mut AccountAudit<'_>, profile: Option<&Profile>, record: Option<&ReferralRecord>) {
    let (Some(account), Some(profile)) = (audit.folded.clone(), profile) else { return };
    if profile.referred_by.as_ref() != record.map(|record| &record.referrer) {
        audit.record_difference(None, "the record of its referral does not name who referred it");
    }
    if let Some(record) = record.filter(|record| !record.referred_bonus.is_zero()) {
        let cause = Cause::referred_by(&record.referrer);
        let found = audit.entries_where(u64::MAX, |entry| entry.cause == cause);
        if found.first().is_none_or(|entry| entry.amount != record.referred_bonus) {
            audit.record_difference(None, "the credit of its referral is missing or different");
        }
    }
    let delivered = audit.entries_where(account.seq, |entry| {
        entry.order_id.as_ref().is_some_and(|order| entry.cause == Cause::delivery(order))
    });
    if u64::try_from(delivered.len()).ok() != Some(profile.delivered_orders) {
        audit.record_difference(None, "its number of delivered orders does not follow from its entries");
    }
    let is_referred = |entry: &Entry| entry.cause.as_str().starts_with(REFERRED);
    if record.is_none() && !audit.entries_where(account.seq, is_referred).is_empty() {
        audit.record_difference(None, "was credited for a referral of which there is no record");
    }
    let is_credit =
        |entry: &Entry| entry.kind == EntryType::Credit && entry.cause.as_str().starts_with(REFERRALS);
    let credited = audit.entries_where(account.seq, is_credit).len();
    // The reversal of a referral has the same name in both wallets; only the referrer's counts.
    let own = record.map(|record| crate::rewards::causes::reversed_referral(&record.referred).id);
    let moved = audit.entries_where(account.seq, |entry| entry.after.reversal.is_some());
    let named = moved.iter().filter_map(|entry| entry.after.reversal.as_ref()).map(|reversed| &reversed.id);
    let version = audit.books.account.as_ref().map_or(0, |account| account.version);
    let known = audit.books.owed.iter().filter(|(of, _)| *of <= version);
    let owed = known.map(|(_, change)| &change.reversal);
    let reversed: BTreeSet<_> = named
        .chain(owed)
        .filter(|id| id.as_str().starts_with(REFERRAL_REVERSALS) && Some(*id) != own.as_ref())
        .collect();
    let referred = u64::try_from(credited.saturating_sub(reversed.len())).ok();
    let referred = referred.and_then(|referred| referred.checked_add(profile.imported_referrals));
    if referred != Some(profile.referral_count) {
        audit.record_difference(None, "its number of referred customers does not follow from its entries");
    }
}

/// A claim in the list of its reward, and its credit.
#[derive(Clone, Debug)]
pub struct AuditedClaim {
    /// Who claimed.
    pub customer: CustomerId,
    /// The credit, if there is one.
    pub entry: Option<Entry>,
}

/// Returns the claims of a wallet's entries, by their causes.
pub fn claims_of(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    let is_claim =
        |entry: &&Entry| entry.kind == EntryType::Credit && entry.cause.as_str().starts_with(CLAIMS);
    entries.iter().filter(is_claim)
}

/// Compares a reward with its claims, and with its minted and free uses before and after these were read.
pub fn prove_reward(
    reward: &Reward,
    (minted, free): ([u64; 2], [u64; 2]),
    claims: &[AuditedClaim],
) -> Vec<Difference> {
    let mut found = vec![];
    let mut differs = |at: Option<String>, detail: &str| {
        found.push(Difference { account: reward.id.to_string(), at, detail: detail.to_owned() });
    };
    let claimed = u64::try_from(claims.len()).unwrap_or(u64::MAX);
    let [before, after] = free.map(|free| free.saturating_add(claimed));
    if before < minted[0] || after > minted[1] {
        differs(None, "its uses are not the sum of free and claimed ones");
    }
    let mut customers = BTreeSet::new();
    for claim in claims {
        let is_credit =
            |entry: &Entry| entry.kind == EntryType::Credit && entry.amount == reward.terms.credit_amount;
        if !claim.entry.as_ref().is_some_and(is_credit) {
            differs(Some(claim.customer.to_string()), "the credit of this claim is missing or different");
        }
        if !customers.insert(&claim.customer) {
            differs(Some(claim.customer.to_string()), "has claimed it twice");
        }
    }
    found
}

/// Returns the orders for whose delivery these entries of a wallet gave credit.
pub fn deliveries_of(entries: &[Entry]) -> impl Iterator<Item = OrderId> {
    entries.iter().filter_map(|entry| {
        let order = entry.order_id.clone()?;
        (entry.kind == EntryType::Credit && entry.cause == Cause::delivery(&order)).then_some(order)
    })
}

/// Compares what was reported of an order with the credit that its delivery gave, and with what the order shows of it.
pub fn prove_order(record: &OrderRecord, credit: Option<&Entry>, order: Option<&Order>) -> Vec<Difference> {
    let mut found = vec![];
    let mut differs = |detail: &str| {
        let account = format!("order {}", record.order);
        found.push(Difference { account, at: None, detail: detail.to_owned() });
    };
    let amount = record.delivered.as_ref().map_or(Money::ZERO, |delivered| delivered.amount);
    let given = credit.map_or(Money::ZERO, |entry| entry.amount);
    let is_theirs = |entry: &Entry| Some(entry.account.customer()) == record.customer.as_ref();
    if given != amount || !credit.is_none_or(is_theirs) {
        differs("its delivery gave another credit than its entry");
    }
    let terms = record.delivered.as_ref().map(|delivered| delivered.credit(delivered.total));
    if terms.is_some_and(|terms| terms != Ok(amount)) || record.keeps() != Ok(record.kept()) {
        differs("it keeps another credit than its reports leave");
    }
    // What names another customer counts for nothing.
    let shown = |order: &Order| match &record.customer {
        Some(customer) if *customer != order.customer => {
            OrderReports { version: record.version, ..OrderReports::default() }
        }
        Some(_) | None => record.reports(),
    };
    if order.is_some_and(|order| {
        order.reports.version > 0 && order.reports.version == record.version && order.reports != shown(order)
    }) {
        differs("the order shows other reports than were made");
    }
    found
}
