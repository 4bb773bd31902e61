//! Reading the caller from token claims, whose names depend on the issuer.
//!
//! **Invariant:** claims without a known role or without a subject yield no caller.

use domain::actor::{Actor, Role};
use domain::ids::budget::AccountId;
use std::collections::HashMap;

/// The names of the claims that are read in addition to `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim with the caller's role.
    pub role: String,
    /// The claim with the budget account of an agency or client.
    pub account: String,
    /// The claim with the scopes of a service.
    pub scope: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { role: "role".to_owned(), account: "account_id".to_owned(), scope: "scope".to_owned() }
    }
}

impl ClaimNames {
    /// Returns the caller that the verified claims describe. Of several roles, the first known one
    /// counts.
    pub fn actor(&self, claims: &HashMap<String, String>) -> Option<Actor> {
        let claim = |name: &str| claims.get(name).map(String::as_str).filter(|text| !text.is_empty());
        Some(Actor {
            role: words(claim(&self.role)?).find_map(|role| Role::parse(role).ok())?,
            sub: claim("sub")?.to_owned(),
            scopes: claim(&self.scope)
                .map(|scope| words(scope).map(str::to_owned).collect())
                .unwrap_or_default(),
            account: claim(&self.account).and_then(|id| AccountId::parse(id).ok()),
        })
    }
}

/// Splits a claim into words: separated by spaces, as OAuth 2.0 writes scopes (RFC 6749, section 3.3),
/// or in the form `[a b]` in which API Gateway passes lists.
fn words(claim: &str) -> impl Iterator<Item = &str> {
    let list = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    list.unwrap_or(claim).split_ascii_whitespace()
}
