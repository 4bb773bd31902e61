//! Audit of budgets and gift cards: checks each slice against its entries, each movement against
//! its other side, and the place of each card.
//!
//! **Invariant:** what one account sent has arrived in the other, and nothing has arrived that was
//! not sent.
//! **Invariant:** every card is either free once or sold once: known = sold + unsold.

use domain::budget::audit::prove;
use domain::budget::entry::{BudgetEntry, MoveType};
use domain::budget::key::KeyState;
use domain::giftcard::redemption::{Redemption, RedemptionStatus};
use domain::hash::Hash;
use domain::ids::budget::{AccountId, BudgetKind, CardId};
use domain::ledger::audit::Difference;
use domain::money::Money;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use store::{BudgetList, Store, StoreError};

/// Maximum number of times that the cards are read: a card that is being sold can appear as a
/// difference.
const MAX_READS: u8 = 4;

/// Result of the audit of budgets and gift cards.
#[derive(Clone, Debug, Default)]
pub struct BudgetAudit {
    /// Number of budget accounts.
    pub accounts: u64,
    /// Number of entries of budget accounts.
    pub entries: u64,
    /// Credit that the platform has allocated, minus the credit returned to it.
    pub issued: Money,
    /// Available credit of all accounts.
    pub available: Money,
    /// Reserved credit of all accounts.
    pub reserved: Money,
    /// Spent credit of all accounts.
    pub spent: Money,
    /// Number of cards: known, free, sold.
    pub cards: (u64, u64, u64),
}

impl fmt::Display for BudgetAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accounts > 0 {
            writeln!(f, "budgets      {} accounts, {} entries", self.accounts, self.entries)?;
            let Self { issued, available, reserved, spent, .. } = self;
            writeln!(
                f,
                "credit       issued {issued} = available {available} + reserved {reserved} + spent {spent}"
            )?;
        }
        let (known, free, sold) = self.cards;
        if known > 0 {
            writeln!(f, "cards        {known} = {sold} sold + {free} unsold")?;
        }
        Ok(())
    }
}

/// Audits every budget account and every card; returns the result, the lines for the digest, and
/// the differences.
pub async fn audit_budgets(store: &Store) -> Result<(BudgetAudit, String, Vec<Difference>), StoreError> {
    let mut audit = BudgetAudit::default();
    let (mut lines, mut differences) = (String::new(), Vec::new());
    let mut list = store.audit().budget_list().await?;
    for account in &list.accounts {
        let (books, bad) = store.audit().budget_books(account).await?;
        differences.extend(bad);
        let Some(books) = books else { continue };
        let proof = prove(&books);
        differences.extend(proof.differences);
        audit.accounts += 1;
        audit.entries += u64::try_from(books.entries.len()).unwrap_or(0);
        add(&mut audit.available, proof.available);
        add(&mut audit.reserved, proof.reserved);
        add(&mut audit.spent, proof.spent);
        if account.kind() == BudgetKind::Platform {
            audit.issued = proof.below.0.saturating_sub(proof.below.1);
        }
        for entry in &books.entries {
            differences.extend(other_side(store, entry).await?);
            differences.extend(redeemed(store, entry).await?);
        }
        let mut hashes: Vec<String> = books.entries.iter().map(|entry| entry.hash.to_string()).collect();
        hashes.sort_unstable();
        let _ = writeln!(lines, "b:{account}|{}|{}", hashes.len(), Hash::of(hashes.join("\n")));
    }
    let mut cards = cards(&mut audit, &list);
    for _ in 1..MAX_READS {
        if cards.is_empty() {
            break;
        }
        list = store.audit().budget_list().await?;
        cards = self::cards(&mut audit, &list);
    }
    differences.extend(cards);
    differences.extend(list.unreadable.clone());
    for redemption in &list.redemptions {
        differences.extend(paid(store, redemption).await?);
    }
    Ok((audit, lines, differences))
}

