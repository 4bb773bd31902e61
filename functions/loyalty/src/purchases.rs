//! Purchases earn points, and refunds take them back.
//!
//! **Invariant:** an answer shows the purchase as it stood after the movement, also when it is repeated.

use crate::paths::{BookingPath, Kind, KindPath, PurchasePath, RefundPath, UserPath};
use crate::purchase_views::{self, LoyaltyPurchase, PurchaseWithSplit, RefundSplit, Refunded, unknown};
use crate::views::{self, PointsTransaction};
use crate::{orders, refund_wire, wire};
use axum::extract::State;
use axum::response::Response;
use domain::cause::Cause;
use domain::context::Context;
use domain::ids::{BookingId, CustomerId, HoldId, PaymentId, PurchaseId};
use domain::ledger::hold::Hold;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::record::{PurchaseRecord, RedemptionSeen};
use domain::loyalty::report::{AfterReport, ReportPurchase, Reported};
use domain::loyalty::state::LoyaltyNeeds;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use edge::input::Text;
use edge::json::Number;
use edge::problem::ProblemBody;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, App, Problem, reply, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use store::StoreError;
use utoipa::ToSchema;

/// The tier before and after a purchase.
#[derive(Serialize, ToSchema)]
pub struct TierChanged {
    from: String,
    to: String,
}

/// A purchase that has earned.
#[derive(Serialize, ToSchema)]
pub struct Earned {
    purchase: LoyaltyPurchase,
    transaction: PointsTransaction,
    tier_change: Option<TierChanged>,
}

/// Books what a purchase earns, once.
///
/// The cause is the booking if it is named, else the payment; no key is needed.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/earn", tag = "loyalty", params(UserPath),
    request_body = wire::EarnRequest, responses((status = 201, body = Earned)))]
pub(crate) async fn earn(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::earn(&request, &app, user.clone())?;
    request.permit_or(LoyaltyAction::Earn, &user, Problem::wallet_not_found)?;
    let context = request.context(&app)?;
    let done = app.store.loyalty().execute(&command, &context).await?;
    if let (None, Some(join)) = (&done.outcome.record, command.join()) {
        // It has earned before, perhaps by one of these ids only.
        app.store.loyalty().execute(&join, &context).await.map_err(StoreError::after_effect)?;
    }
    let entry = &done.outcome.entry;
    let record = if let Some(record) = &done.outcome.record {
        (**record).clone()
    } else {
        let moved = entry.points.as_ref().ok_or_else(Problem::internal)?;
        let id = moved.booking_id.clone().map(PurchaseId::Booking);
        let id = id.or(moved.payment_id.clone().map(PurchaseId::Payment)).ok_or_else(Problem::internal)?;
        let found = app.store.loyalty().purchase(&id).await.map_err(StoreError::after_effect)?;
        found.ok_or_else(Problem::internal)?
    };
    // What was reported before the purchase was taken off in the same transaction.
    let last = record.steps.iter().rposition(|step| step.at == Some(entry.at)).unwrap_or(0);
    let record = record.as_of(u32::try_from(last).unwrap_or(0));
    let body = Earned {
        purchase: purchase_views::purchase(&record, app.policy.currency()),
        transaction: views::transaction(entry, app.policy.currency()),
        tier_change: entry
            .points
            .as_ref()
            .and_then(|moved| moved.tier_change.clone())
            .map(|(from, to)| TierChanged { from, to }),
    };
    let location = format!("/api/loyalty/purchases/{}/{}", record.id.kind(), record.id.id());
    reply::done(&done, Some(location), &body)
}

/// Reports a refund of a purchase: takes back what the refunded part had earned, and gives back the points that had
/// paid for it.
///
/// Refunds are cumulative, so neither their number nor their order matters. A refund counts once, by its id.
#[utoipa::path(post, path = "/api/loyalty/refunds", tag = "loyalty",
    request_body = refund_wire::ReportRefundRequest, responses((status = 201, body = Refunded)))]
