//! A row as it is in a JSON body, and the columns of a file of such rows.
//!
//! **Invariant:** a column of a file has the name of the field that it is read as.

use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::text::{FreeText, Metadata};
use edge::input::{CallersSource, ExpiryDate, ExpiryDays, NonBlankText, NumberInput};
use edge::{csv_file, request, schema};

/// What is wrong with an amount of more decimal places than its currency has.
pub const MORE_DIGITS: &str = "has more digits than the currency";

request! {
    /// A credit of a bulk job.
    pub struct CreditElement {
        /// The owner of the wallet.
        customer_id: CustomerId,
        /// Amount to add, in the job's currency.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
        /// Defaults to manual.
        source: Option<CallersSource>,
        /// Days until the credit expires; not together with `expires_on`.
        expiry_days: Option<NumberInput<ExpiryDays>>,
        /// Last date on which the credit can be spent, later than today; not together with `expiry_days`.
        expires_on: Option<ExpiryDate>,
        /// The order that the credit refers to.
        order_id: Option<OrderId>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<Metadata>,
    }
    check(fields, currency: Currency) {
        if amount.as_ref().is_ok_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("amount", MORE_DIGITS);
        }
        if fields.is_sent("expiry_days") && fields.is_sent("expires_on") {
            fields.offend("expires_on", "cannot be combined with expiry_days");
        }
    }
    rules [schema::not_both("expiry_days", "expires_on")]
}

request! {
    /// Points of a bulk job.
    pub struct PointsElement {
        /// The customer.
        user_id: CustomerId,
        /// Points to add.
        points: edge::values::PointsInput,
        /// Reason, as free text.
        reason: NonBlankText,
        /// Days until the points expire; not together with `expires_on`.
        expiry_days: Option<NumberInput<ExpiryDays>>,
        /// Last date on which the points can be spent, later than today; not together with `expiry_days`.
        expires_on: Option<ExpiryDate>,
        /// Whether the points count for tiers; false if omitted.
        qualifying: Option<bool>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<Metadata>,
    }
    check(fields) {
        if fields.is_sent("expiry_days") && fields.is_sent("expires_on") {
            fields.offend("expires_on", "cannot be combined with expiry_days");
        }
    }
    rules [schema::not_both("expiry_days", "expires_on")]
}

csv_file! {
    /// Credits of a bulk job; the first two columns are required.
    pub struct CreditsFile: ["customer_id", "amount", "reason", "source", "expiry_days", "expires_on", "order_id"];
}

csv_file! {
    /// Wallets of another system; the first three columns are required. `lots` are `amount|date or never|source`, joined
    /// by `;`.
    pub struct WalletsFile: ["customer_id", "currency", "balance", "lots", "status", "tier", "referral_code", "referral_count", "created_at", "metadata"];
}

csv_file! {
    /// Budgets of another system, parents before their children; the first four columns are required.
    pub struct AccountsFile: ["external_id", "kind", "parent_external_id", "name", "credit", "low_credit_threshold", "budget_mode", "slices", "status"];
}

csv_file! {
    /// Points of another system; the first three columns are required. `lots` are `points|date or never`, joined by `;`.
    pub struct PointsAccountsFile: ["user_id", "points", "lots", "qualifying", "tier", "tier_until", "status"];
}

csv_file! {
    /// Points of a bulk job; the first three columns are required.
    pub struct PointsFile: ["user_id", "points", "reason", "expiry_days", "expires_on", "qualifying"];
}
