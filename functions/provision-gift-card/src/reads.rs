//! Reading redemptions, and seeing their cards.
//!
//! **Invariant:** a redemption out of reach is answered as one that does not exist.

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

/// A redemption that the caller may read or see the card of: reach, a backend, or the recipient (support may read).
async fn permitted_redemption(
    services: &Services,
    request: &ApiRequest,
    action: BudgetAction,
) -> Result<Redemption, Problem> {
    let id = request.segment::<RedemptionPath>()?;
    let actor = request.actor()?;
    let customer = actor.role == Role::Customer;
    // A recipient may, whatever the action; anyone else as their role says.
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

/// Reads what a code came to.
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

/// Shows a card. Who has seen it, when and from where is written down first.
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
        let detail = "there is no card: the supplier has not delivered it";
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
