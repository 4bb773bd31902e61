//! The API view of a budget transaction, shared by all functions that return one.
//!
//! **Invariant:** it is rendered from the entry alone, so a replay returns the same; it does not contain
//! what a card cost.

use crate::api_request::ApiRequest;
use crate::app::App;
use crate::json::Number;
use crate::movement::ActorView;
use crate::problem::Problem;
use domain::budget::BudgetAccount;
use domain::budget::entry::BudgetEntry;
use domain::budget::permit::BudgetAction;
use domain::ids::budget::AccountId;
use domain::permit::Permission;
use domain::text::FreeText;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// One movement of budget credit. It never changes and is never deleted.
#[derive(Serialize, ToSchema)]
pub struct BudgetTransaction {
    pub id: String,
    pub account_id: String,
    /// ALLOCATION_OUT, ALLOCATION_IN, RECLAIM_OUT, RECLAIM_IN or REDEMPTION
    #[serde(rename = "type")]
    #[schema(examples("ALLOCATION_OUT"))]
    pub kind: &'static str,
    /// Always positive; `type` determines the direction.
    pub amount: Number,
    pub currency: &'static str,
    pub notes: Option<String>,
    /// For an allocation or reclaim: the account on the other side.
    pub other_account_id: Option<String>,
    /// For a redemption: the campaign that spent the credit.
    pub campaign_id: Option<String>,
    pub redemption_id: Option<String>,
    pub brand_id: Option<String>,
    pub denomination: Option<Number>,
    #[schema(examples("COMPLETED"))]
    pub status: &'static str,
    /// Credit available on the account afterwards (for the platform: total issued). Concurrent movements
    /// may not be included.
    pub balance_after: Number,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub actor: ActorView,
    /// The idempotency cause of the movement; unique.
    pub reference: String,
}

/// Renders a budget entry for callers.
pub fn transaction(entry: &BudgetEntry) -> BudgetTransaction {
    let paid = entry.paid.as_ref();
    BudgetTransaction {
        id: entry.id().to_string(),
        account_id: entry.account.to_string(),
        kind: entry.kind.as_str(),
        amount: Number::money(entry.amount, entry.currency),
        currency: entry.currency.code(),
        notes: entry.notes.as_ref().map(FreeText::as_str).map(str::to_owned),
        other_account_id: entry.other.as_ref().map(|other| other.account.to_string()),
        campaign_id: paid.map(|paid| paid.campaign.to_string()),
        redemption_id: paid.map(|paid| paid.redemption.to_string()),
        brand_id: paid.map(|paid| paid.brand.to_string()),
        denomination: paid.map(|paid| Number::money(paid.denomination, entry.currency)),
        status: "COMPLETED",
        balance_after: Number::money(entry.balance_after, entry.currency),
        created_at: entry.at.to_string(),
        actor: ActorView { role: entry.by.role.as_str(), sub: entry.by.sub.clone() },
        reference: entry.cause.to_string(),
    }
}

/// Returns the path under which the movement can be read.
pub fn location(entry: &BudgetEntry) -> String {
    format!("/api/credit/accounts/{}/transactions/{}", entry.account, entry.id())
}

/// Returns an account on which the caller may do this. The account may come from the cache: permissions
/// depend only on its kind and its ancestors, which never change.
pub async fn permitted(
    app: &App,
    request: &ApiRequest,
    id: &AccountId,
    action: BudgetAction,
) -> Result<Arc<BudgetAccount>, Problem> {
    permitted_by(&request.permission(action)?, app, request, id).await
}

/// Returns the account if the permission covers it.
pub async fn permitted_by(
    permission: &Permission<'_, BudgetAction>,
    app: &App,
    request: &ApiRequest,
    id: &AccountId,
) -> Result<Arc<BudgetAccount>, Problem> {
    let mut known = app.store.budgets().cached_account(id).await?;
    if known.is_none() && *id == AccountId::platform() {
        known = Some(Arc::new(app.store.budgets().platform(&request.context(app)?).await?));
    }
    let account = known.ok_or_else(Problem::account_not_found)?;
    let denied = |denial| Problem::denied(denial, Problem::account_not_found);
    permission.on(&account).map_err(denied)?;
    Ok(account)
}
