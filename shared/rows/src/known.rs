//! What earlier rows have named, in little memory.
//!
//! **Invariant:** an account is known with all accounts above it, up to the platform or to an account here.

use domain::budget::MAX_OPEN_CHILDREN;
use domain::hash::Hash;
use domain::ids::budget::{AccountId, BudgetKind, ExternalId};
use domain::jobs::budget_row::BudgetRow;
use std::collections::HashMap;

/// Returns a digest by which a name is known in little memory.
pub(crate) fn short_digest(name: &str) -> [u8; 16] {
    Hash::of(name).bytes().first_chunk().copied().unwrap_or_default()
}

/// An account that a valid row brings.
struct Known {
    id: ExternalId,
    kind: BudgetKind,
    parent: Option<[u8; 16]>,
    /// The parent, if no row brings it.
    above: Option<ExternalId>,
}

/// The accounts of the rows so far, by the digest of their ids.
#[derive(Default)]
pub(crate) struct KnownAccounts {
    by_id: HashMap<[u8; 16], Known>,
    /// The children of accounts, by the digest of the parent's id.
    children: HashMap<[u8; 16], u32>,
}

/// The accounts above a row's own.
#[derive(Default)]
pub(crate) struct Above {
    /// The highest first.
    pub(crate) ids: Vec<ExternalId>,
    /// True if the first is in no row.
    pub(crate) is_here: bool,
}

impl KnownAccounts {
    /// Adds the account of a valid row.
    pub(crate) fn add(&mut self, row: &BudgetRow) {
        let parent = row.above.last().map(|parent| short_digest(parent.as_str()));
        let above = row.above.first().filter(|_| row.is_below_here && row.above.len() == 1).cloned();
        let known = Known { id: row.external_id.clone(), kind: row.kind, parent, above };
        self.by_id.insert(short_digest(row.external_id.as_str()), known);
        *self.children.entry(parent.unwrap_or_default()).or_default() += 1;
    }

    /// Returns true if the rows so far bring as many children of a parent, or agencies, as an account may have.
    pub(crate) fn is_full(&self, parent: Option<&ExternalId>) -> bool {
        let parent = parent.map(|parent| short_digest(parent.as_str())).unwrap_or_default();
        self.children.get(&parent).is_some_and(|count| *count >= MAX_OPEN_CHILDREN)
    }

    /// Returns the accounts above one below this parent; `None` if the parent is not known.
    pub(crate) fn above(&self, parent: &ExternalId, kind: BudgetKind) -> Option<Above> {
        let Some(known) = self.by_id.get(&short_digest(parent.as_str())) else {
            let is_here = AccountId::parse(parent.as_str()).is_ok_and(|id| id.kind() == kind);
            return is_here.then(|| Above { ids: vec![parent.clone()], is_here });
        };
        if known.kind != kind {
            return None;
        }
        let (mut ids, mut last, mut is_here) = (vec![known.id.clone()], known, false);
        while let Some(digest) = last.parent {
            let Some(above) = self.by_id.get(&digest) else {
                // The row below has its id.
                is_here = true;
                break;
            };
            ids.push(above.id.clone());
            last = above;
        }
        if is_here {
            ids.extend(last.above.clone());
        }
        ids.reverse();
        Some(Above { ids, is_here })
    }
}
