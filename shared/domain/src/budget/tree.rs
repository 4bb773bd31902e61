//! Walking the accounts below one, parent by parent.
//!
//! **Invariant:** each account is met once, its parent before it; campaigns have nothing below them.

use crate::budget::BudgetAccount;
use crate::ids::budget::{AccountId, BudgetKind};

/// A walk over accounts, with what is carried from a parent to its children.
#[derive(Debug)]
pub struct TreeWalk<P> {
    next: Vec<P>,
    left: usize,
}

impl<P> TreeWalk<P> {
    /// Begins below a root; at most `limit` accounts are met.
    pub fn below(root: P, limit: usize) -> Self {
        Self { next: vec![root], left: limit }
    }

    /// The next parent, whose children are to be met.
    pub fn next_parent(&mut self) -> Option<P> {
        self.next.pop()
    }

    /// Cuts the children of a parent to how many may still be met; true if some are left out.
    pub fn meet<C>(&mut self, children: &mut Vec<C>) -> bool {
        let is_cut = children.len() > self.left;
        children.truncate(self.left);
        self.left -= children.len();
        is_cut
    }

    /// Goes on below a child, if it is of a kind that has children.
    pub fn descend(&mut self, kind: BudgetKind, child: P) {
        if kind != BudgetKind::Campaign {
            self.next.push(child);
        }
    }
}

impl TreeWalk<AccountId> {
    /// Meets the children of a parent; true if some are left out.
    pub fn meet_accounts(&mut self, children: &mut Vec<BudgetAccount>) -> bool {
        let is_cut = self.meet(children);
        for child in children.iter() {
            self.descend(child.kind(), child.id.clone());
        }
        is_cut
    }
}
