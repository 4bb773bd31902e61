//! Items of brands, pools, cards and redemptions.

pub(crate) mod giftcard;
pub(crate) mod redemption;
