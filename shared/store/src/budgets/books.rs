//! Reads the tree of budgets for exports, and what imports have moved.
//!
//! **Invariant:** an account is read before those below it.

use super::Budgets;
use crate::budgets::items::budget_entry;
use crate::engine::error::StoreError;
use crate::engine::read::PageRange;
use crate::keys;
use domain::budget::allocate::SlicedAccount;
use domain::budget::key::KeyState;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::cause::Cause;
use domain::ids::budget::{AccountId, BudgetKind};
use domain::money::Money;
use std::collections::VecDeque;

/// Accounts that are read at once.
const PAGE: u16 = 25;

/// The place in the tree after which it is read on: accounts whose children are left, and after which of them.
#[derive(Clone, Debug)]
pub struct TreePlace(VecDeque<(AccountId, Option<String>)>);

impl Default for TreePlace {
    fn default() -> Self {
        Self(VecDeque::from([(AccountId::platform(), None)]))
    }
}

impl Budgets {
    /// Reads the next accounts below the platform that are not closed, each with its own credit; `None` at the end.
    pub async fn tree_page(
        &self,
        place: &mut TreePlace,
    ) -> Result<Option<Vec<(SlicedAccount, Money)>>, StoreError> {
        let Some((parent, after)) = place.0.pop_front() else { return Ok(None) };
        let range = PageRange { skip: 0, limit: PAGE };
        let page = self.children(&parent, after.as_deref(), range).await?.complete()?;
        if let Some(next) = page.next {
            place.0.push_front((parent, Some(next)));
        }
        let mut open = page.accounts;
        open.retain(|account| account.status() != BudgetStatus::Closed);
        let ids: Vec<AccountId> = open.iter().map(|account| account.id.clone()).collect();
        // An account of an earlier version has no count.
        let has_children =
            |account: &&BudgetAccount| account.children.is_none_or(|children| children.total > 0);
        let parents = open.iter().filter(|account| account.kind() != BudgetKind::Campaign);
        place.0.extend(parents.filter(has_children).map(|account| (account.id.clone(), None)));
        let mut sliced = self.with_slices(open).await?;
        let mut found = vec![];
        for sliced in ids.iter().filter_map(|id| sliced.remove(id)) {
            let own = self.own_credit(&sliced).await?;
            found.push((sliced, own));
        }
        Ok(Some(found))
    }

    /// Returns the credit that an account has itself: what is available, and what undecided attempts hold. What was spent
    /// may still be on its slices.
    pub async fn own_credit(&self, sliced: &SlicedAccount) -> Result<Money, StoreError> {
        Ok(self.undecided(&sliced.account.id, sliced).await?.own(sliced))
    }

    /// Returns the amount of the entry with this cause; zero if there is none.
    pub async fn moved_by(&self, account: &AccountId, cause: &Cause) -> Result<Money, StoreError> {
        let key = keys::budget_entry(account, cause);
        let item = self.table.with_retry(|| self.table.get(key.clone())).await?;
        Ok(match budget_entry::state_of(item.as_ref())? {
            KeyState::Entry(entry) => entry.amount,
            KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } => Money::ZERO,
        })
    }
}
