//! What an account adds up to: from its slices, and from the attempts on them that are not settled yet.
//!
//! **Invariant:** received = available + reserved + allocated + spent, of every account but the platform and campaigns
//! that spend their client's credit.

use super::allocate::SlicedAccount;
use super::slice::{Flow, MAX_PENDING, Reserved, Slice};
use super::spend::SliceView;
use crate::ids::budget::{AccountId, AttemptId, BudgetKind};
use crate::money::Money;

/// An attempt that is still on its slice and has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAttempt {
    /// Its id.
    pub id: AttemptId,
    /// The number of the slice.
    pub slice: u8,
    /// What it has set aside there.
    pub held: Reserved,
    /// True if a supplier was asked for its card.
    pub at_supplier: bool,
}

/// The attempts on an account's slices that are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Those without an entry.
    pub attempts: Vec<OpenAttempt>,
    /// Of movements whose entry exists: the amounts that are not counted in their slice's flow yet.
    pub uncounted: Vec<(Flow, Money)>,
}

impl Undecided {
    fn sum(&self, of: impl Fn(&OpenAttempt) -> bool) -> Money {
        self.attempts.iter().filter(|attempt| of(attempt)).map(|attempt| attempt.held.amount).sum()
    }

    /// How much of a slice is undecided.
    pub fn of(&self, slice: u8) -> Money {
        self.sum(|attempt| attempt.slice == slice)
    }

    /// What may come free soon: all that does not wait for a supplier.
    pub fn soon(&self) -> Money {
        self.sum(|attempt| !attempt.at_supplier)
    }

    /// How much is undecided in all; of one campaign, if one is named.
    pub fn total(&self, campaign: Option<&AccountId>) -> Money {
        self.sum(|attempt| campaign.is_none_or(|campaign| attempt.held.campaign == *campaign))
    }

    /// How much of a flow is not counted yet.
    pub fn uncounted(&self, flow: Flow) -> Money {
        self.uncounted.iter().filter(|(of, _)| *of == flow).map(|(_, amount)| *amount).sum()
    }

    /// The slices as a spender sees them: what its own attempts hold, and what waits for suppliers, will not come free
    /// for it.
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

/// The figures of an account, in its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFigures {
    /// What can be spent or allocated.
    pub available: Money,
    /// Set aside for redemptions that are under way.
    pub reserved: Money,
    /// Given to children, less what came back.
    pub allocated: Money,
    /// Received from the parent, less what went back.
    pub received: Money,
    /// Paid for gift cards.
    pub spent: Money,
}

/// What a campaign that spends its client's credit shares of the client.
#[derive(Clone, Debug)]
pub struct SharedCredit {
    /// What the client has available.
    pub available: Money,
    /// The undecided attempts on the client's slices.
    pub undecided: Undecided,
}

impl AccountFigures {
    /// Of an account by its own slices.
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

    /// The same of a campaign that spends its client's credit, of which it has spent `spent`.
    pub fn sharing(self, campaign: &AccountId, client: &SharedCredit, spent: Money) -> Self {
        Self {
            available: client.available,
            reserved: client.undecided.total(Some(campaign)),
            spent: [self.spent, spent].into_iter().sum(),
            ..self
        }
    }

    /// For how many cards the credit lasts at this price, if that is known.
    pub fn cards_remaining(&self, price: Option<Money>) -> Option<u64> {
        let cards = self.available.value().checked_div(price?.value())?.trunc();
        u64::try_from(cards).ok()
    }
}
