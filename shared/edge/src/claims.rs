//! Callers by the claims of their tokens, whatever their issuer calls them.
//!
//! **Invariant:** who holds no role of the contract, or no subject, is nobody.

use domain::actor::{Actor, Role};
use domain::ids::budget::AccountId;
use std::collections::HashMap;

/// What the issuer calls the claims that Scrip reads beside `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The role.
    pub role: String,
    /// The budget account of an agency or client.
    pub account: String,
    /// What a service may do.
    pub scope: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { role: "role".to_owned(), account: "account_id".to_owned(), scope: "scope".to_owned() }
    }
}

impl ClaimNames {
    /// The caller, by the claims that the authorizer has verified. Of several roles, the first known one counts.
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

/// The words of a claim: separated by spaces, as OAuth 2.0 writes scopes (RFC 6749, section 3.3), or a list in the form `[a b]`
/// in which API Gateway hands lists on.
fn words(claim: &str) -> impl Iterator<Item = &str> {
    let list = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    list.unwrap_or(claim).split_ascii_whitespace()
}
