//! Attributes that only a wallet has, in the item of its account.

use crate::engine::attr::{Item, Reader, number, pairs};
use crate::engine::error::StoreError;
use crate::ledger::items::account;
use domain::ids::{CustomerId, ReferralCode};
use domain::text::Metadata;
use domain::wallet::profile::{Profile, Wallet};

/// The attribute with the number of delivered orders that have given the wallet credit; absent if there are none.
pub(crate) const DELIVERED: &str = "delivered_orders";

/// The attribute with the number of customers referred in another system; absent if there are none.
const IMPORTED: &str = "imported_referrals";

/// Converts a new wallet to its item.
pub(crate) fn to_item(wallet: &Wallet) -> Item {
    let profile = &wallet.profile;
    let imported = Some(profile.imported_referrals).filter(|count| *count > 0);
    let attributes = account::to_attributes(&wallet.account)
        .text("customer_id", wallet.customer())
        .text("referral_code", &profile.referral_code)
        .number("referral_count", profile.referral_count)
        .with("metadata", pairs(profile.metadata.pairs()));
    let mut item = attributes.0;
    item.extend(imported.map(|count| (IMPORTED.to_owned(), number(count))));
    item
}

/// Reads the attributes that only a wallet has; fails unless the item names this customer.
pub(crate) fn profile_from_item(item: &Item, customer: &CustomerId) -> Result<Profile, StoreError> {
    let name = format!("wallet of {customer}");
    let reader = Reader::new(item, &name);
    if reader.parse("customer_id", CustomerId::parse)? != *customer {
        return Err(reader.corrupt("customer_id: differs from its key"));
    }
    let metadata = Metadata::parse_stored(reader.pairs("metadata")?);
    Ok(Profile {
        metadata: metadata.map_err(|_| reader.corrupt("metadata"))?,
        referral_code: ReferralCode::stored(reader.text("referral_code")?),
        referral_count: reader.count("referral_count")?,
        imported_referrals: if reader.has(IMPORTED) { reader.count(IMPORTED)? } else { 0 },
        referred_by: reader.maybe("referred_by", CustomerId::parse)?,
        referral_root: reader.maybe("referral_root", CustomerId::parse)?,
        delivered_orders: if reader.has(DELIVERED) { reader.count(DELIVERED)? } else { 0 },
    })
}
