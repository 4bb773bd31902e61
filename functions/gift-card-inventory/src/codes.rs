//! Registers redemption codes from files, and mints new ones.
//!
//! **Invariant:** only the keyed digest of a code is stored; a minted code is returned only in the
//! response to the request that mints it, and to a repetition of that request with the same key.

use crate::Services;
use axum::extract::State;
use axum::response::Response;
use domain::budget::BudgetAccount;
use domain::budget::permit::BudgetAction;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::giftcard::Brand;
use domain::giftcard::card::{PlainCode, Registered, read_code_line};
use domain::giftcard::catalogue::MintCodes;
use domain::giftcard::code::RedemptionCode;
use domain::ids::budget::{AccountId, BrandId, BudgetKind, CodeId};
use domain::money::{Amount, Money};
use domain::rejection::Rejection;
use edge::budget::permitted;
use edge::csv::{File, LineReports, invalid, refused};
use edge::input::{CodeCount, NumberInput};
use edge::paths::CampaignPath;
use edge::reply::ReplyMeta;
use edge::stock_file::Imported;
use edge::{ApiRequest, Problem, csv_file, reply, request};
use http::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::StoreError;
use utoipa::ToSchema;

request! {
    /// A request to mint redemption codes.
    pub(crate) struct MintCodesRequest {
        /// Number of codes to mint.
        count: NumberInput<CodeCount>,
        /// Brand of the cards that the codes yield.
        brand_id: BrandId,
        /// Face value of the cards; one of the brand's denominations.
        denomination: Amount,
    }
    check(fields, currency: Currency) {
        if denomination.is_ok_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("denomination", "has more digits than the currency");
        }
    }
}

csv_file! {
    /// Redemption codes of a campaign.
    pub(crate) struct CodesFile: ["code", "brand_id", "denomination"];
}

/// Newly minted redemption codes; they cannot be read later.
#[derive(Serialize, ToSchema)]
pub struct MintedCodes {
    campaign_id: String,
    brand_id: String,
    codes: Vec<String>,
}

/// Registers redemption codes of a campaign, or mints new ones.
///
/// A CSV file with the columns `code,brand_id,denomination` registers existing codes; a JSON body
/// mints new codes.
#[utoipa::path(post, path = "/api/gift-cards/campaigns/{campaign_id}/codes", tag = "gift cards",
    params(CampaignPath),
    request_body(content((MintCodesRequest = "application/json"), (CodesFile = "text/csv"))),
    responses((status = 201, body = MintedCodes), (status = 200, body = Imported)))]
pub(crate) async fn register(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let campaign = request.segment::<CampaignPath>()?.0;
    request.params().finish()?;
    if request.is_csv() {
        from_file(&services, &request, campaign).await
    } else {
        mint(&services, &request, campaign).await
    }
}

async fn open_campaign(
    services: &Services,
    request: &ApiRequest,
    campaign: &AccountId,
) -> Result<Arc<BudgetAccount>, Problem> {
    let account = permitted(&services.app, request, campaign, BudgetAction::Register).await?;
    if account.kind() != BudgetKind::Campaign {
        return Err(Problem::field("/campaign_id", "is not a campaign"));
    }
    if !account.status().is_open() {
        return Err(Rejection::BudgetPaused.into());
    }
    Ok(account)
}

/// Returns the brands that the campaign's agency may use; None means all.
async fn allowed(
    services: &Services,
    campaign: &BudgetAccount,
) -> Result<Option<BTreeSet<BrandId>>, Problem> {
    let Some(agency) = campaign.agency() else { return Ok(None) };
    let agency = services.app.store.budgets().account(agency).await?;
    Ok(agency.and_then(|agency| agency.brands))
}

/// Returns the denomination and its price in the brand's currency; None if the brand does not have
/// it.
async fn priced(
    services: &Services,
    brand: &BrandId,
    amount: Amount,
) -> Result<Option<(Money, Money)>, Problem> {
    let Some(brand) = services.app.store.gift_cards().brand(brand).await? else { return Ok(None) };
    let denomination = amount.in_currency(brand.currency);
    Ok(denomination.and_then(|denomination| Some((denomination, brand.price(denomination)?))))
}

async fn mint(services: &Services, request: &ApiRequest, campaign: AccountId) -> Result<Response, Problem> {
    let MintCodesRequest { count: NumberInput(CodeCount(count)), brand_id: brand, denomination } =
        MintCodesRequest::read(request.fields()?, services.app.policy.currency())?;
    let key = request.key()?;
    let account = open_campaign(services, request, &campaign).await?;
    if allowed(services, &account).await?.is_some_and(|brands| !brands.contains(&brand)) {
        return Err(Rejection::BrandNotAllowed.into());
    }
    let priced = priced(services, &brand, denomination).await?;
    let Some((denomination, price)) = priced else {
        let known = services.app.store.gift_cards().brand(&brand).await?.is_some();
        let rejection = if known { Rejection::NoSuchDenomination } else { Rejection::BrandNotFound };
        return Err(rejection.into());
    };
    let at = services.app.clock.now();
    // With a key, the same request mints the same codes, so a caller whose response was lost can
    // repeat it.
    let cause = Cause::of_request(Operation::MintCodes, key.as_ref(), request.id());
    let minting = MintCodes { count, brand, denomination };
    let fingerprint = minting.fingerprint();
    let replayed = key.is_some()
        && services
            .app
            .store
            .gift_cards()
            .record_minting(&campaign, &cause, &fingerprint, request.id())
            .await?;
    let (mut codes, mut registered) = (Vec::new(), Vec::new());
    for n in 0..count {
        let code = if key.is_some() {
            services.tools.vault.mint_code_for(&campaign, &cause, n)
        } else {
            services.tools.vault.mint_code()
        };
        let code = code.ok_or_else(Problem::internal)?;
        let id =
            RedemptionCode::parse(&code).ok().and_then(|code| services.tools.vault.minted_code_id(&code));
        let id = id.ok_or_else(Problem::internal)?;
        codes.push(code);
        registered.push(Registered {
            id,
            campaign: campaign.clone(),
            brand: minting.brand.clone(),
            denomination,
            at,
        });
    }
    // The minting is recorded; a repetition of the request registers the same codes.
    let done = services.app.store.gift_cards().register(&registered).await;
    done.map_err(StoreError::after_effect)?;
    let done = services.app.store.budgets().record_card_price(&campaign, price).await;
    done.map_err(StoreError::after_effect)?;
    let meta = ReplyMeta { location: Some(format!("/api/credit/accounts/{campaign}")), replayed, retries: 0 };
    let body = MintedCodes { campaign_id: campaign.to_string(), brand_id: minting.brand.to_string(), codes };
    reply::answer(StatusCode::CREATED, meta, &body)
}

