//! The caller of a request, as stated by the verified token.
//!
//! **Invariant:** an [`Actor`] is made only from claims that an authorizer has verified, or
//! represents the system itself.

use crate::ids::CustomerId;
use crate::ids::budget::AccountId;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The role of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An end customer; has access to their own wallet only.
    Customer,
    /// Support staff: read everything, and perform the operations that each area grants them.
    Staff,
    /// May perform every operation.
    Admin,
    /// Has access to its own budget account and those below it.
    Agency,
    /// Has access to its own budget account and those below it.
    Client,
    /// A trusted backend service, limited by its scopes.
    Service,
    /// No caller: scheduled jobs, webhooks, and entries that fall due by time.
    System,
}

impl Role {
    /// Parses the role claim; rejects `system`, which no token can hold.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match Self::stored(text)? {
            Self::System => Err(ParseError("is not a role")),
            role @ (Self::Customer
            | Self::Staff
            | Self::Admin
            | Self::Agency
            | Self::Client
            | Self::Service) => Ok(role),
        }
    }

    /// Parses a stored role, including `system`.
    pub fn stored(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "customer" => Self::Customer,
            "staff" => Self::Staff,
            "admin" => Self::Admin,
            "agency" => Self::Agency,
            "client" => Self::Client,
            "service" => Self::Service,
            "system" => Self::System,
            _ => return Err(ParseError("is not a role")),
        })
    }

    /// Returns the text of the role, as in the claim and in stored items.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
            Self::Agency => "agency",
            Self::Client => "client",
            Self::Service => "service",
            Self::System => "system",
        }
    }
}

/// Who caused an entry, as stored in the entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerformedBy {
    /// The caller's role.
    pub role: Role,
    /// The token's subject; `clock` for what has fallen due.
    pub sub: String,
}

impl PerformedBy {
    /// Returns the value for entries that fall due by time.
    pub fn clock() -> Self {
        Self { role: Role::System, sub: "clock".to_owned() }
    }
}

/// A verified caller.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The caller's role.
    pub role: Role,
    /// The token's subject.
    pub sub: String,
    /// Scopes granted to a service, such as `wallet:debit`.
    pub scopes: BTreeSet<String>,
    /// The budget account of an agency or client, from the token.
    pub account: Option<AccountId>,
}

impl Actor {
    /// Returns the actor for a scheduled job or webhook, named by `sub`.
    pub fn system(sub: &str) -> Self {
        Self { role: Role::System, sub: sub.to_owned(), scopes: BTreeSet::new(), account: None }
    }

    /// Returns true if the caller is this customer.
    pub fn owns(&self, customer: &CustomerId) -> bool {
        self.role == Role::Customer && self.sub == customer.as_str()
    }

    /// Returns true for staff and admins.
    pub fn is_staff(&self) -> bool {
        matches!(self.role, Role::Staff | Role::Admin)
    }

    /// Returns what an entry stores about this caller.
    pub fn signature(&self) -> PerformedBy {
        PerformedBy { role: self.role, sub: self.sub.clone() }
    }
}

serde_by_text! { Role: |role| role.as_str().to_owned(), Role::stored; }
