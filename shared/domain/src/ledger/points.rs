//! What an account of points has beyond lots, holds and debts, and what its entries say about it.
//!
//! **Invariant:** pending lots are in the order of the dates on which they become available; there are at most 120,
//! and no two have the same dates and class.
//! **Invariant:** spend, lifetime points and the points of a day change only by entries.

use crate::currency::Currency;
use crate::ids::{BookingId, HoldId, LoyaltyCampaignId, PaymentId, RefundId, VoucherPurchaseId};
use crate::ledger::canonical::{Lines, lot_text};
use crate::ledger::entry_type::EntryType;
use crate::ledger::lot::{Lot, LotClass};
use crate::ledger::owed::OwedChange;
use crate::ledger::spend::SpendMap;
use crate::money::Money;
use crate::text::FreeText;
use crate::time::{Date, Timestamp, days_until};
use rust_decimal::Decimal;

/// The maximum number of pending lots; beyond it, the two nearest are merged in the customer's favor.
pub const MAX_PENDING: usize = 120;

/// Points that become available at the start of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLot {
    /// The date.
    pub available_on: Date,
    /// The lot that they become.
    pub lot: Lot,
}

impl PendingLot {
    fn rank(&self) -> (Date, bool, Option<Date>, LotClass) {
        let lot = &self.lot;
        (self.available_on, lot.expires_on.is_none(), lot.expires_on, lot.class)
    }
}

/// The pending lots of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending(Vec<PendingLot>);

impl Pending {
    /// Builds the value from stored lots; `None` if a sum cannot be represented.
    pub fn new(lots: impl IntoIterator<Item = PendingLot>) -> Option<Self> {
        let mut all = Self::default();
        for lot in lots {
            all.add(&lot)?;
        }
        Some(all)
    }

    /// Returns the lots, the next to become available first.
    pub fn iter(&self) -> impl Iterator<Item = &PendingLot> {
        self.0.iter()
    }

    /// Returns the lot that becomes available first.
    pub fn first(&self) -> Option<&PendingLot> {
        self.0.first()
    }

    /// Returns the sum of all lots.
    pub fn total(&self) -> Money {
        self.0.iter().map(|pending| pending.lot.amount).sum()
    }

    /// Returns the next date on which points become available, and how many.
    pub fn next(&self) -> Option<(Date, Money)> {
        let date = self.0.first()?.available_on;
        let then = self.0.iter().filter(|pending| pending.available_on == date);
        Some((date, then.map(|pending| pending.lot.amount).sum()))
    }

    /// Adds points to their lot; `None` if the sum cannot be represented.
    #[must_use]
    pub fn add(&mut self, pending: &PendingLot) -> Option<()> {
        if pending.lot.amount.is_zero() {
            return Some(());
        }
        match self.0.binary_search_by(|held| held.rank().cmp(&pending.rank())) {
            Ok(at) => {
                let held = self.0.get_mut(at)?;
                held.lot.amount = held.lot.amount.checked_add(pending.lot.amount)?;
            }
            Err(at) => self.0.insert(at, pending.clone()),
        }
        while self.0.len() > MAX_PENDING {
            self.merge_nearest()?;
        }
        Some(())
    }

    /// Removes exactly these points; `None`, without a change, if the lot has fewer.
    #[must_use]
    pub fn remove(&mut self, pending: &PendingLot) -> Option<()> {
        let at = self.0.binary_search_by(|held| held.rank().cmp(&pending.rank())).ok()?;
        let held = self.0.get_mut(at)?;
        held.lot.amount = held.lot.amount.checked_sub(pending.lot.amount)?;
        if held.lot.amount.is_zero() {
            self.0.remove(at);
        }
        Some(())
    }

    /// Merges the two neighbors whose dates are nearest: they become available on the earlier date and expire on the
    /// later one.
    fn merge_nearest(&mut self) -> Option<()> {
        let gaps = self.0.windows(2).enumerate().filter_map(|(at, pair)| match pair {
            [a, b] => Some((days_until(a.available_on, b.available_on), at)),
            _ => None,
        });
        let (_, at) = gaps.min()?;
        let (first, second) = (self.0.remove(at), self.0.remove(at));
        let later = match (first.lot.expires_on, second.lot.expires_on) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (None, _) | (_, None) => None,
        };
        let amount = first.lot.amount.checked_add(second.lot.amount)?;
        let lot = Lot { expires_on: later, amount, ..second.lot };
        self.add(&PendingLot { available_on: first.available_on, lot })
    }
}

