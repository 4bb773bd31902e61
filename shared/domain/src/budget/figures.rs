//! Figures of an account, from its slices and the attempts on them that are not settled yet.
//!
//! **Invariant:** received = available + reserved + allocated + spent, for every account except the
//! platform and campaigns that spend their client's credit.

use super::allocate::SlicedAccount;
use super::slice::{Flow, MAX_PENDING, Reserved, Slice};
use super::spend::SliceView;
use crate::ids::budget::{AccountId, AttemptId, BudgetKind};
use crate::money::Money;

/// An attempt that is still on its slice and has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAttempt {
    /// Attempt without an entry.
    pub id: AttemptId,
    /// Number of the slice.
    pub slice: u8,
    /// Reservation of the attempt on that slice.
    pub held: Reserved,
    /// True if an order for its card was sent to a supplier.
    pub at_supplier: bool,
}

/// The attempts on an account's slices that are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Attempts without an entry.
    pub attempts: Vec<OpenAttempt>,
    /// Amounts of transfers whose entry exists, and that are not counted in the slice's flow yet.
    pub uncounted: Vec<(Flow, Money)>,
}

impl Undecided {
    fn sum(&self, of: impl Fn(&OpenAttempt) -> bool) -> Money {
        self.attempts.iter().filter(|attempt| of(attempt)).map(|attempt| attempt.held.amount).sum()
    }

    /// Returns the undecided amount on a slice.
    pub fn of(&self, slice: u8) -> Money {
        self.sum(|attempt| attempt.slice == slice)
    }

    /// Returns the credit that an account has itself: what is available, and what undecided attempts hold.
    pub fn own(&self, sliced: &SlicedAccount) -> Money {
        [sliced.available(), self.total(None)].into_iter().sum()
    }

    /// Returns the amount that may be released soon: all that does not wait for a supplier.
    pub fn soon(&self) -> Money {
        self.sum(|attempt| !attempt.at_supplier)
    }

    /// Returns the undecided amount in total, or of one campaign.
    pub fn total(&self, campaign: Option<&AccountId>) -> Money {
        self.sum(|attempt| campaign.is_none_or(|campaign| attempt.held.campaign == *campaign))
    }

    /// Returns the amount that is not counted in a flow yet.
    pub fn uncounted(&self, flow: Flow) -> Money {
        self.uncounted.iter().filter(|(of, _)| *of == flow).map(|(_, amount)| *amount).sum()
    }

    /// Returns the slices as a spender sees them: what its own attempts hold, and what waits for
    /// suppliers, will not be released for it.
    pub fn slice_views(&self, sliced: &SlicedAccount, own: &[&AttemptId]) -> Vec<SliceView> {
        let others = |slice: u8| {
            self.sum(|attempt| attempt.slice == slice && !attempt.at_supplier && !own.contains(&&attempt.id))
        };
        let view = |slice: &Slice| SliceView {
            slice: slice.number,
            available: slice.available,
            undecided: others(slice.number),
            full: slice.pending.len() >= MAX_PENDING,
        };
        sliced.slices().map(view).collect()
    }
}

/// Figures of an account, in its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFigures {
    /// Credit that can be spent or allocated.
    pub available: Money,
    /// Credit reserved for redemptions in progress.
    pub reserved: Money,
    /// Credit given to children, minus what they returned.
    pub allocated: Money,
    /// Credit received from the parent, minus what was returned to it.
    pub received: Money,
    /// Credit paid for gift cards; zero for the platform.
    pub spent: Money,
}

/// What a shared campaign uses of its client.
#[derive(Clone, Debug)]
pub struct SharedCredit {
    /// Available credit of the client.
    pub available: Money,
    /// Undecided attempts on the client's slices.
    pub undecided: Undecided,
}

impl AccountFigures {
    /// Computes the figures of an account from its own slices.
    pub fn of(sliced: &SlicedAccount, undecided: &Undecided) -> Self {
        let flows = |flow| sliced.slices().map(|slice| slice.flows.of(flow)).sum::<Money>();
        let net = |up, down| flows(up).saturating_sub(flows(down));
        let used: Money = sliced.slices().filter_map(Slice::used).sum();
        let reserved = undecided.total(None);
        let (given, taken) = (undecided.uncounted(Flow::Allocated), undecided.uncounted(Flow::Reclaimed));
        let spent = used.saturating_sub([reserved, given, taken].into_iter().sum());
        let is_limited = sliced.account.kind() != BudgetKind::Platform;
        Self {
            available: sliced.available(),
            reserved,
            allocated: [net(Flow::Allocated, Flow::Returned), given].into_iter().sum(),
            received: net(Flow::Received, Flow::Reclaimed).saturating_sub(taken),
            spent: if is_limited { spent } else { Money::ZERO },
        }
    }

    /// Returns these figures for a campaign that spends its client's credit and has spent `spent`
    /// of it.
    pub fn sharing(self, campaign: &AccountId, client: &SharedCredit, spent: Money) -> Self {
        Self {
            available: client.available,
            reserved: client.undecided.total(Some(campaign)),
            spent: [self.spent, spent].into_iter().sum(),
            ..self
        }
    }

    /// Returns the number of cards that the credit suffices for at this price; None if the price is
    /// unknown or zero.
    pub fn cards_remaining(&self, price: Option<Money>) -> Option<u64> {
        let cards = self.available.value().checked_div(price?.value())?.trunc();
        u64::try_from(cards).ok()
    }
}
