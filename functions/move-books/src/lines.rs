//! The lines of exported files.
//!
//! **Invariant:** a file of wallets or budgets is read by an import as it was written: the same accounts with the same
//! credit.
//! **Invariant:** no code of a card or voucher and no address is in a file.

use domain::budget::BudgetStatus;
use domain::budget::allocate::SlicedAccount;
use domain::budget::entry::BudgetEntry;
use domain::giftcard::redemption::Redemption;
use domain::ids::budget::BudgetKind;
use domain::ledger::entry::Entry;
use domain::ledger::lot::Lot;
use domain::money::Money;
use domain::policy::Policy;
use domain::time::{Timestamp, parse_date};
use domain::unit::Unit;
use domain::wallet::import::{MAX_IMPORTED_LOTS, ORIGINAL_CREATED_AT};
use edge::csv::cell;
use store::WholeWallet;

/// The first line of a file of wallets.
pub(crate) const WALLETS: &str =
    "customer_id,currency,balance,lots,status,tier,referral_code,referral_count,created_at,metadata";

/// The first line of a file of budgets.
pub(crate) const ACCOUNTS: &str =
    "external_id,kind,parent_external_id,name,credit,low_credit_threshold,budget_mode,slices,status";

/// Returns the line of a budget account with its own credit, of which what is reserved is a part.
pub(crate) fn account(sliced: &SlicedAccount, own: Money) -> String {
    let account = &sliced.account;
    let unit = Unit::Currency(account.currency);
    let is_campaign = account.kind() == BudgetKind::Campaign;
    let parent = account.parent.as_ref().filter(|parent| parent.kind() != BudgetKind::Platform);
    let is_active = account.status() == BudgetStatus::Active;
    line(&[
        account.id.to_string(),
        account.kind().as_str().to_owned(),
        maybe(parent),
        account.name.as_str().to_owned(),
        unit.format(own),
        maybe(account.low_credit_threshold.map(|amount| unit.format(amount))),
        maybe(is_campaign.then(|| account.mode.as_str())),
        account.slices.to_string(),
        if is_active { "active" } else { "paused" }.to_owned(),
    ])
}

/// The first line of a file of movements.
pub(crate) const TRANSACTIONS: &str = "account,transaction_id,seq,created_at,type,amount,currency,balance_after,reason,source,order_id,hold_id,reference,lots";

/// Returns the line of a movement of a budget.
pub(crate) fn budget_transaction(entry: &BudgetEntry) -> String {
    let unit = Unit::Currency(entry.currency);
    line(&[
        format!("b:{}", entry.account),
        entry.id().to_string(),
        String::new(),
        entry.at.to_string(),
        entry.kind.as_str().to_owned(),
        unit.format(entry.amount),
        entry.currency.code().to_owned(),
        unit.format(entry.balance_after),
        maybe(entry.notes.as_ref().map(domain::text::FreeText::as_str)),
        String::new(),
        String::new(),
        String::new(),
        entry.cause.to_string(),
        String::new(),
    ])
}

/// The first line of a file of redemptions.
pub(crate) const REDEMPTIONS: &str = "redemption_id,campaign_id,charged_account_id,brand_id,denomination,currency,status,source,amount,cost,created_at,issued_at";

fn line(cells: &[String]) -> String {
    cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",") + "\n"
}

fn lots<'a>(lots: impl Iterator<Item = &'a Lot>, unit: Unit) -> String {
    let lot = |lot: &Lot| {
        let date = lot.expires_on.map_or_else(|| "never".to_owned(), |date| date.to_string());
        format!("{}|{date}|{}", unit.format(lot.amount), lot.source.as_str())
    };
    lots.map(lot).collect::<Vec<_>>().join(";")
}

fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Returns the line of a wallet.
pub(crate) fn wallet(whole: &WholeWallet, policy: &Policy) -> String {
    let (account, profile) = (&whole.wallet.account, &whole.wallet.profile);
    let mut pairs = profile.metadata.pairs().clone();
    // A caller's own pair of this name may be anything.
    let is_time = |text: &&String| Timestamp::parse(text).is_ok() || parse_date(text).is_ok();
    let original = pairs.get(ORIGINAL_CREATED_AT).filter(is_time).cloned();
    if original.is_some() {
        pairs.remove(ORIGINAL_CREATED_AT);
    }
    let created = original.unwrap_or_else(|| account.created_at.to_string());
    let kept = whole.lots.clone().at_most(MAX_IMPORTED_LOTS);
    let metadata = if pairs.is_empty() { None } else { serde_json::to_string(&pairs).ok() };
    line(&[
        whole.wallet.customer().to_string(),
        account.unit.code().to_owned(),
        account.unit.format(whole.lots.total()),
        lots(kept.iter(), account.unit),
        account.status.as_str().to_owned(),
        maybe(policy.tier(account.balance()).map(|rule| rule.tier.as_str())),
        profile.referral_code.to_string(),
        profile.referral_count.to_string(),
        created,
        maybe(metadata),
    ])
}

/// Returns the line of a movement.
pub(crate) fn transaction(entry: &Entry) -> String {
    line(&[
        entry.account.to_string(),
        entry.id().to_string(),
        entry.seq.to_string(),
        entry.at.to_string(),
        entry.kind.as_str().to_owned(),
        entry.unit.format(entry.amount),
        entry.unit.code().to_owned(),
        entry.unit.format(entry.balance_after),
        maybe(entry.reason.as_ref().map(domain::text::FreeText::as_str)),
        maybe(entry.source.map(domain::ledger::lot::CreditSource::as_str)),
        maybe(entry.order_id.as_ref()),
        maybe(entry.hold_id.as_ref()),
        entry.cause.to_string(),
        lots(entry.lots.iter(), entry.unit),
    ])
}

/// Returns the line of a redemption.
pub(crate) fn redemption(redemption: &Redemption) -> String {
    let unit = Unit::Currency(redemption.currency);
    line(&[
        redemption.id.to_string(),
        redemption.campaign.to_string(),
        redemption.charged.to_string(),
        redemption.brand.to_string(),
        unit.format(redemption.denomination),
        redemption.currency.code().to_owned(),
        redemption.status.as_str().to_owned(),
        maybe(redemption.source.map(domain::budget::entry::CardSource::as_str)),
        unit.format(redemption.amount),
        maybe(redemption.cost.map(|cost| unit.format(cost))),
        redemption.created_at.to_string(),
        maybe(redemption.issued_at),
    ])
}
