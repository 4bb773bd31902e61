//! The API views of wallets, transfers and holds, rendered from stored outcomes.
//!
//! **Invariant:** the view of an operation depends only on its entry and on the caller's
//! permissions, so that a replay returns the same.

use domain::actor::{Actor, Role};
use domain::ids::{HoldId, TransactionId, WalletId};
use domain::ledger::entry::{Entry, EntryType};
use domain::ledger::hold::HoldView;
use domain::money::Money;
use domain::unit::Unit;
use edge::json::Number;
pub(crate) use edge::movement::{Transaction, location, transaction};
use edge::{App, Problem, schema};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;

/// A wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Wallet {
    customer_id: String,
    wallet_id: String,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// available + held
    balance: Number,
    available: Number,
    held: Number,
    /// Amount still to be collected for payments that were refunded or disputed.
    owed: Number,
    /// Sum of all CREDIT transactions.
    total_earned: Number,
    /// Sum of all DEBIT and CAPTURE transactions.
    total_spent: Number,
    total_refunded: Number,
    total_expired: Number,
    /// ACTIVE, FROZEN or SUSPENDED
    status: &'static str,
    /// BRONZE, SILVER, GOLD or PLATINUM
    tier: Option<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime)]
    last_transaction_date: Option<String>,
    /// Metadata set at creation, plus `referral_code`, `referral_count` and `total_purchases_eligible`.
    #[schema(schema_with = metadata_schema)]
    metadata: BTreeMap<String, Value>,
}

fn metadata_schema() -> Schema {
    schema::component(json!({
        "type": "object",
        "properties": {
            "referral_code": {"type": "string"},
            "referral_count": {"type": "integer", "minimum": 0},
            "total_purchases_eligible": {"type": "integer", "minimum": 0},
        },
        "required": ["referral_code", "referral_count", "total_purchases_eligible"],
        "additionalProperties": {"type": ["string", "integer"]},
    }))
}

/// Renders a wallet, which must be settled for the current time.
pub(crate) fn wallet(wallet: &domain::wallet::profile::Wallet, app: &App) -> Wallet {
    let (account, profile) = (&wallet.account, &wallet.profile);
    let money = |amount| Number::money(amount, account.unit);
    let mut metadata: BTreeMap<String, Value> =
        profile.metadata.pairs().iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    metadata.insert("referral_code".to_owned(), profile.referral_code.as_str().into());
    metadata.insert("referral_count".to_owned(), profile.referral_count.into());
    metadata.insert("total_purchases_eligible".to_owned(), profile.delivered_orders.into());
    Wallet {
        customer_id: wallet.customer().to_string(),
        wallet_id: WalletId::of(wallet.customer()).to_string(),
        currency: account.unit.code(),
        balance: money(account.balance()),
        available: money(account.available()),
        held: money(account.held()),
        owed: money(account.owed.total()),
        total_earned: money(account.totals.earned),
        total_spent: money(account.totals.spent),
        total_refunded: money(account.totals.refunded),
        total_expired: money(account.totals.expired),
        status: account.status.as_str(),
        tier: app.policy.tier(account.balance()).map(|rule| rule.tier.as_str()),
        created_at: account.created_at.to_string(),
        updated_at: account.updated_at.to_string(),
        last_transaction_date: account.last_transaction_at.map(|at| at.to_string()),
        metadata,
    }
}

/// The two transactions of a transfer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transferred {
    out_transaction: Transaction,
    /// The recipient's transaction; null unless staff made the transfer and read the answer.
    in_transaction: Option<Transaction>,
}

/// Renders a transfer from the sender's entry. The recipient's side is shown only to staff, and only
/// if staff made the transfer: a replay never shows more than the first response.
pub(crate) fn transferred(entry: &Entry, actor: &Actor) -> Result<Transferred, Problem> {
    let other = entry.after.counterpart.as_ref().ok_or_else(Problem::internal)?;
    let by_staff = matches!(entry.by.role, Role::Staff | Role::Admin);
    let out_transaction = transaction(entry);
    let in_transaction = (by_staff && actor.is_staff()).then(|| Transaction {
        id: TransactionId::of(&other.account, other.seq, &other.cause).to_string(),
        customer_id: other.account.customer().to_string(),
        wallet_id: WalletId::of(other.account.customer()).to_string(),
        seq: other.seq,
        kind: EntryType::TransferIn.as_str(),
        reference: other.cause.to_string(),
        balance_after: Some(Number::money(other.balance_after, entry.unit)),
        ..transaction(entry)
    });
    Ok(Transferred { out_transaction, in_transaction })
}

/// A hold on credit.
#[derive(Serialize, ToSchema)]
pub(crate) struct Hold {
    pub(crate) hold_id: String,
    customer_id: String,
    currency: &'static str,
    amount: Number,
    captured: Number,
    released: Number,
    /// Amount that can still be captured or released.
    remaining: Number,
    /// open, captured, released or expired
    status: &'static str,
    order_id: Option<String>,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Ids of its transactions, oldest first.
    transactions: Vec<String>,
}

/// Renders a hold.
pub(crate) fn hold(id: &HoldId, view: &HoldView, unit: Unit) -> Hold {
    let money = |amount: Money| Number::money(amount, unit);
    Hold {
        hold_id: id.to_string(),
        customer_id: id.customer().to_string(),
        currency: unit.code(),
        amount: money(view.amount),
        captured: money(view.captured),
        released: money(view.released),
        remaining: money(view.remaining()),
        status: view.status.as_str(),
        order_id: view.order_id.as_ref().map(ToString::to_string),
        expires_at: view.expires_at.to_string(),
        transactions: view.transactions.iter().map(ToString::to_string).collect(),
    }
}

/// Renders the hold as an operation left it.
pub(crate) fn hold_after(entry: &Entry) -> Result<Hold, Problem> {
    match (&entry.hold_id, &entry.after.hold) {
        (Some(id), Some(view)) => Ok(hold(id, view, entry.unit)),
        (None, _) | (_, None) => Err(Problem::internal()),
    }
}
