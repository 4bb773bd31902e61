//! The end customer's door: a code, and a card for it.
//!
//! **Invariant:** whatever is wrong with a code is the same 404 after the same time, and is counted against an address
//! alike: else the count would tell which codes are registered.

use crate::{Desk, answer, noted, views, wire};
use axum::extract::State;
use axum::response::Response;
use domain::alert::Telling;
use domain::context::Context;
use domain::giftcard::card::Registered;
use domain::giftcard::code::RedemptionCode;
use domain::money::Amount;
use domain::time::Timestamp;
use edge::{Ask, Problem};
use issuing::{Issued, Wish};
use store::{StoreError, not_before};
use tokio::time::Instant;

/// Over how long wrong codes of an address are counted.
const ADDRESS_SECONDS: i64 = 600;

/// Over how long redemptions of a campaign are counted.
const CAMPAIGN_SECONDS: i64 = 60;

/// Redeems a registered code: the card, once and the same each time.
#[utoipa::path(post, path = "/api/gift-cards/redeem", tag = "gift cards", security(()),
    request_body = wire::RedeemRequest,
    responses((status = 201, body = views::Redeemed), (status = 202, body = views::Redeemed)))]
pub(crate) async fn redeem(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let started = Instant::now();
    let wanted = wire::redeem(&ask)?;
    let context = ask.open_context(&desk.app)?;
    let address = ask.origin().ip.clone().unwrap_or_default();
    let digest = desk.vault.address_id(&address).ok_or_else(Problem::internal)?;
    let tries = format!("ip:{digest}:{}", period(context.now, ADDRESS_SECONDS));
    let until = context.now.plus_seconds(2 * 600).unwrap_or(context.now);
    let limits = (desk.limits.wrong_per_address, desk.limits.open_per_address);
    let admitted = if desk.app.store.gift_cards().begin_try(&tries, limits, until).await? {
        let found = admit(&desk, &ask, wanted, &context).await;
        let wrong = desk.app.store.gift_cards().end_try(&tries, matches!(found, Ok(None))).await?;
        if wrong >= desk.limits.wrong_per_address {
            // The address itself is personal: what is told is how it is known again.
            let detail = format!("{wrong} wrong codes from one address in ten minutes");
            let (kind, subject) = ("code_guessing", format!("address {digest}"));
            desk.app
                .store
                .alerts()
                .tell(&Telling { kind, severity: "critical", subject, detail }, context.now)
                .await;
        }
        found
    } else {
        Err(Problem::rate_limited(left(context.now, ADDRESS_SECONDS)))
    };
    match admitted {
        Ok(Some(issued)) => {
            noted(&desk, &ask, &issued, &context).await?;
            answer(&issued, &views::redeemed(&issued))
        }
        Ok(None) => {
            not_before(started, desk.limits.refusal).await;
            Err(Problem::code_not_found())
        }
        Err(problem) => {
            not_before(started, desk.limits.refusal).await;
            Err(problem)
        }
    }
}

fn period(now: Timestamp, seconds: i64) -> i64 {
    now.millis() / 1_000 / seconds
}

/// How many seconds are left of a period.
fn left(now: Timestamp, seconds: i64) -> u32 {
    u32::try_from(seconds - now.millis() / 1_000 % seconds).unwrap_or(60)
}

/// What the code comes to; none if it comes to nothing, whatever the reason.
async fn admit(
    desk: &Desk,
    ask: &Ask,
    wanted: wire::Redeem,
    context: &Context,
) -> Result<Option<Issued>, Problem> {
    let store = &desk.app.store;
    // A text that cannot be a code is looked up all the same.
    let is_code = wanted.code.is_some();
    let code = wanted.code.or_else(|| RedemptionCode::parse("no code").ok()).ok_or_else(Problem::internal)?;
    let id = desk.vault.code_id(&code).ok_or_else(Problem::internal)?;
    let found = store.gift_cards().registered(&id).await?.filter(|_| is_code);
    let Some(Registered { campaign, brand, denomination, .. }) = found else { return Ok(None) };
    let redemption = desk.vault.redemption_id(&campaign, &code).ok_or_else(Problem::internal)?;
    // Who comes again for what they have does not count.
    if store.gift_cards().redemption(&redemption).await?.is_none() {
        let counted = format!("campaign:{campaign}:{}", period(context.now, CAMPAIGN_SECONDS));
        let until = context.now.plus_seconds(600).unwrap_or(context.now);
        if !store.gift_cards().count_redemption(&counted, desk.limits.per_campaign, until).await? {
            return Err(Problem::rate_limited(left(context.now, CAMPAIGN_SECONDS)));
        }
    }
    let origin = (ask.origin().ip.clone(), ask.origin().user_agent.clone());
    let denomination = Amount::parse(&denomination.to_string()).map_err(|_| Problem::internal())?;
    let (delivery, recipient) = (wanted.delivery, None);
    let wait = Some(desk.limits.supplier_wait);
    let wish = Wish { campaign, brand, denomination, redemption, recipient, delivery, origin, wait };
    match desk.issuing().provision(&wish, context).await {
        Ok(issued) => Ok(Some(issued)),
        Err(StoreError::Rejected(rejection)) => {
            tracing::info!(%rejection, "a registered code is not redeemed");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
