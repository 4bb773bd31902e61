//! The catalogue of vouchers, and the stock of their codes.
//!
//! **Invariant:** a repeated creation gets the first answer, whatever was changed or sold since.
//! **Invariant:** what is shown to a customer as purchasable can be bought by them at that instant.

use crate::paths::VoucherPath;
use crate::voucher_views::{self as views, Viewer, VoucherView, Vouchers};
use crate::voucher_wire::{self as wire, CodesOfVoucherFile};
use crate::{LoyaltyTools, Standing, standing};
use axum::extract::State;
use axum::response::Response;
use domain::actor::Role;
use domain::currency::Currency;
use domain::giftcard::card::PlainCard;
use domain::ids::{CustomerId, VoucherId};
use domain::ledger::account::AccountStatus;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::program::TierName;
use domain::loyalty::rules::Rules;
use domain::loyalty::state::LoyaltyNeeds;
use domain::money::Money;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::time::Timestamp;
use domain::vouchers::code::VoucherCode;
use domain::vouchers::voucher::Voucher;
use edge::params::WindowQuery;
use edge::reply::ReplyMeta;
use edge::stock_file::{Imported, StockFile};
use edge::{ApiRequest, App, Problem, Services, page, reply};
use http::StatusCode;
use std::collections::{BTreeMap, BTreeSet};
use store::{Counting, InStock, StoreError, VoucherError};

pub(crate) fn unknown() -> Problem {
    Rejection::Loyalty(LoyaltyRejection::VoucherNotFound).into()
}

fn refused(error: VoucherError) -> Problem {
    match error {
        VoucherError::NotFound => unknown(),
        VoucherError::KeyReused => Rejection::KeyReused.into(),
        VoucherError::InvalidEnd => {
            Problem::field("/valid_until", "must be in the future and after valid_from")
        }
    }
}

/// Reads the voucher's id from the path; an id that cannot be one is of no voucher.
pub(crate) fn voucher_id(request: &ApiRequest) -> Result<VoucherId, Problem> {
    request.segment::<VoucherPath>().map(|id| id.0).map_err(|_| unknown())
}

/// Reads the rules, and the instant of now, which is never before their last change.
async fn rules(app: &App) -> Result<(Rules, Timestamp), Problem> {
    let stored = app.store.loyalty().rules().await?;
    let rules = Rules::of(&stored, app.policy.currency())?;
    let now = rules.changed_at.map_or(app.clock.now(), |changed| app.clock.now().max(changed));
    Ok((rules, now))
}

/// Returns what the price of a voucher is worth now, and in which currency.
fn worth(app: &App, rules: &Rules, voucher: &Voucher) -> Result<(Money, Currency), Problem> {
    let now = rules.changed_at.map_or(app.clock.now(), |changed| app.clock.now().max(changed));
    let each = rules.program_at(now)?.rules.point_value;
    let currency = app.policy.currency();
    Ok((voucher.terms.price.value(each, currency), currency))
}

/// Checks that the program has, or will have, the tiers that a voucher names.
fn check_tiers(rules: &Rules, tiers: &BTreeSet<TierName>, now: Timestamp) -> Result<(), Problem> {
    if rules.programs.knows_tiers(tiers, now) {
        return Ok(());
    }
    Err(Problem::field("/tiers", "must be tiers of the program"))
}

/// Adds a voucher that customers can buy with points.
#[utoipa::path(post, path = "/api/loyalty/vouchers", tag = "loyalty",
    request_body = wire::CreateVoucherRequest, responses((status = 201, body = VoucherView)))]