fn add(sum: &mut Money, amount: Money) {
    *sum = [*sum, amount].into_iter().sum();
}

fn differ(account: &AccountId, at: &impl ToString, detail: &str) -> Difference {
    Difference { account: format!("b:{account}"), at: Some(at.to_string()), detail: detail.to_owned() }
}

/// Checks law 3: a movement has its other side in the other account.
async fn other_side(store: &Store, entry: &BudgetEntry) -> Result<Option<Difference>, StoreError> {
    let Some(other) = &entry.other else { return Ok(None) };
    let wanted = match entry.kind {
        MoveType::AllocationOut => MoveType::AllocationIn,
        MoveType::AllocationIn => MoveType::AllocationOut,
        MoveType::ReclaimOut => MoveType::ReclaimIn,
        MoveType::ReclaimIn => MoveType::ReclaimOut,
        MoveType::Redemption | MoveType::Rebalance => return Ok(None),
    };
    let same = |found: &BudgetEntry| {
        found.kind == wanted
            && found.amount == entry.amount
            && found
                .other
                .as_ref()
                .is_some_and(|back| back.account == entry.account && back.cause == entry.cause)
    };
    let state = store.budgets().key_state(&other.account, &other.cause).await?;
    let arrived = matches!(state, KeyState::Entry(found) if same(&found));
    Ok((!arrived).then(|| differ(&other.account, &other.cause, "the other side of a movement is missing")))
}

/// Checks that the redemption that an entry paid exists and agrees with the entry.
async fn redeemed(store: &Store, entry: &BudgetEntry) -> Result<Option<Difference>, StoreError> {
    let Some(paid) = &entry.paid else { return Ok(None) };
    let found = store.gift_cards().redemption(&paid.redemption).await?;
    let same = |found: &Redemption| {
        found.amount == entry.amount
            && found.attempt == entry.attempt
            && found.takes == entry.takes
            && found.card.is_some()
            && found.cost == Some(paid.cost)
    };
    let differs = !found.as_ref().is_some_and(same);
    Ok(differs.then(|| differ(&entry.account, &entry.id(), "its redemption is missing or does not match it")))
}

/// Checks that an issued redemption was paid.
async fn paid(store: &Store, redemption: &Redemption) -> Result<Option<Difference>, StoreError> {
    let issued = matches!(redemption.status, RedemptionStatus::Issued | RedemptionStatus::Delivered);
    if !issued {
        return Ok(None);
    }
    let state = store.budgets().key_state(&redemption.charged, &redemption.id.cause()).await?;
    let is_paid = matches!(state, KeyState::Entry(entry) if entry.attempt == redemption.attempt);
    Ok((!is_paid).then(|| differ(&redemption.charged, &redemption.id, "was issued but is not paid")))
}

/// Checks law 6: every card is either free once or sold once.
fn cards(audit: &mut BudgetAudit, list: &BudgetList) -> Vec<Difference> {
    let mut sold: BTreeMap<&CardId, u32> = BTreeMap::new();
    for card in list.redemptions.iter().filter_map(|redemption| redemption.card.as_ref()) {
        *sold.entry(card).or_default() += 1;
    }
    let mut differences = Vec::new();
    let mut odd = |card: &CardId, detail: String| {
        differences.push(Difference { account: format!("card {card}"), at: None, detail });
    };
    for card in &list.cards {
        let (free, sold) = (list.free.get(card).copied().unwrap_or(0), sold.get(card).copied().unwrap_or(0));
        if free + sold != 1 {
            odd(card, format!("is free {free} times and sold {sold} times"));
        }
    }
    for card in list.free.keys().chain(sold.keys().copied()).filter(|card| !list.cards.contains(*card)) {
        odd(card, "is free or sold, but has no item of its own".to_owned());
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(0);
    audit.cards = (count(list.cards.len()), count(list.free.len()), count(sold.len()));
    differences
}
