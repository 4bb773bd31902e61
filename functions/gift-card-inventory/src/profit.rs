//! Reports profit: what budgets paid, minus the cost of the cards, computed from entries.
//!
//! **Invariant:** every figure is computed from the REDEMPTION entries of the period; no sums are
//! stored.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::budget::BudgetAccount;
use domain::budget::allocate::SlicedAccount;
use domain::budget::entry::CardSource;
use domain::budget::slice::Flow;
use domain::budget::tree::{TreeLimits, TreeWalk};
use domain::currency::Currency;
use domain::giftcard::profit::{ProfitGrouping, ProfitReport, ProfitSums};
use domain::ids::budget::{AccountId, BudgetKind};
use domain::parse::ParseError;
use domain::time::Period;
use edge::input::{From, Text, Until};
use edge::json::Number;
use edge::{ApiRequest, App, Problem, query, reply, schema};
use futures::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use store::PageRange;
use utoipa::ToSchema;

/// Default length of the reported period, in days.
const DEFAULT_PERIOD_DAYS: u32 = 30;

/// Accounts that are read at once.
const ACCOUNTS_PER_READ: u16 = 1_000;

/// Campaigns whose slices are read at once.
const SLICED_PER_READ: usize = 100;

/// Accounts whose entries are read concurrently.
const CONCURRENT_READS: usize = 16;

/// Grouping of the profit report, as a query parameter.
pub(crate) struct GroupBy(ProfitGrouping);

impl Text for GroupBy {
    fn parse(text: &str) -> Result<Self, ParseError> {
        ProfitGrouping::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(ProfitGrouping::ALL.map(ProfitGrouping::as_str))
    }
}

/// Profit of one brand or account.
#[derive(Serialize, ToSchema)]
pub struct ProfitGroup {
    /// Id of the brand or account; `total` for the sum of all groups.
    id: String,
    name: Option<String>,
    redemptions: u64,
    /// Amount that budgets paid.
    revenue: Number,
    /// Cost of the cards.
    cost: Number,
    /// `revenue` minus `cost`; may be negative.
    profit: Number,
    /// Number of cards from csv pools, buffer pools and suppliers.
    by_source: BTreeMap<&'static str, u64>,
}

/// Profit of a period.
#[derive(Serialize, ToSchema)]
pub struct ProfitBody {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// brand, campaign, client or agency
    #[schema(examples("brand"))]
    group_by: &'static str,
    currency: &'static str,
    groups: Vec<ProfitGroup>,
    total: ProfitGroup,
}

query! {
    /// Period and grouping of the profit report.
    pub(crate) struct ProfitQuery {
        /// Start of the period, inclusive; defaults to thirty days before its end.
        from: From,
        /// End of the period, exclusive; a date includes the whole day. Defaults to now. The report
        /// is empty if it is before `from`.
        to: Until,
        /// Defaults to brand.
        group_by: GroupBy,
    }
}

/// Returns the profit of a period, by brand, campaign, client or agency.
#[utoipa::path(get, path = "/api/gift-cards/profit", tag = "gift cards",
    params(ProfitQuery),
    responses((status = 200, body = ProfitBody)))]
pub(crate) async fn profit(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let mut params = request.params();
    let ProfitQuery { from, to, group_by } = ProfitQuery::take(&mut params);
    params.finish()?;
    permit_catalogue(&request)?;
    let now = services.app.clock.now();
    let grouping = group_by.map_or(ProfitGrouping::Brand, |group_by| group_by.0);
    let to = to.map(|to| to.at).or_else(|| now.plus_seconds(1)).unwrap_or(now);
    let from = from.map_or_else(|| to.minus_minutes(DEFAULT_PERIOD_DAYS * 24 * 60), |from| from.0);
    // A period that ends before it begins is empty.
    let to = to.max(from);
    let accounts = all_accounts(&services.app).await?;
    let mut report = ProfitReport::new(grouping, &accounts);
    let store = &services.app.store;
    let mut reads = Vec::new();
    for account in accounts.values().filter(|account| account.kind().is_spent_from()) {
        reads.push(store.budgets().budget_period(&account.id, Period { from, until: to }));
    }
    let mut periods = stream::iter(reads).buffer_unordered(CONCURRENT_READS);
    while let Some(entries) = periods.next().await {
        entries?.iter().for_each(|entry| report.add(entry));
    }
    let mut names: BTreeMap<String, String> =
        accounts.iter().map(|(id, account)| (id.to_string(), account.name.as_str().to_owned())).collect();
    for brand in store.gift_cards().brands().await? {
        names.insert(brand.id.to_string(), brand.name.as_str().to_owned());
    }
    let currency = services.app.policy.currency();
    let shown = |(id, sums): (String, ProfitSums)| group(id, &names, &sums, currency);
    reply::ok(&ProfitBody {
        from: from.to_string(),
        to: to.to_string(),
        group_by: grouping.as_str(),
        currency: currency.code(),
        groups: report.groups.into_iter().map(shown).collect(),
        total: shown(("total".to_owned(), report.total)),
    })
}

/// Reads the accounts below the platform that may have entries, by id.
async fn all_accounts(app: &App) -> Result<BTreeMap<AccountId, BudgetAccount>, Problem> {
    let mut accounts = BTreeMap::new();
    let all = TreeLimits { accounts: usize::MAX, slices: usize::MAX };
    let mut walk = TreeWalk::below(AccountId::platform(), all);
    while let Some(parent) = walk.next_parent() {
        let mut after = None::<String>;
        loop {
            let range = PageRange { skip: 0, limit: ACCOUNTS_PER_READ };
            let mut page =
                app.store.budgets().children(&parent, after.as_deref(), range).await?.complete()?;
            walk.visit(&mut page.accounts);
            after = page.next;
            accounts.extend(with_entries(app, page.accounts).await?);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(accounts)
}

/// Returns the accounts that may have spent, or that others which did are grouped by. An account that never
/// received credit has not spent any of its own; a campaign without a card price has not spent its client's.
async fn with_entries(
    app: &App,
    accounts: Vec<BudgetAccount>,
) -> Result<Vec<(AccountId, BudgetAccount)>, Problem> {
    let (campaigns, mut kept): (Vec<BudgetAccount>, Vec<BudgetAccount>) =
        accounts.into_iter().partition(|account| account.kind() == BudgetKind::Campaign);
    for some in campaigns.chunks(SLICED_PER_READ) {
        let sliced = app.store.budgets().sliced_accounts(some.to_vec()).await?;
        let spent = |sliced: &SlicedAccount| {
            let received = sliced.slices().any(|slice| !slice.flows.of(Flow::Received).is_zero());
            received || sliced.account.card_price.is_some()
        };
        kept.extend(sliced.into_values().filter(spent).map(|sliced| sliced.account));
    }
    Ok(kept.into_iter().map(|account| (account.id.clone(), account)).collect())
}

fn group(id: String, names: &BTreeMap<String, String>, sums: &ProfitSums, currency: Currency) -> ProfitGroup {
    let count = |source: CardSource| sums.by_source.get(&source).copied().unwrap_or(0);
    ProfitGroup {
        name: names.get(&id).cloned(),
        id,
        redemptions: sums.count,
        revenue: Number::money(sums.revenue, currency),
        cost: Number::money(sums.cost, currency),
        profit: Number::difference(sums.revenue.value() - sums.cost.value(), currency),
        by_source: CardSource::ALL.into_iter().map(|source| (source.as_str(), count(source))).collect(),
    }
}
