//! Walks over the accounts below an account, parent by parent.
//!
//! **Invariant:** each account is visited once, after its parent; campaigns have no children.

use crate::budget::BudgetAccount;
use crate::ids::budget::{AccountId, BudgetKind};

/// A walk over accounts, with a value that is passed from a parent to its children.
#[derive(Debug)]
pub struct TreeWalk<P> {
    next: Vec<P>,
    left: usize,
}

impl<P> TreeWalk<P> {
    /// Begins below a root; at most `limit` accounts are visited.
    pub fn below(root: P, limit: usize) -> Self {
        Self { next: vec![root], left: limit }
    }

    /// Returns the next parent whose children have not been visited.
    pub fn next_parent(&mut self) -> Option<P> {
        self.next.pop()
    }

    /// Truncates the children of a parent to the number that may still be visited; returns true if
    /// some are left out.
    pub fn visit<C>(&mut self, children: &mut Vec<C>) -> bool {
        let is_cut = children.len() > self.left;
        children.truncate(self.left);
        self.left -= children.len();
        is_cut
    }

    /// Continues below a child if its kind has children.
    pub fn descend(&mut self, kind: BudgetKind, child: P) {
        if kind != BudgetKind::Campaign {
            self.next.push(child);
        }
    }
}

impl TreeWalk<AccountId> {
    /// Visits the children of a parent; returns true if some are left out.
    pub fn visit_accounts(&mut self, children: &mut Vec<BudgetAccount>) -> bool {
        let is_cut = self.visit(children);
        for child in children.iter() {
            self.descend(child.kind(), child.id.clone());
        }
        is_cut
    }
}