pub(crate) async fn refund(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let sent = refund_wire::refund(&request)?;
    request.permission(LoyaltyAction::Refund)?;
    if let Some(order) = &sent.order {
        let known = orders::known(&app, order).await?;
        let (what, _) = sent.report(known.currency)?;
        return orders::report(&app, &request, known, what).await;
    }
    let (record, user) = owned(&app, sent.purchase.as_ref().ok_or_else(unknown)?).await?;
    let (what, reason) = sent.report(record.currency().unwrap_or(app.policy.currency()))?;
    let command = ReportPurchase { user, id: record.id, what, reason, is_event: false };
    report(&app, &request, command).await
}

/// Reports that a refund has failed, so that it counts for nothing: what it took comes back.
#[utoipa::path(post, path = "/api/loyalty/refunds/{refund_id}/fail", tag = "loyalty", params(RefundPath),
    request_body = refund_wire::FailRequest, responses((status = 200, body = Refunded)))]
pub(crate) async fn fail(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let refund_id = request.segment::<RefundPath>()?.0;
    let (purchase, order) = refund_wire::fail(&request)?;
    request.permission(LoyaltyAction::Refund)?;
    let what = Reported::Failed(refund_id);
    if let Some(order) = &order {
        let known = orders::known(&app, order).await?;
        return orders::report(&app, &request, known, what).await;
    }
    let (record, user) = owned(&app, purchase.as_ref().ok_or_else(unknown)?).await?;
    let command = ReportPurchase { user, id: record.id, what, reason: None, is_event: false };
    report(&app, &request, command).await
}

/// Cancels a booking: an open lock is released, what was earned beyond what is kept is taken back, and points that had
/// paid return in proportion.
#[utoipa::path(post, path = "/api/loyalty/bookings/{booking_id}/cancel", tag = "loyalty", params(BookingPath),
    request_body = refund_wire::CancelRequest, responses((status = 200, body = Refunded)))]
pub(crate) async fn cancel(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let booking = request.segment::<BookingPath>()?.0;
    let sent = refund_wire::cancel(&request)?;
    request.permission(LoyaltyAction::Refund)?;
    let (record, user) = owned(&app, &PurchaseId::Booking(booking)).await?;
    let currency = record.currency().unwrap_or(app.policy.currency());
    let kept = sent.amount_kept.map_or(Some(Money::ZERO), |kept| kept.in_currency(currency));
    let kept = kept.ok_or_else(|| Problem::field("/amount_kept", "has more digits than the currency"))?;
    let what = Reported::Cancelled(kept);
    let command = ReportPurchase { user, id: record.id, what, reason: sent.reason, is_event: false };
    report(&app, &request, command).await
}

/// Reads a purchase that belongs to somebody.
async fn owned(app: &App, id: &PurchaseId) -> Result<(PurchaseRecord, CustomerId), Problem> {
    let record = app.store.loyalty().purchase(id).await?.ok_or_else(unknown)?;
    let user = record.user.clone().ok_or_else(unknown)?;
    Ok((record, user))
}

async fn report(app: &App, request: &ApiRequest, command: ReportPurchase) -> Result<Response, Problem> {
    let user = command.user.clone();
    let is_refund = matches!(command.what, Reported::Refund(..));
    let done = app.store.loyalty().execute(&command, &request.context(app)?).await?;
    let AfterReport { record, step, entries, .. } = &done.outcome;
    let record = record.as_of(*step);
    let change =
        record.steps.get(usize::try_from(*step).unwrap_or(usize::MAX)).ok_or_else(Problem::internal)?;
    let entries = if let Some(entries) = entries {
        entries.clone()
    } else {
        let causes = change.entries.iter().map(|(cause, _)| Cause::stored(cause.as_str()));
        let causes: Vec<Cause> = causes.collect();
        app.store.loyalty().entries(&user, &causes).await.map_err(StoreError::after_effect)?
    };
    let currency = app.policy.currency();
    let worth = purchase_views::worth_of(&record, currency);
    let body = Refunded {
        purchase: purchase_views::purchase(&record, currency),
        redemption: change.redemption.as_ref().map(purchase_views::redemption_part),
        points_reversed: change.reversed,
        points_reversed_value: views::signed_value(worth, change.reversed),
        points_owed: change.owed,
        points_owed_value: views::signed_value(worth, change.owed),
        points_forgiven: change.forgiven,
        points_forgiven_value: views::signed_value(worth, change.forgiven),
        points_back: change.back.get(),
        points_back_value: Number::money(change.back_value, currency),
        credit_reversed: Number::money(Money::ZERO, currency),
        transactions: entries.iter().map(|entry| views::transaction(entry, currency)).collect(),
    };
    let status = if is_refund { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/api/loyalty/purchases/{}/{}", record.id.kind(), record.id.id());
    let meta =
        ReplyMeta { location: is_refund.then_some(location), replayed: done.replayed, retries: done.retries };
    reply::answer(status, meta, &body)
}

/// The gross amount of a refund.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gross(Amount);

impl Text for Gross {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Amount::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::amount_text()
    }
}

