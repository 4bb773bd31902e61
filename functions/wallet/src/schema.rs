//! What callers may send, as the OpenAPI document describes it.
//!
//! **Invariant:** [`crate::wire`] asks for exactly these fields; a test holds the two against each other.

use edge::json::amount_schema as amount;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Open a wallet.
#[derive(ToSchema)]
#[schema(as = CreateWalletRequest)]
pub struct CreateWallet {
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`; the API's own path segments are reserved.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$", examples("cust_123"))]
    pub customer_id: String,
    /// A first CREDIT of source `manual`.
    #[schema(schema_with = amount, required = false)]
    pub initial_balance: Option<String>,
    /// ISO 4217; the deployment's currency if left out.
    #[schema(examples("INR"))]
    pub currency: Option<String>,
    /// At most 20 pairs and 2 KB.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Add credit.
#[derive(ToSchema)]
#[schema(as = AddCreditsRequest)]
pub struct AddCredits {
    /// How much.
    #[schema(schema_with = amount)]
    pub amount: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// purchase, referral, promotion, loyalty, refund or manual (default); topup is reserved.
    #[schema(examples("promotion"))]
    pub source: Option<String>,
    /// How many days it lives, counted in UTC dates.
    #[schema(minimum = 1, maximum = 36_500)]
    pub expiry_days: Option<u32>,
    /// The last date it can be spent on; not together with `expiry_days`.
    #[schema(format = Date)]
    pub expires_on: Option<String>,
    /// The order it is about.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    pub order_id: Option<String>,
    /// At most 20 pairs and 2 KB.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Spend credit.
#[derive(ToSchema)]
#[schema(as = DeductCreditsRequest)]
pub struct DeductCredits {
    /// How much.
    #[schema(schema_with = amount)]
    pub amount: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// The order it pays.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    pub order_id: Option<String>,
}

/// Give back what an order took.
#[derive(ToSchema)]
#[schema(as = RefundRequest)]
pub struct Refund {
    /// How much.
    #[schema(schema_with = amount)]
    pub amount: String,
    /// Of which order.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    pub order_id: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// Move credit to another wallet.
#[derive(ToSchema)]
#[schema(as = TransferRequest)]
pub struct Transfer {
    /// To whom.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    pub to_customer_id: String,
    /// How much.
    #[schema(schema_with = amount)]
    pub amount: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// Set credit aside.
#[derive(ToSchema)]
#[schema(as = PlaceHoldRequest)]
pub struct PlaceHold {
    /// How much.
    #[schema(schema_with = amount)]
    pub amount: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// The order it is for.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    pub order_id: Option<String>,
    /// How long it lasts; seven days if left out.
    #[schema(minimum = 60, maximum = 2_678_400)]
    pub expires_in_seconds: Option<u32>,
}

/// Spend from a hold.
#[derive(ToSchema)]
#[schema(as = CaptureHoldRequest)]
pub struct CaptureHold {
    /// How much; all that remains if left out.
    #[schema(schema_with = amount, required = false)]
    pub amount: Option<String>,
    /// Whether the rest goes back (default true).
    pub r#final: Option<bool>,
}

/// Change the status of a wallet.
#[derive(ToSchema)]
#[schema(as = SetStatusRequest)]
pub struct SetStatus {
    /// Why, in words; kept for good.
    #[schema(max_length = 500)]
    pub reason: String,
}
