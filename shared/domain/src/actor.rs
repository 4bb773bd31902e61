//! Who asks: the caller as the verified token tells.
//!
//! **Invariant:** an [`Actor`] is only made from claims that an authorizer has verified, or is the clock.

use crate::ids::CustomerId;
use crate::ids::budget::AccountId;
use crate::parse::ParseError;
use std::collections::BTreeSet;

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person with a wallet.
    Customer,
    /// Support: reads everything, does what is marked.
    Staff,
    /// Does everything.
    Admin,
    /// Reaches its own budget and what is below it.
    Agency,
    /// Reaches its own budget and what is below it.
    Client,
    /// A trusted backend, limited by scopes.
    Service,
    /// Nobody: what falls due by itself.
    System,
}

impl Role {
    /// Reads the claim; `system` is not a role that a token can hold.
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

    /// Reads a stored role.
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

    /// The claim's text.
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

/// Who did something, as an entry remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformedBy {
    /// In which role.
    pub role: Role,
    /// The token's subject.
    pub sub: String,
}

impl PerformedBy {
    /// What the clock has done.
    pub fn clock() -> Self {
        Self { role: Role::System, sub: "clock".to_owned() }
    }
}

/// A verified caller.
#[derive(Clone, Debug)]
pub struct Actor {
    /// In which role.
    pub role: Role,
    /// The token's subject.
    pub sub: String,
    /// What a service may do, such as `wallet:debit`.
    pub scopes: BTreeSet<String>,
    /// The budget account of an agency or client.
    pub account: Option<AccountId>,
}

impl Actor {
    /// What the clock or a schedule does.
    pub fn system(sub: &str) -> Self {
        Self { role: Role::System, sub: sub.to_owned(), scopes: BTreeSet::new(), account: None }
    }

    /// True if this is the customer that the id names.
    pub fn owns(&self, customer: &CustomerId) -> bool {
        self.role == Role::Customer && self.sub == customer.as_str()
    }

    /// True for staff and admins.
    pub fn is_staff(&self) -> bool {
        matches!(self.role, Role::Staff | Role::Admin)
    }

    /// How an entry remembers this caller.
    pub fn signature(&self) -> PerformedBy {
        PerformedBy { role: self.role, sub: self.sub.clone() }
    }
}
