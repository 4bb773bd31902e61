//! The API view of a budget account.
//!
//! **Invariant:** a view only renders what was read; it makes no decision.

use domain::budget::figures::AccountFigures;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::ids::budget::BudgetKind;
use edge::json::Number;
use serde::Serialize;
use utoipa::ToSchema;

/// A budget account.
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
    /// Credit available to spend or allocate: null for the platform, the client's for a shared
    /// campaign.
    pub available: Option<Number>,
    /// Credit reserved for redemptions in progress.
    pub reserved: Number,
    /// Credit allocated to children, minus what was reclaimed.
    pub allocated: Number,
    /// Credit received from the parent, minus what was returned.
    pub received: Number,
    /// Credit spent on gift cards.
    pub spent: Number,
    /// active, auto_paused (an active campaign without available credit), paused, closing or closed
    #[schema(examples("active"))]
    pub status: &'static str,
    /// For a campaign: shared or isolated.
    #[schema(examples("shared"))]
    pub budget_mode: Option<&'static str>,
    /// For a shared campaign: the account whose credit it spends.
    pub funded_by: Option<String>,
    pub low_credit_threshold: Option<Number>,
    pub slices: u8,
    /// Whether the monitor may raise the number of slices.
    pub auto_slices: bool,
    /// For an agency: the brands that it may use; null for all.
    pub brands: Option<Vec<String>>,
    /// For the platform: credit issued, minus what was reclaimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub issued: Option<Number>,
    /// For a campaign: number of cards that its credit can still pay for, at its recorded card
    /// price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub estimated_redemptions_remaining: Option<u64>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Renders an account with its figures.
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
        auto_slices: account.auto_slices,
        brands: account.brands.as_ref().map(|brands| brands.iter().map(ToString::to_string).collect()),
        issued: (kind == BudgetKind::Platform).then(|| money(figures.allocated)),
        estimated_redemptions_remaining: figures.cards_remaining(price),
        created_at: account.created_at.to_string(),
        updated_at: account.updated_at.to_string(),
    }
}

/// Renders an account as it was when it was opened: the response to its creation and to every
/// replay of it.
pub(crate) fn opened(account: &BudgetAccount) -> AccountBody {
    let mut first = account.clone();
    first.name = account.opened.name.clone();
    first.low_credit_threshold = account.opened.low_credit_threshold;
    first.mode = account.opened.mode;
    first.slices = account.opened.slices;
    first.auto_slices = true;
    first.updated_at = account.created_at;
    first.card_price = None;
    first.brands = account.opened.brands.clone();
    first.first.status = BudgetStatus::Active;
    // A new account may have no credit yet; it must not be shown as auto_paused for that.
    let mut shown = self::account(
        &first,
        &AccountFigures { available: account.opened.available, ..AccountFigures::default() },
    );
    shown.status = BudgetStatus::Active.as_str();
    shown
}
