//! Profit: what budgets paid, minus what the cards cost.
//!
//! **Invariant:** every figure is a sum over REDEMPTION entries; each counts once in its group and
//! once in the total.

use crate::budget::BudgetAccount;
use crate::budget::entry::{BudgetEntry, CardSource, MoveType};
use crate::ids::budget::AccountId;
use crate::money::Money;
use crate::parse::ParseError;
use std::collections::BTreeMap;

/// What profit is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfitGrouping {
    /// The brand of the card.
    Brand,
    /// The campaign that issued it.
    Campaign,
    /// The campaign's client.
    Client,
    /// The campaign's agency.
    Agency,
}

impl ProfitGrouping {
    /// All groupings.
    pub const ALL: [Self; 4] = [Self::Brand, Self::Campaign, Self::Client, Self::Agency];

    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Campaign => "campaign",
            Self::Client => "client",
            Self::Agency => "agency",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|group| group.as_str() == text);
        found.ok_or(ParseError("must be one of brand, campaign, client, agency"))
    }
}

/// Sums of redemptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfitSums {
    /// Number of redemptions.
    pub count: u64,
    /// Amount that budgets paid.
    pub revenue: Money,
    /// Purchase cost of the cards.
    pub cost: Money,
    /// Number of redemptions, by where the card came from.
    pub by_source: BTreeMap<CardSource, u64>,
}

/// Profit of a period, while entries are added.
#[derive(Debug)]
pub struct ProfitReport<'a> {
    grouping: ProfitGrouping,
    accounts: &'a BTreeMap<AccountId, BudgetAccount>,
    /// Sums by id of the brand or account; an empty id if that is unknown.
    pub groups: BTreeMap<String, ProfitSums>,
    /// Sums of all groups.
    pub total: ProfitSums,
}

impl<'a> ProfitReport<'a> {
    /// Starts empty; the clients and agencies of campaigns are found among these accounts.
    pub fn new(grouping: ProfitGrouping, accounts: &'a BTreeMap<AccountId, BudgetAccount>) -> Self {
        Self { grouping, accounts, groups: BTreeMap::new(), total: ProfitSums::default() }
    }

    /// Adds an entry, if it is a redemption.
    pub fn add(&mut self, entry: &BudgetEntry) {
        let (MoveType::Redemption, Some(paid)) = (entry.kind, &entry.paid) else { return };
        let campaign = self.accounts.get(&paid.campaign);
        let group = match self.grouping {
            ProfitGrouping::Brand => paid.brand.to_string(),
            ProfitGrouping::Campaign => paid.campaign.to_string(),
            ProfitGrouping::Client => campaign
                .and_then(|campaign| campaign.parent.as_ref())
                .map_or_else(String::new, ToString::to_string),
            ProfitGrouping::Agency => {
                campaign.and_then(BudgetAccount::agency).map_or_else(String::new, ToString::to_string)
            }
        };
        for sums in [self.groups.entry(group).or_default(), &mut self.total] {
            sums.count += 1;
            sums.revenue = [sums.revenue, entry.amount].into_iter().sum();
            sums.cost = [sums.cost, paid.cost].into_iter().sum();
            *sums.by_source.entry(paid.source).or_default() += 1;
        }
    }
}
