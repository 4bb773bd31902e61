//! Item at the key of a budget entry: the entry, or the state that keeps attempts from committing
//! one.
//!
//! Stored names: `type` is the kind, `fp` the fingerprint, `created_at` the instant (`at`).

use crate::budgets::items::budget::{parts_from_map, parts_to_map};
use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use domain::actor::{PerformedBy, Role};
use domain::budget::entry::{BudgetEntry, MoveType, Other, Paid};
use domain::budget::key::KeyState;
use domain::cause::Cause;
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::giftcard::CardSource;
use domain::hash::Hash;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BrandId, RedemptionId};
use domain::text::FreeText;
use std::collections::BTreeSet;

/// Attribute that only the item of a key without an entry has.
pub(crate) const STATE: &str = "state";

/// Converts an entry to its item.
pub(crate) fn to_item(entry: &BudgetEntry) -> Item {
    let mut set = Attributes::default()
        .text("account_id", &entry.account)
        .text("attempt", &entry.attempt)
        .text("type", entry.kind.as_str())
        .number("amount", entry.amount)
        .text("currency", entry.currency)
        .number("balance_after", entry.balance_after)
        .text("created_at", entry.at)
        .text("role", entry.by.role.as_str())
        .text("sub", &entry.by.sub)
        .text("request", &entry.request)
        .maybe("fp", entry.fingerprint.as_ref().map(Fingerprint::as_str))
        .maybe("notes", entry.notes.as_ref().map(FreeText::as_str))
        .text("hash", entry.hash);
    for (name, parts) in [("takes", &entry.takes), ("puts", &entry.puts)] {
        if !parts.is_empty() {
            set = set.with(name, parts_to_map(parts));
        }
    }
    // Movements between slices are internal: they do not appear in the history.
    if entry.kind != MoveType::Rebalance {
        set = set.text(keys::HISTORY_SK, keys::budget_history(entry));
    }
    if let Some(other) = &entry.other {
        let map = Attributes::default()
            .text("account_id", &other.account)
            .text("cause", &other.cause)
            .number("balance_after", other.balance_after);
        set = set.map(map, "other");
    }
    if let Some(paid) = &entry.paid {
        set = set
            .text("campaign_id", &paid.campaign)
            .text("redemption_id", &paid.redemption)
            .text("brand_id", &paid.brand)
            .number("denomination", paid.denomination)
            .text("source", paid.source.as_str())
            .number("cost", paid.cost);
    }
    let mut item = set.0;
    item.extend(keys::budget_entry(&entry.account, &entry.cause).attributes());
    item
}

/// Reads the state of a key from its item.
pub(crate) fn state_of(item: Option<&Item>) -> Result<KeyState, StoreError> {
    let Some(item) = item else { return Ok(KeyState::Free) };
    let reader = Reader::new(item, "budget entry key");
    match reader.maybe_text(STATE)? {
        None => Ok(KeyState::Entry(Box::new(from_item(item)?))),
        Some("PENDING") => Ok(KeyState::Pending {
            ordered: AttemptId::stored(reader.text("attempt")?),
            fenced: fenced(&reader)?,
        }),
        Some("VOID") => Ok(KeyState::Void(fenced(&reader)?)),
        Some(_) => Err(reader.corrupt(STATE)),
    }
}

fn fenced(reader: &Reader<'_>) -> Result<BTreeSet<AttemptId>, StoreError> {
    Ok(reader.set("fenced")?.into_iter().map(AttemptId::stored).collect())
}

/// Reads an entry from its item.
pub(crate) fn from_item(item: &Item) -> Result<BudgetEntry, StoreError> {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let (pk, cause) = (part(keys::PK), part(keys::SK));
    let what = format!("{pk} {cause}");
    let reader = Reader::new(item, &what);
    let other = match reader.map("other")? {
        Some(map) => Some(Other {
            account: map.parse("account_id", AccountId::parse)?,
            cause: Cause::stored(map.text("cause")?),
            balance_after: map.money("balance_after")?,
        }),
        None => None,
    };
    let paid = match reader.maybe("redemption_id", RedemptionId::parse)? {
        Some(redemption) => Some(Paid {
            campaign: reader.parse("campaign_id", AccountId::parse)?,
            redemption,
            brand: reader.parse("brand_id", BrandId::parse)?,
            denomination: reader.money("denomination")?,
            source: reader.parse("source", CardSource::stored)?,
            cost: reader.money("cost")?,
        }),
        None => None,
    };
    let account = reader.parse("account_id", AccountId::parse)?;
    if keys::budget_entry(&account, &Cause::stored(cause)).pk != pk {
        return Err(reader.corrupt("account_id: differs from its key"));
    }
    Ok(BudgetEntry {
        account,
        cause: Cause::stored(cause),
        attempt: AttemptId::stored(reader.text("attempt")?),
        kind: reader.parse("type", MoveType::parse)?,
        amount: reader.money("amount")?,
        currency: reader.parse("currency", Currency::parse)?,
        takes: parts_from_map(&reader, "takes")?,
        puts: parts_from_map(&reader, "puts")?,
        balance_after: reader.money("balance_after")?,
        at: reader.instant("created_at")?,
        by: PerformedBy { role: reader.parse("role", Role::stored)?, sub: reader.text("sub")?.to_owned() },
        request: RequestId::new(reader.text("request")?),
        fingerprint: reader.maybe_text("fp")?.map(Fingerprint::stored),
        notes: reader.maybe("notes", FreeText::parse_stored)?,
        other,
        paid,
        hash: reader.parse("hash", Hash::parse)?,
    })
}