/// What an account of points has beyond lots, holds and debts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointsPart {
    /// Points that become available later.
    pub pending: Pending,
    /// Spend by the date of the purchase, of the dates that still count.
    pub spend: SpendMap,
    /// Σ earned − Σ reversed + adjustments that count for tiers.
    pub lifetime: Money,
    /// The last date on which points were earned, and how many.
    pub earned_on: Option<(Date, Money)>,
}

/// What points were locked for, and at which value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockTerms {
    /// The booking that they pay a part of.
    pub booking_id: BookingId,
    /// The program's currency.
    pub currency: Currency,
    /// What a point is worth, whatever changes later.
    pub point_value: Decimal,
    /// The charge, after coupons and before points.
    pub charge: Money,
    /// What a coupon has taken off.
    pub coupon_discount: Money,
    /// The campaign by which points are worth more.
    pub campaign_id: Option<LoyaltyCampaignId>,
    /// The version of the program.
    pub program_version: u32,
    /// Points that refunds have given back.
    pub returned: Money,
    /// Points that were missing when the lock was confirmed late.
    pub owed: Money,
    /// Whether it was confirmed after its time, or after a release.
    pub late: bool,
    /// When it was placed.
    pub created_at: Timestamp,
    /// Whether its owner, or a failed payment, has released it, so that a payment that succeeds still takes it.
    pub revocable: bool,
}

/// Spend that a movement adds or, if it is a reversal, takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendMove {
    /// The amount, in the program's currency.
    pub amount: Money,
    /// The date on which it counts.
    pub on: Date,
}

/// The rules by which a movement was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesUsed {
    /// The version of the program.
    pub program_version: u32,
    /// The tier that was held.
    pub tier: String,
    /// The campaigns that gave something, with their versions.
    pub campaigns: Vec<(String, u32)>,
}

/// What a movement of points changes and refers to beyond the entry's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointsMove {
    /// What a point was worth when they were booked.
    pub worth: Option<Worth>,
    /// The pending lots that it changes.
    pub pending: Vec<PendingLot>,
    /// The sum of the pending lots after the entry.
    pub pending_after: Money,
    /// The date on which the points become available.
    pub available_on: Option<Date>,
    /// Spend that it adds or takes off.
    pub spend: Option<SpendMove>,
    /// By how much lifetime points rise or, if it is a reversal, fall.
    pub lifetime: Money,
    /// The change of what is owed that is part of the movement.
    pub owed: Option<OwedChange>,
    /// The booking that it belongs to.
    pub booking_id: Option<BookingId>,
    /// The payment that it belongs to.
    pub payment_id: Option<PaymentId>,
    /// The refund that it belongs to.
    pub refund_id: Option<RefundId>,
    /// The redemption that it belongs to, even if its hold is closed.
    pub redemption: Option<HoldId>,
    /// The bought voucher that it belongs to.
    pub voucher_purchase_id: Option<VoucherPurchaseId>,
    /// The description given by the caller.
    pub description: Option<FreeText>,
    /// The rules by which it was decided.
    pub rules: Option<RulesUsed>,
    /// The tier before and after, if the movement has changed it.
    pub tier_change: Option<(String, String)>,
    /// The number of the purchase's change that it is a part of.
    pub step: Option<u32>,
}

impl LockTerms {
    pub(super) fn canonical(&self, lines: &mut Lines) {
        lines.put("lock_booking", &self.booking_id);
        lines.put("lock_point_value", &self.point_value.normalize());
        lines.put("lock_currency", &self.currency);
        lines.put("lock_charge", &self.charge);
        lines.put("lock_coupon_discount", &self.coupon_discount);
        lines.maybe("lock_campaign", self.campaign_id.as_ref());
        lines.put("lock_program_version", &self.program_version);
        lines.put("lock_returned", &self.returned);
        lines.put("lock_owed", &self.owed);
        lines.put("lock_late", &self.late);
        lines.put("lock_created_at", &self.created_at);
        lines.put("lock_revocable", &self.revocable);
    }
}

impl PointsMove {
    /// Returns the sum of the pending lots that it changes.
    pub fn of_pending(&self) -> Option<Money> {
        Money::checked_sum(self.pending.iter().map(|pending| pending.lot.amount))
    }

    /// Returns true if it moves spend, lifetime points or debt.
    pub(super) fn moves_more(&self) -> bool {
        self.spend.is_some() || self.owed.is_some() || !self.lifetime.is_zero()
    }