edge::query! {
    /// A refund that is planned.
    pub(crate) struct PurchaseQuery {
        /// Gross amount of a refund: money and points together.
        refund: Gross,
    }
}

/// Returns a purchase, by its booking, a payment or an order.
#[utoipa::path(get, path = "/api/loyalty/purchases/{kind}/{purchase_id}", tag = "loyalty",
    params(KindPath, PurchasePath, PurchaseQuery), responses((status = 200, body = PurchaseWithSplit),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
            description = "refund_exceeds_payment: more than was charged")))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let query = PurchaseQuery::take(&mut params);
    params.finish()?;
    let permission = request.permission(LoyaltyAction::Read)?;
    let kind = request.segment::<KindPath>()?;
    let id = match kind {
        Kind::Booking => request.path("purchase_id", BookingId::parse).map(PurchaseId::Booking),
        Kind::Payment => request.path("purchase_id", PaymentId::parse).map(PurchaseId::Payment),
        Kind::Order => return orders::read(&app, &request, &permission, query.refund.is_some()).await,
    };
    let id = id.map_err(|_| unknown())?;
    let record = app.store.loyalty().purchase(&id).await?.ok_or_else(unknown)?;
    match &record.user {
        Some(user) => permission.on(user).map_err(|denial| Problem::denied(denial, unknown))?,
        None if permission.reach == domain::permit::Reach::All => {}
        None => return Err(unknown()),
    }
    let context = request.context(&app)?;
    let lock = match &record.redemption {
        Some(token) => lock_now(&app, &context, token).await?,
        None => None,
    };
    let refund_split = match query.refund {
        Some(Gross(gross)) => Some(split(&app, &record, lock.as_ref(), gross).await?),
        None => None,
    };
    let mut purchase = purchase_views::purchase(&record, app.policy.currency());
    // A redemption changes without its purchase.
    purchase.show(lock.as_ref().and_then(RedemptionSeen::of).as_ref());
    reply::ok(&PurchaseWithSplit { purchase, refund_split })
}

/// Reads a redemption as it is now: it may have timed out.
async fn lock_now(app: &App, context: &Context, token: &HoldId) -> Result<Option<Hold>, Problem> {
    let needs = LoyaltyNeeds { lock: Some(token.clone()), ..LoyaltyNeeds::points(token.customer()) };
    let read = crate::standing(app, context, &needs).await?;
    Ok(read.member.posting.hold(token).or_else(|| read.state.locks.get(token)).cloned())
}

/// Divides a gross refund: what points had paid for it comes back in points, the rest in money.
async fn split(
    app: &App,
    record: &PurchaseRecord,
    lock: Option<&Hold>,
    gross: Amount,
) -> Result<RefundSplit, Problem> {
    let currency = record.currency().unwrap_or(app.policy.currency());
    let gross = gross.in_currency(currency);
    let gross = gross.ok_or_else(|| Problem::field("/refund", "has more digits than the currency"))?;
    let rules = app.store.loyalty().rules().await?;
    let rules = domain::loyalty::rules::Rules::of(&rules, app.policy.currency())?;
    let parts = record.split(lock, gross, &rules)?;
    Ok(RefundSplit {
        gross: Number::money(gross, currency),
        money: Number::money(parts.money, currency),
        points: parts.points.get(),
        points_value: Number::money(parts.points_value, app.policy.currency()),
        points_reversed: i64::try_from(parts.reversed.get()).unwrap_or(i64::MAX),
    })
}
