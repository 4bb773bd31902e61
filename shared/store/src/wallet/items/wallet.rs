//! What only a wallet has, in its account's item.

use crate::engine::attr::{Item, Reader, pairs};
use crate::engine::error::StoreError;
use crate::ledger::items::account;
use domain::ids::{CustomerId, ReferralCode};
use domain::text::Metadata;
use domain::wallet::profile::{Profile, Wallet};

/// What a new wallet is stored as.
pub(crate) fn to_item(wallet: &Wallet) -> Item {
    account::to_attributes(&wallet.account)
        .text("customer_id", wallet.customer())
        .text("referral_code", &wallet.profile.referral_code)
        .number("referral_count", wallet.profile.referral_count)
        .with("metadata", pairs(wallet.profile.metadata.pairs()))
        .0
}

/// Reads what only a wallet has; the item must be the customer's whom it names.
pub(crate) fn profile_from_item(item: &Item, customer: &CustomerId) -> Result<Profile, StoreError> {
    let name = format!("wallet of {customer}");
    let reader = Reader::new(item, &name);
    if reader.parse("customer_id", CustomerId::parse)? != *customer {
        return Err(reader.corrupt("customer_id: another than its key"));
    }
    let metadata = Metadata::parse_stored(reader.pairs("metadata")?);
    Ok(Profile {
        metadata: metadata.map_err(|_| reader.corrupt("metadata"))?,
        referral_code: ReferralCode::stored(reader.text("referral_code")?),
        referral_count: reader.count("referral_count")?,
    })
}
