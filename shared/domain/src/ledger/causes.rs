//! What causes entries of any account: orders, transfers, dates, time-outs, and what gateways take back.
//!
//! **Invariant:** each begins with a word of its own, so causes of different kinds never meet.

use crate::cause::Cause;
use crate::ids::{HoldId, OrderId, ReversalId};
use crate::ledger::lot::LotClass;
use crate::time::Date;

impl Cause {
    /// *The* payment of an order.
    pub fn order_payment(order: &OrderId) -> Self {
        Self::composed(format!("order:{}:pay", Self::part(order.as_str())))
    }

    /// The second entry of a movement: `of` is the first one's cause, in the account `from`.
    pub fn counterpart(verb: &str, from: &str, of: &Cause) -> Self {
        Self::composed(format!("{verb}:{}:{}", Self::part(from), Self::part(of.as_str())))
    }

    /// Credit whose date has passed; the entry's number sets apart a second expiry of the same lot.
    pub fn expiry(date: Date, class: LotClass, seq: u64) -> Self {
        Self::composed(format!("expiry:{date}:{}:{seq}", class.as_str()))
    }

    /// What the causes of all expiries of a date and class begin with.
    pub fn of_expiry(date: Date, class: LotClass) -> String {
        format!("expiry:{date}:{}:", class.as_str())
    }

    /// A hold that nobody captured or released in time.
    pub fn hold_timeout(hold: &HoldId) -> Self {
        Self::composed(format!("hold-timeout:{}", Self::part(hold.as_str())))
    }

    /// The `step`-th movement of a refund or dispute: `refund:razorpay:rfnd_1:1`.
    pub fn reversal(id: &ReversalId, step: u32) -> Self {
        Self::composed(format!("{}{step}", Self::of_reversal(id)))
    }

    /// The collection, as entry `seq`, of what is owed for a refund or dispute.
    pub fn collection(id: &ReversalId, seq: u64) -> Self {
        Self::composed(format!("{}owed:{seq}", Self::of_reversal(id)))
    }

    /// What the causes of all movements of a refund or dispute begin with.
    pub fn of_reversal(id: &ReversalId) -> String {
        let parts: Vec<String> = id.as_str().splitn(3, ':').map(Self::part).collect();
        format!("{}:", parts.join(":"))
    }
}
