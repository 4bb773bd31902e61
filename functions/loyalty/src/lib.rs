//! The HTTP API of loyalty: points, purchases, redemptions, the program and its campaigns.
//!
//! Every handler runs the steps parse → authorize → load → decide → commit → respond.
//!
//! **Invariant:** handlers move points only through [`store::Loyalty::execute`] and [`store::Vouchers`].
//! **Invariant:** no handler reads the store before the caller's role is permitted; what belongs to another customer
//! is answered as if it did not exist.

mod bought;
mod campaign_wire;
mod history;
mod input;
mod members;
mod movements;
mod orders;
mod paths;
mod program_input;
mod program_views;
mod program_wire;
mod purchase_views;
mod purchases;
mod reads;
mod redemption_wire;
mod redemptions;
mod refund_wire;
mod reports;
mod rules;
mod views;
mod voucher_views;
mod voucher_wire;
mod vouchers;
mod wallet_view;
mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post};
use domain::context::Context;
use domain::ids::CustomerId;
use domain::ids::LoyaltyCampaignId;
use domain::loyalty::member::{Member, Setting};
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::state::{LoyaltyNeeds, LoyaltyState};
use edge::routes::{self, complete};
use edge::{ApiRequest, App, Problem, Services};
use utoipa::OpenApi;
use vault::Vault;

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct LoyaltyTools {
    /// Seals and opens the codes of vouchers.
    pub vault: Vault,
}

impl LoyaltyTools {
    /// Returns the vault, if this deployment has the keys of codes.
    pub(crate) fn open_vault(&self) -> Result<&Vault, Problem> {
        if self.vault.is_closed() {
            let detail = "the keys of vouchers' codes are not configured, or cannot be read now";
            return Err(Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail));
        }
        Ok(&self.vault)
    }
}

/// Returns the routes of vouchers.
fn vouchers() -> Router<Services<LoyaltyTools>> {
    Router::new()
        .route("/vouchers", get(vouchers::list).post(vouchers::create))
        .route("/vouchers/{voucher_id}", get(vouchers::read).patch(vouchers::change))
        .route("/vouchers/{voucher_id}/codes", post(vouchers::stock))
        .route("/vouchers/{voucher_id}/purchase", post(bought::buy))
        .route("/voucher-purchases/{purchase_id}", get(bought::read))
        .route("/voucher-purchases/{purchase_id}/reveal", post(bought::reveal))
        .route("/voucher-purchases/{purchase_id}/refund", post(bought::refund))
}

/// Returns the routes of this function.
pub fn router(services: Services<LoyaltyTools>) -> Router {
    let wallet = Router::new()
        .route("/", get(reads::wallet))
        .route("/transactions", get(history::transactions).post(movements::adjust))
        .route("/transactions/{transaction_id}", get(history::transaction))
        .route("/transfer", post(movements::transfer))
        .route("/earn", post(purchases::earn))
        .route("/quote", get(reads::quote))
        .route("/redeem", post(redemptions::redeem))
        .route("/confirm", post(redemptions::confirm_token))
        .route("/release", post(redemptions::release_token))
        .route("/freeze", post(movements::freeze))
        .route("/unfreeze", post(movements::unfreeze))
        .route("/expiring", get(reads::expiring))
        .route("/tier", post(movements::grant))
        .route("/tier-history", get(history::tiers))
        .route("/vouchers", get(bought::list));
    let loyalty = Router::new()
        .nest("/wallets/{user_id}", wallet)
        .route("/redemptions/{token}", get(redemptions::read))
        .route("/redemptions/{token}/confirm", post(redemptions::confirm))
        .route("/redemptions/{token}/release", post(redemptions::release))
        .route("/refunds", post(purchases::refund))
        .route("/refunds/{refund_id}/fail", post(purchases::fail))
        .route("/bookings/{booking_id}/cancel", post(purchases::cancel))
        .route("/purchases/{kind}/{purchase_id}", get(purchases::read))
        .route("/simulate", post(reads::simulate))
        .route("/program", get(rules::program).patch(rules::change_program))
        .route("/program/versions", get(rules::versions))
        .route("/program/versions/{version}", delete(rules::withdraw))
        .route("/members", get(members::members))
        .route("/tiers", get(rules::tiers))
        .route("/reports/points", get(reports::points_report))
        .route("/campaigns", get(rules::campaigns).post(rules::create_campaign))
        .route("/campaigns/{campaign_id}", get(rules::campaign).patch(rules::change_campaign))
        .route("/campaigns/{campaign_id}/versions", get(rules::campaign_versions))
        .route("/campaigns/{campaign_id}/stop", post(rules::stop_campaign))
        .route("/health", get(health))
        .merge(vouchers());
    complete(Router::new().nest("/api/loyalty", loyalty), services)
}

