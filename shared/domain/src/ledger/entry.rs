//! Ledger entries: the immutable record of every movement of value, chained by hashes.
//!
//! **Invariant:** an entry, once written, is never changed or deleted; its number is one more than
//! its predecessor's, and its hash covers every field and the predecessor's hash.
//! **Invariant:** the response to the request that caused an entry can be rendered from the entry alone.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::hash::Hash;
use crate::ids::{AccountRef, HoldId, OrderId, RequestId, TransactionId};
use crate::ledger::canonical::{Lines, lot_text};
use crate::ledger::entry_type::Flow;
use crate::ledger::hold::HoldView;
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::order::OrderView;
use crate::ledger::owed::Reversed;
use crate::ledger::points::PointsMove;
use crate::money::Money;
use crate::text::{FreeText, Metadata};
use crate::time::{Date, Timestamp};
use crate::unit::Unit;

pub use crate::ledger::entry_type::EntryType;

/// The other side of a transfer, as stored in the sender's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// The receiving account.
    pub account: AccountRef,
    /// The number of the entry there.
    pub seq: u64,
    /// The cause of the entry there.
    pub cause: Cause,
    /// The balance there after the entry; only staff may see it.
    pub balance_after: Money,
}

/// What the response needs beyond the movement itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The hold after the movement.
    pub hold: Option<HoldView>,
    /// The order after the movement.
    pub order: Option<OrderView>,
    /// The entry in the receiving account of a transfer.
    pub counterpart: Option<Counterpart>,
    /// The refund or dispute that the movement belongs to.
    pub reversal: Option<Reversed>,
}

/// One movement of value in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: AccountRef,
    /// Why value moved; the key that makes it happen once.
    pub cause: Cause,
    /// The number in the account: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// The type.
    pub kind: EntryType,
    /// Above zero, except for points that move only spend or debt; the type determines the direction.
    pub amount: Money,
    /// The account's unit.
    pub unit: Unit,
    /// The balance (available + held) after the entry.
    pub balance_after: Money,
    /// When it took effect; never before its predecessor.
    pub at: Timestamp,
    /// Who caused it.
    pub by: PerformedBy,
    /// The invocation that wrote it; `None` for what has fallen due by time.
    pub request: Option<RequestId>,
    /// The fingerprint of the request; `None` if the entry follows from something else.
    pub fingerprint: Option<Fingerprint>,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// The source of the credit; `None` for types without a single source.
    pub source: Option<CreditSource>,
    /// The order it belongs to.
    pub order_id: Option<OrderId>,
    /// The hold it belongs to.
    pub hold_id: Option<HoldId>,
    /// The last date of the credit; `None` if it never expires or the type has no single date.
    pub expires_on: Option<Date>,
    /// The lots that it changed, in the order of change.
    pub lots: Vec<Lot>,
    /// The pairs supplied by the caller.
    pub metadata: Metadata,
    /// What the response needs beyond the above.
    pub after: After,
    /// What a movement of points changes and refers to beyond the above; `None` in wallets.
    pub points: Option<Box<PointsMove>>,
    /// The hash of the predecessor; [`Hash::GENESIS`] in the first entry.
    pub prev_hash: Hash,
    /// The digest of all fields above.
    pub hash: Hash,
}

impl Entry {
    /// Returns the id that callers see.
    pub fn id(&self) -> TransactionId {
        TransactionId::of(&self.account, self.seq, &self.cause)
    }

    /// Returns what the entry does to its lots.
    pub fn flow(&self) -> Flow {
        self.kind.flow(self.hold_id.is_some())
    }

    /// Returns the sum of the lots and pending lots that it moves. Points that become available are pending ones and
    /// lots, and count once; `None` if the two differ, or on overflow.
    pub(super) fn of_lots(&self) -> Option<Money> {
        let lots = Money::checked_sum(self.lots.iter().map(|lot| lot.amount))?;
        let Some(points) = &self.points else { return Some(lots) };
        let pending = points.of_pending()?;
        if self.kind == EntryType::Activation {
            (lots == pending).then_some(lots)
        } else {
            lots.checked_add(pending)
        }
    }

    /// Returns the digest of this entry's fields: SHA-256 over its canonical bytes.
    pub fn digest(&self) -> Hash {
        Hash::of(self.canonical())
    }

    /// Returns the canonical bytes: a line `name=length:value` for each field that is present, in a
    /// fixed order.
    ///
    /// Anyone can recompute a chain from this rule and the stored items (see
    /// ARCHITECTURE.md, "The proof").
    fn canonical(&self) -> Vec<u8> {
        let mut lines = Lines::default();
        lines.put("prev_hash", &self.prev_hash);
        lines.put("account", &self.account);
        lines.put("cause", &self.cause);
        lines.put("seq", &self.seq);
        lines.put("type", &self.kind.as_str());
        lines.put("amount", &self.amount);
        lines.put("currency", &self.unit);
        lines.put("balance_after", &self.balance_after);
        lines.put("created_at", &self.at);
        lines.put("actor", &format!("{}|{}", self.by.role.as_str(), self.by.sub));
        lines.maybe("request", self.request.as_ref());
        lines.maybe("fingerprint", self.fingerprint.as_ref().map(Fingerprint::as_str));
        lines.maybe("reason", self.reason.as_ref().map(FreeText::as_str));
        lines.maybe("source", self.source.map(CreditSource::as_str));
        lines.maybe("order_id", self.order_id.as_ref());
        lines.maybe("hold_id", self.hold_id.as_ref());
        lines.maybe("expires_on", self.expires_on);
        for lot in &self.lots {
            lines.put("lot", &lot_text(lot));
        }
        for (name, value) in self.metadata.pairs() {
            lines.put("metadata", name);
            lines.put("is", value);
        }
        if let Some(hold) = &self.after.hold {
            lines.put("hold_amount", &hold.amount);
            lines.put("hold_captured", &hold.captured);
            lines.put("hold_released", &hold.released);
            lines.put("hold_status", &hold.status.as_str());
            lines.maybe("hold_order", hold.order_id.as_ref());
            lines.put("hold_expires_at", &hold.expires_at);
            for transaction in &hold.transactions {
                lines.put("hold_transaction", transaction);
            }
            if let Some(lock) = &hold.lock {
                lock.canonical(&mut lines);
            }
        }
        if let Some(order) = &self.after.order {
            lines.put("order_total", &order.totals.total);
            lines.put("order_paid", &order.totals.paid);
            lines.put("order_refunded", &order.totals.refunded);
            for transaction in &order.transactions {
                lines.put("order_transaction", transaction);
            }
        }
        if let Some(other) = &self.after.counterpart {
            lines.put("to", &other.account);
            lines.put("to_seq", &other.seq);
            lines.put("to_cause", &other.cause);
            lines.put("to_balance_after", &other.balance_after);
        }
        if let Some(reversed) = &self.after.reversal {
            lines.put("reversal", &reversed.id);
            lines.put("topup", &reversed.payment);
        }
        if let Some(points) = &self.points {
            points.canonical(&mut lines);
        }
        lines.into_bytes()
    }
}
