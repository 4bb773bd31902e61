//! Why a request that was understood is rejected.
//!
//! **Invariant:** the variants are declared in order of precedence: if several apply, the first is
//! returned (errors in the request, then what the caller may not do or know, then the state of the
//! wallet, of the hold, of the order, and last a lack of funds or stock). A replay takes precedence
//! over all of them.

use crate::currency::Currency;
use crate::ids::CustomerId;
use crate::money::Money;
use crate::unit::Unit;

/// A rejection; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The amount has more decimal places than the account's unit.
    #[error("the amount has more decimal places than {unit}")]
    TooPrecise {
        /// The account's unit.
        unit: Unit,
    },
    /// The amount is below the gateway's minimum.
    #[error("the gateway's minimum is {least} {currency}")]
    BelowMinimum {
        /// The gateway's minimum, in major units.
        least: Money,
        /// The currency of the minimum.
        currency: Currency,
    },
    /// The gateway accepts fewer decimal places of the currency than the currency has.
    #[error("the gateway accepts at most {digits} decimal places of {currency}")]
    GatewayTooPrecise {
        /// Decimal places that the gateway accepts.
        digits: u32,
        /// The currency of the amount.
        currency: Currency,
    },
    /// The credit would already have expired, or would expire after the year 9999.
    #[error("the expiry must be in the future")]
    ExpiryNotInFuture,
    /// The source `topup` is reserved for captured payments.
    #[error("the source topup is reserved for captured payments")]
    SourceReserved,
    /// The sender and the recipient are the same wallet.
    #[error("a wallet cannot transfer to itself")]
    SelfTransfer,
    /// Two accounts, or an account and an order, have different currencies.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// The accounts are not a parent and its direct child.
    #[error("credit can only move between an account and its direct child")]
    NotAChild,
    /// The parent has the wrong kind: an agency's parent is the platform, a client's an agency, a
    /// campaign's a client.
    #[error("an account of this kind cannot be a child of this parent")]
    WrongParent,
    /// A shared campaign spends its client's credit and has none of its own.
    #[error("a shared campaign spends its client's credit and has none of its own")]
    SharedCampaign,
    /// Only campaigns have a budget mode.
    #[error("only a campaign has a budget mode")]
    NotACampaign,
    /// Only agencies have a list of allowed brands.
    #[error("only an agency has a list of allowed brands")]
    NotAnAgency,
    /// The number of slices can be increased, up to 64, and never reduced.
    #[error("an account has 1 to 64 slices, and the number cannot be reduced")]
    InvalidSliceCount,
    /// The brand has no cards of this denomination.
    #[error("the brand has no such denomination")]
    NoSuchDenomination,
    /// The hold was placed by a caller with a different role, and the caller is not staff.
    #[error("the hold was placed by a caller with a different role")]
    NotYourHold,
    /// The campaign's agency may not use this brand.
    #[error("the campaign's agency may not use this brand")]
    BrandNotAllowed,
    /// The budget account does not exist.
    #[error("there is no such account")]
    AccountNotFound,
    /// The brand does not exist.
    #[error("there is no such brand")]
    BrandNotFound,
    /// The pool does not exist.
    #[error("there is no such pool")]
    PoolNotFound,
    /// The redemption does not exist.
    #[error("there is no such redemption")]
    RedemptionNotFound,
    /// The alert does not exist.
    #[error("there is no such alert")]
    AlertNotFound,
    /// The wallet does not exist.
    #[error("there is no such wallet")]
    WalletNotFound(CustomerId),
    /// The hold does not exist.
    #[error("there is no such hold")]
    HoldNotFound,
    /// This customer has no such top-up.
    #[error("there is no such top-up")]
    TopUpNotFound,
    /// This customer has no such order.
    #[error("this customer has no such order")]
    OrderNotFound,
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    /// The code has already been redeemed, for a card of another brand or denomination.
    #[error("the code has already been redeemed for another brand or denomination")]
    AlreadyRedeemed,
    /// The account is paused, closing or closed.
    #[error("the budget is paused, closing or closed")]
    BudgetPaused,
    /// The account has credit, reservations or open accounts below it.
    #[error("the account has credit, reservations or open accounts below it")]
    AccountNotEmpty,
    /// The customer already has a wallet.
    #[error("the customer already has a wallet")]
    WalletExists,
    /// The wallet is suspended: no debits, credits or transfers.
    #[error("the wallet of {0} is suspended")]
    AccountSuspended(CustomerId),
    /// The wallet is frozen: no debits.
    #[error("the wallet of {0} is frozen")]
    AccountFrozen(CustomerId),
    /// The hold was captured or released in full.
    #[error("the hold is closed")]
    HoldClosed,
    /// The hold has timed out.
    #[error("the hold has expired")]
    HoldExpired,
    /// The capture exceeds what remains of the hold.
    #[error("the capture exceeds what remains of the hold")]
    CaptureExceedsHold,
    /// There are as many open objects of this kind as their owner may have.
    #[error("no more than {most} {what} may be open at once")]
    TooManyOpen {
        /// Kind of object, in the plural.
        what: &'static str,
        /// Maximum number.
        most: u32,
    },
    /// The wallet has the maximum number of open holds.
    #[error("the wallet has too many open holds")]
    TooManyHolds,
    /// The order is registered with a different customer, total or currency.
    #[error("the order is already registered with a different customer, total or currency")]
    OrderExists,
    /// The order has already been paid by a different payment.
    #[error("the order has already been paid by a different payment")]
    OrderAlreadyPaid,
    /// The payment exceeds what is due for the order.
    #[error("the payment exceeds what is due for the order")]
    PaymentExceedsDue,
    /// The refund exceeds what remains of this wallet's payments for the order.
    #[error("the refund exceeds what this wallet paid for the order")]
    RefundExceedsPayment,
    /// The wallet has too little credit.
    #[error("the wallet has too little credit")]
    InsufficientFunds {
        /// What can be spent, in `unit`.
        available: Money,
        /// What was requested, in `unit`.
        required: Money,
        /// The account's unit.
        unit: Unit,
    },
    /// A budget has too little credit.
    #[error("the budget has too little credit")]
    BudgetShort {
        /// What can be spent, in `currency`.
        available: Money,
        /// What was requested, in `currency`.
        required: Money,
        /// The currency of the budget.
        currency: Currency,
    },
    /// No pool has a matching card, and no supplier delivers one.
    #[error("no card of this brand and denomination is in stock")]
    OutOfStock,
    /// The supplier rejected the order.
    #[error("the supplier rejected the order")]
    SupplierRejected,
    /// The limit of orders that wait for suppliers has been reached.
    #[error("too many orders are waiting for suppliers; nothing was applied, retry when some are resolved")]
    SuppliersBusy,
    /// A rule of loyalty does not allow the request.
    #[error(transparent)]
    Loyalty(#[from] LoyaltyRejection),
    /// A row of an import is not applied.
    #[error(transparent)]
    Import(#[from] ImportRejection),
    /// The stored state contradicts itself; nothing is changed until an operator has investigated.
    #[error("the stored state is inconsistent: {0}")]
    Inconsistent(&'static str),
}

/// Why a row of an import is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRejection {
    /// There is such an account, which is not as the row says.
    #[error("it exists, and is not as the row says")]
    ExistsDifferently,
    /// Another wallet has the referral code.
    #[error("another wallet has this referral code")]
    ReferralCodeTaken,
    /// Some of the credit has expired.
    #[error("some of the credit has expired")]
    LotExpired,
    /// The lots do not sum to the balance.
    #[error("the lots do not sum to the balance")]
    LotsDifferFromBalance,
    /// There is no such parent.
    #[error("there is no such parent")]
    ParentNotFound,
}

impl ImportRejection {
    /// Returns the contract's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::ExistsDifferently => "exists_differently",
            Self::ReferralCodeTaken => "referral_code_taken",
            Self::LotExpired => "lot_expired",
            Self::LotsDifferFromBalance => "lots_differ_from_balance",
            Self::ParentNotFound => "parent_not_found",
        }
    }
}

