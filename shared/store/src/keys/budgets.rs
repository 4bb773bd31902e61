//! Keys of budgets.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | account, with its first slice | `A#b:<account>` | `A` | `due` while it has attempts or a status to copy |
//! | further slice | `A#b:<account>#<n>` | `A` | `due` likewise |
//! | entry, or the state of its key | `E#b:<account>`, `E#b:<account>#<shard>` | `<cause>` | `by_account` by instant |
//! | cached sum of what a shared campaign spent up to an instant | `B#<account>` | `B` | |
//! | where the check of all accounts goes on | `I#accounts` | `I` | |
//! | child in its parent's list | `L#c:<parent>` | `<instant>#<account>` | |
//!
//! Entries of clients and campaigns are spread over shards. Without an entry, the item at its key
//! has the state that keeps attempts from committing one.
//!
//! **Invariant:** the key of an entry depends only on account and cause, so all attempts of a cause
//! conflict at the same item.

use super::Key;
use domain::budget::entry::BudgetEntry;
use domain::cause::Cause;
use domain::hash::Hash;
use domain::ids::budget::AccountId;
use domain::time::Timestamp;

/// Number of shards over which the entries of a client or campaign are spread; a fixed property of
/// the table.
pub const ENTRY_SHARDS: u8 = 16;

/// Returns the key of a slice; slice 0 is the account's own item.
pub fn slice(account: &AccountId, slice: u8) -> Key {
    let pk = if slice == 0 { format!("A#b:{account}") } else { format!("A#b:{account}#{slice}") };
    Key::new(pk, "A")
}

/// Parses the account and the slice number from a partition key.
pub fn slice_of(pk: &str) -> Option<(AccountId, u8)> {
    let (account, slice) = match pk.strip_prefix("A#b:")?.split_once('#') {
        Some((account, slice)) => (account, slice.parse().ok()?),
        None => (pk.strip_prefix("A#b:")?, 0),
    };
    Some((AccountId::parse(account).ok()?, slice))
}

/// Returns all partitions of an account's entries.
pub fn budget_partitions(account: &AccountId) -> Vec<String> {
    if account.kind().is_spent_from() {
        (0..ENTRY_SHARDS).map(|shard| format!("E#b:{account}#{shard}")).collect()
    } else {
        vec![format!("E#b:{account}")]
    }
}

/// Returns the key of the entry of a cause.
pub fn budget_entry(account: &AccountId, cause: &Cause) -> Key {
    let pk = if account.kind().is_spent_from() {
        let shard = Hash::of(cause.as_str()).bytes().first().copied().unwrap_or(0) % ENTRY_SHARDS;
        format!("E#b:{account}#{shard}")
    } else {
        format!("E#b:{account}")
    };
    Key::new(pk, cause.as_str())
}

/// Parses the account from a partition key of its entries.
pub fn budget_entry_account(pk: &str) -> Option<AccountId> {
    let rest = pk.strip_prefix("E#b:")?;
    AccountId::parse(rest.split_once('#').map_or(rest, |(account, _)| account)).ok()
}

/// Returns the range key of an entry in `by_account`.
pub fn budget_history(entry: &BudgetEntry) -> String {
    format!("{}#{}", entry.at, Hash::of(entry.cause.as_str()).prefix(6))
}

/// Returns the key of the cached sum of what a campaign spent of its client's credit.
pub fn spent_note(campaign: &AccountId) -> Key {
    Key::new(format!("B#{campaign}"), "B")
}

/// Returns the key of the place at which the check of all accounts goes on.
pub fn round_place() -> Key {
    Key::new("I#accounts".to_owned(), "I")
}

/// Returns the partition that lists an account's children.
pub fn children(parent: &AccountId) -> String {
    format!("L#c:{parent}")
}

/// Returns the key of a child in its parent's list.
pub fn listed_child(parent: &AccountId, at: Timestamp, child: &AccountId) -> Key {
    Key::new(children(parent), format!("{at}#{child}"))
}
