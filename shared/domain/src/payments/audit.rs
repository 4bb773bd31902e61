//! Law 7: a payment is credited at most once, and what was taken back follows from its reports.
//!
//! **Invariant:** for each refund and dispute: allotted = taken − returned + collected + owed +
//! forgiven; and the sum allotted for a top-up is at most its credit.

use crate::cause::Cause;
use crate::ids::{PaymentRef, TopUpId};
use crate::ledger::audit::AccountAudit;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::CreditSource;
use crate::ledger::owed::Reversed;
use crate::money::Money;
use crate::payments::topup::TopUp;
use std::collections::{BTreeMap, BTreeSet};

/// Everything stored about the payments into one wallet.
#[derive(Clone, Debug, Default)]
pub struct PaymentBooks {
    /// All top-ups of the customer.
    pub topups: Vec<TopUp>,
    /// Top-ups to which the gateway reference of their payment leads.
    pub resolved: BTreeSet<TopUpId>,
}

/// Compares top-ups with the entries that they caused.
pub fn compare(audit: &mut AccountAudit<'_>, books: &PaymentBooks) {
    let mut credits: BTreeMap<String, u32> = BTreeMap::new();
    for topup in &books.topups {
        for detail in differences(audit, books, topup) {
            audit.record_difference(Some(topup.id.to_string()), detail);
        }
        if let Some(credited) = &topup.credited {
            *credits.entry(credited.transaction.to_string()).or_default() += 1;
        }
    }
    // What was paid into a wallet of another system came with it, without its top-ups.
    let is_topup = |entry: &&&Entry| {
        let is_paid = entry.kind == EntryType::Credit && entry.source == Some(CreditSource::Topup);
        is_paid && !entry.cause.is_import()
    };
    let known: Vec<String> =
        audit.entries.iter().filter(is_topup).map(|entry| entry.id().to_string()).collect();
    for id in known {
        if credits.get(&id).copied() != Some(1) {
            audit.record_difference(
                Some(id),
                "credits a payment that belongs to no top-up, or to more than one",
            );
        }
    }
}

fn differences(audit: &AccountAudit<'_>, books: &PaymentBooks, topup: &TopUp) -> Vec<&'static str> {
    let mut found = Vec::new();
    let Some(credited) = &topup.credited else {
        return if topup.reversals.is_empty() {
            found
        } else {
            vec!["has refunds or disputes, but was never credited"]
        };
    };
    let payment = PaymentRef::topup(&topup.id);
    let concerns =
        |entry: &Entry| entry.after.reversal.as_ref().is_some_and(|reversed| reversed.payment == payment);
    let cause = Cause::topup(topup.gateway, &credited.payment);
    let is_credit = |entry: &Entry| entry.cause == cause;
    let credits = audit.entries_where(audit.books.seen.max(topup.seq), is_credit);
    let same = |entry: &&Entry| {
        entry.kind == EntryType::Credit
            && entry.amount == topup.amount
            && entry.unit == topup.currency
            && entry.id() == credited.transaction
            && entry.expires_on == credited.expires_on
            && entry.lots.iter().all(|lot| lot.class == credited.class)
    };
    if credits.len() != 1 || !credits.first().is_some_and(same) {
        found.push("was credited, but its entry is missing or different");
    }
    let newest = |entry: &Entry| concerns(entry) && entry.kind != EntryType::OwedCollected;
    if audit.entries_where(audit.books.seen, newest).last().is_some_and(|last| last.seq > topup.seq) {
        found.push("the top-up is older than its entries: it was put back");
    }
    if topup.reversed() > topup.amount {
        found.push("more was taken back than was credited");
    }
    let settled = topup.clone().allot(1).is_empty();
    if !settled {
        found.push("the amounts allotted to its refunds and disputes do not follow from their reports");
    }
    if !books.resolved.contains(&topup.id) {
        found.push("the gateway reference of its payment does not lead to it: it could be credited again");
    }
    found.extend(reversal_differences(audit, topup, &payment));
    found
}

/// Compares the refunds and disputes of a top-up with the entries and debts that they caused. Debts belong
/// to the account, so they are compared only with a top-up that is not newer than the account.
fn reversal_differences(audit: &AccountAudit<'_>, topup: &TopUp, payment: &PaymentRef) -> Vec<&'static str> {
    let mut found = Vec::new();
    let concerns =
        |entry: &Entry| entry.after.reversal.as_ref().is_some_and(|reversed| reversed.payment == *payment);
    let version = audit.books.account.as_ref().map_or(0, |account| account.version);
    let Some(account) = audit.folded.as_ref().filter(|_| topup.wallet_version <= version) else {
        return found;
    };
    let named = audit.entries_where(account.seq, concerns);
    let named = named.iter().filter_map(|entry| entry.after.reversal.as_ref()).map(|reversed| &reversed.id);
    let owed = account.owed.debts().iter().filter(|debt| debt.payment == *payment).map(|debt| &debt.reversal);
    if named.chain(owed).any(|id| !topup.reversals.contains_key(id)) {
        found.push("a refund or dispute that moved its credit is missing from it");
    }
    for (id, reversal) in &topup.reversals {
        let reversed = Reversed { id: id.clone(), payment: payment.clone() };
        let mine = |entry: &Entry| entry.after.reversal.as_ref() == Some(&reversed);
        let sum = |kind: EntryType| -> Money {
            let entries = audit.entries_where(account.seq, |entry| mine(entry) && entry.kind == kind);
            entries.iter().map(|entry| entry.amount).sum()
        };
        let parts = [
            sum(EntryType::Clawback),
            sum(EntryType::OwedCollected),
            account.owed.of(&reversed),
            reversal.forgiven,
        ];
        let all: Money = parts.into_iter().sum();
        if all.checked_sub(sum(EntryType::Adjustment)) != Some(reversal.allotted) {
            found.push(
                "the amounts taken, returned, collected, owed and forgiven do not sum to what is allotted",
            );
        }
    }
    found
}
