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
use domain::hash::Hash;
use domain::ids::{AccountRef, CustomerId};
use domain::ledger::audit::Difference;
use domain::ledger::entry::{Entry, EntryType};
use domain::money::Money;
use domain::unit::Unit;
use edge::cursor::CursorKey;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use store::{Store, StoreError};

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
    /// account, then the line `b:<account>|<entries>|<digest of their hashes, sorted>` of every
    /// budget.
    pub digest: String,
    /// Result of the audit of budgets and gift cards.
    pub budgets: BudgetAudit,
    /// Differences that were found.
    pub differences: Vec<Difference>,
}

impl AuditReport {
    /// Returns true if there are no differences.
    pub fn is_proved(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Audits every account of a table.
pub async fn audit(store: &Store) -> Result<AuditReport, StoreError> {
    let list = store.audit().wallets().await?;
    let mut audit = AuditReport { items: list.items, ..AuditReport::default() };
    let mut chains = String::new();
    let mut payments: BTreeMap<Cause, CustomerId> = BTreeMap::new();
    for (customer, named) in &list.wallets {
        let (books, unreadable) = store.audit().wallet_books(customer, named).await?;
        let proof = prove(&books);
        for sent in &proof.sent {
            audit.differences.extend(unreceived(store, sent).await?);
        }
        audit.accounts += u64::from(books.ledger.account.is_some());
        // Law 7 across wallets: a payment is credited only once.
        for payment in proof.payments {
            if let Some(other) = payments.insert(payment.clone(), customer.clone()) {
                let (account, at) = (AccountRef::wallet(customer).to_string(), Some(payment.to_string()));
                let detail = format!("this payment has also been credited to {}", AccountRef::wallet(&other));
                audit.differences.push(Difference { account, at, detail });
            }
        }
        audit.entries += proof.entries;
        for (key, sum) in proof.sums {
            let total = audit.sums.entry(key).or_default();
            *total = [*total, sum].into_iter().sum();
        }
        if let Some((unit, balance)) = proof.balance {
            let total = audit.balances.entry(unit.code()).or_default();
            *total = [*total, balance].into_iter().sum();
        }
        let _ = writeln!(chains, "{}|{}|{}", AccountRef::wallet(customer), proof.entries, proof.head);
        audit.differences.extend(unreadable);
        audit.differences.extend(proof.differences);
    }
    let (budgets, lines, differences) = audit_budgets(store).await?;
    chains.push_str(&lines);
    audit.budgets = budgets;
    audit.differences.extend(differences);
    audit.digest = Hash::of(chains).to_string();
    Ok(audit)
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
    let audit = audit(&app.store).await?;
    println!("{audit}");
    Ok(if audit.is_proved() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
