//! Causes of entries in any account: orders, transfers, expiry dates, time-outs, and reversals by
//! gateways.
//!
//! **Invariant:** each kind of cause begins with a word of its own, so causes of different kinds
//! never conflict.

use crate::cause::Cause;
use crate::ids::{HoldId, OrderId, ReversalId, TransactionId};
use crate::ledger::lot::LotClass;
use crate::ledger::owed::Reversed;
use crate::time::Date;

/// The common prefix of the causes of balances that come from another system.
pub const IMPORT: &str = "import:";

impl Cause {
    /// Returns true for a balance that comes from another system.
    pub fn is_import(&self) -> bool {
        self.as_str().starts_with(IMPORT)
    }

    /// Returns the cause of an order's payment that has no idempotency key; an order has at most
    /// one.
    pub fn order_payment(order: &OrderId) -> Self {
        Self::composed(format!("order:{}:pay", Self::part(order.as_str())))
    }

    /// Returns the cause of the refund of what wallets had paid of an order when it was cancelled.
    pub fn order_cancelled(order: &OrderId) -> Self {
        Self::composed(format!("order:{}:cancelled", Self::part(order.as_str())))
    }

    /// Returns the cause of the refund of a payment of an order that had been cancelled before.
    pub fn cancelled_payment(order: &OrderId, payment: &TransactionId) -> Self {
        Self::composed(format!("order:{}:cancelled:{payment}", Self::part(order.as_str())))
    }

    /// Returns the cause of the credit for a delivered order.
    pub fn delivery(order: &OrderId) -> Self {
        Self::composed(format!("order:{}:delivered", Self::part(order.as_str())))
    }

    /// Returns the cause of the `n`th entry of what this cause does, which is more than one.
    pub fn numbered(&self, n: usize) -> Self {
        Self::composed(format!("{self}:{n}"))
    }

    /// Returns the cause of a transfer's entry in the recipient's account: it names the sender's
    /// entry, and nothing that the sender chose.
    pub fn transfer(departure: &TransactionId) -> Self {
        Self::composed(format!("transfer:{departure}"))
    }

    /// Returns the cause of the second entry of a movement; `of` is the cause of the first, in the
    /// account `from`.
    pub fn counterpart(verb: &str, from: &str, of: &Cause) -> Self {
        Self::composed(format!("{verb}:{}:{}", Self::part(from), Self::part(of.as_str())))
    }

    /// Returns the cause of an expiry; the entry's number distinguishes a second expiry of the same
    /// date and class.
    pub fn expiry(date: Date, class: LotClass, seq: u64) -> Self {
        Self::composed(format!("expiry:{date}:{}:{seq}", class.as_str()))
    }

    /// Returns the common prefix of the causes of all expiries of a date and class.
    pub fn of_expiry(date: Date, class: LotClass) -> String {
        format!("expiry:{date}:{}:", class.as_str())
    }

    /// Returns the cause of pending points becoming available; the entry's number distinguishes others of that date.
    pub fn activation(date: Date, seq: u64) -> Self {
        Self::composed(format!("activation:{date}:{seq}"))
    }

    /// Returns the cause of the release of a hold that timed out.
    pub fn hold_timeout(hold: &HoldId) -> Self {
        Self::composed(format!("hold-timeout:{}", Self::part(hold.as_str())))
    }

    /// Returns the cause of the `step`-th movement of a refund or dispute of a payment:
    /// `refund:razorpay:rfnd_1:topup_0123456789abcdef0123:1`. The payment is part of it, because a gateway
    /// may use one id for what it reports of several payments.
    pub fn reversal(reversed: &Reversed, step: u32) -> Self {
        let payment = Self::part(reversed.payment.short());
        Self::composed(format!("{}{payment}:{step}", Self::of_reversal(&reversed.id)))
    }

    /// Returns the cause of entry `seq`, which collects what is owed for a refund or dispute.
    pub fn collection(id: &ReversalId, seq: u64) -> Self {
        Self::composed(format!("{}owed:{seq}", Self::of_reversal(id)))
    }

    /// Returns the common prefix of the causes of all movements of a refund or dispute, of whatever
    /// payment.
    pub fn of_reversal(id: &ReversalId) -> String {
        let parts: Vec<String> = id.as_str().splitn(3, ':').map(Self::part).collect();
        format!("{}:", parts.join(":"))
    }
}
