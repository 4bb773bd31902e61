//! Every key of the table, in one place.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | wallet account | `A#w:<customer>` | `A` | `due` when something will fall due |
//! | hold | `A#w:<customer>` | `H#<hold id>` | |
//! | change of status | `A#w:<customer>` | `S#<version, 12 digits>` | |
//! | entry | `E#w:<customer>` | `<cause>` | `by_account` by number |
//! | order | `O#<order>` | `O` | |
//! | change of what is owed | `A#w:<customer>` | `W#<version, 12 digits>#<n, 3 digits>` | |
//! | top-up | `P#<topup>` | `P` | `due` until it has expired or is credited |
//! | where a gateway's id leads | `G#<gateway>:<id>`, `G#<topup>` | `G` | |
//! | gateway's report | `W#<event>` | `W` | `due` while it waits |
//! | alert | `Y#<alert>` | `Y` | |
//! | a customer's top-up | `L#t:<customer>` | `<instant>#<topup>` | |
//! | report of a status | `L#e:<status>`, of processed and ignored ones `…:<shard>` | `<instant>#<event>` | |
//! | open or closed alert | `L#a:<open or closed>` | `<instant>#<alert>` | |
//! | a customer's registered order | `L#o:<customer>` | `<instant>#<order>` | |
//! | referral code | `R#<code>` | `R` | |
//! | budgets, gift cards | see `keys/giftcards.rs` and `keys/budgets.rs` | | |
//! | (probe, never written) | `Z#probe` | `Z` | |
//!
//! | index | hash key | range key | projection |
//! |---|---|---|---|
//! | `by_account` | `pk` | `hs`: the entry's number, 12 digits; of budgets `<instant>#<digest>` | all |
//! | `due` | `dpk`: `D#<shard>` (wallets), `D#p<shard>` (top-ups and reports), `D#b<shard>` (slices and redemptions), `D#n<shard>` (what is to be sent) | `dsk`: `<instant>#<pk>` | keys only |
//!
//! **Invariant:** the prefix comes first, so that IAM can be cut by `dynamodb:LeadingKeys`.
//! **Invariant:** ids hold no `#` (domain::ids), so no id can leave its prefix; causes stand alone in `sk`.

mod budgets;
mod giftcards;

pub use budgets::*;
pub use giftcards::*;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::AlertListing;
use domain::cause::Cause;
use domain::hash::Hash;
use domain::ids::{
    AccountRef, AlertId, CustomerId, EventId, GatewayKey, HoldId, OrderId, ReferralCode, TopUpId,
};
use domain::payments::state::Listing;
use domain::payments::webhook_event::EventStatus;
use domain::time::Timestamp;
use std::collections::HashMap;

/// Hash key of the table.
pub const PK: &str = "pk";
/// Range key of the table.
pub const SK: &str = "sk";
/// Range key of `by_account`.
pub const HISTORY_SK: &str = "hs";
/// Hash key of `due`.
pub const DUE_PK: &str = "dpk";
/// Range key of `due`.
pub const DUE_SK: &str = "dsk";
/// The index of a wallet's entries by number.
pub const BY_ACCOUNT: &str = "by_account";
/// The index of what falls due.
pub const DUE: &str = "due";
/// How many shards the index `due` has; a fixed property of the table.
pub const DUE_SHARDS: u8 = 8;

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Hash key.
    pub pk: String,
    /// Range key.
    pub sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    /// As DynamoDB wants it.
    pub fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// A key that is never written; reading it tells whether the table is there.
pub fn probe() -> Key {
    Key::new("Z#probe".to_owned(), "Z")
}

/// The partition of an account, its holds and records.
pub fn account_partition(account: &AccountRef) -> String {
    format!("A#{account}")
}

/// An account.
pub fn account(account: &AccountRef) -> Key {
    Key::new(account_partition(account), "A")
}

/// A customer's wallet.
pub fn wallet(customer: &CustomerId) -> Key {
    account(&AccountRef::wallet(customer))
}

/// The account whose partition this is.
pub fn account_of(pk: &str) -> Option<AccountRef> {
    AccountRef::parse(pk.strip_prefix("A#")?).ok()
}

/// A hold.
pub fn hold(hold: &HoldId) -> Key {
    Key::new(account_partition(hold.account()), format!("H#{hold}"))
}

/// The record of a change of status.
pub fn status(account: &AccountRef, version: u64) -> Key {
    Key::new(account_partition(account), format!("S#{version:012}"))
}

/// The partition of an account's entries.
pub fn entry_partition(account: &AccountRef) -> String {
    format!("E#{account}")
}

/// The account whose entries' partition this is.
pub fn entry_account(pk: &str) -> Option<AccountRef> {
    AccountRef::parse(pk.strip_prefix("E#")?).ok()
}

/// An account's entry.
pub fn entry(account: &AccountRef, cause: &Cause) -> Key {
    Key::new(entry_partition(account), cause.as_str())
}

