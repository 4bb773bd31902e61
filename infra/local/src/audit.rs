//! `audit`: proves the books, or names every difference.
//!
//! **Invariant:** the digest covers every account's last entry number and chain head (for budgets,
//! the number and the hashes of the entries) in order of account. Two tables have the same digest
//! if and only if they have the same entries.

use crate::Failure;
use crate::audit_budgets::{BudgetAudit, audit_budgets};
use crate::clock::TestClock;
use crate::connection::TableConnection;
use crate::data::DataDir;
use domain::audit::prove;
use domain::cause::Cause;
use domain::currency::Currency;
use domain::hash::Hash;
use domain::ids::{AccountRef, CustomerId, OrderId, RewardId};
use domain::ledger::audit::{Difference, Proof};
use domain::ledger::entry::{Entry, EntryType};
use domain::loyalty;
use domain::loyalty::figures::PointsFigures;
use domain::loyalty::rules::Rules;
use domain::money::Money;
use domain::rewards::audit::{claims_of, deliveries_of, prove_order, prove_reward};
use domain::rewards::causes::claimed as claimed_reward;
use domain::time::Date;
use domain::unit::Unit;
use domain::vouchers::audit::{VoucherBooks, VoucherMoves, prove as prove_vouchers};
use edge::cursor::CursorKey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use store::{AccountList, Store, StoreError};

/// Result of the audit of a whole table.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// Number of wallets with an account.
    pub accounts: u64,
    /// Number of entries of wallets.
    pub entries: u64,
    /// Number of items of any kind in the table.
    pub items: u64,
    /// Sums of the entries' amounts by currency and entry type.
    pub sums: BTreeMap<(&'static str, EntryType), Money>,
    /// Sums of the wallets' balances by currency.
    pub balances: BTreeMap<&'static str, Money>,
    /// SHA-256 over the line `w:<customer>|<last number>|<head>` of every wallet, in order of
    /// account, the line `p:<customer>|<last number>|<head>` of every account of points, then the line `b:<account>|<entries>|<digest of their hashes, sorted>` of every
    /// budget.
    pub digest: String,
    /// Result of the audit of budgets and gift cards.
    pub budgets: BudgetAudit,
    /// Differences that were found.
    pub differences: Vec<Difference>,
}

impl AuditReport {
    /// Adds the entries and the balance of an account.
    fn add(&mut self, proof: &Proof) {
        self.entries += proof.entries;
        for (key, sum) in &proof.sums {
            let total = self.sums.entry(*key).or_default();
            *total = [*total, *sum].into_iter().sum();
        }
        if let Some((unit, balance)) = proof.balance {
            let total = self.balances.entry(unit.code()).or_default();
            *total = [*total, balance].into_iter().sum();
        }
    }