/// Checks that the table is reachable.
#[utoipa::path(get, path = "/api/loyalty/health", tag = "loyalty", security(()),
    responses((status = 200, body = routes::Health)))]
pub(crate) async fn health(State(app): State<App>) -> Result<Response, Problem> {
    routes::health(&app).await
}

/// Reads the user from the path, if the caller may do this to their points.
pub(crate) fn permitted(request: &ApiRequest, action: LoyaltyAction) -> Result<CustomerId, Problem> {
    let user = request.segment::<paths::UserPath>()?;
    request.permit_or(action, &user, Problem::wallet_not_found)?;
    Ok(user)
}

/// The points of a customer at the instant of a request.
pub(crate) struct Standing {
    pub(crate) member: Member,
    pub(crate) setting: Setting,
    pub(crate) state: LoyaltyState,
}

/// Reads the points of a customer as they are now.
pub(crate) async fn standing(
    app: &App,
    context: &Context,
    needs: &LoyaltyNeeds,
) -> Result<Standing, Problem> {
    let state = app.store.loyalty().state(needs, context.now).await?;
    let mut setting = Setting::of(&state, context)?;
    let updated = state.points.as_ref().map(|points| points.loaded.account.updated_at);
    setting.context.now = updated.map_or(setting.context.now, |updated| setting.context.now.max(updated));
    let member = Member::view(state.points.as_ref(), &needs.user, &setting)?;
    Ok(Standing { member, setting, state })
}

/// Reads the campaign from the path.
pub(crate) fn campaign_id(request: &ApiRequest) -> Result<LoyaltyCampaignId, Problem> {
    let unknown = || Problem::from(domain::rejection::LoyaltyRejection::CampaignNotFound);
    request.path("campaign_id", LoyaltyCampaignId::parse).map_err(|_| unknown())
}

#[derive(OpenApi)]
#[openapi(paths(
    reads::wallet,
    history::transactions,
    history::transaction,
    movements::adjust,
    movements::transfer,
    purchases::earn,
    reads::quote,
    redemptions::redeem,
    redemptions::confirm_token,
    redemptions::release_token,
    movements::freeze,
    movements::unfreeze,
    reads::expiring,
    movements::grant,
    history::tiers,
    redemptions::read,
    redemptions::confirm,
    redemptions::release,
    purchases::refund,
    purchases::fail,
    purchases::cancel,
    purchases::read,
    reads::simulate,
    rules::program,
    rules::change_program,
    rules::versions,
    rules::withdraw,
    rules::tiers,
    members::members,
    reports::points_report,
    rules::campaigns,
    rules::create_campaign,
    rules::campaign,
    rules::change_campaign,
    rules::campaign_versions,
    rules::stop_campaign,
    vouchers::create,
    vouchers::change,
    vouchers::stock,
    vouchers::list,
    vouchers::read,
    bought::buy,
    bought::list,
    bought::read,
    bought::reveal,
    bought::refund,
    health
))]
struct LoyaltyApi;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    LoyaltyApi::openapi()
}
