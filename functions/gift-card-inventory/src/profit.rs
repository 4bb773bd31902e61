//! What is earned: what budgets paid, less what cards had cost, from the entries.
//!
//! **Invariant:** every figure is a fold over REDEMPTION entries of the period; nothing is kept beside them.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::budget::BudgetAccount;
use domain::budget::entry::{BudgetEntry, MoveType};
use domain::giftcard::CardSource;
use domain::ids::budget::{AccountId, BudgetKind};
use domain::money::Money;
use domain::parse::ParseError;
use edge::input::{From, Text, Until};
use edge::json::Number;
use edge::{ApiRequest, Problem, query, reply, schema};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How far back the report goes, if nothing is said: thirty days.
const DEFAULT_PERIOD_DAYS: u32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Brand,
    Campaign,
    Client,
    Agency,
}

impl Text for GroupBy {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|group| group.as_str() == text);
        found.ok_or(ParseError("must be one of brand, campaign, client, agency"))
    }

    fn schema() -> Value {
        schema::words(Self::ALL.map(Self::as_str))
    }
}

impl GroupBy {
    const ALL: [Self; 4] = [Self::Brand, Self::Campaign, Self::Client, Self::Agency];

    fn as_str(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Campaign => "campaign",
            Self::Client => "client",
            Self::Agency => "agency",
        }
    }
}

/// What was earned with one brand or account.
#[derive(Serialize, ToSchema)]
pub struct ProfitGroup {
    /// The brand or account.
    id: String,
    name: Option<String>,
    redemptions: u64,
    /// What budgets paid.
    revenue: Number,
    /// What the cards had cost.
    cost: Number,
    /// The difference; below zero if they had cost more.
    profit: Number,
    /// How many came from csv pools, buffer pools and suppliers.
    by_source: BTreeMap<&'static str, u64>,
}

/// What was earned in a period.
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

#[derive(Default)]
struct Sum {
    count: u64,
    revenue: Money,
    cost: Money,
    by_source: BTreeMap<CardSource, u64>,
}

impl Sum {
    fn add(&mut self, entry: &BudgetEntry, cost: Money, source: CardSource) {
        self.count += 1;
        self.revenue = [self.revenue, entry.amount].into_iter().sum();
        self.cost = [self.cost, cost].into_iter().sum();
        *self.by_source.entry(source).or_default() += 1;
    }
}

query! {
    /// Which period is wanted, and how it is grouped.
    pub(crate) struct ProfitQuery {
        /// From when; thirty days before its end, if left out.
        from: From,
        /// Until when; a date counts to its end. Now, if left out. Before `from`, there is nothing to report.
        to: Until,
        /// brand, if left out.
        group_by: GroupBy,
    }
}

/// Shows what was earned in a period, by brand, campaign, client or agency.
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
    let group_by = group_by.unwrap_or(GroupBy::Brand);
    let to = to.map(|to| to.at).or_else(|| now.plus_seconds(1)).unwrap_or(now);
    let from = from.map_or_else(|| to.minus_minutes(DEFAULT_PERIOD_DAYS * 24 * 60), |from| from.0);
    // A period that ends before it begins is empty.
    let to = to.max(from);
    let (store, currency) = (&services.app.store, services.app.policy.currency());
    let mut accounts: BTreeMap<AccountId, BudgetAccount> = BTreeMap::new();
    let mut above = vec![AccountId::platform()];
    while let Some(parent) = above.pop() {
        for child in store.budgets().children(&parent).await? {
            if child.kind() != BudgetKind::Campaign {
                above.push(child.id.clone());
            }
            accounts.insert(child.id.clone(), child);
        }
    }
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let mut total = Sum::default();
    for account in accounts.values().filter(|account| account.kind().is_spent_from()) {
        for entry in store.budgets().budget_period(&account.id, (from, to)).await? {
            let (MoveType::Redemption, Some(paid)) = (entry.kind, &entry.paid) else { continue };
            let campaign = accounts.get(&paid.campaign);
            let group = match group_by {
                GroupBy::Brand => paid.brand.to_string(),
                GroupBy::Campaign => paid.campaign.to_string(),
                GroupBy::Client => {
                    campaign.and_then(|c| c.parent.clone()).map_or_else(String::new, |id| id.to_string())
                }
                GroupBy::Agency => {
                    campaign.and_then(|c| c.agency()).map_or_else(String::new, ToString::to_string)
                }
            };
            sums.entry(group).or_default().add(&entry, paid.cost, paid.source);
            total.add(&entry, paid.cost, paid.source);
        }
    }
    let mut names: BTreeMap<String, String> =
        accounts.iter().map(|(id, account)| (id.to_string(), account.name.as_str().to_owned())).collect();
    for brand in store.gift_cards().brands().await? {
        names.insert(brand.id.to_string(), brand.name.as_str().to_owned());
    }
    let shown = |(id, sum): (String, Sum)| ProfitGroup {
        name: names.get(&id).cloned(),
        id,
        redemptions: sum.count,
        revenue: Number::money(sum.revenue, currency),
        cost: Number::money(sum.cost, currency),
        profit: Number::difference(sum.revenue.value() - sum.cost.value(), currency),
        by_source: CardSource::ALL
            .into_iter()
            .map(|source| (source.as_str(), sum.by_source.get(&source).copied().unwrap_or(0)))
            .collect(),
    };
    reply::ok(&ProfitBody {
        from: from.to_string(),
        to: to.to_string(),
        group_by: group_by.as_str(),
        currency: currency.code(),
        groups: sums.into_iter().map(shown).collect(),
        total: shown(("total".to_owned(), total)),
    })
}
