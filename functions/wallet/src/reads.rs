//! Reads the current state of a wallet.
//!
//! **Invariant:** due expiries and holds are taken into account, whether or not their entries have
//! been written.

use crate::views::{self, Hold, Wallet};
use crate::{permit_hold, wire};
use axum::extract::State;
use axum::response::Response;
use domain::ledger::lot::Lot;
use domain::time::{days_until, plus_days};
use domain::wallet::permit::WalletAction;
use edge::input::DaysAhead;
use edge::json::Number;
use edge::params::WindowQuery;
use edge::paths::{CustomerPath, HoldPath};
use edge::routes;
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use utoipa::ToSchema;

/// Reads the wallet in the path and settles it in memory for the current time.
async fn settled(
    app: &App,
    request: &ApiRequest,
    action: WalletAction,
) -> Result<domain::wallet::profile::Wallet, Problem> {
    let customer = request.customer()?;
    request.permit(action, &customer)?;
    let now = app.clock.now();
    let wallet = app.store.wallets().wallet(&customer, now).await?.ok_or_else(Problem::wallet_not_found)?;
    Ok(wallet.settled(now)?)
}

/// Returns a wallet.
#[utoipa::path(get, path = "/api/wallet/{customer_id}", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = Wallet)))]
pub(crate) async fn wallet(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    reply::ok(&views::wallet(&settled(&app, &request, WalletAction::Read).await?, &app))
}

/// The credit that expires next.
#[derive(Serialize, ToSchema)]
pub(crate) struct NextExpiry {
    amount: Number,
    /// Last date on which it can be spent.
    #[schema(format = Date)]
    date: String,
}

/// The balance of a wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Balance {
    /// available + held
    balance: Number,
    available: Number,
    held: Number,
    currency: &'static str,
    next_expiry: Option<NextExpiry>,
}

/// Returns the balance of a wallet, and the credit that expires next.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/balance", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = Balance)))]
pub(crate) async fn balance(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let account = settled(&app, &request, WalletAction::ReadBalance).await?.account;
    let money = |amount| Number::money(amount, account.unit);
    reply::ok(&Balance {
        balance: money(account.balance()),
        available: money(account.available()),
        held: money(account.held()),
        currency: account.unit.code(),
        next_expiry: account
            .lots
            .next_expiry()
            .map(|(date, amount)| NextExpiry { amount: money(amount), date: date.to_string() }),
    })
}

/// A lot of credit that expires soon.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExpiringLot {
    amount: Number,
    /// Last date on which it can be spent.
    #[schema(format = Date)]
    expires_on: String,
    /// Whole days until `expires_on`; 0 means today.
    days_remaining: u64,
    source: &'static str,
}

/// Lots that expire soon, earliest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Expiring {
    lots: Vec<ExpiringLot>,
    /// Sum of all lots that match, not only of this page.
    amount: Number,
    currency: &'static str,
    total: usize,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

edge::query! {
    /// Period of the list of expiring lots.
    pub(crate) struct ExpiringQuery {
        /// Days from today; defaults to 30.
        days_ahead: DaysAhead,
    }
}

/// Lists the lots that expire within `days_ahead` days, earliest first.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/expiring", tag = "wallet",
    params(CustomerPath, ExpiringQuery, WindowQuery),
    responses((status = 200, body = Expiring)))]