/// Why a request about loyalty is rejected; in order of precedence, too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoyaltyRejection {
    /// An amount in a field has more decimal places than the account's unit.
    #[error("has more digits than {unit}")]
    TooPreciseAt {
        /// The field.
        field: &'static str,
        /// The unit.
        unit: Unit,
    },
    /// The purchase lies in the future, or more than 400 days in the past.
    #[error("must be at most 5 minutes ahead and at most 400 days ago")]
    OccurredOutOfRange,
    /// The lines of the purchase are not valid.
    #[error("{0}")]
    InvalidLines(&'static str),
    /// The purchase would earn more points than an account can have.
    #[error("the purchase would earn too many points")]
    TooManyPoints,
    /// The program has no such tier.
    #[error("the program has no such tier")]
    UnknownTier,
    /// There is no such purchase.
    #[error("there is no such purchase")]
    PurchaseNotFound,
    /// There is no such campaign.
    #[error("there is no such campaign")]
    CampaignNotFound,
    /// There is no such reward.
    #[error("there is no such reward")]
    RewardNotFound,
    /// No wallet has this referral code.
    #[error("no wallet has this referral code")]
    CodeNotFound,
    /// The customer was not referred.
    #[error("this customer was not referred")]
    ReferralNotFound,
    /// A customer refers themselves.
    #[error("a customer cannot refer themselves")]
    SelfReferral,
    /// The customer has claimed the reward for another order, or for none.
    #[error("the customer has claimed this reward")]
    RewardAlreadyClaimed,
    /// The customer was referred by another, or for another bonus.
    #[error("the customer has already been referred")]
    ReferralAlreadyApplied,
    /// The reward is inactive, has not begun, or has ended.
    #[error("the reward cannot be claimed now")]
    RewardNotActive,
    /// The purchase is too small, or of other products than the reward is for.
    #[error("the purchase does not qualify for this reward")]
    RewardNotApplicable,
    /// Every use of the reward was claimed.
    #[error("every use of this reward has been claimed")]
    RewardExhausted,
    /// The referral would close a circle.
    #[error("the referral would close a circle")]
    ReferralCycle,
    /// The referrer has referred as many customers as the program allows.
    #[error("the referrer has referred as many customers as the program allows")]
    ReferralLimitReached,
    /// There is no such voucher.
    #[error("there is no such voucher")]
    VoucherNotFound,
    /// The voucher is paused, not for sale yet or no longer, or has another price.
    #[error("the voucher cannot be bought now at this price")]
    VoucherUnavailable,
    /// The voucher is for members of other tiers.
    #[error("the voucher is for members of another tier")]
    TierRequired {
        /// The lowest of those tiers.
        tier: String,
    },
    /// The customer has bought as many of the voucher as they may.
    #[error("the customer has bought as many of this voucher as they may")]
    VoucherLimitReached,
    /// The booking or payment has earned for another customer, amount or currency.
    #[error("the purchase has earned for another customer, amount or currency")]
    PurchaseExists,
    /// The booking was cancelled: it earns and locks no more.
    #[error("the booking was cancelled")]
    BookingCancelled,
    /// What the quote depended on has changed.
    #[error("the rules have changed since the quote")]
    RulesChanged,
    /// The rules have another latest version, or one that is scheduled.
    #[error("the rules have another latest version, or one that is scheduled")]
    VersionConflict,
    /// The booking has another redemption, which is open or confirmed.
    #[error("the booking has another redemption")]
    BookingHasRedemption,
    /// The refund was reported with other amounts.
    #[error("the refund was reported with other amounts")]
    RefundExists,
    /// The purchase has as many refunds as it can have.
    #[error("a purchase has at most 100 refunds")]
    TooManyRefunds,
    /// Points do not pay together with a coupon.
    #[error("points do not pay together with a coupon")]
    NotCombinable,
    /// A rule limits the points that may be redeemed.
    #[error("at most {limit_points} points: limited by {limited_by}")]
    RedemptionPolicy {
        /// The points that the rule allows.
        limit_points: u64,
        /// The rule.
        limited_by: &'static str,
    },
    /// More is confirmed than was locked.
    #[error("the confirmation exceeds what was locked")]
    ConfirmExceedsRedemption,
    /// The redemption was confirmed or released.
    #[error("the redemption is closed")]
    RedemptionClosed,
    /// The redemption has timed out.
    #[error("the redemption has expired")]
    RedemptionExpired,
    /// The customer has too few points.
    #[error("there are too few points")]
    InsufficientPoints {
        /// Points that can be spent.
        available: Money,
        /// Points that were requested.
        required: Money,
        /// What the two are worth.
        values: [Money; 2],
        /// The currency of the values.
        currency: Currency,
    },
}
