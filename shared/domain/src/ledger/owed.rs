//! What an account owes for payments that were reversed when it had too little credit.
//!
//! **Invariant:** open debts are above zero, oldest first, and at most 400. While a debt is open,
//! nothing is available: whatever would increase `available` pays debts first. One transaction pays
//! 20 debts; the rest counts as paid from then on and is written before anything else is decided.
//! **Invariant:** a debt grows or is cancelled only by a recorded [`OwedChange`], and otherwise
//! shrinks only by an OWED_COLLECTED entry.

use crate::ids::{PaymentRef, ReversalId};
use crate::ledger::lot::LotClass;
use crate::money::Money;
use crate::time::{Date, Timestamp};

/// The maximum number of open debts of an account.
pub const MAX_OWED: usize = 400;

/// The maximum number of forgiven sums, one for each date and class, that an account stores; the
/// earliest are dropped first.
const MAX_FORGIVEN: usize = 50;

/// The refund or dispute that a movement belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversed {
    /// The refund or dispute.
    pub id: ReversalId,
    /// The payment that it reverses.
    pub payment: PaymentRef,
}

/// What is owed for one refund or dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// The refund or dispute.
    pub reversal: ReversalId,
    /// The payment that it reverses.
    pub payment: PaymentRef,
    /// Above zero.
    pub amount: Money,
}

impl Debt {
    fn is_for(&self, reversed: &Reversed) -> bool {
        self.reversal == reversed.id && self.payment == reversed.payment
    }
}

/// Credit of one date that had expired before it could be taken back, and so is not owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgiven {
    /// The expiry date of the credit.
    pub date: Date,
    /// The class of the credit.
    pub class: LotClass,
    /// The amount that is not owed.
    pub amount: Money,
}

/// Everything that an account owes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    debts: Vec<Debt>,
    forgiven: Vec<Forgiven>,
}

/// A change of what is owed that is not itself a ledger entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedChange {
    /// The refund or dispute.
    pub reversal: ReversalId,
    /// The payment that it reverses.
    pub payment: PaymentRef,
    /// The amount by which the debt grows.
    pub raised: Money,
    /// The amount by which the debt shrinks.
    pub cancelled: Money,
    /// Credit that had expired and is not owed.
    pub forgiven: Option<Forgiven>,
    /// Credit that was forgiven and is no longer taken back, so that it can be forgiven again.
    pub restored: Option<Forgiven>,
    /// The number of the entry after which it took effect.
    pub seq: u64,
    /// When it took effect.
    pub at: Timestamp,
}

impl OwedChange {
    /// Returns a change by nothing of what is owed for a refund or dispute; a posting sets its number.
    pub(crate) fn of(debt: Reversed, at: Timestamp) -> Self {
        Self {
            reversal: debt.id,
            payment: debt.payment,
            raised: Money::ZERO,
            cancelled: Money::ZERO,
            forgiven: None,
            restored: None,
            seq: 0,
            at,
        }
    }
}

impl Owed {
    /// Builds the value from stored parts; `None` if there are too many debts or a debt is zero.
    pub fn stored(debts: Vec<Debt>, forgiven: Vec<Forgiven>) -> Option<Self> {
        let sound = debts.len() <= MAX_OWED && debts.iter().all(|debt| !debt.amount.is_zero());
        sound.then_some(Self { debts, forgiven })
    }

    /// Returns the sum of all debts.
    pub fn total(&self) -> Money {
        self.debts.iter().map(|debt| debt.amount).sum()
    }

    /// Returns the debts, oldest first.
    pub fn debts(&self) -> &[Debt] {
        &self.debts
    }

    /// Returns what was forgiven, by date and class.
    pub fn forgiven(&self) -> &[Forgiven] {
        &self.forgiven
    }

    /// Returns what is owed for one refund or dispute of a payment.
    pub fn of(&self, reversed: &Reversed) -> Money {
        let found = self.debts.iter().find(|debt| debt.is_for(reversed));
        found.map_or(Money::ZERO, |debt| debt.amount)
    }

    /// Returns true if a debt for this refund or dispute is open or can be opened.
    pub fn has_room_for(&self, reversed: &Reversed) -> bool {
        self.debts.len() < MAX_OWED || self.debts.iter().any(|debt| debt.is_for(reversed))
    }

    /// Returns the debt that a new one is part of: its own or, if there are as many debts as an account has, the newest.
    pub fn debt_for(&self, own: Reversed) -> Reversed {
        if self.has_room_for(&own) {
            return own;
        }
        let newest = self.debts.last();
        newest.map_or(own, |debt| Reversed { id: debt.reversal.clone(), payment: debt.payment.clone() })
    }

    /// Returns how much credit of this date and class has been forgiven.
    pub fn forgiven_of(&self, date: Date, class: LotClass) -> Money {
        let same = self.forgiven.iter().find(|had| had.date == date && had.class == class);
        same.map_or(Money::ZERO, |had| had.amount)
    }

    /// Applies a recorded change; `None` if it cannot be applied.
    #[must_use]
    pub fn change(&mut self, change: &OwedChange) -> Option<()> {
        let reversed = Reversed { id: change.reversal.clone(), payment: change.payment.clone() };
        if !change.raised.is_zero() {
            if !self.has_room_for(&reversed) {
                return None;
            }
            match self.debts.iter_mut().find(|debt| debt.is_for(&reversed)) {
                Some(debt) => debt.amount = debt.amount.checked_add(change.raised)?,
                None => self.debts.push(Debt {
                    reversal: change.reversal.clone(),
                    payment: change.payment.clone(),
                    amount: change.raised,
                }),
            }
        }
        if !change.cancelled.is_zero() {
            self.lower(&reversed, change.cancelled)?;
        }
        if let Some(forgiven) = change.forgiven {
            self.forgive(forgiven)?;
        }
        if let Some(restored) = change.restored {
            self.restore(restored);
        }
        Some(())
    }

    /// Lowers a debt; `None` if it is smaller.
    #[must_use]
    pub fn lower(&mut self, reversed: &Reversed, by: Money) -> Option<()> {
        let debt = self.debts.iter_mut().find(|debt| debt.is_for(reversed))?;
        debt.amount = debt.amount.checked_sub(by)?;
        self.debts.retain(|debt| !debt.amount.is_zero());
        Some(())
    }

    /// Lowers a forgiven sum; a sum that was dropped meanwhile does not need it.
    fn restore(&mut self, less: Forgiven) {
        let same = |had: &&mut Forgiven| had.date == less.date && had.class == less.class;
        if let Some(had) = self.forgiven.iter_mut().find(same) {
            had.amount = had.amount.saturating_sub(less.amount);
        }
        self.forgiven.retain(|had| !had.amount.is_zero());
    }

    fn forgive(&mut self, more: Forgiven) -> Option<()> {
        match self.forgiven.iter_mut().find(|had| had.date == more.date && had.class == more.class) {
            Some(had) => had.amount = had.amount.checked_add(more.amount)?,
            None => self.forgiven.push(more),
        }
        self.forgiven.sort_by_key(|had| (had.date, had.class));
        let extra = self.forgiven.len().saturating_sub(MAX_FORGIVEN);
        self.forgiven.drain(..extra);
        Some(())
    }
}
