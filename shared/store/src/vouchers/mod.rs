//! Vouchers in the table: the catalogue, its codes, and what customers have bought.
//!
//! **Invariant:** points move for vouchers only through [`Vouchers::buy`] and [`Vouchers::refund`].
//! **Invariant:** a cached hint only decides what is read at once; every decision reads the voucher.

mod changes;
pub(crate) mod items;
mod load;
mod persist;
mod reads;
mod stock;

pub use changes::{VoucherError, VouchersRefused};
pub use reads::{BoughtPage, Counting, InStock};

use crate::engine::cache::TtlCache;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys;
use crate::ledger::execute::{Done, execute};
use domain::context::Context;
use domain::ids::VoucherId;
use domain::vouchers::bought::VoucherPurchase;
use domain::vouchers::purchase::{Bought, BuyVoucher};
use domain::vouchers::refund::RefundVoucher;
use domain::vouchers::state::VoucherHint;
use domain::vouchers::voucher::Voucher;
use std::sync::Arc;

/// Area of vouchers.
#[derive(Clone, Debug)]
pub struct Vouchers {
    pub(crate) table: Table,
    /// What is expected of vouchers.
    pub(crate) hints: Arc<TtlCache<VoucherId, VoucherHint>>,
    /// The catalogue as customers see it.
    pub(crate) recent: Arc<TtlCache<(), Vec<Voucher>>>,
}

impl Vouchers {
    /// Buys a voucher: exactly once for its cause, or not at all.
    pub async fn buy(
        &self,
        command: BuyVoucher,
        context: &Context,
    ) -> Result<Done<VoucherPurchase>, StoreError> {
        let known = self.hints.get(&command.voucher).map(|hint| *hint);
        let command = BuyVoucher { hint: known, ..command };
        let done = Box::pin(execute(&self.table, &command, context)).await?;
        // The voucher is bought; if this read fails, the next purchase reads again.
        if known.is_none()
            && let Ok(Some(item)) = self.table.get(keys::voucher(&command.voucher)).await
            && let Ok(voucher) = items::voucher_from_item(&item)
        {
            self.remember(&voucher);
        }
        self.purchase_of(done).await
    }

    /// Gives back the points of a bought voucher: once.
    pub async fn refund(
        &self,
        command: &RefundVoucher,
        context: &Context,
    ) -> Result<Done<VoucherPurchase>, StoreError> {
        let done = Box::pin(execute(&self.table, command, context)).await?;
        self.purchase_of(done).await
    }

    /// Returns the purchase that a command has made or changed.
    async fn purchase_of(&self, done: Done<Bought>) -> Result<Done<VoucherPurchase>, StoreError> {
        if let Some(purchase) = done.outcome.purchase.clone() {
            return Ok(done.map(|_| *purchase));
        }
        // A replay knows only the entry.
        let id = &done.outcome.id;
        let read = self.purchase(id).await.map_err(StoreError::after_effect)?;
        let purchase = read.ok_or_else(|| StoreError::Corrupt(format!("the purchase {id} is missing")))?;
        Ok(done.map(|_| purchase))
    }
}
