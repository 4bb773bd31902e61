//! How brands, pools, cards and redemptions stand in items.

pub(crate) mod giftcard;
pub(crate) mod redemption;