pub(crate) async fn create(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let now = app.clock.now();
    request.actor()?;
    let (rules, now_of_rules) = rules(&app).await?;
    let program = rules.program_at(now_of_rules)?;
    let command = wire::create(&request, &app, (now, program.rules.point_value))?;
    request.permission(LoyaltyAction::Manage)?;
    check_tiers(&rules, &command.terms.tiers, now)?;
    let made = (now, request.actor()?.signature());
    let created = app.store.vouchers().create(&command, made, request.id()).await?;
    let (stored, replayed) = created.map_err(refused)?;
    let mut first = Voucher { is_active: true, updated_at: stored.created_at, ..stored };
    first.terms = command.terms;
    first.terms.valid_from = command.valid_from.unwrap_or(first.created_at);
    let location = Some(format!("/api/loyalty/vouchers/{}", first.id));
    let none = InStock { free: 0, sold: 0 };
    let body = views::voucher(&first, none, (first.first_value, app.policy.currency()), Viewer::Staff);
    reply::answer(StatusCode::CREATED, ReplyMeta { location, replayed, retries: 0 }, &body)
}

/// Changes a voucher; a changed price holds for purchases from then on.
#[utoipa::path(patch, path = "/api/loyalty/vouchers/{voucher_id}", tag = "loyalty", params(VoucherPath),
    request_body = wire::ChangeVoucherRequest, responses((status = 200, body = VoucherView)))]
pub(crate) async fn change(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let sent = wire::change(&request)?;
    request.permission(LoyaltyAction::Manage)?;
    let id = voucher_id(&request)?;
    let found = app.store.vouchers().voucher(&id).await?.ok_or_else(unknown)?;
    let change = sent.of(&found.terms)?;
    let now = app.clock.now();
    let (rules, _) = rules(&app).await?;
    if let Some(tiers) = &change.tiers {
        check_tiers(&rules, tiers, now)?;
    }
    let changed = app.store.vouchers().change(&id, &change, now).await?.map_err(refused)?;
    let stock = app.store.vouchers().in_stock(&changed, now).await.map_err(StoreError::after_effect)?;
    reply::ok(&views::voucher(&changed, stock, worth(&app, &rules, &changed)?, Viewer::Staff))
}

/// Adds the codes of a CSV file to the stock of a voucher.
///
/// The columns are `code,pin,url,expires_on`; only `code` is required. A code that is known anywhere, also as a gift
/// card, is not added again.
#[utoipa::path(post, path = "/api/loyalty/vouchers/{voucher_id}/codes", tag = "loyalty", params(VoucherPath),
    request_body(content = CodesOfVoucherFile, content_type = "text/csv"),
    responses((status = 200, body = Imported)))]
pub(crate) async fn stock(
    State(services): State<Services<LoyaltyTools>>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.params().finish()?;
    request.key()?;
    let body = request.csv()?;
    request.permission(LoyaltyAction::Manage)?;
    let vault = services.tools.open_vault()?;
    let id = voucher_id(&request)?;
    let store = services.app.store.vouchers();
    let voucher = store.voucher(&id).await?.ok_or_else(unknown)?;
    let now = services.app.clock.now();
    let mut file = StockFile::open(body, CodesOfVoucherFile::COLUMNS, now.date())?;
    let seal = |plain: &PlainCard| {
        let (id, parts) = vault.seal_parts(plain)?;
        let (voucher, expires_on) = (voucher.id.clone(), plain.expires_on);
        let code = VoucherCode { id: id.clone(), voucher, parts, expires_on, created_at: now, sold_to: None };
        Some((id, code))
    };
    loop {
        let batch = file.next_batch(seal)?;
        if batch.is_empty() {
            return reply::ok(&file.finish());
        }
        let import = store.stock(&voucher, &batch).await;
        file.add(import, (voucher.id.as_str(), "is already in this stock"))?;
    }
}

/// Returns true if a caller sees vouchers that cannot be bought now, and how many codes are left.
fn is_staff(request: &ApiRequest) -> Result<bool, Problem> {
    Ok(matches!(request.actor()?.role, Role::Admin | Role::Staff))
}

