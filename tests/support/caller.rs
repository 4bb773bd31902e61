//! Who calls, as the authorizer would have verified it.

use std::collections::HashMap;

/// The claims of a verified token.
#[derive(Clone, Debug)]
pub struct Caller(pub HashMap<String, String>);

fn claims(role: &str, sub: &str, scope: &str) -> Caller {
    let pairs = [("role", role), ("sub", sub), ("scope", scope)];
    Caller(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

/// The customer with this id.
pub fn customer(id: &str) -> Caller {
    claims("customer", id, "")
}

/// Someone from support.
pub fn staff() -> Caller {
    claims("staff", "staff-1", "")
}

/// An administrator.
pub fn admin() -> Caller {
    claims("admin", "admin-1", "")
}

/// A backend with these scopes.
pub fn service(scope: &str) -> Caller {
    claims("service", "svc-1", scope)
}

/// Any role.
pub fn role(role: &str) -> Caller {
    claims(role, "someone", "")
}
