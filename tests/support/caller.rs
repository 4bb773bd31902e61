//! Callers of a request, with the claims that the authorizer would have verified.

use std::collections::HashMap;

/// The claims of a verified token.
#[derive(Clone, Debug)]
pub struct Caller(pub HashMap<String, String>);

fn claims(role: &str, sub: &str, scope: &str) -> Caller {
    let pairs = [("role", role), ("sub", sub), ("scope", scope)];
    Caller(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

/// Returns the customer with this id.
pub fn customer(id: &str) -> Caller {
    claims("customer", id, "")
}

/// Returns a member of the support staff.
pub fn staff() -> Caller {
    claims("staff", "staff-1", "")
}

/// Returns an administrator.
pub fn admin() -> Caller {
    claims("admin", "admin-1", "")
}

/// Returns a backend service with these scopes (separated by spaces).
pub fn service(scope: &str) -> Caller {
    claims("service", "svc-1", scope)
}

/// Returns the backend service with this name and these scopes.
pub fn service_named(name: &str, scope: &str) -> Caller {
    claims("service", name, scope)
}

/// Returns a caller with this role and no scopes.
pub fn role(role: &str) -> Caller {
    claims(role, "someone", "")
}

/// Returns a caller with this role who acts for a budget account.
pub fn acts_for(role: &str, account: &str) -> Caller {
    let mut caller = claims(role, "someone", "");
    caller.0.insert("account_id".to_owned(), account.to_owned());
    caller
}
