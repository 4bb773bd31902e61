//! Parses requests into transfer commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::cause::{Cause, Operation};
use domain::ids::budget::AccountId;
use domain::money::Amount;
use domain::text::FreeText;
use edge::input::{ChildAccountId, RelatedAccountId};
use edge::{ApiRequest, Problem, request, schema};
use serde_json::{Value, json};

/// Returns the rule that an account with the first id pattern allocates to accounts with the
/// second.
fn gives(from: &str, to: &str) -> Value {
    let kind = |kind: &str| schema::pattern(&format!("^{kind}$"));
    json!({"properties": {"from_account_id": kind(from), "to_account_id": kind(to)}})
}

request! {
    /// An allocation of credit to a child account.
    pub(crate) struct AllocateRequest {
        /// The parent account, which gives the credit.
        from_account_id: RelatedAccountId,
        /// A direct child of the parent account; not a campaign that spends its client's credit.
        to_account_id: RelatedAccountId,
        /// Amount to allocate.
        amount: Amount,
        /// Reason, as free text.
        notes: Option<FreeText>,
    }
    rules [json!({"oneOf": [
        gives("platform", "acct_a[0-9a-f]{20}"),
        gives("acct_a[0-9a-f]{20}", "acct_c[0-9a-f]{20}"),
        gives("acct_c[0-9a-f]{20}", "acct_m[0-9a-f]{20}"),
    ]})]
}

request! {
    /// A reclaim of credit from a child account.
    pub(crate) struct ReclaimRequest {
        /// The child account, which returns the credit to its parent.
        account_id: ChildAccountId,
        /// Amount to reclaim; defaults to all available credit.
        amount: Option<Amount>,
        /// Reason, as free text.
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

/// A parsed reclaim; its parent account is not known yet.
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
