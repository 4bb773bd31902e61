//! Reads redemptions and reveals their cards.
//!
//! **Invariant:** a redemption outside the caller's access is answered as if it did not exist.

use crate::{Services, views};
use axum::extract::State;
use axum::response::Response;
use domain::actor::Role;
use domain::budget::permit::{BudgetAction, sees_costs};
use domain::giftcard::redemption::Redemption;
use domain::rejection::Rejection;
use edge::paths::RedemptionPath;
use edge::{ApiRequest, Problem, reply};
use http::StatusCode;
use store::Viewer;

/// Returns the redemption in the path if the caller may perform the action on it: its account
/// holders, admins, backends, and its recipient; staff may only read it.
async fn permitted_redemption(
    services: &Services,
    request: &ApiRequest,
    action: BudgetAction,
) -> Result<Redemption, Problem> {
    let id = request.segment::<RedemptionPath>()?;
    let actor = request.actor()?;
    let customer = actor.role == Role::Customer;
    // The recipient may perform every action here; for all other callers, the role decides.
    let permission = if customer { None } else { Some(request.permission(action)?) };
    let unknown = || Problem::from(Rejection::RedemptionNotFound);
    let found = services.app.store.gift_cards().redemption(&id).await?.ok_or_else(unknown)?;
    let Some(permission) = permission else {
        let theirs = found.recipient.as_ref().is_some_and(|recipient| recipient.as_str() == actor.sub);
        return if theirs { Ok(found) } else { Err(unknown()) };
    };
    let campaign = services.app.store.budgets().cached_account(&found.campaign).await?.ok_or_else(unknown)?;
    permission.on(&campaign).map_err(|_| unknown())?;
    Ok(found)
}

/// Returns the redemption of a code, without its card.
#[utoipa::path(get, path = "/api/gift-cards/redemptions/{redemption_id}", tag = "gift cards",
    params(RedemptionPath), responses((status = 200, body = views::RedemptionBody)))]
pub(crate) async fn redemption(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.params().finish()?;
    let found = permitted_redemption(&services, &request, BudgetAction::ReadRedemption).await?;
    reply::ok(&views::redemption(&found, sees_costs(request.actor()?)))
}

/// Reveals the card of a redemption.
///
/// The caller, the time, the IP address and the user agent are recorded first.
#[utoipa::path(post, path = "/api/gift-cards/redemptions/{redemption_id}/reveal", tag = "gift cards",
    params(RedemptionPath), responses((status = 200, body = views::CardBody)))]
pub(crate) async fn reveal(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.fields()?.finish()?;
    request.key()?;
    let found = permitted_redemption(&services, &request, BudgetAction::Reveal).await?;
    if found.card.is_none() {
        let detail = "there is no card yet: the supplier has not delivered it";
        return Err(Problem::new(StatusCode::CONFLICT, "card_not_issued", detail));
    }
    let origin = request.origin();
    let viewer = Viewer { ip: origin.ip.as_deref(), user_agent: origin.user_agent.as_deref() };
    services
        .app
        .store
        .gift_cards()
        .record_reveal(&found.id, viewer, &request.context(&services.app)?)
        .await?;
    let card = services.tools.issuer.card_of(&found).await?.ok_or_else(Problem::internal)?;
    reply::ok(&views::card(&found, &card))
}
