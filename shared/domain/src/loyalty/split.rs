//! How a gross refund divides: what points had paid for it comes back in points, the rest in money.
//!
//! **Invariant:** money and points together are never more than what is left of the charge.

use crate::ledger::hold::{Hold, HoldStatus};
use crate::loyalty::exact;
use crate::loyalty::numbers::Points;
use crate::loyalty::record::PurchaseRecord;
use crate::loyalty::refunds::RefundReport;
use crate::loyalty::rules::Rules;
use crate::loyalty::take_back::keeps;
use crate::money::Money;
use crate::rejection::Rejection;
use num_traits::Zero;

/// The parts of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundParts {
    /// What is refunded in money.
    pub money: Money,
    /// Points that come back.
    pub points: Points,
    /// What they are worth, as they were redeemed.
    pub points_value: Money,
    /// Points that are taken back.
    pub reversed: Points,
}

impl PurchaseRecord {
    /// Divides a gross refund of this purchase, whose newest redemption is `lock`.
    pub fn split(&self, lock: Option<&Hold>, gross: Money, rules: &Rules) -> Result<RefundParts, Rejection> {
        const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a refund overflow");
        let paid = lock.filter(|hold| hold.view.status == HoldStatus::Captured);
        let terms = paid.and_then(|hold| hold.view.lock.as_deref());
        let confirmed = paid.map_or(Money::ZERO, |hold| hold.view.captured);
        let returned = terms.map_or(Money::ZERO, |lock| lock.returned);
        let value = |points: Money| match terms {
            Some(lock) => lock.worth().of(points),
            None => Money::ZERO,
        };
        let amount = self.amount();
        let left = amount.saturating_sub(self.refunds.refunded(amount));
        let whole = amount.checked_add(value(confirmed)).ok_or(OVERFLOW)?;
        let all_left = left.checked_add(value(confirmed.saturating_sub(returned))).ok_or(OVERFLOW)?;
        if gross > all_left {
            return Err(Rejection::RefundExceedsPayment);
        }
        let digits = self.currency().map_or(4, crate::currency::Currency::digits);
        let share = exact::money(gross) * exact::money(amount);
        let share = if whole.is_zero() { exact::Exact::zero() } else { share / exact::money(whole) };
        let money = if gross == all_left {
            left
        } else {
            exact::money_floor(&share, digits).ok_or(OVERFLOW)?.min(left)
        };
        let mut after = self.clone();
        let report = RefundReport { amount: money, ..RefundReport::default() };
        after.refunds.by_id.insert(String::new(), report);
        let in_proportion = match terms {
            Some(lock) => rules.program(lock.program_version)?.rules.redemption.points_back,
            None => false,
        };
        let confirmed = Points::of_money(confirmed).unwrap_or_default();
        let back = after.refunds.points_back(confirmed, amount, in_proportion);
        let points = back.saturating_sub(Points::of_money(returned).unwrap_or_default());
        let reversed = match &self.booked {
            Some(booked) => self.kept().saturating_sub(keeps(&after, booked, rules)?.points),
            None => Points::ZERO,
        };
        Ok(RefundParts { money, points, points_value: value(points.money()), reversed })
    }
}
