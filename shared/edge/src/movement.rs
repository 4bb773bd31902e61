//! A movement of value as callers see it, in every function that answers with one.
//!
//! **Invariant:** it is rendered from the entry alone, so a replay shows the same.

use crate::json::Number;
use domain::ids::WalletId;
use domain::ledger::entry::Entry;
use domain::ledger::lot::{CreditSource, Lot};
use domain::text::FreeText;
use domain::unit::Unit;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Some credit of one date.
#[derive(Serialize, ToSchema)]
pub struct LotView {
    amount: Number,
    /// The last date; null: never expires.
    #[schema(format = Date)]
    expires_on: Option<String>,
    source: &'static str,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
pub struct ActorView {
    /// The role, or `system` for what the clock has done.
    pub role: &'static str,
    /// The token's subject.
    pub sub: String,
}

/// One movement of value; never changed, never deleted.
#[derive(Serialize, ToSchema)]
pub struct Transaction {
    pub id: String,
    pub customer_id: String,
    pub wallet_id: String,
    /// Its number in the wallet, without gaps.
    pub seq: u64,
    #[serde(rename = "type")]
    #[schema(examples("DEBIT"))]
    pub kind: &'static str,
    /// Positive; the type tells the direction.
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
    /// The balance (available + held) afterwards; of another's wallet only for staff.
    pub balance_after: Option<Number>,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub actor: ActorView,
    /// The cause: why value moved, once.
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

/// A movement as callers see it.
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

/// Where a movement can be read again.
pub fn location(entry: &Entry) -> String {
    format!("/api/wallet/{}/transactions/{}", entry.account.customer(), entry.id())
}
