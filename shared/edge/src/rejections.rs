//! The single mapping from rejections to problems.
//!
//! **Invariant:** the mapping is exhaustive without a catch-all arm, so a new rejection cannot be
//! forgotten.

use crate::problem::{PointsLimit, Problem, Shortfall};
use domain::money::Money;
use domain::rejection::{ImportRejection, LoyaltyRejection, Rejection};
use domain::unit::Unit;
use http::StatusCode;
use store::StoreError;

const EXPIRY: &str = "the expiry must be tomorrow or later, and before the year 10000";

fn short_of_funds([available, required]: [Money; 2], unit: Unit, detail: String) -> Problem {
    Problem::short("insufficient_funds", Shortfall { available, required, unit, values: None }, detail)
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        let bad = |code| Self::new(StatusCode::BAD_REQUEST, code, detail.clone());
        match rejection {
            Rejection::TooPrecise { unit } => Self::field("/amount", format!("has more digits than {unit}")),
            Rejection::BelowMinimum { least, currency } => {
                Self::field("/amount", format!("must be at least {} {currency}", currency.format(least)))
            }
            Rejection::GatewayTooPrecise { .. } => Self::field("/amount", detail),
            Rejection::ExpiryNotInFuture => Self::field("/expires_on", EXPIRY),
            Rejection::SourceReserved => Self::field("/source", "is reserved for captured payments"),
            Rejection::SelfTransfer => bad("self_transfer"),
            Rejection::CurrencyMismatch => bad("currency_mismatch"),
            Rejection::NotAChild => bad("not_a_child"),
            Rejection::WrongParent => Self::field("/parent_id", detail),
            Rejection::SharedCampaign => Self::field("/to_account_id", detail),
            Rejection::NotACampaign => conflict("not_a_campaign").at("/budget_mode"),
            Rejection::NotAnAgency => conflict("not_an_agency").at("/brands"),
            Rejection::InvalidSliceCount => conflict("too_few_slices").at("/slices"),
            Rejection::NoSuchDenomination => {
                Self::missing("denomination_not_found", detail).at("/denomination")
            }
            Rejection::AccountNotFound => Self::missing("account_not_found", detail),
            Rejection::BrandNotFound => Self::missing("brand_not_found", detail),
            Rejection::PoolNotFound => Self::missing("pool_not_found", detail),
            Rejection::RedemptionNotFound => Self::missing("redemption_not_found", detail),
            Rejection::AlertNotFound => Self::missing("alert_not_found", detail),
            Rejection::BrandNotAllowed | Rejection::NotYourHold => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            Rejection::WalletNotFound(_) => Self::wallet_not_found(),
            Rejection::HoldNotFound => Self::hold_not_found(),
            Rejection::TopUpNotFound => Self::topup_not_found(),
            Rejection::OrderNotFound => Self::new(StatusCode::NOT_FOUND, "order_not_found", detail),
            Rejection::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            Rejection::WalletExists => conflict("wallet_exists"),
            Rejection::AccountSuspended(_) => conflict("account_suspended"),
            Rejection::AccountFrozen(_) => conflict("account_frozen"),
            Rejection::HoldClosed => conflict("hold_closed"),
            Rejection::HoldExpired => conflict("hold_expired"),
            Rejection::CaptureExceedsHold => conflict("capture_exceeds_hold"),
            Rejection::TooManyOpen { .. } => conflict("too_many_open"),
            Rejection::TooManyHolds => conflict("too_many_holds"),
            Rejection::OrderExists => conflict("order_exists"),
            Rejection::OrderAlreadyPaid => conflict("order_already_paid"),
            Rejection::PaymentExceedsDue => conflict("payment_exceeds_due"),
            Rejection::RefundExceedsPayment => conflict("refund_exceeds_payment"),
            Rejection::AlreadyRedeemed => conflict("already_redeemed"),
            Rejection::BudgetPaused => conflict("budget_paused"),
            Rejection::AccountNotEmpty => conflict("account_not_empty"),
            Rejection::OutOfStock => conflict("out_of_stock"),
            Rejection::SupplierRejected => conflict("supplier_rejected"),
            Rejection::SuppliersBusy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "contention", detail).retry(60)
            }
            Rejection::InsufficientFunds { available, required, unit } => {
                short_of_funds([available, required], unit, detail)
            }
            Rejection::BudgetShort { available, required, currency } => {
                short_of_funds([available, required], currency.into(), detail)
            }
            Rejection::Loyalty(rejection) => Self::from(rejection),
            Rejection::Import(rejection) => Self::from(rejection),
            Rejection::Inconsistent(_) => Self::from(StoreError::Corrupt(detail)),
        }
    }
}

