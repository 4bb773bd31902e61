//! Walks over the accounts below an account, parent by parent.
//!
//! **Invariant:** each account is visited once, after its parent; campaigns have no children.
//! **Invariant:** a walk visits no more accounts, and no more slices, than its limits say.

use crate::budget::BudgetAccount;
use crate::ids::budget::{AccountId, BudgetKind};

/// What a walk may visit.
#[derive(Clone, Copy, Debug)]
pub struct TreeLimits {
    /// Accounts below the root.
    pub accounts: usize,
    /// Slices of those accounts.
    pub slices: usize,
}

/// A walk over the accounts below a root.
#[derive(Debug)]
pub struct TreeWalk {
    next: Vec<AccountId>,
    left: TreeLimits,
}

impl TreeWalk {
    /// Begins below a root.
    pub fn below(root: AccountId, limits: TreeLimits) -> Self {
        Self { next: vec![root], left: limits }
    }

    /// Returns the next parent whose children have not been visited.
    pub fn next_parent(&mut self) -> Option<AccountId> {
        self.next.pop()
    }

    /// Returns the number of accounts that may still be visited.
    pub fn left(&self) -> usize {
        self.left.accounts
    }

    /// Visits children of a parent: keeps as many of them as may be visited, the first ones, and will
    /// continue below them. Returns true if some are left out.
    pub fn visit(&mut self, children: &mut Vec<BudgetAccount>) -> bool {
        let all = children.len();
        let mut kept = 0;
        for child in children.iter() {
            let slices = usize::from(child.slices);
            if self.left.accounts == 0 || self.left.slices < slices {
                break;
            }
            self.left.accounts -= 1;
            self.left.slices -= slices;
            kept += 1;
            if child.kind() != BudgetKind::Campaign {
                self.next.push(child.id.clone());
            }
        }
        children.truncate(kept);
        kept < all
    }
}
