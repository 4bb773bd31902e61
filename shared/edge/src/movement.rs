//! The API view of a wallet transaction, shared by all functions that return one.
//!
//! **Invariant:** it is rendered from the entry alone, so a replay returns the same.

use crate::json::Number;
use domain::ids::WalletId;
use domain::ledger::entry::Entry;
use domain::ledger::lot::{CreditSource, Lot};
use domain::text::FreeText;
use domain::unit::Unit;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Credit of one expiry date and source.
#[derive(Serialize, ToSchema)]
pub struct LotView {
    amount: Number,
    /// Last date on which the credit is valid; null: never expires.
    #[schema(format = Date)]
    expires_on: Option<String>,
    source: &'static str,
}

/// The actor of a transaction.
#[derive(Serialize, ToSchema)]
pub struct ActorView {
    /// The role, or `system` for automatic changes such as expiries.
    pub role: &'static str,
    /// The token's subject.
    pub sub: String,
}

/// One movement of value in a wallet. It never changes and is never deleted.
#[derive(Serialize, ToSchema)]
pub struct Transaction {
    pub id: String,
    pub customer_id: String,
    pub wallet_id: String,
    /// Sequence number within the wallet, without gaps.
    pub seq: u64,
    #[serde(rename = "type")]
    #[schema(examples("DEBIT"))]
    pub kind: &'static str,
    /// Always positive; `type` determines the direction.
    pub amount: Number,
    pub currency: &'static str,
    pub reason: Option<String>,
    pub source: Option<&'static str>,
    pub order_id: Option<String>,
    pub hold_id: Option<String>,
    #[schema(examples("COMPLETED"))]
    pub status: &'static str,
    #[schema(format = Date)]
    pub expiry_date: Option<String>,
    /// Balance (available + held) afterwards; null for the recipient of a transfer, unless staff made it.
    pub balance_after: Option<Number>,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub actor: ActorView,
    /// The idempotency cause of the movement; unique.
    pub reference: String,
    pub lots: Vec<LotView>,
    pub metadata: BTreeMap<String, String>,
}

fn lots(lots: &[Lot], unit: Unit) -> Vec<LotView> {
    let view = |lot: &Lot| LotView {
        amount: Number::money(lot.amount, unit),
        expires_on: lot.expires_on.map(|date| date.to_string()),
        source: lot.source.as_str(),
    };
    lots.iter().map(view).collect()
}

/// Renders an entry for callers.
pub fn transaction(entry: &Entry) -> Transaction {
    Transaction {
        id: entry.id().to_string(),
        customer_id: entry.account.customer().to_string(),
        wallet_id: WalletId::of(entry.account.customer()).to_string(),
        seq: entry.seq,
        kind: entry.kind.as_str(),
        amount: Number::money(entry.amount, entry.unit),
        currency: entry.unit.code(),
        reason: entry.reason.as_ref().map(FreeText::as_str).map(str::to_owned),
        source: entry.source.map(CreditSource::as_str),
        order_id: entry.order_id.as_ref().map(ToString::to_string),
        hold_id: entry.hold_id.as_ref().map(ToString::to_string),
        status: "COMPLETED",
        expiry_date: entry.expires_on.map(|date| date.to_string()),
        balance_after: Some(Number::money(entry.balance_after, entry.unit)),
        created_at: entry.at.to_string(),
        actor: ActorView { role: entry.by.role.as_str(), sub: entry.by.sub.clone() },
        reference: entry.cause.to_string(),
        lots: lots(&entry.lots, entry.unit),
        metadata: entry.metadata.pairs().clone(),
    }
}

/// Returns the path under which the transaction can be read.
pub fn location(entry: &Entry) -> String {
    format!("/api/wallet/{}/transactions/{}", entry.account.customer(), entry.id())
}