    pub(super) fn canonical(&self, lines: &mut Lines) {
        lines.maybe("point_value", self.worth.map(|worth| worth.each.normalize()));
        lines.maybe("point_currency", self.worth.map(|worth| worth.currency));
        for pending in &self.pending {
            lines.put("pending", &format!("{}|{}", pending.available_on, lot_text(&pending.lot)));
        }
        lines.put("pending_after", &self.pending_after);
        lines.maybe("available_on", self.available_on);
        if let Some(spend) = self.spend {
            lines.put("spend", &spend.amount);
            lines.put("spend_date", &spend.on);
        }
        lines.put("lifetime", &self.lifetime);
        if let Some(owed) = &self.owed {
            lines.put("owed_by", &owed.reversal);
            lines.put("owed_for", &owed.payment);
            lines.put("owed_raised", &owed.raised);
            lines.put("owed_cancelled", &owed.cancelled);
            for (name, part) in [("forgiven", owed.forgiven), ("restored", owed.restored)] {
                let text = |part: crate::ledger::owed::Forgiven| {
                    format!("{}|{}|{}", part.date, part.class.as_str(), part.amount)
                };
                lines.maybe(name, part.map(text));
            }
        }
        lines.maybe("booking_id", self.booking_id.as_ref());
        lines.maybe("payment_id", self.payment_id.as_ref());
        lines.maybe("refund_id", self.refund_id.as_ref());
        lines.maybe("redemption", self.redemption.as_ref());
        lines.maybe("voucher_purchase_id", self.voucher_purchase_id.as_ref());
        lines.maybe("description", self.description.as_ref().map(FreeText::as_str));
        if let Some(rules) = &self.rules {
            lines.put("program_version", &rules.program_version);
            lines.put("tier", &rules.tier);
            for (campaign, version) in &rules.campaigns {
                lines.put("campaign", &format!("{campaign}|{version}"));
            }
        }
        if let Some((from, to)) = &self.tier_change {
            lines.put("tier_change", &format!("{from}|{to}"));
        }
        lines.maybe("step", self.step);
    }
}

impl PointsPart {
    /// Applies what an entry changes beyond lots, holds and debts; the error says what does not fit.
    pub(super) fn apply(
        &mut self,
        moved: &PointsMove,
        (kind, amount, at): (EntryType, Money, Timestamp),
    ) -> Result<(), &'static str> {
        for pending in &moved.pending {
            let adds = kind.adds_pending();
            let done = if adds { self.pending.add(pending) } else { self.pending.remove(pending) };
            done.ok_or("changes a pending lot in a way that is not possible")?;
        }
        if self.pending.total() != moved.pending_after {
            return Err("states other pending points than those computed");
        }
        let lowers = kind == EntryType::Reversal;
        if let Some(SpendMove { amount, on }) = moved.spend {
            if lowers {
                self.spend.take(on, amount);
            } else {
                self.spend.add(on, amount).ok_or("overflows the spend of a date")?;
            }
            self.spend.forget(at.date());
        }
        self.lifetime = if lowers {
            self.lifetime.checked_sub(moved.lifetime).ok_or("lowers lifetime points below zero")?
        } else {
            self.lifetime.checked_add(moved.lifetime).ok_or("overflows lifetime points")?
        };
        if kind == EntryType::Earn {
            let today = at.date();
            let before =
                self.earned_on.filter(|(date, _)| *date == today).map_or(Money::ZERO, |(_, sum)| sum);
            let sum = before.checked_add(amount).ok_or("overflows the points of a day")?;
            self.earned_on = Some((today, sum));
        }
        Ok(())
    }

    /// Returns how many points were earned on a date, if it is the last on which any were.
    pub fn earned_on(&self, date: Date) -> Money {
        self.earned_on.filter(|(on, _)| *on == date).map_or(Money::ZERO, |(_, sum)| sum)
    }
}

/// What a point is worth, from which instant on; by it movements that fall due are valued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointValues {
    /// The currency of all values.
    pub currency: Currency,
    /// The values, oldest first.
    pub from: Vec<(Timestamp, Decimal)>,
}

/// What a point is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// Money for one point.
    pub each: Decimal,
    /// The currency.
    pub currency: Currency,
}

impl Worth {
    /// Returns what points are worth, rounded down to the currency's decimal places; the largest amount if it cannot
    /// be represented.
    pub fn of(self, points: Money) -> Money {
        let worth = points.value().checked_mul(self.each).unwrap_or(Decimal::MAX);
        Money::try_new(worth.trunc_with_scale(self.currency.digits())).unwrap_or(Money::ZERO)
    }
}

impl PointValues {
    /// Returns what a point is worth at an instant.
    pub fn at(&self, at: Timestamp) -> Option<Worth> {
        let in_force = self.from.iter().rev().find(|(from, _)| *from <= at).or(self.from.first())?;
        Some(Worth { each: in_force.1, currency: self.currency })
    }
}

impl LockTerms {
    /// Returns what a locked point is worth.
    pub fn worth(&self) -> Worth {
        Worth { each: self.point_value, currency: self.currency }
    }
}
