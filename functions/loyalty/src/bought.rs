//! Buys vouchers, and reads, reveals and refunds what was bought.
//!
//! **Invariant:** the purchase of another customer is answered as if it did not exist.
//! **Invariant:** each reveal of a code is recorded, with its caller, before the code is shown.

use crate::paths::{UserPath, VoucherPath, VoucherPurchasePath};
use crate::voucher_views::{self as views, BoughtVoucher, CodeView, PurchaseView, Purchases};
use crate::vouchers::voucher_id;
use crate::{LoyaltyTools, voucher_wire as wire};
use axum::extract::State;
use axum::response::Response;
use domain::ids::VoucherPurchaseId;
use domain::loyalty::permit::LoyaltyAction;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::vouchers::bought::{PurchaseStatus, VoucherPurchase};
use domain::vouchers::refund::RefundVoucher;
use edge::params::WindowQuery;
use edge::{ApiRequest, App, Problem, Services, reply};
use http::StatusCode;
use store::{StoreError, Viewer};

fn unknown_purchase() -> Problem {
    Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound).into()
}

fn purchase_id(request: &ApiRequest) -> Result<VoucherPurchaseId, Problem> {
    request.actor()?;
    request.segment::<VoucherPurchasePath>().map(|id| id.0).map_err(|_| unknown_purchase())
}

/// Reads the purchase in the path, if the caller may do this to it.
async fn permitted(
    app: &App,
    request: &ApiRequest,
    action: LoyaltyAction,
) -> Result<VoucherPurchase, Problem> {
    let id = purchase_id(request)?;
    let permission = request.permission(action)?;
    let found = app.store.vouchers().purchase(&id).await?.ok_or_else(unknown_purchase)?;
    permission.on(&found.user).map_err(|denial| Problem::denied(denial, unknown_purchase))?;
    Ok(found)
}

/// Opens the code of a purchase.
async fn opened(
    services: &Services<LoyaltyTools>,
    purchase: &VoucherPurchase,
) -> Result<CodeView, StoreError> {
    let missing = || StoreError::Corrupt(format!("the code of {} cannot be read", purchase.id));
    let code = services.app.store.vouchers().code(&purchase.card).await?.ok_or_else(missing)?;
    let parts = services.tools.vault.open_parts(&code.id, &code.parts).ok_or_else(missing)?;
    Ok(views::code(&parts, code.expires_on))
}

/// Buys a voucher with points.
///
/// An `Idempotency-Key` is required; a repetition gets the same code.
#[utoipa::path(post, path = "/api/loyalty/vouchers/{voucher_id}/purchase", tag = "loyalty", params(VoucherPath),
    request_body = wire::BuyVoucherRequest, responses((status = 201, body = BoughtVoucher)))]
pub(crate) async fn buy(
    State(services): State<Services<LoyaltyTools>>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let sent = wire::purchase(&request)?;
    request.permit_or(LoyaltyAction::Redeem, &sent.user, Problem::wallet_not_found)?;
    let vault = services.tools.open_vault()?;
    let command = sent.of(voucher_id(&request)?, vault, &request)?;
    let context = request.context(&services.app)?;
    let done = services.app.store.vouchers().buy(command, &context).await?;
    // The voucher is bought: an error of this read must not be reported as if nothing was.
    let code = opened(&services, &done.outcome).await.map_err(StoreError::after_effect)?;
    let first = done.outcome.at_first();
    let body = BoughtVoucher { purchase: views::purchase(&first), code };
    let location = format!("/api/loyalty/voucher-purchases/{}", first.id);
    reply::done(&done, Some(location), &body)
}

/// Lists what a customer has bought, newest first.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/vouchers", tag = "loyalty",
    params(UserPath, WindowQuery), responses((status = 200, body = Purchases)))]
pub(crate) async fn list(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = crate::permitted(&request, LoyaltyAction::ReadVouchers)?;
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    let list = format!("bought|{user}");
    let before = window.cursor.as_ref().map(|cursor| app.cursors.open_text(&list, cursor)).transpose()?;
    let range = (window.skip, window.limit);
    let page = app.store.vouchers().purchases(&user, before.as_deref(), range).await?;
    reply::ok(&Purchases {
        purchases: page.purchases.iter().map(views::purchase).collect(),
        total: Some(app.store.vouchers().count_purchases(&user).await?),
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| app.cursors.seal_text(&list, &place)),
    })
}

/// Returns a bought voucher, without its code.
#[utoipa::path(get, path = "/api/loyalty/voucher-purchases/{purchase_id}", tag = "loyalty",
    params(VoucherPurchasePath), responses((status = 200, body = PurchaseView)))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let found = permitted(&app, &request, LoyaltyAction::ReadVouchers).await?;
    reply::ok(&views::purchase(&found))
}

/// Reveals the code of a bought voucher.
///
/// The caller, the time, the IP address and the user agent are recorded first. The code of a voucher that was refunded
/// is void.
#[utoipa::path(post, path = "/api/loyalty/voucher-purchases/{purchase_id}/reveal", tag = "loyalty",
    params(VoucherPurchasePath), responses((status = 200, body = CodeView)))]
pub(crate) async fn reveal(
    State(services): State<Services<LoyaltyTools>>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.fields()?.finish()?;
    request.key()?;
    let found = permitted(&services.app, &request, LoyaltyAction::Reveal).await?;
    if found.status == PurchaseStatus::Refunded {
        let detail = "the voucher was refunded: its code is void";
        return Err(Problem::new(StatusCode::CONFLICT, "voucher_unavailable", detail));
    }
    services.tools.open_vault()?;
    let origin = request.origin();
    let viewer = Viewer { ip: origin.ip.as_deref(), user_agent: origin.user_agent.as_deref() };
    let context = request.context(&services.app)?;
    services.app.store.vouchers().record_reveal(&found.id, viewer, &context).await?;
    reply::ok(&opened(&services, &found).await?)
}

/// Gives back the points of a bought voucher, once; its code is void for good.
#[utoipa::path(post, path = "/api/loyalty/voucher-purchases/{purchase_id}/refund", tag = "loyalty",
    params(VoucherPurchasePath), request_body = wire::RefundVoucherRequest,
    responses((status = 200, body = PurchaseView)))]
pub(crate) async fn refund(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let reason = wire::refund_reason(&request)?;
    let found = permitted(&app, &request, LoyaltyAction::Manage).await?;
    let command = RefundVoucher { id: found.id, user: found.user, voucher: found.voucher, reason };
    let done = app.store.vouchers().refund(&command, &request.context(&app)?).await?;
    reply::done(&done, None, &views::purchase(&done.outcome))
}