    /// Returns true if there are no differences.
    pub fn is_proved(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Audits every account of a table; `currency` is that of the loyalty program.
pub async fn audit(store: &Store, currency: Currency) -> Result<AuditReport, StoreError> {
    let report = store.loyalty().report(Date::MAX).await?;
    let list = store.audit().wallets().await?;
    let vouchers =
        if list.has_vouchers { store.audit().voucher_books().await?.0 } else { VoucherBooks::default() };
    let mut audit = AuditReport { items: list.items, ..AuditReport::default() };
    let mut chains = String::new();
    let mut payments: BTreeMap<Cause, CustomerId> = BTreeMap::new();
    let mut claims = BTreeSet::new();
    let mut deliveries = BTreeSet::new();
    for (customer, named) in &list.wallets {
        let (books, unreadable) = store.audit().wallet_books(customer, named).await?;
        let proof = prove(&books);
        for sent in &proof.sent {
            audit.differences.extend(unreceived(store, sent).await?);
        }
        audit.accounts += u64::from(books.ledger.account.is_some());
        // Law 7 across wallets: a payment is credited only once.
        for payment in &proof.payments {
            if let Some(other) = payments.insert(payment.clone(), customer.clone()) {
                let (account, at) = (AccountRef::wallet(customer).to_string(), Some(payment.to_string()));
                let detail = format!("this payment has also been credited to {}", AccountRef::wallet(&other));
                audit.differences.push(Difference { account, at, detail });
            }
        }
        let claimed = claims_of(&books.ledger.entries);
        claims.extend(claimed.filter_map(|entry| Some((customer.clone(), claimed_reward(&entry.cause)?))));
        deliveries.extend(deliveries_of(&books.ledger.entries));
        audit.add(&proof);
        let _ = writeln!(chains, "{}|{}|{}", AccountRef::wallet(customer), proof.entries, proof.head);
        audit.differences.extend(unreadable);
        audit.differences.extend(proof.differences);
    }
    audit_rewards(store, &mut audit, claims).await?;
    audit_orders(store, &list, deliveries, &mut audit).await?;
    let moves = audit_points(store, (&list, &report), &mut audit, &mut chains, currency).await?;
    if list.has_vouchers || !moves.is_empty() {
        audit_vouchers(store, (&vouchers, &moves), &mut audit).await?;
    }
    let (budgets, lines, differences) = audit_budgets(store).await?;
    chains.push_str(&lines);
    audit.budgets = budgets;
    audit.differences.extend(differences);
    audit.digest = Hash::of(chains).to_string();
    Ok(audit)
}

/// Audits every reward; each claim that a wallet was credited for must be in the list of its reward.
async fn audit_rewards(
    store: &Store,
    audit: &mut AuditReport,
    mut claims: BTreeSet<(CustomerId, RewardId)>,
) -> Result<(), StoreError> {
    for books in store.audit().reward_books().await? {
        audit.differences.extend(prove_reward(&books.reward, (books.minted, books.free), &books.claims));
        for claim in books.claims {
            claims.remove(&(claim.customer, books.reward.id.clone()));
        }
    }
    let unlisted = |(customer, reward): (CustomerId, RewardId)| Difference {
        account: reward.to_string(),
        at: Some(customer.to_string()),
        detail: "has credited this customer, but the claim is not listed".to_owned(),
    };
    audit.differences.extend(claims.into_iter().map(unlisted));
    Ok(())
}

/// Audits what was reported of orders; each credit for a delivery must have its record.
async fn audit_orders(
    store: &Store,
    list: &AccountList,
    deliveries: BTreeSet<OrderId>,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    for id in list.order_records.iter().collect::<BTreeSet<_>>().union(&deliveries.iter().collect()) {
        let mut differences = differences_of_order(store, id, deliveries.contains(*id)).await?;
        if !differences.is_empty() {
            // It may have been delivered between two reads.
            differences = differences_of_order(store, id, deliveries.contains(*id)).await?;
        }
        audit.differences.extend(differences);
    }
    Ok(())
}

async fn differences_of_order(
    store: &Store,
    id: &OrderId,
    is_credited: bool,
) -> Result<Vec<Difference>, StoreError> {
    let Some(record) = store.rewards().order_record(id).await? else {
        let missing = is_credited.then(|| Difference {
            account: format!("order {id}"),
            at: None,
            detail: "its delivery gave credit, but is not stored".to_owned(),
        });
        return Ok(missing.into_iter().collect());
    };
    let credit = match &record.customer {
        Some(customer) => {
            store.wallets().entry_of(&AccountRef::wallet(customer), &Cause::delivery(id)).await?
        }
        None => None,
    };
    let order = store.wallets().order(id).await?;
    Ok(prove_order(&record, credit.as_ref(), order.as_ref()))
}

/// Maximum number of times that vouchers are read: a code that is being sold can appear as a difference.
const MAX_READS: u8 = 4;

/// Audits the codes of vouchers, and what was bought.
async fn audit_vouchers(
    store: &Store,
    (earlier, moves): (&VoucherBooks, &VoucherMoves),
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let mut differences: Option<Vec<Difference>> = None;
    for _ in 0..MAX_READS {
        let (books, unreadable) = store.audit().voucher_books().await?;
        let mut found = prove_vouchers(&books, moves, earlier);
        found.extend(unreadable);
        // A code that is being sold is in several places of a scan; only what stays is a difference.
        let stays = |difference: &Difference| differences.as_ref().is_none_or(|all| all.contains(difference));
        found.retain(stays);
        let is_over = found.is_empty();
        differences = Some(found);
        if is_over {
            break;
        }
    }
    audit.differences.extend(differences.unwrap_or_default());
    Ok(())
}

/// Audits every account of points; returns what has moved for vouchers.
async fn audit_points(
    store: &Store,
    (list, report): (&AccountList, &BTreeMap<Date, PointsFigures>),
    audit: &mut AuditReport,
    chains: &mut String,
    currency: Currency,
) -> Result<VoucherMoves, StoreError> {
    let mut moves = VoucherMoves::default();
    let stored = store.audit().loyalty_rules().await?;
    let rules = Rules::of(&stored, currency)?;
    let (mut days, mut forgotten) = (BTreeMap::new(), vec![]);
    for (user, purchases) in &list.points {
        let (books, unreadable) = store.audit().points_books(user, purchases).await?;
        books.add_reported(&mut days);
        for entry in &books.ledger.entries {
            moves.add(entry);
        }
        forgotten.extend(books.forgotten_days().into_iter().map(|day| Difference {
            account: AccountRef::points(user).to_string(),
            at: Some(day.to_string()),
            detail: "its entries of this day are neither in the report nor to be added to it".to_owned(),
        }));
        // A purchase of which nothing has moved points leaves no account.
        if books.ledger.account.is_none() && books.ledger.entries.is_empty() && !books.has_earned() {
            continue;
        }
        let proof = loyalty::audit::prove(&books, &rules);
        for sent in &proof.sent {
            audit.differences.extend(unreceived(store, sent).await?);
        }
        audit.accounts += u64::from(books.ledger.account.is_some());
        audit.add(&proof);
        let _ = writeln!(chains, "{}|{}|{}", AccountRef::points(user), proof.entries, proof.head);
        audit.differences.extend(unreadable);
        audit.differences.extend(proof.differences);
    }
    // Days that were added to the report meanwhile are compared by the next audit.
    if *report == store.loyalty().report(Date::MAX).await? {
        days.retain(|_, figures| !figures.is_empty());
        audit.differences.extend(unequal_days(report, &days));
        audit.differences.extend(forgotten);
    }
    Ok(moves)
}

/// Compares the report of points with the entries that are in it.
fn unequal_days(
    report: &BTreeMap<Date, PointsFigures>,
    entries: &BTreeMap<Date, PointsFigures>,
) -> Vec<Difference> {
    let days: BTreeSet<&Date> = report.keys().chain(entries.keys()).collect();
    let empty = PointsFigures::default();
    let of = |figures: &BTreeMap<Date, PointsFigures>, day: &Date| figures.get(day).unwrap_or(&empty).clone();
    let differs = |day: &&&Date| of(report, day) != of(entries, day);
    let difference = |day: &Date| Difference {
        account: "report of points".to_owned(),
        at: Some(day.to_string()),
        detail: "its figures are not the sums of the entries that are in it".to_owned(),
    };
    days.iter().filter(differs).map(|day| difference(day)).collect()
}

/// Checks law 3 for transfers: what one wallet sent has arrived in the other.
async fn unreceived(store: &Store, sent: &Entry) -> Result<Option<Difference>, StoreError> {
    let Some(other) = &sent.after.counterpart else { return Ok(None) };
    let arrived = store.wallets().entry_of(&other.account, &other.cause).await?;
    let same = |entry: &Entry| {
        entry.kind == EntryType::TransferIn
            && (entry.seq, entry.amount, entry.balance_after) == (other.seq, sent.amount, other.balance_after)
            && entry.lots == sent.lots
    };
    Ok((!arrived.as_ref().is_some_and(same)).then(|| Difference {
        account: other.account.to_string(),
        at: Some(other.cause.to_string()),
        detail: format!("the transfer that {} sent as {} has not arrived", sent.account, sent.id()),
    }))
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |code: &str, money: Money| {
            Unit::parse(code).map_or_else(|_| money.to_string(), |unit| unit.format(money))
        };
        writeln!(f, "accounts     {}", self.accounts)?;
        writeln!(f, "entries      {}", self.entries)?;
        for ((code, kind), sum) in &self.sums {
            writeln!(f, "sum          {code} {:<14} {}", kind.as_str(), shown(code, *sum))?;
        }
        for (code, balance) in &self.balances {
            writeln!(f, "balances     {code} {}", shown(code, *balance))?;
        }
        write!(f, "{}", self.budgets)?;
        writeln!(f, "digest       {}", self.digest)?;
        writeln!(f, "differences  {}", self.differences.len())?;
        for difference in &self.differences {
            writeln!(f, "  {difference}")?;
        }
        write!(f, "{}", if self.is_proved() { "PROVED" } else { "NOT PROVED" })
    }
}

/// Audits the platform in this directory, whether it is running or not, and prints the result.
pub async fn run(data: &DataDir) -> Result<ExitCode, Failure> {
    let link = TableConnection::open(data).await?;
    let app = link.app(Arc::new(TestClock::ahead_by(0)), CursorKey::new("unused"))?;
    let audit = audit(&app.store, app.policy.currency()).await?;
    println!("{audit}");
    Ok(if audit.is_proved() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
