//! What earlier rows have named, in little memory.
//!
//! **Invariant:** an account is known with all accounts above it, up to the platform or to an account here.

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
}

/// The accounts of the rows so far, by the digest of their ids.
#[derive(Default)]
pub(crate) struct KnownAccounts(HashMap<[u8; 16], Known>);

impl KnownAccounts {
    /// Adds the account of a valid row.
    pub(crate) fn add(&mut self, row: &BudgetRow) {
        let parent = row.above.last().map(|parent| short_digest(parent.as_str()));
        let known = Known { id: row.external_id.clone(), kind: row.kind, parent };
        self.0.insert(short_digest(row.external_id.as_str()), known);
    }

    /// Returns the accounts above one below this parent, the highest first; `None` if the parent is not known.
    pub(crate) fn above(&self, parent: &ExternalId, kind: BudgetKind) -> Option<Vec<ExternalId>> {
        let Some(known) = self.0.get(&short_digest(parent.as_str())) else {
            let is_here = AccountId::parse(parent.as_str()).is_ok_and(|id| id.kind() == kind);
            return is_here.then(|| vec![parent.clone()]);
        };
        if known.kind != kind {
            return None;
        }
        let (mut above, mut next) = (vec![known.id.clone()], known.parent);
        while let Some(digest) = next {
            match self.0.get(&digest) {
                Some(known) => {
                    above.push(known.id.clone());
                    next = known.parent;
                }
                // The highest one is an account here; its row has its id.
                None => break,
            }
        }
        above.reverse();
        Some(above)
    }
}
