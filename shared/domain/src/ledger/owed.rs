//! What an account owes for payments that were taken back when there was too little to take.
//!
//! **Invariant:** the debts are open (none is zero), oldest first, and at most 400; while there is one, nothing is
//! available: whatever would raise `available` pays first. One transaction pays 20; the rest counts as paid from then on
//! and is written down before anything else is decided.
//! **Invariant:** a debt grows or is cancelled only by a recorded [`OwedChange`], and shrinks otherwise only by an
//! OWED_COLLECTED entry.

use crate::ids::{PaymentRef, ReversalId};
use crate::ledger::lot::LotClass;
use crate::money::Money;
use crate::time::{Date, Timestamp};

/// How many debts an account has open at most.
pub const MAX_OWED: usize = 400;

/// How many dates' forgiven sums an account remembers; the earliest are forgotten first.
const MAX_FORGIVEN: usize = 50;

/// What is owed for one refund or dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// For which.
    pub reversal: ReversalId,
    /// Of which payment.
    pub payment: PaymentRef,
    /// How much.
    pub amount: Money,
}

/// Credit of one date that had expired when it was to be taken back, and so is not owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgiven {
    /// The date.
    pub date: Date,
    /// The class.
    pub class: LotClass,
    /// How much.
    pub amount: Money,
}

/// All that an account owes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    debts: Vec<Debt>,
    forgiven: Vec<Forgiven>,
}

/// A change of what is owed that is not itself a movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedChange {
    /// For which refund or dispute.
    pub reversal: ReversalId,
    /// Of which payment.
    pub payment: PaymentRef,
    /// How much more is owed.
    pub raised: Money,
    /// How much less is owed.
    pub cancelled: Money,
    /// What had expired and is not owed.
    pub forgiven: Option<Forgiven>,
    /// What had been forgiven and is taken back no longer, so that it could be forgiven again.
    pub restored: Option<Forgiven>,
    /// The number of the entry after which it took effect.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
}

impl Owed {
    /// Takes what was stored; `None` if it is not as it must be.
    pub fn stored(debts: Vec<Debt>, forgiven: Vec<Forgiven>) -> Option<Self> {
        let sound = debts.len() <= MAX_OWED && debts.iter().all(|debt| !debt.amount.is_zero());
        sound.then_some(Self { debts, forgiven })
    }

    /// The sum.
    pub fn total(&self) -> Money {
        self.debts.iter().map(|debt| debt.amount).sum()
    }

    /// The debts, oldest first.
    pub fn debts(&self) -> &[Debt] {
        &self.debts
    }

    /// What was forgiven, by date and class.
    pub fn forgiven(&self) -> &[Forgiven] {
        &self.forgiven
    }

    /// What is owed for one.
    pub fn of(&self, reversal: &ReversalId) -> Money {
        let found = self.debts.iter().find(|debt| debt.reversal == *reversal);
        found.map_or(Money::ZERO, |debt| debt.amount)
    }

    /// True if another debt could be opened for this one.
    pub fn has_room_for(&self, reversal: &ReversalId) -> bool {
        self.debts.len() < MAX_OWED || self.debts.iter().any(|debt| debt.reversal == *reversal)
    }

    /// How much of this date and class has been forgiven.
    pub fn forgiven_of(&self, date: Date, class: LotClass) -> Money {
        let same = self.forgiven.iter().find(|had| had.date == date && had.class == class);
        same.map_or(Money::ZERO, |had| had.amount)
    }

    /// Applies a recorded change; `None` if it does not fit.
    #[must_use]
    pub fn change(&mut self, change: &OwedChange) -> Option<()> {
        if !change.raised.is_zero() {
            if !self.has_room_for(&change.reversal) {
                return None;
            }
            match self.debts.iter_mut().find(|debt| debt.reversal == change.reversal) {
                Some(debt) => debt.amount = debt.amount.checked_add(change.raised)?,
                None => self.debts.push(Debt {
                    reversal: change.reversal.clone(),
                    payment: change.payment.clone(),
                    amount: change.raised,
                }),
            }
        }
        if !change.cancelled.is_zero() {
            self.lower(&change.reversal, change.cancelled)?;
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
    pub fn lower(&mut self, reversal: &ReversalId, by: Money) -> Option<()> {
        let debt = self.debts.iter_mut().find(|debt| debt.reversal == *reversal)?;
        debt.amount = debt.amount.checked_sub(by)?;
        self.debts.retain(|debt| !debt.amount.is_zero());
        Some(())
    }

    /// What was forgotten meanwhile needs no restoring.
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
