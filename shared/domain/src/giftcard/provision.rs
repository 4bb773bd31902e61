//! From a redemption code to a card: credit first, then a CSV pool, then a buffer pool, then the supplier.
//!
//! **Invariant:** nothing is sold and nobody is asked before all of the credit is set aside.
//! **Invariant:** a lack of credit is told before a lack of stock.

use super::CardSource;
use super::card::FreeCard;
use crate::budget::spend::{self, Spend};
use crate::ids::budget::PoolId;
use std::collections::VecDeque;

/// What to do next. Setting credit aside and looking for a card go side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisionStep {
    /// Set credit aside, or see who has it.
    Credit(spend::SpendStep),
    /// Look for a card in this pool.
    Look(PoolId),
    /// Take this card, and commit.
    Commit(FreeCard),
    /// Ask the supplier.
    Order,
    /// Give back what is set aside: there is no card to be had.
    OutOfStock,
}

/// A card on its way to a recipient.
#[derive(Clone, Debug)]
pub struct Provision {
    /// The credit.
    pub spend: Spend,
    pools: VecDeque<PoolId>,
    card: Option<FreeCard>,
    has_supplier: bool,
}

impl Provision {
    /// Begins, with these pools (csv ones first, of each kind in the order given).
    pub fn new(spend: Spend, pools: &[(PoolId, CardSource)], has_supplier: bool) -> Self {
        let of = |wanted: CardSource| {
            pools.iter().filter(move |(_, source)| *source == wanted).map(|(pool, _)| pool.clone())
        };
        let pools = of(CardSource::Csv).chain(of(CardSource::Buffer)).collect();
        Self { spend, pools, card: None, has_supplier }
    }

    /// What can be done now, side by side.
    pub fn next(&self) -> Vec<ProvisionStep> {
        let covered = *self.spend.next() == spend::SpendStep::Covered;
        let look =
            self.pools.front().filter(|_| self.card.is_none()).map(|pool| ProvisionStep::Look(pool.clone()));
        if !covered {
            let side = look.filter(|_| matches!(self.spend.next(), spend::SpendStep::Reserve { .. }));
            return std::iter::once(ProvisionStep::Credit(self.spend.next().clone())).chain(side).collect();
        }
        vec![match (&self.card, look) {
            (Some(card), _) => ProvisionStep::Commit(card.clone()),
            (None, Some(look)) => look,
            (None, None) if self.has_supplier => ProvisionStep::Order,
            (None, None) => ProvisionStep::OutOfStock,
        }]
    }

    /// A pool was looked at.
    pub fn found(&mut self, pool: &PoolId, card: Option<FreeCard>) {
        if card.is_none() && self.pools.front() == Some(pool) {
            self.pools.pop_front();
        }
        self.card = card;
    }

    /// Another was quicker with the card: look again, in the same pool.
    pub fn card_is_gone(&mut self) {
        self.card = None;
    }
}
