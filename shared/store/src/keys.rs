//! All keys of the table, in one place.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | wallet account | `A#w:<customer>` | `A` | `due` while something will fall due |
//! | hold | `A#w:<customer>` | `H#<hold id>` | |
//! | record of a status change | `A#w:<customer>` | `S#<version, 12 digits>` | |
//! | figures of a month that has ended | `A#w:<customer>` | `M#<month>` | |
//! | entry | `E#w:<customer>` | `<cause>` | `by_account` by number |
//! | order | `O#<order>` | `O` | |
//! | record of a change of the owed amount | `A#w:<customer>` | `W#<version, 12 digits>#<n, 3 digits>` | |
//! | top-up | `P#<topup>` | `P` | `due` until it has expired or is credited |
//! | unpaid top-ups of a wallet | `U#<customer>` | `U` | |
//! | gateway reference | `G#<gateway>:<id>`, `G#<topup>` | `G` | |
//! | gateway's report | `W#<event>` | `W` | `due` while it waits |
//! | alert | `Y#<alert>` | `Y` | |
//! | top-up in its customer's list | `L#t:<customer>` | `<instant>#<topup>` | |
//! | report in the list of its status | `L#e:<status>`; if processed or ignored `…:<shard>` | `<instant>#<event>` | |
//! | alert in the list of open or closed alerts | `L#a:<open or closed>` | `<instant>#<alert>` | |
//! | registered order in its customer's list | `L#o:<customer>` | `<instant>#<order>` | |
//! | payment that was credited because its gateway was polled | `L#q:<gateway>` | `<instant>#<topup>` | `purge_at` |
//! | referral code | `R#<code>` | `R` | |
//! | budgets, gift cards, jobs, loyalty, rewards, vouchers | see `keys/{budgets,giftcards,jobs,loyalty,rewards,vouchers}.rs` | | |
//! | (probe, never written) | `Z#probe` | `Z` | |
//!
//! | index | hash key | range key | projection |
//! |---|---|---|---|
//! | `by_account` | `pk` | `hs`: number of the entry, 12 digits; for budgets `<instant>#<digest>` | all |
//! | `due` | `dpk`: `D#<kind and shard>` | `dsk`: `<instant>#<pk>` | keys only |
//!
//! Hash keys of `due`: `D#<shard>` for wallets, `D#p<shard>` for top-ups and reports, `D#b<shard>`
//! for slices and redemptions, `D#n<shard>` for messages to recipients, `D#l<shard>` for accounts of points,
//! `D#d<shard>` for days on which points have moved, `D#k<shard>` for reports that wait for their purchase,
//! `D#j<shard>` for jobs.
//!
//! **Invariant:** every partition key begins with its prefix, so that IAM policies can restrict
//! access by `dynamodb:LeadingKeys`.
//! **Invariant:** ids contain no `#` (domain::ids), so no id can escape its prefix. A cause is
//! always the whole of `sk`.

mod budgets;
mod giftcards;
mod jobs;
mod loyalty;
mod rewards;
mod vouchers;

pub use budgets::*;
pub use giftcards::*;
pub use jobs::*;
pub use loyalty::*;
pub use rewards::*;
pub use vouchers::*;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::AlertListing;
use domain::cause::Cause;
use domain::hash::Hash;
use domain::ids::{
    AccountKind, AccountRef, AlertId, CustomerId, EventId, Gateway, GatewayKey, HoldId, OrderId,
    ReferralCode, TopUpId,
};
use domain::month::Month;
use domain::payments::state::Listing;
use domain::payments::webhook_event::EventStatus;
use domain::time::Timestamp;
use std::collections::HashMap;

/// Attribute name of the table's hash key.
pub const PK: &str = "pk";
/// Attribute name of the table's range key.
pub const SK: &str = "sk";
/// Attribute name of the range key of `by_account`.
pub const HISTORY_SK: &str = "hs";
/// Attribute name of the hash key of `due`.
pub const DUE_PK: &str = "dpk";
/// Attribute name of the range key of `due`.
pub const DUE_SK: &str = "dsk";
/// Index of entries by account: a wallet's by number, a budget's by instant.
pub const BY_ACCOUNT: &str = "by_account";
/// Sparse index of the items that fall due.
pub const DUE: &str = "due";
/// Number of shards of the index `due`; a fixed property of the table.
pub const DUE_SHARDS: u8 = 8;

/// Primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Hash key, with its prefix.
    pub pk: String,
    /// Range key; for most items a fixed letter.
    pub sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    /// Returns the key as DynamoDB attributes.
    pub fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// Returns a key that is never written; reading it shows whether the table is reachable.
pub fn probe() -> Key {
    Key::new("Z#probe".to_owned(), "Z")
}

/// Returns the partition of an account, which also has its holds and records.
pub fn account_partition(account: &AccountRef) -> String {
    format!("A#{account}")
}

/// Returns the key of an account.
pub fn account(account: &AccountRef) -> Key {
    Key::new(account_partition(account), "A")
}

/// Returns the key of a customer's wallet.
pub fn wallet(customer: &CustomerId) -> Key {
    account(&AccountRef::wallet(customer))
}

/// Parses the account from its partition key.
pub fn account_of(pk: &str) -> Option<AccountRef> {
    AccountRef::parse(pk.strip_prefix("A#")?).ok()
}

/// Returns the key of a hold.
pub fn hold(hold: &HoldId) -> Key {
    Key::new(account_partition(hold.account()), format!("H#{hold}"))
}

/// Returns the key of the record of a status change that produced this version.
pub fn status(account: &AccountRef, version: u64) -> Key {
    Key::new(account_partition(account), format!("S#{version:012}"))
}

/// Returns the partition of an account's entries.
pub fn entry_partition(account: &AccountRef) -> String {
    format!("E#{account}")
}

/// Parses the account from the partition key of its entries.
pub fn entry_account(pk: &str) -> Option<AccountRef> {
    AccountRef::parse(pk.strip_prefix("E#")?).ok()
}

/// Returns the key of the entry of a cause.
pub fn entry(account: &AccountRef, cause: &Cause) -> Key {
    Key::new(entry_partition(account), cause.as_str())
}

/// Returns the key of an order.
pub fn order(order: &OrderId) -> Key {
    Key::new(format!("O#{order}"), "O")
}

/// Returns the key of what was reported of an order: its delivery, refunds and cancellation.
pub fn order_reports(order: &OrderId) -> Key {
    Key::new(format!("PU#o:{order}"), "U")
}

/// Parses the order from the partition key of what was reported of it.
pub fn order_reports_of(pk: &str) -> Option<OrderId> {
    OrderId::parse_stored(pk.strip_prefix("PU#o:")?).ok()
}

/// Returns the partition that lists a customer's registered orders.
pub fn order_list(customer: &CustomerId) -> String {
    format!("L#o:{customer}")
}

/// Returns the key of a registered order in its customer's list.
pub fn listed_order(customer: &CustomerId, at: Timestamp, order: &OrderId) -> Key {
    Key::new(order_list(customer), format!("{at}#{order}"))
}

/// Parses the order from its partition key.
pub fn order_of(pk: &str) -> Option<OrderId> {
    OrderId::parse_stored(pk.strip_prefix("O#")?).ok()
}

/// Parses the referral code from its partition key.
pub fn referral_of(pk: &str) -> Option<ReferralCode> {
    pk.strip_prefix("R#").map(ReferralCode::stored)
}

/// Returns the key of a referral code.
pub fn referral(code: &ReferralCode) -> Key {
    Key::new(format!("R#{code}"), "R")
}

/// Returns the range key in `by_account` of the entry with this number.
pub fn history(seq: u64) -> String {
    format!("{seq:012}")
}

/// Kinds of due items. Each has its own shards, so that one sweep does not read the items of
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// Wallets with an expiry or a hold that falls due.
    Wallets,
    /// Top-ups and gateways' reports.
    Payments,
    /// Slices of budgets, and redemptions that wait for suppliers.
    Budgets,
    /// Queued messages to recipients.
    Notices,
    /// Accounts of points with something that falls due.
    Points,
    /// Days on which points have moved.
    PointDays,
    /// Purchases of which only refunds were reported.
    Parked,
    /// Jobs that have not ended.
    Jobs,
}

impl DueKind {
    /// Returns the kind of accounts of a kind.
    pub fn of(kind: AccountKind) -> Self {
        match kind {
            AccountKind::Wallet => Self::Wallets,
            AccountKind::Points => Self::Points,
        }
    }
}

/// Returns the hash key of `due` for an item, from the hash of its partition key.
pub fn due_partition(kind: DueKind, pk: &str) -> String {
    let shard = Hash::of(pk).bytes().first().copied().unwrap_or(0) % DUE_SHARDS;
    due_shard(kind, shard)
}

