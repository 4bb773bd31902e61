//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::budget::allocate::{Direction, Transfer};
use domain::budget::ids::AccountId;
use domain::cause::{Cause, Operation};
use domain::money::Amount;
use domain::text::FreeText;
use edge::json::amount_schema;
use edge::{Ask, Problem, json};
use utoipa::ToSchema;

/// Give credit to a child.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `allocate` reads
pub(crate) struct AllocateRequest {
    /// The parent.
    from_account_id: String,
    /// Its own child; not a campaign that shares its client's credit.
    to_account_id: String,
    #[schema(schema_with = amount_schema)]
    amount: String,
    #[schema(max_length = 500)]
    notes: Option<String>,
}

/// Take credit back from a child.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `reclaim` reads
pub(crate) struct ReclaimRequest {
    /// The child.
    account_id: String,
    /// All that is available, if left out.
    #[schema(schema_with = amount_schema)]
    amount: Option<String>,
    #[schema(max_length = 500)]
    notes: Option<String>,
}

pub(crate) fn allocate(ask: &Ask) -> Result<Transfer, Problem> {
    let mut fields = ask.fields()?;
    let from = fields.required("from_account_id", json::of(AccountId::parse));
    let to = fields.required("to_account_id", json::of(AccountId::parse));
    let amount = fields.required("amount", json::amount);
    let notes = fields.optional("notes", json::free_text);
    fields.finish()?;
    let cause = cause(ask, Operation::Allocate)?;
    Ok(Transfer { direction: Direction::Down, from: from?, to: to?, amount: Some(amount?), notes, cause })
}

/// What is to be taken back.
pub(crate) struct Reclaim {
    pub(crate) account: AccountId,
    pub(crate) amount: Option<Amount>,
    pub(crate) notes: Option<FreeText>,
    pub(crate) cause: Cause,
}

pub(crate) fn reclaim(ask: &Ask) -> Result<Reclaim, Problem> {
    let mut fields = ask.fields()?;
    let account = fields.required("account_id", json::of(AccountId::parse));
    let amount = fields.optional("amount", json::amount);
    let notes = fields.optional("notes", json::free_text);
    fields.finish()?;
    Ok(Reclaim { account: account?, amount, notes, cause: cause(ask, Operation::Reclaim)? })
}

fn cause(ask: &Ask, operation: Operation) -> Result<Cause, Problem> {
    Ok(Cause::of_request(operation, ask.key()?.as_ref(), ask.request()))
}