/// The line number of a code, and the code.
type Numbered = (u64, PlainCode);

/// The codes of a file, each with the number of its line, and the reports on the invalid lines.
fn read_lines(body: &[u8]) -> Result<(Vec<Numbered>, LineReports), Problem> {
    let (mut codes, mut reports) = (Vec::new(), LineReports::default());
    let mut file = File::open(body, CodesFile::COLUMNS)?;
    while let Some(line) = file.next_line() {
        let read = line.and_then(|line| {
            let code =
                read_code_line(|name| line.cell(name)).map_err(|error| refused(line.number, &error))?;
            Ok((line.number, code))
        });
        match read {
            Ok(code) => codes.push(code),
            Err(report) => reports.add_invalid(report)?,
        }
    }
    Ok((codes, reports))
}

/// Number of brands that a file may name: each of them is read from the table.
const MAX_BRANDS_PER_FILE: usize = 100;

/// The brands that a file names; none for those that do not exist.
struct NamedBrands<'a> {
    services: &'a Services,
    brands: BTreeMap<BrandId, Option<Arc<Brand>>>,
}

impl NamedBrands<'_> {
    /// Returns the exact denomination and the price of a card, if the brand has it.
    async fn price(&mut self, brand: &BrandId, amount: Amount) -> Result<Option<(Money, Money)>, Problem> {
        if !self.brands.contains_key(brand) {
            if self.brands.len() >= MAX_BRANDS_PER_FILE {
                let detail = format!("the file names more than {MAX_BRANDS_PER_FILE} brands");
                return Err(Problem::invalid(detail));
            }
            let found = self.services.app.store.gift_cards().brand(brand).await?;
            self.brands.insert(brand.clone(), found);
        }
        let brand = self.brands.get(brand).and_then(Option::as_ref);
        Ok(brand.and_then(|brand| {
            let denomination = amount.in_currency(brand.currency)?;
            Some((denomination, brand.price(denomination)?))
        }))
    }
}

async fn from_file(
    services: &Services,
    request: &ApiRequest,
    campaign: AccountId,
) -> Result<Response, Problem> {
    let body = request.csv()?;
    request.key()?;
    let account = open_campaign(services, request, &campaign).await?;
    let allowed = allowed(services, &account).await?;
    let (codes, mut reports) = read_lines(body)?;
    let mut brands = NamedBrands { services, brands: BTreeMap::new() };
    let at = services.app.clock.now();
    let mut numbers: BTreeMap<CodeId, u64> = BTreeMap::new();
    let (mut registered, mut minted_ids, mut card_price) = (Vec::new(), Vec::new(), None);
    for (number, code) in codes {
        if allowed.as_ref().is_some_and(|allowed| !allowed.contains(&code.brand)) {
            reports.add_invalid(invalid(number, "brand_id is a brand that the agency may not use"))?;
            continue;
        }
        let Some((denomination, price)) = brands.price(&code.brand, code.denomination).await? else {
            reports.add_invalid(invalid(number, "denomination is not one of a known brand"))?;
            continue;
        };
        card_price = card_price.or(Some(price));
        let id =
            services.tools.vault.registered_code_id(&campaign, &code.code).ok_or_else(Problem::internal)?;
        if numbers.contains_key(&id) {
            reports.add_duplicate(number, "appears earlier in this file");
            continue;
        }
        let minted = services.tools.vault.minted_code_id(&code.code).ok_or_else(Problem::internal)?;
        numbers.insert(id.clone(), number);
        minted_ids.push(minted);
        registered.push(Registered { id, campaign: campaign.clone(), brand: code.brand, denomination, at });
    }
    let minted = services.app.store.gift_cards().registered_in(&campaign, &minted_ids).await?;
    let mut is_new = minted_ids.iter().map(|id| !minted.contains(id));
    registered.retain(|code| {
        let is_new = is_new.next().unwrap_or(true);
        if !is_new {
            reports.add_duplicate(numbers.get(&code.id).copied().unwrap_or(0), "is already registered");
        }
        is_new
    });
    // Batches of codes before the one that failed are registered.
    let known = services.app.store.gift_cards().register(&registered).await;
    let known = known.map_err(StoreError::after_effect)?;
    for id in &known {
        reports.add_duplicate(numbers.get(id).copied().unwrap_or(0), "is already registered");
    }
    if let Some(price) = card_price {
        services.app.store.budgets().record_card_price(&campaign, price).await?;
    }
    let accepted = registered.len().saturating_sub(known.len());
    reply::ok(&Imported::of(u64::try_from(accepted).unwrap_or(0), reports))
}