/// Returns the hash key of `due` for a shard.
pub fn due_shard(kind: DueKind, shard: u8) -> String {
    match kind {
        DueKind::Wallets => format!("D#{shard}"),
        DueKind::Payments => format!("D#p{shard}"),
        DueKind::Budgets => format!("D#b{shard}"),
        DueKind::Notices => format!("D#n{shard}"),
        DueKind::Points => format!("D#l{shard}"),
        DueKind::PointDays => format!("D#d{shard}"),
        DueKind::Parked => format!("D#k{shard}"),
        DueKind::Jobs => format!("D#j{shard}"),
    }
}

/// Returns the key of the figures of a month of an account.
pub fn month(account: &AccountRef, month: Month) -> Key {
    Key::new(account_partition(account), month_sk(month))
}

/// Returns the range key of the figures of a month.
pub fn month_sk(month: Month) -> String {
    format!("{MONTHS}{month}")
}

/// Range key prefix of the figures of months.
pub const MONTHS: &str = "M#";

/// Returns the key of the record of a change of the owed amount; `at` numbers the changes of one
/// version.
pub fn owed(account: &AccountRef, version: u64, at: usize) -> Key {
    Key::new(account_partition(account), format!("W#{version:012}#{at:03}"))
}

/// Returns the key of a top-up.
pub fn topup(topup: &TopUpId) -> Key {
    Key::new(format!("P#{topup}"), "P")
}

/// Parses the top-up from its partition key.
pub fn topup_of(pk: &str) -> Option<TopUpId> {
    TopUpId::parse(pk.strip_prefix("P#")?).ok()
}

/// Returns the key of a gateway reference.
pub fn gateway_ref(key: &GatewayKey) -> Key {
    Key::new(format!("G#{key}"), "G")
}

/// Returns the key of a gateway's report.
pub fn event(event: &EventId) -> Key {
    Key::new(format!("W#{event}"), "W")
}

/// Parses the report from its partition key.
pub fn event_of(pk: &str) -> Option<EventId> {
    EventId::parse_stored(pk.strip_prefix("W#")?).ok()
}

/// Returns the key of an alert.
pub fn alert(alert: &AlertId) -> Key {
    Key::new(format!("Y#{alert}"), "Y")
}

/// Returns the key of a customer's unpaid top-ups.
pub fn unpaid(customer: &CustomerId) -> Key {
    Key::new(format!("U#{customer}"), "U")
}

/// Returns the partition that lists a customer's top-ups.
pub fn topup_list(customer: &CustomerId) -> String {
    format!("L#t:{customer}")
}

/// Number of lists over which the reports with a final status are spread. Nearly every report ends
/// in one of them, so a single list would be a hot partition.
const EVENT_SHARDS: u8 = 8;

/// Returns the partitions that list the reports of a status.
pub fn event_lists(status: EventStatus) -> Vec<String> {
    let name = status.as_str();
    if status.is_final() {
        (0..EVENT_SHARDS).map(|shard| format!("L#e:{name}:{shard}")).collect()
    } else {
        vec![format!("L#e:{name}")]
    }
}

/// Returns the partition that lists a report with this status.
fn event_list(status: EventStatus, event: &EventId) -> String {
    let shard = Hash::of(event.as_str()).bytes().first().copied().unwrap_or(0) % EVENT_SHARDS;
    let name = status.as_str();
    if status.is_final() { format!("L#e:{name}:{shard}") } else { format!("L#e:{name}") }
}

/// Returns the key of a list entry.
pub fn listing(listing: &Listing) -> Key {
    match listing {
        Listing::TopUp { id, at } => Key::new(topup_list(id.customer()), format!("{at}#{id}")),
        Listing::Event { id, status, at } => Key::new(event_list(*status, id), format!("{at}#{id}")),
        Listing::Alert(place) => listed_alert(place),
        Listing::Polled { gateway, id, at } => Key::new(polled_list(*gateway), format!("{at}#{id}")),
    }
}

/// Returns the partition that lists payments that were credited because their gateway was polled.
pub fn polled_list(gateway: Gateway) -> String {
    format!("L#q:{}", gateway.as_str())
}

/// Returns the key of an alert in the list of open or of closed alerts.
pub fn listed_alert(place: &AlertListing) -> Key {
    let AlertListing { id, open, at } = place;
    Key::new(format!("L#a:{}", if *open { "open" } else { "closed" }), format!("{at}#{id}"))
}

/// Returns the range key of `due` for an item that is due at `at`.
pub fn due(at: Timestamp, pk: &str) -> String {
    format!("{at}#{pk}")
}
