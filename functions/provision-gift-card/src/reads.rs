//! Reading redemptions, and seeing their cards.
//!
//! **Invariant:** a redemption out of reach is answered as one that does not exist.

use crate::{Desk, views};
use axum::extract::State;
use axum::response::Response;
use domain::actor::Role;
use domain::budget::permit::{Action, permit, scope, sees_costs};
use domain::giftcard::redemption::Redemption;
use domain::rejection::Rejection;
use edge::paths::RedemptionPath;
use edge::{Ask, Problem, reply};
use http::StatusCode;

/// A redemption that the caller may read or see the card of: reach, a backend, or the recipient (support may read).
async fn reached(desk: &Desk, ask: &Ask, action: Action) -> Result<Redemption, Problem> {
    let id = ask.segment::<RedemptionPath>()?;
    let actor = ask.actor()?;
    let customer = actor.role == Role::Customer;
    if !customer {
        scope(actor, action).map_err(|_| Problem::forbidden())?;
    }
    let unknown = || Problem::from(Rejection::RedemptionNotFound);
    let found = desk.app.store.gift_cards().redemption(&id).await?.ok_or_else(unknown)?;
    if customer {
        let theirs = found.recipient.as_ref().is_some_and(|recipient| recipient.as_str() == actor.sub);
        return if theirs { Ok(found) } else { Err(unknown()) };
    }
    let campaign = desk.app.store.budgets().known_account(&found.campaign).await?.ok_or_else(unknown)?;
    permit(actor, action, &campaign).map_err(|_| unknown())?;
    Ok(found)
}

/// Reads what a code came to.
#[utoipa::path(get, path = "/api/gift-cards/redemptions/{redemption_id}", tag = "gift cards",
    params(RedemptionPath), responses((status = 200, body = views::RedemptionBody)))]
pub(crate) async fn redemption(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    ask.params().finish()?;
    let found = reached(&desk, &ask, Action::ReadRedemption).await?;
    reply::ok(&views::redemption(&found, sees_costs(ask.actor()?)))
}

/// Shows a card. Who has seen it, when and from where is written down first.
#[utoipa::path(post, path = "/api/gift-cards/redemptions/{redemption_id}/reveal", tag = "gift cards",
    params(RedemptionPath), responses((status = 200, body = views::CardBody)))]
pub(crate) async fn reveal(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    ask.fields()?.finish()?;
    ask.key()?;
    let found = reached(&desk, &ask, Action::Reveal).await?;
    if found.card.is_none() {
        let detail = "there is no card: the supplier has not delivered it";
        return Err(Problem::new(StatusCode::CONFLICT, "card_not_issued", detail));
    }
    let origin = ask.origin();
    let from = (origin.ip.as_deref(), origin.user_agent.as_deref());
    desk.app.store.gift_cards().note_reveal(&found.id, from, &ask.context(&desk.app)?).await?;
    let card = desk.issuing().card_of(&found).await?.ok_or_else(Problem::internal)?;
    reply::ok(&views::card(&found, &card))
}
