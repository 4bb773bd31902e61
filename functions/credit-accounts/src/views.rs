//! What callers see of an account.
//!
//! **Invariant:** what is shown is what was read: nothing is decided here.

use domain::budget::figures::AccountFigures;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::ids::budget::BudgetKind;
use edge::json::Number;
use serde::Serialize;
use utoipa::ToSchema;

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = BudgetAccount)]
pub struct AccountBody {
    pub account_id: String,
    /// platform, agency, client or campaign
    #[schema(examples("agency"))]
    pub kind: &'static str,
    pub parent_id: Option<String>,
    pub name: String,
    pub currency: &'static str,
    /// What can be spent or allocated; null of the platform, its client's of a shared campaign.
    pub available: Option<Number>,
    /// Set aside for redemptions that are under way.
    pub reserved: Number,
    /// What its children have been given, less what came back.
    pub allocated: Number,
    /// What its parent has given, less what went back.
    pub received: Number,
    /// What was paid for gift cards.
    pub spent: Number,
    /// active, auto_paused (an active campaign with nothing left), paused, closing or closed
    #[schema(examples("active"))]
    pub status: &'static str,
    /// Of a campaign: shared or isolated.
    #[schema(examples("shared"))]
    pub budget_mode: Option<&'static str>,
    /// Of a shared campaign: whose credit it spends.
    pub funded_by: Option<String>,
    pub low_credit_threshold: Option<Number>,
    pub slices: u8,
    /// Of an agency: the brands it may use; null for all.
    pub brands: Option<Vec<String>>,
    /// Of the platform: all that it has given and not got back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub issued: Option<Number>,
    /// Of a campaign: for how many cards its credit lasts, by the price of a card it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub estimated_redemptions_remaining: Option<u64>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// An account with its figures.
pub(crate) fn account(account: &BudgetAccount, figures: &AccountFigures) -> AccountBody {
    let money = |amount| Number::money(amount, account.currency);
    let kind = account.kind();
    let campaign = kind == BudgetKind::Campaign;
    let empty = campaign && figures.available.is_zero() && account.status() == BudgetStatus::Active;
    let status = if empty { "auto_paused" } else { account.status().as_str() };
    let price = account.card_price.filter(|price| campaign && !price.is_zero());
    AccountBody {
        account_id: account.id.to_string(),
        kind: kind.as_str(),
        parent_id: account.parent.as_ref().map(ToString::to_string),
        name: account.name.as_str().to_owned(),
        currency: account.currency.code(),
        available: (kind != BudgetKind::Platform).then(|| money(figures.available)),
        reserved: money(figures.reserved),
        allocated: money(figures.allocated),
        received: money(figures.received),
        spent: money(figures.spent),
        status,
        budget_mode: campaign.then(|| account.mode.as_str()),
        funded_by: account.is_shared().then(|| account.charged().to_string()),
        low_credit_threshold: account.low_credit_threshold.map(money),
        slices: account.slices,
        brands: account.brands.as_ref().map(|brands| brands.iter().map(ToString::to_string).collect()),
        issued: (kind == BudgetKind::Platform).then(|| money(figures.allocated)),
        estimated_redemptions_remaining: figures.cards_remaining(price),
        created_at: account.created_at.to_string(),
        updated_at: account.updated_at.to_string(),
    }
}

/// An account as it was when it was opened: what its creation answers, however often it is asked for.
pub(crate) fn opened(account: &BudgetAccount) -> AccountBody {
    let mut first = account.clone();
    first.name = account.opened.name.clone();
    first.low_credit_threshold = account.opened.low_credit_threshold;
    first.mode = account.opened.mode;
    first.slices = account.opened.slices;
    first.updated_at = account.created_at;
    first.card_price = None;
    first.brands = account.opened.brands.clone();
    first.first.status = BudgetStatus::Active;
    // Nothing has been put in yet: that is no reason to call it paused.
    let mut shown = self::account(
        &first,
        &AccountFigures { available: account.opened.available, ..AccountFigures::default() },
    );
    shown.status = BudgetStatus::Active.as_str();
    shown
}
