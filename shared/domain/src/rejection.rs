//! Why a request that was understood is refused.
//!
//! **Invariant:** the variants stand in order of precedence: where several apply, the first is answered
//! (mistakes in the request, then what the caller may not do or know, then the state of the wallet, of the
//! hold, of the order, and last the lack of funds and of goods). A replay beats them all.

use crate::currency::Currency;
use crate::ids::CustomerId;
use crate::money::Money;
use crate::unit::Unit;

/// A refusal; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The amount has more digits than the account's unit.
    #[error("the amount has more digits than {unit}")]
    TooPrecise {
        /// The account's unit.
        unit: Unit,
    },
    /// The gateway takes no less.
    #[error("the gateway takes no less than {least} {currency}")]
    BelowMinimum {
        /// What it takes at least.
        least: Money,
        /// In which currency.
        currency: Currency,
    },
    /// The gateway takes fewer digits of the currency than the currency has.
    #[error("the gateway takes no more than {digits} digits after the point of {currency}")]
    GatewayTooPrecise {
        /// How many it takes.
        digits: u32,
        /// Of which currency.
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
    /// The account is not a child of the other.
    #[error("credit moves between a parent and its own child only")]
    NotAChild,
    /// An agency's parent is the platform, a client's an agency, a campaign's a client.
    #[error("an account of this kind cannot stand below that one")]
    WrongParent,
    /// A shared campaign spends its client's credit and holds none.
    #[error("a shared campaign spends its client's credit and holds none of its own")]
    SharedCampaign,
    /// Only campaigns have a budget mode.
    #[error("only a campaign has a budget mode")]
    NoCampaign,
    /// Only agencies have brands.
    #[error("only an agency has brands that it may use")]
    NoAgency,
    /// Slices can be added, up to 64, and not taken away.
    #[error("an account has 1 to 64 slices, and never fewer than before")]
    FewerSlices,
    /// The brand has no card of this denomination.
    #[error("the brand has no such denomination")]
    NoSuchDenomination,
    /// The caller may not do this to this hold.
    #[error("the hold was placed by another side")]
    NotYourHold,
    /// The campaign's agency may not use this brand.
    #[error("the campaign's agency may not use this brand")]
    BrandNotAllowed,
    /// No such budget account.
    #[error("there is no such account")]
    AccountNotFound,
    /// No such brand.
    #[error("there is no such brand")]
    BrandNotFound,
    /// No such pool.
    #[error("there is no such pool")]
    PoolNotFound,
    /// No such redemption.
    #[error("there is no such redemption")]
    RedemptionNotFound,
    /// No such alert.
    #[error("there is no such alert")]
    AlertNotFound,
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
    /// The redemption code came to a card of another brand or denomination.
    #[error("the code was redeemed for another brand or denomination")]
    AlreadyRedeemed,
    /// The account is paused, closing or closed.
    #[error("the budget is paused, closing or closed")]
    BudgetPaused,
    /// Credit, reservations or open accounts below are in the way.
    #[error("the account has credit, reservations or open accounts below it")]
    AccountNotEmpty,
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
        /// The account's unit.
        unit: Unit,
    },
    /// A budget has too little credit.
    #[error("the budget has too little credit")]
    BudgetShort {
        /// What could be spent.
        available: Money,
        /// What was asked for.
        required: Money,
        /// In which currency.
        currency: Currency,
    },
    /// No pool has a card, and no supplier delivers one.
    #[error("no card of this brand and denomination is in stock")]
    OutOfStock,
    /// The supplier has said no.
    #[error("the supplier rejected the order")]
    SupplierRejected,
    /// So many orders wait for suppliers that no other may.
    #[error("too many orders wait for suppliers; nothing was applied, try again when some are resolved")]
    SuppliersBusy,
    /// The stored state contradicts itself; nothing is done until someone has looked.
    #[error("the stored state is inconsistent: {0}")]
    Inconsistent(&'static str),
}
