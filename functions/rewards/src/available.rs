//! The rewards that a customer can claim.
//!
//! **Invariant:** what is shown as eligible can be claimed at that instant: at once, or with one of the customer's
//! newest orders.

use crate::views::{self, AvailableReward, AvailableRewards};
use axum::extract::State;
use axum::response::Response;
use domain::ledger::account::AccountStatus;
use domain::ledger::order::Order;
use domain::rewards::permit::RewardAction;
use domain::rewards::reward::Reward;
use edge::paths::CustomerPath;
use edge::{ApiRequest, App, Problem, reply};

/// The number of a customer's newest orders that are looked at.
const ORDERS: u16 = 100;

/// Lists the rewards that are active, have uses left, and were not claimed by this customer.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/rewards/available", tag = "rewards", params(CustomerPath),
    responses((status = 200, body = AvailableRewards)))]
pub(crate) async fn available(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let customer = request.customer()?;
    request.permit_or(RewardAction::ReadAvailable, &customer, Problem::wallet_not_found)?;
    let now = app.clock.now();
    let wallet = app.store.wallets().wallet(&customer, now).await?.ok_or_else(Problem::wallet_not_found)?;
    let account = &wallet.loaded.account;
    let store = app.store.rewards();
    let (ids, claimed) = (store.open_ids(now).await?, store.claimed_by(&customer).await?);
    let open: Vec<_> = ids.into_iter().filter(|id| !claimed.contains(id)).collect();
    let mut rewards = store.rewards_of(&open).await?;
    rewards.retain(|reward| reward.is_claimable(now) && account.unit == reward.terms.currency);
    rewards.sort_by_key(|reward| std::cmp::Reverse((reward.created_at, reward.id.clone())));
    let orders = if rewards.iter().any(Reward::needs_purchase) {
        app.store.wallets().newest_orders(&customer, ORDERS).await?
    } else {
        vec![]
    };
    let mut shown = vec![];
    for (reward, uses) in store.all_claimed(rewards).await? {
        if reward.limit() <= uses {
            continue;
        }
        let reason = reason(account.status, &reward, &orders);
        shown.push(AvailableReward {
            needs_order: reward.needs_purchase(),
            eligible: reason.is_none(),
            reason,
            reward: views::reward(&reward, uses, now),
        });
    }
    reply::ok(&AvailableRewards { rewards: shown })
}

/// Returns why the customer cannot claim a reward.
fn reason(status: AccountStatus, reward: &Reward, orders: &[Order]) -> Option<&'static str> {
    match status {
        AccountStatus::Frozen => return Some("account_frozen"),
        AccountStatus::Suspended => return Some("account_suspended"),
        AccountStatus::Active => {}
    }
    if !reward.needs_purchase() {
        return None;
    }
    let mut enough = orders
        .iter()
        .filter(|order| order.currency == reward.terms.currency && reward.is_proved_by(order))
        .peekable();
    if enough.peek().is_none() && !reward.terms.min_purchase_amount.is_zero() {
        return Some("min_purchase");
    }
    if enough.any(|order| reward.applies_to(&order.products)) { None } else { Some("products") }
}
