//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every field that is wrong is reported at once.

use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::cause::{Cause, Operation};
use domain::ids::budget::AccountId;
use domain::money::Amount;
use domain::text::FreeText;
use edge::input::{ChildAccountId, RelatedAccountId};
use edge::{ApiRequest, Problem, request, schema};
use serde_json::{Value, json};

/// An account of this kind gives to accounts of that kind alone.
fn gives(from: &str, to: &str) -> Value {
    let kind = |kind: &str| schema::pattern(&format!("^{kind}$"));
    json!({"properties": {"from_account_id": kind(from), "to_account_id": kind(to)}})
}

request! {
    /// Give credit to a child.
    pub(crate) struct AllocateRequest {
        /// The parent.
        from_account_id: RelatedAccountId,
        /// Its own child; not a campaign that shares its client's credit.
        to_account_id: RelatedAccountId,
        /// How much.
        amount: Amount,
        /// Why, in words.
        notes: Option<FreeText>,
    }
    rules [json!({"oneOf": [
        gives("platform", "acct_a[0-9a-f]{20}"),
        gives("acct_a[0-9a-f]{20}", "acct_c[0-9a-f]{20}"),
        gives("acct_c[0-9a-f]{20}", "acct_m[0-9a-f]{20}"),
    ]})]
}

request! {
    /// Take credit back from a child.
    pub(crate) struct ReclaimRequest {
        /// The child.
        account_id: ChildAccountId,
        /// All that is available, if left out.
        amount: Option<Amount>,
        /// Why, in words.
        notes: Option<FreeText>,
    }
}

pub(crate) fn allocate(request: &ApiRequest) -> Result<BudgetTransfer, Problem> {
    let sent = AllocateRequest::read(request.fields()?)?;
    Ok(BudgetTransfer {
        direction: Direction::Down,
        from: sent.from_account_id.0,
        to: sent.to_account_id.0,
        amount: Some(sent.amount),
        notes: sent.notes,
        cause: cause(request, Operation::Allocate)?,
    })
}

/// What is to be taken back.
pub(crate) struct Reclaim {
    pub(crate) account: AccountId,
    pub(crate) amount: Option<Amount>,
    pub(crate) notes: Option<FreeText>,
    pub(crate) cause: Cause,
}

pub(crate) fn reclaim(request: &ApiRequest) -> Result<Reclaim, Problem> {
    let ReclaimRequest { account_id, amount, notes } = ReclaimRequest::read(request.fields()?)?;
    Ok(Reclaim { account: account_id.0, amount, notes, cause: cause(request, Operation::Reclaim)? })
}

fn cause(request: &ApiRequest, operation: Operation) -> Result<Cause, Problem> {
    Ok(Cause::of_request(operation, request.key()?.as_ref(), request.id()))
}