/// An order.
pub fn order(order: &OrderId) -> Key {
    Key::new(format!("O#{order}"), "O")
}

/// The list of a customer's registered orders.
pub fn order_list(customer: &CustomerId) -> String {
    format!("L#o:{customer}")
}

/// A registered order in its customer's list.
pub fn listed_order(customer: &CustomerId, at: Timestamp, order: &OrderId) -> Key {
    Key::new(order_list(customer), format!("{at}#{order}"))
}

/// The order whose partition this is.
pub fn order_of(pk: &str) -> Option<OrderId> {
    OrderId::parse(pk.strip_prefix("O#")?).ok()
}

/// The referral code whose partition this is.
pub fn referral_of(pk: &str) -> Option<ReferralCode> {
    pk.strip_prefix("R#").map(ReferralCode::stored)
}

/// A referral code.
pub fn referral(code: &ReferralCode) -> Key {
    Key::new(format!("R#{code}"), "R")
}

/// The range key of an entry in `by_account`.
pub fn history(seq: u64) -> String {
    format!("{seq:012}")
}

/// What falls due, kept apart so that one sweep does not wade through another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// Wallets.
    Wallets,
    /// Top-ups and gateways' reports.
    Payments,
    /// Slices of budgets, and redemptions that wait for suppliers.
    Budgets,
    /// What is to be sent.
    Notices,
}

/// The hash key of `due` for an item.
pub fn due_partition(kind: DueKind, pk: &str) -> String {
    let shard = Hash::of(pk).bytes().first().copied().unwrap_or(0) % DUE_SHARDS;
    due_shard(kind, shard)
}

/// The hash key of `due` for a shard.
pub fn due_shard(kind: DueKind, shard: u8) -> String {
    match kind {
        DueKind::Wallets => format!("D#{shard}"),
        DueKind::Payments => format!("D#p{shard}"),
        DueKind::Budgets => format!("D#b{shard}"),
        DueKind::Notices => format!("D#n{shard}"),
    }
}

/// A change of what is owed.
pub fn owed(account: &AccountRef, version: u64, at: usize) -> Key {
    Key::new(account_partition(account), format!("W#{version:012}#{at:03}"))
}

/// A top-up.
pub fn topup(topup: &TopUpId) -> Key {
    Key::new(format!("P#{topup}"), "P")
}

/// The top-up whose partition this is.
pub fn topup_of(pk: &str) -> Option<TopUpId> {
    TopUpId::parse(pk.strip_prefix("P#")?).ok()
}

/// Where a gateway's id leads.
pub fn gateway_ref(key: &GatewayKey) -> Key {
    Key::new(format!("G#{key}"), "G")
}

/// A gateway's report.
pub fn event(event: &EventId) -> Key {
    Key::new(format!("W#{event}"), "W")
}

/// The report whose partition this is.
pub fn event_of(pk: &str) -> Option<EventId> {
    EventId::parse_stored(pk.strip_prefix("W#")?).ok()
}

/// An alert.
pub fn alert(alert: &AlertId) -> Key {
    Key::new(format!("Y#{alert}"), "Y")
}

/// The list of a customer's top-ups.
pub fn topup_list(customer: &CustomerId) -> String {
    format!("L#t:{customer}")
}

/// How many lists share the reports that nobody need look at: every report is written to one of them.
const EVENT_SHARDS: u8 = 8;

/// The lists of reports of a status.
pub fn event_lists(status: EventStatus) -> Vec<String> {
    let name = status.as_str();
    if status.is_final() {
        (0..EVENT_SHARDS).map(|shard| format!("L#e:{name}:{shard}")).collect()
    } else {
        vec![format!("L#e:{name}")]
    }
}

/// The list that a report of a status stands in.
fn event_list(status: EventStatus, event: &EventId) -> String {
    let shard = Hash::of(event.as_str()).bytes().first().copied().unwrap_or(0) % EVENT_SHARDS;
    let name = status.as_str();
    if status.is_final() { format!("L#e:{name}:{shard}") } else { format!("L#e:{name}") }
}

/// A place in a list.
pub fn listing(listing: &Listing) -> Key {
    match listing {
        Listing::TopUp { id, at } => Key::new(topup_list(id.customer()), format!("{at}#{id}")),
        Listing::Event { id, status, at } => Key::new(event_list(*status, id), format!("{at}#{id}")),
        Listing::Alert(place) => listed_alert(place),
    }
}

/// An alert's place in the list of open or of closed ones.
pub fn listed_alert(place: &AlertListing) -> Key {
    let AlertListing { id, open, at } = place;
    Key::new(format!("L#a:{}", if *open { "open" } else { "closed" }), format!("{at}#{id}"))
}

/// The range key of `due` for an item.
pub fn due(at: Timestamp, pk: &str) -> String {
    format!("{at}#{pk}")
}
