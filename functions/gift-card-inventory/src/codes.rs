//! Registers redemption codes from files, and mints new ones.
//!
//! **Invariant:** only the keyed digest of a code is stored; a minted code is returned only in the
//! response to the request that mints it, and to a repetition of that request with the same key.

use crate::Services;
use crate::cards::{Imported, duplicate};
use axum::extract::State;
use axum::response::Response;
use domain::alert::NewAlert;
use domain::budget::BudgetAccount;
use domain::budget::permit::BudgetAction;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::giftcard::card::{PlainCode, Registered, read_code_line};
use domain::giftcard::catalogue::MintCodes;
use domain::giftcard::code::RedemptionCode;
use domain::giftcard::guessing::{MAX_FOREIGN_CODES_PER_DAY, SUSPICIOUS_FOREIGN_CODES_PER_DAY};
use domain::ids::budget::{AccountId, BrandId, BudgetKind, CodeId};
use domain::money::{Amount, Money};
use domain::rejection::Rejection;
use domain::time::Timestamp;
use edge::budget::permitted;
use edge::csv::{File, LineReport, invalid, refused};
use edge::input::{CodeCount, NumberInput};
use edge::paths::CampaignPath;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, csv_file, reply, request};
use http::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// Number of codes of a file that are registered before those of other clients among them are
/// counted.
const CODES_PER_BATCH: usize = 100;

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
        let id = RedemptionCode::parse(&code).ok().and_then(|code| services.tools.vault.code_id(&code));
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
    services.app.store.gift_cards().register(&registered).await?;
    services.app.store.budgets().record_card_price(&campaign, price).await?;
    let meta = ReplyMeta { location: Some(format!("/api/credit/accounts/{campaign}")), replayed, retries: 0 };
    let body = MintedCodes { campaign_id: campaign.to_string(), brand_id: minting.brand.to_string(), codes };
    reply::answer(StatusCode::CREATED, meta, &body)
}

/// The line number of a code, and the code.
type Numbered = (u64, PlainCode);

/// Parses the lines of a file; returns the codes with their line numbers, and a report for every
/// other line.
fn read_lines(body: &[u8]) -> Result<(Vec<Numbered>, Vec<LineReport>), Problem> {
    let (mut wanted, mut reports) = (Vec::new(), Vec::new());
    let mut file = File::open(body, CodesFile::COLUMNS)?;
    while let Some(line) = file.next_line() {
        let read = line.and_then(|line| {
            let code =
                read_code_line(|name| line.cell(name)).map_err(|error| refused(line.number, &error))?;
            Ok((line.number, code))
        });
        match read {
            Ok(taken) => wanted.push(taken),
            Err(report) => reports.push(report),
        }
    }
    Ok((wanted, reports))
}

/// Counts codes of other clients in the files that one client sent today: each such line reveals a
/// registered code.
struct ForeignCodeCounter<'a> {
    services: &'a Services,
    tries: String,
    client: AccountId,
    at: Timestamp,
    count: u64,
}

impl<'a> ForeignCodeCounter<'a> {
    async fn of(services: &'a Services, campaign: &BudgetAccount) -> Result<Self, Problem> {
        let at = services.app.clock.now();
        let client = campaign.parent.clone().unwrap_or_else(|| campaign.id.clone());
        let tries = format!("codes:{client}:{}", at.date());
        let count = services.app.store.gift_cards().tries(&tries).await?;
        Ok(Self { services, tries, client, at, count })
    }

    fn too_many(&self) -> bool {
        self.count >= MAX_FOREIGN_CODES_PER_DAY
    }

    /// Counts the codes of other clients among codes that are already registered. A client's own
    /// codes do not count: they may be in several files.
    async fn count(&mut self, known: &[(CodeId, AccountId)]) -> Result<(), Problem> {
        let store = &self.services.app.store;
        let mut more = 0;
        for (_, holder) in known {
            let holder = store.budgets().cached_account(holder).await?;
            more += u64::from(holder.is_none_or(|holder| holder.parent.as_ref() != Some(&self.client)));
        }
        if more == 0 {
            return Ok(());
        }
        let until = self.at.plus_seconds(2 * 86_400).unwrap_or(self.at);
        self.count = store.gift_cards().count_tries(&self.tries, more, until).await?;
        if self.count > SUSPICIOUS_FOREIGN_CODES_PER_DAY {
            let detail =
                format!("{} codes in its files today are of other clients: possible guessing", self.count);
            let subject = self.client.to_string();
            let new_alert = NewAlert { kind: "code_guessing", severity: "critical", subject, detail };
            store.alerts().raise(&new_alert, self.at).await;
        }
        Ok(())
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
    let mut foreign_codes = ForeignCodeCounter::of(services, &account).await?;
    let brands = allowed(services, &account).await?;
    let (wanted, mut reports) = read_lines(body)?;
    let mut prices: BTreeMap<(BrandId, String), Option<(Money, Money)>> = BTreeMap::new();
    let at = services.app.clock.now();
    let mut numbers: BTreeMap<CodeId, u64> = BTreeMap::new();
    let mut registered = Vec::new();
    for (number, code) in wanted {
        let key = (code.brand.clone(), code.denomination.to_string());
        if brands.as_ref().is_some_and(|brands| !brands.contains(&code.brand)) {
            reports.push(invalid(number, "brand_id is a brand that the agency may not use".to_owned()));
            continue;
        }
        if !prices.contains_key(&key) {
            let known = priced(services, &code.brand, code.denomination).await?;
            prices.insert(key.clone(), known);
        }
        let Some((denomination, _)) = prices.get(&key).copied().flatten() else {
            reports.push(invalid(number, "denomination is not one of a known brand".to_owned()));
            continue;
        };
        let id = services.tools.vault.code_id(&code.code).ok_or_else(Problem::internal)?;
        if numbers.contains_key(&id) {
            reports.push(duplicate(number, "appears earlier in this file"));
            continue;
        }
        numbers.insert(id.clone(), number);
        registered.push(Registered { id, campaign: campaign.clone(), brand: code.brand, denomination, at });
    }
    let mut accepted = registered.len();
    for some in registered.chunks(CODES_PER_BATCH) {
        // Stops revealing which codes belong to other clients: the file may contain guesses.
        if foreign_codes.too_many() {
            return Err(Problem::rate_limited(3_600));
        }
        let known = services.app.store.gift_cards().register(some).await?;
        accepted -= known.len();
        foreign_codes.count(&known).await?;
        for (id, holder) in &known {
            let detail = if *holder == campaign { "is already registered" } else { "cannot be registered" };
            reports.push(duplicate(numbers.get(id).copied().unwrap_or(0), detail));
        }
    }
    if foreign_codes.too_many() {
        return Err(Problem::rate_limited(3_600));
    }
    if let Some((_, price)) = prices.values().flatten().next() {
        services.app.store.budgets().record_card_price(&campaign, *price).await?;
    }
    reply::ok(&Imported::of(u64::try_from(accepted).unwrap_or(0), reports))
}
