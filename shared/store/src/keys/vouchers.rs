//! Keys of vouchers.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | voucher | `VO#<voucher>` | `V` | |
//! | number of codes that it was ever given, and of those sold, in parts | `VO#<voucher>` | `S#<part>` | |
//! | voucher in the list of all | `L#vouchers` | `<instant>#<voucher>` | |
//! | code, with its sealed parts | `C#<card>` | `C` | |
//! | free code | `F#<voucher>#<shard>` | `<expiry date, or never>#<card>` | |
//! | purchase | `PU#v:<purchase>` | `U` | |
//! | record of a reveal of its code | `PU#v:<purchase>` | `R#<instant>#<request>` | |
//! | purchase in the list of a customer | `L#v:<customer>` | `<instant>#<purchase>` | |
//! | how many of a voucher with a limit a customer has bought | `A#p:<customer>` | `C#<voucher>` | |
//! | queued message to the customer | `Q#<purchase>` | `<method>` | `due` from the time it is queued |
//!
//! **Invariant:** codes have the same space of keys as gift cards.

use super::giftcards::{free_place, listed_reveal};
use super::{Key, account_partition};
use domain::giftcard::redemption::Method;
use domain::ids::{AccountRef, CustomerId, RequestId, VoucherId, VoucherPurchaseId};
use domain::time::{Date, Timestamp};
use domain::vouchers::code::FreeCode;

/// The partition that lists all vouchers.
pub const VOUCHERS: &str = "L#vouchers";

/// Range key prefix of the parts of the number of codes.
pub const STOCKED: &str = "S#";

/// Range key prefix of the counts of what a customer has bought.
pub const BOUGHT: &str = "C#";

/// The number of those parts, over which purchases are spread; a fixed property of the table.
pub const STOCK_PARTS: u8 = 16;

/// Returns the partition of a voucher.
pub fn voucher_partition(voucher: &VoucherId) -> String {
    format!("VO#{voucher}")
}

/// Parses the voucher from its partition key.
pub fn voucher_of(pk: &str) -> Option<VoucherId> {
    VoucherId::parse(pk.strip_prefix("VO#")?).ok()
}

/// Returns the key of a voucher.
pub fn voucher(voucher: &VoucherId) -> Key {
    Key::new(voucher_partition(voucher), "V")
}

/// Returns the key of a part of the number of codes that a voucher was given.
pub fn stocked(voucher: &VoucherId, part: u8) -> Key {
    Key::new(voucher_partition(voucher), format!("{STOCKED}{part}"))
}

/// Returns the key of a voucher in the list of all.
pub fn listed_voucher(voucher: &VoucherId, created_at: Timestamp) -> Key {
    Key::new(VOUCHERS.to_owned(), format!("{created_at}#{voucher}"))
}

/// Returns the partition of a shard of a voucher's free codes.
pub fn free_codes(voucher: &VoucherId, shard: u8) -> String {
    format!("F#{voucher}#{shard}")
}

/// Returns the key of a free code. Codes that expire first sort first.
pub fn free_code(free: &FreeCode) -> Key {
    Key::new(free_codes(&free.voucher, free.shard), free_place(free.expires_on, &free.card))
}

/// Returns the first place of free codes that can be sold today: a code is not sold on its last date.
pub fn sold_from(today: Date) -> String {
    today.succ_opt().unwrap_or(today).to_string()
}

/// Returns true for a partition that only vouchers have.
pub fn is_of_vouchers(pk: &str) -> bool {
    ["VO#", "F#vch_", "PU#v:", "L#v:", VOUCHERS].iter().any(|begin| pk.starts_with(begin))
}

/// Parses the voucher and the shard from a partition of free codes.
pub fn free_codes_of(pk: &str) -> Option<(VoucherId, u8)> {
    let (voucher, shard) = pk.strip_prefix("F#vch_").and(pk.strip_prefix("F#"))?.split_once('#')?;
    Some((VoucherId::parse(voucher).ok()?, shard.parse().ok()?))
}

fn purchase_partition(purchase: &VoucherPurchaseId) -> String {
    format!("PU#v:{purchase}")
}

/// Returns the key of a bought voucher.
pub fn voucher_purchase(purchase: &VoucherPurchaseId) -> Key {
    Key::new(purchase_partition(purchase), "U")
}

/// Parses the bought voucher from its partition key.
pub fn voucher_purchase_of(pk: &str) -> Option<VoucherPurchaseId> {
    VoucherPurchaseId::parse(pk.strip_prefix("PU#v:")?).ok()
}

/// Returns the key of the record that a request revealed the code of a bought voucher.
pub fn voucher_reveal(purchase: &VoucherPurchaseId, at: Timestamp, request: &RequestId) -> Key {
    listed_reveal(purchase_partition(purchase), at, request)
}

/// Returns the partition that lists what a customer has bought.
pub fn bought_vouchers(user: &CustomerId) -> String {
    format!("L#v:{user}")
}

/// Parses the customer from the partition of what they have bought.
pub fn bought_vouchers_of(pk: &str) -> Option<CustomerId> {
    CustomerId::parse(pk.strip_prefix("L#v:")?).ok()
}

/// Returns the key of a purchase in the list of its customer.
pub fn bought_voucher(user: &CustomerId, at: Timestamp, purchase: &VoucherPurchaseId) -> Key {
    Key::new(bought_vouchers(user), format!("{at}#{purchase}"))
}

/// Returns the key of the number of a voucher that a customer has bought.
pub fn bought_count(user: &CustomerId, voucher: &VoucherId) -> Key {
    Key::new(account_partition(&AccountRef::points(user)), format!("{BOUGHT}{voucher}"))
}

/// Returns the key of the queued message to a customer who has bought a voucher.
pub fn voucher_outbox(purchase: &VoucherPurchaseId, method: Method) -> Key {
    Key::new(format!("Q#{purchase}"), method.as_str())
}