impl From<LoyaltyRejection> for Problem {
    fn from(rejection: LoyaltyRejection) -> Self {
        let detail = rejection.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        match rejection {
            LoyaltyRejection::TooPreciseAt { field, .. } => Self::field(format!("/{field}"), detail),
            LoyaltyRejection::OccurredOutOfRange => Self::field("/occurred_at", detail),
            LoyaltyRejection::InvalidLines(why) => Self::field("/lines", why),
            LoyaltyRejection::TooManyPoints => Self::field("/amount", detail),
            LoyaltyRejection::UnknownTier => Self::field("/tier", detail),
            LoyaltyRejection::PurchaseNotFound => Self::missing("purchase_not_found", detail),
            LoyaltyRejection::CampaignNotFound => Self::missing("campaign_not_found", detail),
            LoyaltyRejection::RewardNotFound => Self::missing("reward_not_found", detail),
            LoyaltyRejection::CodeNotFound => Self::missing("code_not_found", detail),
            LoyaltyRejection::ReferralNotFound => Self::missing("referral_not_found", detail),
            LoyaltyRejection::SelfReferral => Self::new(StatusCode::BAD_REQUEST, "self_referral", detail),
            LoyaltyRejection::RewardAlreadyClaimed => conflict("reward_already_claimed"),
            LoyaltyRejection::ReferralAlreadyApplied => conflict("referral_already_applied"),
            LoyaltyRejection::RewardNotActive => conflict("reward_not_active"),
            LoyaltyRejection::RewardNotApplicable => conflict("reward_not_applicable"),
            LoyaltyRejection::RewardExhausted => conflict("reward_exhausted"),
            LoyaltyRejection::ReferralCycle => conflict("referral_cycle"),
            LoyaltyRejection::ReferralLimitReached => conflict("referral_limit_reached"),
            LoyaltyRejection::VoucherNotFound => Self::missing("voucher_not_found", detail),
            LoyaltyRejection::VoucherUnavailable => conflict("voucher_unavailable"),
            LoyaltyRejection::TierRequired { ref tier } => conflict("tier_required").of_tier(tier),
            LoyaltyRejection::VoucherLimitReached => conflict("voucher_limit_reached"),
            LoyaltyRejection::PurchaseExists => conflict("purchase_exists"),
            LoyaltyRejection::BookingCancelled => conflict("booking_cancelled"),
            LoyaltyRejection::BookingHasRedemption => conflict("booking_has_redemption"),
            LoyaltyRejection::RulesChanged => conflict("rules_changed"),
            LoyaltyRejection::VersionConflict => conflict("version_conflict"),
            LoyaltyRejection::RefundExists => conflict("refund_exists"),
            LoyaltyRejection::TooManyRefunds => conflict("too_many_refunds"),
            LoyaltyRejection::NotCombinable => conflict("not_combinable"),
            LoyaltyRejection::RedemptionPolicy { limit_points, limited_by } => {
                conflict("redemption_policy").limited(PointsLimit { points: limit_points, by: limited_by })
            }
            LoyaltyRejection::ConfirmExceedsRedemption => conflict("confirm_exceeds_redemption"),
            LoyaltyRejection::RedemptionClosed => conflict("redemption_closed"),
            LoyaltyRejection::RedemptionExpired => conflict("redemption_expired"),
            LoyaltyRejection::InsufficientPoints { available, required, values, currency } => {
                let (unit, values) = (Unit::Points, Some((values, currency)));
                Self::short("insufficient_points", Shortfall { available, required, unit, values }, detail)
            }
        }
    }
}

impl From<ImportRejection> for Problem {
    fn from(rejection: ImportRejection) -> Self {
        Self::new(StatusCode::CONFLICT, rejection.code(), rejection.to_string())
    }
}
