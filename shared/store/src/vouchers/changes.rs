//! Adds vouchers to the catalogue, and changes them.
//!
//! **Invariant:** a change is made under the voucher's version; the stock of codes is not part of it.

use super::Vouchers;
use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::retry::{Certain, Retry};
use crate::engine::write::change;
use crate::keys;
use crate::vouchers::items;
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::actor::PerformedBy;
use domain::ids::{RequestId, VoucherId};
use domain::time::Timestamp;
use domain::vouchers::state::VoucherHint;
use domain::vouchers::voucher::{CreateVoucher, Voucher, VoucherChange};

/// Why a voucher was not added or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherError {
    /// There is no such voucher.
    NotFound,
    /// The key was used for another voucher.
    KeyReused,
    /// Its end would not be in the future, or not after its beginning.
    InvalidEnd,
}

/// A change, or why there is none.
pub type VouchersRefused<T> = Result<T, VoucherError>;

/// Returns true if a voucher can end then.
fn may_end(voucher: &Voucher, now: Timestamp) -> bool {
    voucher.terms.valid_until.is_none_or(|until| until > now && until > voucher.terms.valid_from)
}

impl Vouchers {
    /// Adds a voucher, once; returns it, and whether it was there before.
    pub async fn create(
        &self,
        create: &CreateVoucher,
        made: (Timestamp, PerformedBy),
        request: &RequestId,
    ) -> Result<VouchersRefused<(Voucher, bool)>, StoreError> {
        let mut retry = self.table.retry();
        loop {
            if let Some(known) = self.voucher(&create.id).await? {
                let replayed = known.request != request.as_str();
                let is_same = known.fingerprint == create.fingerprint().as_str();
                return Ok(if is_same { Ok((known, replayed)) } else { Err(VoucherError::KeyReused) });
            }
            let voucher = Voucher::new(create, made.clone(), request);
            if !may_end(&voucher, made.0) {
                return Ok(Err(VoucherError::InvalidEnd));
            }
            let mut listed = Attributes::default().text("voucher_id", &voucher.id).0;
            listed.extend(keys::listed_voucher(&voucher.id, voucher.created_at).attributes());
            let writes =
                vec![self.table.new_put(items::voucher_to_item(&voucher)?)?, self.table.any_put(listed)?];
            if self.settle(&mut retry, writes).await? {
                self.recent.invalidate(&());
                return Ok(Ok((voucher, false)));
            }
        }
    }

    /// Changes a voucher.
    pub async fn change(
        &self,
        id: &VoucherId,
        changed: &VoucherChange,
        now: Timestamp,
    ) -> Result<VouchersRefused<Voucher>, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let Some(voucher) = self.voucher(id).await? else { return Ok(Err(VoucherError::NotFound)) };
            let next = voucher.changed(changed, now);
            let moves_time = changed.valid_until.is_some() || changed.valid_from.is_some();
            if moves_time && !may_end(&next, now) {
                return Ok(Err(VoucherError::InvalidEnd));
            }
            let update = change(items::voucher_update(&self.table.name, &next, voucher.version)?);
            // A send that was applied unseen is decided again on what it has made, with the same end.
            if self.settle(&mut retry, vec![update]).await? {
                self.hints.invalidate(id);
                self.recent.invalidate(&());
                return Ok(Ok(next));
            }
        }
    }

    /// Keeps what is expected of a voucher.
    pub(crate) fn remember(&self, voucher: &Voucher) {
        let is_limited = voucher.terms.per_user_limit.is_some();
        self.hints.insert(voucher.id.clone(), VoucherHint { shards: voucher.shards, is_limited });
    }

    /// Sends writes; returns false if they must be decided again.
    async fn settle(&self, retry: &mut Retry, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match retry.settled(self.table.transact(writes).await?).await? {
            Some(Certain::Done(_)) => Ok(true),
            Some(Certain::Refused(_)) if !retry.backoff().await => {
                Err(retry.certain(StoreError::Contention("the voucher keeps changing".to_owned())))
            }
            Some(Certain::Refused(_)) | None => Ok(false),
        }
    }
}
