//! The public redemption endpoint, where an end customer exchanges a code for a card.
//!
//! **Invariant:** every code that cannot be redeemed, for any reason, is answered with the same 404
//! after the same minimum time, and counts in the same way against the IP address: otherwise the
//! count would reveal which codes are registered.

use crate::guesses::counted_as;
use crate::{Services, answer, record_reveal, views, wire};
use axum::extract::State;
use axum::response::Response;
use domain::alert::NewAlert;
use domain::context::Context;
use domain::giftcard::card::Registered;
use domain::giftcard::code::RedemptionCode;
use domain::giftcard::guessing::{ADDRESS_WINDOW, CAMPAIGN_WINDOW, OPEN_TRIES_WINDOW};
use domain::ids::budget::AccountId;
use domain::money::Amount;
use edge::{ApiRequest, Problem};
use issuing::{IssueRequest, Issued};
use store::{StoreError, TryLimits, not_before};
use tokio::time::Instant;

/// Redeems a registered code without a token.
///
/// A code yields one card; repeating the request returns the same card.
#[utoipa::path(post, path = "/api/gift-cards/redeem", tag = "gift cards", security(()),
    request_body = wire::RedeemRequest,
    responses((status = 201, body = views::Redeemed), (status = 202, body = views::Redeemed)))]
pub(crate) async fn redeem(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let wanted = wire::redeem(&request)?;
    let context = request.anonymous_context(&services.app)?;
    let refused = match limited(&services, &request, wanted, &context).await {
        Ok(Tried::Issued(issued)) => {
            let recorded = record_reveal(&services, &request, &issued, &context).await;
            recorded.map_err(Problem::after_effect)?;
            return answer(&issued, &views::redeemed(&issued));
        }
        Ok(Tried::Refused | Tried::Unknown) => Problem::code_not_found(),
        Err(problem) => problem,
    };
    not_before(started, services.tools.limits.refusal).await;
    Err(refused)
}

/// Outcome of a try.
enum Tried {
    /// The card was issued, now or earlier.
    Issued(Box<Issued>),
    /// The code exists, but no card can be issued for it.
    Refused,
    /// There is no such code.
    Unknown,
}

/// Tries a code within the limits of its address, of its campaign, and of all callers.
async fn limited(
    services: &Services,
    request: &ApiRequest,
    wanted: wire::Redeem,
    context: &Context,
) -> Result<Tried, Problem> {
    let (store, tools) = (&services.app.store, &services.tools);
    let address = counted_as(request.origin().ip.as_deref().unwrap_or_default());
    let digest = tools.issuer.vault.address_id(&address).ok_or_else(Problem::internal)?;
    let tries = format!("ip:{digest}:{}", ADDRESS_WINDOW.number(context.now));
    let until = context.now.plus_seconds(2 * ADDRESS_WINDOW.seconds).unwrap_or(context.now);
    let limits = TryLimits { wrong: tools.limits.wrong_per_address, open: tools.limits.open_per_address };
    let slot = OPEN_TRIES_WINDOW.number(context.now);
    tools.guesses.admit(wanted.campaign.as_ref(), context.now)?;
    if !store.gift_cards().begin_try(&tries, slot, limits, until).await? {
        return Err(Problem::rate_limited(ADDRESS_WINDOW.seconds_left(context.now)));
    }
    let campaign = wanted.campaign.clone();
    let outcome = admit(services, request, wanted, context).await;
    // To an address, a code that cannot be redeemed is a wrong one, whether it exists or not.
    let is_wrong = matches!(outcome, Ok(Tried::Refused | Tried::Unknown));
    let wrong = match store.gift_cards().end_try(&tries, slot, is_wrong).await {
        Ok(wrong) => wrong,
        Err(error) if is_wrong => return Err(error.into()),
        // The try ends by itself, and the outcome for the code is known.
        Err(error) => {
            tracing::warn!(%error, "a try is not ended");
            return outcome;
        }
    };
    // What is counted for others as well is only what nobody was given: the customers of a campaign that
    // has no credit left do not guess.
    if matches!(outcome, Ok(Tried::Unknown)) {
        tools.guesses.count(store, &tools.limits, campaign.as_ref(), context.now).await?;
    }
    if wrong >= tools.limits.wrong_per_address {
        // An IP address is personal data: the alert contains its keyed digest instead. There is one alert
        // for all addresses, because a caller may have very many.
        let detail = format!("{wrong} wrong codes from one address in ten minutes, last from {digest}");
        let (kind, subject) = ("code_guessing", "addresses".to_owned());
        let alert = NewAlert { kind, severity: "critical", subject, detail };
        store.alerts().raise(&alert, context.now).await;
    }
    outcome
}

/// Returns the registration of a code. One that a client registered is found in its campaign only; a
/// minted one by itself, but not under the name of another campaign.
async fn registered(
    services: &Services,
    campaign: Option<&AccountId>,
    code: &RedemptionCode,
) -> Result<Option<Registered>, Problem> {
    let (store, vault) = (&services.app.store, &services.tools.issuer.vault);
    if let Some(campaign) = campaign {
        let id = vault.registered_code_id(campaign, code).ok_or_else(Problem::internal)?;
        if let Some(found) = store.gift_cards().registered(&id).await? {
            return Ok(Some(found));
        }
    }
    let id = vault.minted_code_id(code).ok_or_else(Problem::internal)?;
    let found = store.gift_cards().registered(&id).await?;
    Ok(found.filter(|found| campaign.is_none_or(|campaign| found.campaign == *campaign)))
}

/// Issues the card for the code.
async fn admit(
    services: &Services,
    request: &ApiRequest,
    wanted: wire::Redeem,
    context: &Context,
) -> Result<Tried, Problem> {
    let store = &services.app.store;
    // Text that cannot be a code is looked up as well, so that both cases take the same time.
    let is_code = wanted.code.is_some();
    let code = wanted.code.or_else(|| RedemptionCode::parse("no code").ok()).ok_or_else(Problem::internal)?;
    let found = registered(services, wanted.campaign.as_ref(), &code).await?.filter(|_| is_code);
    let Some(Registered { campaign, brand, denomination, .. }) = found else { return Ok(Tried::Unknown) };
    let redemption =
        services.tools.issuer.vault.redemption_id(&campaign, &code).ok_or_else(Problem::internal)?;
    // A repeated request for an existing redemption does not count.
    if store.gift_cards().redemption(&redemption).await?.is_none() {
        let counted = format!("campaign:{campaign}:{}", CAMPAIGN_WINDOW.number(context.now));
        let until = context.now.plus_seconds(10 * CAMPAIGN_WINDOW.seconds).unwrap_or(context.now);
        if !store.gift_cards().count_redemption(&counted, services.tools.limits.per_campaign, until).await? {
            return Err(Problem::rate_limited(CAMPAIGN_WINDOW.seconds_left(context.now)));
        }
    }
    let origin = (request.origin().ip.clone(), request.origin().user_agent.clone());
    let denomination = Amount::parse(&denomination.to_string()).map_err(|_| Problem::internal())?;
    let (delivery, recipient) = (wanted.delivery, None);
    let wait = Some(services.tools.limits.supplier_wait);
    let issue = IssueRequest { campaign, brand, denomination, redemption, recipient, delivery, origin, wait };
    match services.tools.issuer.provision(&issue, context).await {
        Ok(issued) => Ok(Tried::Issued(Box::new(issued))),
        Err(StoreError::Rejected(rejection)) => {
            tracing::info!(%rejection, "registered code was not redeemed");
            Ok(Tried::Refused)
        }
        Err(error) => Err(error.into()),
    }
}
