//! Keys of budgets.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | account, with its first slice | `A#b:<account>` | `A` | `due` while attempts stand on it, or a status is being copied |
//! | another slice | `A#b:<account>#<n>` | `A` | `due` likewise |
//! | entry, or what keeps attempts from one | `E#b:<account>`; of clients and campaigns `…#<shard>` | `<cause>` | `by_account` by instant |
//! | a note of what a shared campaign had spent up to an instant | `B#<account>` | `B` | |
//! | a child in its parent's list | `L#c:<parent>` | `<instant>#<account>` | |
//!
//! **Invariant:** where an entry stands is a function of account and cause alone, so every attempt of a cause meets there.

use super::Key;
use domain::budget::entry::BudgetEntry;
use domain::cause::Cause;
use domain::hash::Hash;
use domain::ids::budget::AccountId;
use domain::time::Timestamp;

/// Over how many shards the entries of a client or campaign are spread; a fixed property of the table.
pub const ENTRY_SHARDS: u8 = 16;

/// A slice; the first is the account.
pub fn slice(account: &AccountId, slice: u8) -> Key {
    let pk = if slice == 0 { format!("A#b:{account}") } else { format!("A#b:{account}#{slice}") };
    Key::new(pk, "A")
}

/// The slice whose partition this is.
pub fn slice_of(pk: &str) -> Option<(AccountId, u8)> {
    let (account, slice) = match pk.strip_prefix("A#b:")?.split_once('#') {
        Some((account, slice)) => (account, slice.parse().ok()?),
        None => (pk.strip_prefix("A#b:")?, 0),
    };
    Some((AccountId::parse(account).ok()?, slice))
}

/// The partitions of an account's entries.
pub fn budget_partitions(account: &AccountId) -> Vec<String> {
    if account.kind().is_spent_from() {
        (0..ENTRY_SHARDS).map(|shard| format!("E#b:{account}#{shard}")).collect()
    } else {
        vec![format!("E#b:{account}")]
    }
}

/// An entry.
pub fn budget_entry(account: &AccountId, cause: &Cause) -> Key {
    let pk = if account.kind().is_spent_from() {
        let shard = Hash::of(cause.as_str()).bytes().first().copied().unwrap_or(0) % ENTRY_SHARDS;
        format!("E#b:{account}#{shard}")
    } else {
        format!("E#b:{account}")
    };
    Key::new(pk, cause.as_str())
}

/// The account whose entries' partition this is.
pub fn budget_entry_account(pk: &str) -> Option<AccountId> {
    let rest = pk.strip_prefix("E#b:")?;
    AccountId::parse(rest.split_once('#').map_or(rest, |(account, _)| account)).ok()
}

/// The range key of an entry in `by_account`.
pub fn budget_history(entry: &BudgetEntry) -> String {
    format!("{}#{}", entry.at, Hash::of(entry.cause.as_str()).prefix(6))
}

/// A note of what a campaign had spent of its client's credit.
pub fn spent_note(campaign: &AccountId) -> Key {
    Key::new(format!("B#{campaign}"), "B")
}

/// The list of an account's children.
pub fn children(parent: &AccountId) -> String {
    format!("L#c:{parent}")
}

/// A child in its parent's list.
pub fn listed_child(parent: &AccountId, at: Timestamp, child: &AccountId) -> Key {
    Key::new(children(parent), format!("{at}#{child}"))
}
