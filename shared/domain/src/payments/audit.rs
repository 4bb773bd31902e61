//! Law 7: a payment is credited at most once, and what was taken back of it is what its reports came to.
//!
//! **Invariant:** of each refund and dispute: allotted = taken − given back + collected + owed + forgiven; and all
//! that is allotted of a top-up is at most its credit.

use crate::cause::Cause;
use crate::ids::{PaymentRef, TopUpId};
use crate::ledger::audit::AccountAudit;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::CreditSource;
use crate::money::Money;
use crate::payments::topup::TopUp;
use std::collections::{BTreeMap, BTreeSet};

/// Everything stored about the payments into one wallet.
#[derive(Clone, Debug, Default)]
pub struct PaymentBooks {
    /// The customer's top-ups.
    pub topups: Vec<TopUp>,
    /// Those of them that their payment's own item leads to.
    pub resolved: BTreeSet<TopUpId>,
}

/// Compares top-ups with the entries that they are said to have caused.
pub fn compare(audit: &mut AccountAudit<'_>, books: &PaymentBooks) {
    let mut credits: BTreeMap<String, u32> = BTreeMap::new();
    for topup in &books.topups {
        for detail in differences(audit, books, topup) {
            audit.differ(Some(topup.id.to_string()), detail);
        }
        if let Some(credited) = &topup.credited {
            *credits.entry(credited.transaction.to_string()).or_default() += 1;
        }
    }
    let is_topup =
        |entry: &&&Entry| entry.kind == EntryType::Credit && entry.source == Some(CreditSource::Topup);
    let known: Vec<String> =
        audit.entries.iter().filter(is_topup).map(|entry| entry.id().to_string()).collect();
    for id in known {
        if credits.get(&id).copied() != Some(1) {
            audit.differ(Some(id), "credits a payment of no top-up, or of more than one");
        }
    }
}

fn differences(audit: &AccountAudit<'_>, books: &PaymentBooks, topup: &TopUp) -> Vec<&'static str> {
    let mut found = Vec::new();
    let Some(credited) = &topup.credited else {
        return if topup.reversals.is_empty() {
            found
        } else {
            vec!["is taken back without having been credited"]
        };
    };
    let payment = PaymentRef::topup(&topup.id);
    let concerns =
        |entry: &Entry| entry.after.reversal.as_ref().is_some_and(|reversed| reversed.payment == payment);
    let cause = Cause::topup(topup.gateway, &credited.payment);
    let is_credit = |entry: &Entry| entry.cause == cause;
    let credits = audit.picked(audit.books.seen.max(topup.seq), is_credit);
    let same = |entry: &&Entry| {
        entry.kind == EntryType::Credit
            && entry.amount == topup.amount
            && entry.unit == topup.currency
            && entry.id() == credited.transaction
            && entry.expires_on == credited.expires_on
            && entry.lots.iter().all(|lot| lot.class == credited.class)
    };
    if credits.len() != 1 || !credits.first().is_some_and(same) {
        found.push("was credited, but there is no such movement");
    }
    let newest = |entry: &Entry| concerns(entry) && entry.kind != EntryType::OwedCollected;
    if audit.picked(audit.books.seen, newest).last().is_some_and(|last| last.seq > topup.seq) {
        found.push("the top-up is older than its movements: it was put back");
    }
    if topup.reversed() > topup.amount {
        found.push("more was taken back than was credited");
    }
    let settled = topup.clone().allot(1).is_empty();
    if !settled {
        found.push("what is allotted to its refunds and disputes is not what they were reported to come to");
    }
    if !books.resolved.contains(&topup.id) {
        found.push("its payment does not lead to it: it could be credited again");
    }
    // What is owed is the account's: only a top-up that it has not outrun can be held against it.
    let version = audit.books.account.as_ref().map_or(0, |account| account.version);
    let Some(account) = audit.folded.as_ref().filter(|_| topup.wallet_version <= version) else {
        return found;
    };
    let named = audit.picked(account.seq, concerns);
    let named = named.iter().filter_map(|entry| entry.after.reversal.as_ref()).map(|reversed| &reversed.id);
    let owed = account.owed.debts().iter().filter(|debt| debt.payment == payment).map(|debt| &debt.reversal);
    if named.chain(owed).any(|id| !topup.reversals.contains_key(id)) {
        found.push("a refund or dispute that moved its credit is missing from it");
    }
    for (id, reversal) in &topup.reversals {
        let mine = |entry: &Entry| entry.after.reversal.as_ref().is_some_and(|reversed| reversed.id == *id);
        let sum = |kind: EntryType| -> Money {
            let entries = audit.picked(account.seq, |entry| mine(entry) && entry.kind == kind);
            entries.iter().map(|entry| entry.amount).sum()
        };
        let parts =
            [sum(EntryType::Clawback), sum(EntryType::OwedCollected), account.owed.of(id), reversal.forgiven];
        let all: Money = parts.into_iter().sum();
        if all.checked_sub(sum(EntryType::Adjustment)) != Some(reversal.allotted) {
            found.push(
                "what was taken, given back, collected, owed and forgiven is not what its reports came to",
            );
        }
    }
    found
}