/// Why a customer cannot buy a voucher, in the order in which a purchase is refused.
fn reason(
    read: &Standing,
    (voucher, stock): (&Voucher, InStock),
    bought: u32,
) -> Result<Option<&'static str>, Problem> {
    let account = &read.member.posting.account;
    if account.status != AccountStatus::Active {
        return Ok(Some("frozen"));
    }
    if !voucher.is_for(&read.member.tier()?.name) {
        return Ok(Some("tier"));
    }
    if voucher.terms.per_user_limit.is_some_and(|most| bought >= most) {
        return Ok(Some("limit"));
    }
    if account.available() < voucher.terms.price.money() {
        return Ok(Some("points"));
    }
    Ok((stock.free == 0).then_some("stock"))
}

/// Renders vouchers for the caller.
async fn shown(
    app: &App,
    request: &ApiRequest,
    vouchers: Vec<Voucher>,
    now: Timestamp,
) -> Result<Vec<VoucherView>, Problem> {
    let (actor, store) = (request.actor()?, app.store.vouchers());
    let (rules, _) = rules(app).await?;
    let customer = Some(&actor.sub).filter(|_| actor.role == Role::Customer);
    let customer = customer.and_then(|sub| CustomerId::parse(sub).ok());
    let own = match &customer {
        Some(user) => Some(standing(app, &request.context(app)?, &LoyaltyNeeds::points(user)).await?),
        None => None,
    };
    let bought = match &customer {
        Some(user) => store.bought(user, &vouchers).await?,
        None => BTreeMap::new(),
    };
    let counts = if is_staff(request)? { Counting::All } else { Counting::Any };
    let mut views = vec![];
    for (voucher, stock) in store.all_in_stock(vouchers, now, counts).await? {
        let viewer = match &own {
            _ if is_staff(request)? => Viewer::Staff,
            Some(read) => {
                let count = bought.get(&voucher.id).copied().unwrap_or(0);
                Viewer::Customer(reason(read, (&voucher, stock), count)?)
            }
            None => Viewer::Other,
        };
        views.push(views::voucher(&voucher, stock, worth(app, &rules, &voucher)?, viewer));
    }
    Ok(views)
}

/// Lists vouchers, newest first; others than staff see those that are for sale now.
#[utoipa::path(get, path = "/api/loyalty/vouchers", tag = "loyalty", params(WindowQuery),
    responses((status = 200, body = Vouchers)))]
pub(crate) async fn list(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    request.permission(LoyaltyAction::ReadProgram)?;
    let (now, sees_all) = (app.clock.now(), is_staff(&request)?);
    let mut all = if sees_all {
        app.store.vouchers().vouchers().await?
    } else {
        // What others see is read once in a few seconds.
        app.store
            .vouchers()
            .recent()
            .await?
            .iter()
            .filter(|voucher| voucher.is_for_sale(now))
            .cloned()
            .collect()
    };
    // Places rise from the newest to the oldest, so a voucher that is created later changes no page.
    let place = |voucher: &Voucher| {
        format!("{:015}#{}", Timestamp::LAST.millis() - voucher.created_at.millis(), voucher.id)
    };
    all.sort_by_cached_key(place);
    let page = page::of(&app, &format!("vouchers|{sees_all}"), &window, all, place)?;
    let vouchers = shown(&app, &request, page.items, now).await?;
    let (limit, skip) = (window.limit, window.skip);
    reply::ok(&Vouchers { vouchers, total: page.total, limit, skip, next_cursor: page.next_cursor })
}

/// Returns a voucher; others than staff see it while it is for sale.
#[utoipa::path(get, path = "/api/loyalty/vouchers/{voucher_id}", tag = "loyalty", params(VoucherPath),
    responses((status = 200, body = VoucherView)))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    request.permission(LoyaltyAction::ReadProgram)?;
    let now = app.clock.now();
    let found = app.store.vouchers().voucher(&voucher_id(&request)?).await?.ok_or_else(unknown)?;
    if !is_staff(&request)? && !found.is_for_sale(now) {
        return Err(unknown());
    }
    let shown = shown(&app, &request, vec![found], now).await?;
    reply::ok(&shown.first().ok_or_else(Problem::internal)?)
}