pub(crate) async fn expiring(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let days = ExpiringQuery::take(&mut params).days_ahead.map_or(30, |days| days.0);
    let window = params.window();
    params.finish()?;
    let account = settled(&app, &request, WalletAction::Read).await?.account;
    let today = app.clock.now().max(account.updated_at).date();
    let until = plus_days(today, u32::from(days));
    let soon = |lot: &&Lot| lot.expires_on.is_some_and(|date| until.is_none_or(|until| date <= until));
    let lots: Vec<&Lot> = account.lots.iter().filter(soon).collect();
    let list = format!("expiring|{}|{days}", account.id.customer());
    let from = match &window.cursor {
        Some(cursor) => usize::try_from(app.cursors.open(&list, cursor)?).unwrap_or(usize::MAX),
        None => 0,
    };
    let from = from.saturating_add(usize::from(window.skip));
    let until = from.saturating_add(usize::from(window.limit));
    let view = |lot: &&Lot| {
        let date = lot.expires_on?;
        Some(ExpiringLot {
            amount: Number::money(lot.amount, account.unit),
            expires_on: date.to_string(),
            days_remaining: days_until(today, date),
            source: lot.source.as_str(),
        })
    };
    let more = until < lots.len();
    reply::ok(&Expiring {
        amount: Number::money(lots.iter().map(|lot| lot.amount).sum(), account.unit),
        currency: account.unit.code(),
        total: lots.len(),
        lots: lots.iter().skip(from).take(usize::from(window.limit)).filter_map(view).collect(),
        limit: window.limit,
        skip: window.skip,
        next_cursor: more
            .then(|| app.cursors.seal(&list, u64::try_from(until).unwrap_or(u64::MAX)))
            .flatten(),
    })
}

/// The referral code of a customer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Referral {
    customer_id: String,
    referral_code: String,
    /// Number of customers who were referred.
    referral_count: u64,
}

/// Returns the customer's referral code.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/referral-code", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = Referral)))]
pub(crate) async fn referral_code(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let wallet = settled(&app, &request, WalletAction::Read).await?;
    reply::ok(&Referral {
        customer_id: wallet.customer().to_string(),
        referral_code: wallet.profile.referral_code.to_string(),
        referral_count: wallet.profile.referral_count,
    })
}

/// The tier of a wallet, and what the next tier requires.
#[derive(Serialize, ToSchema)]
pub(crate) struct TierBenefits {
    customer_id: String,
    /// BRONZE, SILVER, GOLD or PLATINUM
    tier: Option<&'static str>,
    benefits: Vec<String>,
    /// Days until new credit expires; null: it does not expire.
    credit_expiry_days: Option<u32>,
    /// null in the highest tier.
    next_tier: Option<&'static str>,
    /// Amount that the balance lacks for the next tier; null in the highest tier.
    amount_missing: Option<Number>,
    currency: &'static str,
}

/// Returns the wallet's tier, its benefits, and the amount missing for the next tier.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/tier-benefits", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = TierBenefits)))]
pub(crate) async fn tier_benefits(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let account = settled(&app, &request, WalletAction::Read).await?.account;
    let balance = account.balance();
    let (rule, next) = (app.policy.tier(balance), app.policy.next_tier(balance));
    reply::ok(&TierBenefits {
        customer_id: account.id.customer().to_string(),
        tier: rule.map(|rule| rule.tier.as_str()),
        benefits: rule.map(|rule| rule.benefits.clone()).unwrap_or_default(),
        credit_expiry_days: rule.and_then(|rule| rule.expiry_days),
        next_tier: next.map(|next| next.tier.as_str()),
        amount_missing: next.map(|next| Number::money(next.from.saturating_sub(balance), account.unit)),
        currency: account.unit.code(),
    })
}

/// Returns a hold.
#[utoipa::path(get, path = "/api/wallet/holds/{hold_id}", tag = "wallet",
    params(HoldPath), responses((status = 200, body = Hold)))]
pub(crate) async fn hold(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = wire::hold_id(&request)?;
    request.params().finish()?;
    permit_hold(&request, &id)?;
    let now = app.clock.now();
    let (wallet, stored) = app.store.wallets().hold(&id, now).await?;
    let (Some(wallet), Some(stored)) = (wallet, stored) else { return Err(Problem::hold_not_found()) };
    let posting = wallet.loaded.settled(now)?;
    let hold = posting.hold(&id).unwrap_or(&stored);
    reply::ok(&views::hold(&id, &hold.view, posting.account.unit))
}

/// Checks that the table is reachable.
#[utoipa::path(get, path = "/api/wallet/health", tag = "wallet", security(()),
    responses((status = 200, body = routes::Health)))]
pub(crate) async fn health(State(app): State<App>) -> Result<Response, Problem> {
    routes::health(&app).await
}
