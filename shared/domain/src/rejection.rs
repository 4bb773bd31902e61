//! Why a request that was understood is refused.
//!
//! **Invariant:** the variants stand in order of precedence: where several apply, the first is answered
//! (mistakes in the request, then what the caller may not do or know, then the state of the wallet, of the
//! hold, of the order, and last the lack of funds). A replay beats them all.

use crate::currency::Currency;
use crate::ids::CustomerId;
use crate::money::Money;

/// A refusal; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The amount has more digits than the account's currency.
    #[error("the amount has more digits than {currency}")]
    TooPrecise {
        /// The account's currency.
        currency: Currency,
    },
    /// The gateway takes no less.
    #[error("the gateway takes no less than {least} {currency}")]
    BelowMinimum {
        /// What it takes at least.
        least: Money,
        /// In which currency.
        currency: Currency,
    },
    /// Credit would be expired already, or live past the year 9999.
    #[error("the expiry must lie in the future")]
    ExpiryNotInFuture,
    /// Source `topup` is reserved for captured payments.
    #[error("the source topup is reserved for captured payments")]
    SourceReserved,
    /// From a wallet to itself.
    #[error("a wallet cannot transfer to itself")]
    SelfTransfer,
    /// Two accounts, or an account and an order, of different currencies.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// The caller may not do this to this hold.
    #[error("the hold was placed by another side")]
    NotYourHold,
    /// No such wallet.
    #[error("there is no such wallet")]
    WalletNotFound(CustomerId),
    /// No such hold.
    #[error("there is no such hold")]
    HoldNotFound,
    /// No such top-up of this customer.
    #[error("there is no such top-up")]
    TopUpNotFound,
    /// No such order of this customer.
    #[error("there is no such order of this customer")]
    OrderNotFound,
    /// The key was used for another request.
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    /// The customer has a wallet.
    #[error("the customer has a wallet already")]
    WalletExists,
    /// No debits, credits or transfers.
    #[error("the wallet of {0} is suspended")]
    AccountSuspended(CustomerId),
    /// No debits.
    #[error("the wallet of {0} is frozen")]
    AccountFrozen(CustomerId),
    /// Captured or released in full.
    #[error("the hold is closed")]
    HoldClosed,
    /// Its time has passed.
    #[error("the hold has expired")]
    HoldExpired,
    /// More than is left of the hold.
    #[error("the capture exceeds what is left of the hold")]
    CaptureExceedsHold,
    /// The wallet has as many open holds as it may.
    #[error("the wallet has too many open holds")]
    TooManyHolds,
    /// The order is registered with another customer, total or currency.
    #[error("the order is registered differently")]
    OrderExists,
    /// *The* payment of the order has been made, with another amount.
    #[error("the order has been paid differently")]
    OrderAlreadyPaid,
    /// More than is left to pay.
    #[error("the payment exceeds what is due for the order")]
    PaymentExceedsDue,
    /// More than is left of what this wallet paid.
    #[error("the refund exceeds what this wallet paid for the order")]
    RefundExceedsPayment,
    /// Too little credit.
    #[error("the wallet has too little credit")]
    InsufficientFunds {
        /// What could be spent.
        available: Money,
        /// What was asked for.
        required: Money,
        /// In which currency.
        currency: Currency,
    },
    /// The stored state contradicts itself; nothing is done until someone has looked.
    #[error("the stored state is inconsistent: {0}")]
    Inconsistent(&'static str),
}
