//! Issues a card for a code: credit first, then a CSV pool, then a buffer pool, then the supplier.
//!
//! **Invariant:** no card is sold and no supplier is called before all of the credit is reserved.
//! **Invariant:** a lack of credit is reported before a lack of stock.

use super::CardSource;
use super::card::FreeCard;
use crate::budget::spend::{self, Spend};
use crate::ids::budget::PoolId;
use std::collections::VecDeque;

/// The next step. Reserving credit and looking for a card run concurrently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisionStep {
    /// Reserve credit, or read all slices to see who holds it.
    Credit(spend::SpendStep),
    /// Look for a card in this pool.
    FindCard(PoolId),
    /// Take this card, and commit.
    Commit(FreeCard),
    /// Order a card from the supplier.
    Order,
    /// Release the reservation: no card is available.
    OutOfStock,
}

/// The decisions that issue one card.
#[derive(Clone, Debug)]
pub struct Provision {
    /// Reservation of the credit.
    pub spend: Spend,
    pools: VecDeque<PoolId>,
    card: Option<FreeCard>,
    has_supplier: bool,
}

impl Provision {
    /// Begins with these pools: csv pools first, then buffer pools, each kind in the given order.
    pub fn new(spend: Spend, pools: &[(PoolId, CardSource)], has_supplier: bool) -> Self {
        let of = |wanted: CardSource| {
            pools.iter().filter(move |(_, source)| *source == wanted).map(|(pool, _)| pool.clone())
        };
        let pools = of(CardSource::Csv).chain(of(CardSource::Buffer)).collect();
        Self { spend, pools, card: None, has_supplier }
    }

    /// Returns the steps that can be taken now, concurrently.
    pub fn next(&self) -> Vec<ProvisionStep> {
        let covered = *self.spend.next() == spend::SpendStep::Covered;
        let look = self
            .pools
            .front()
            .filter(|_| self.card.is_none())
            .map(|pool| ProvisionStep::FindCard(pool.clone()));
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

    /// Records the result of looking into a pool.
    pub fn found(&mut self, pool: &PoolId, card: Option<FreeCard>) {
        if card.is_none() && self.pools.front() == Some(pool) {
            self.pools.pop_front();
        }
        self.card = card;
    }

    /// Records that another request won the card: look again, in the same pool.
    pub fn card_is_gone(&mut self) {
        self.card = None;
    }
}
