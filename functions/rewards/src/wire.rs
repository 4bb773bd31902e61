//! Parses requests into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::actor::Role;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::giftcard::code::{self, RedemptionCode};
use domain::ids::{CustomerId, OrderId, ReferralCode, RewardId};
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::rewards::claim::ClaimReward;
use domain::rewards::program::ReferralProgramChange;
use domain::rewards::reward::{CreateReward, RewardChange, RewardStatus, RewardTerms};
use domain::text::FreeText;
use domain::time::Timestamp;
use edge::input::{ExpiryDays, List, NonBlankText, NumberInput, Text};
use edge::request::Clearable;
use edge::values::{AmountOrZero, Instant, ProductName, names};
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};

const MORE_DIGITS: &str = "has more digits than the currency";

edge::whole_numbers! {
    /// How many customers can claim a reward.
    pub(crate) Uses(u64): 1 to 1_000_000_000, "";
    /// How many customers one customer can refer.
    pub(crate) Referrals(u64): 1 to 1_000_000_000, "";
    /// A version on which a change builds.
    pub(crate) Version(u32): 1 to 1_000_000, "";
}

/// The id of a reward.
#[derive(Clone, Debug)]
pub(crate) struct RewardName(pub(crate) RewardId);

impl Text for RewardName {
    fn parse(text: &str) -> Result<Self, ParseError> {
        RewardId::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^rwd_[0-9a-f]{20}$")
    }
}

/// A referral code, as people write it.
#[derive(Clone, Debug)]
pub(crate) struct WrittenCode(ReferralCode);

impl Text for WrittenCode {
    fn parse(text: &str) -> Result<Self, ParseError> {
        RedemptionCode::parse(text).map(|code| Self(ReferralCode::stored(code.folded())))
    }

    fn schema() -> Value {
        let scientific = json!({"not": schema::pattern(code::SCIENTIFIC_PATTERN), "examples": ["XW3K7Q2M"]});
        let bounds = json!({"maxLength": code::MAX_WRITTEN_LENGTH});
        schema::with(schema::with(schema::pattern(code::CODE_PATTERN), bounds), scientific)
    }
}

/// A status that callers set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetStatus(bool);

impl Text for SetStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match RewardStatus::parse(text) {
            Ok(RewardStatus::Active) => Ok(Self(true)),
            Ok(RewardStatus::Inactive) => Ok(Self(false)),
            Ok(RewardStatus::Expired) | Err(_) => Err(ParseError("must be ACTIVE or INACTIVE")),
        }
    }

    fn schema() -> Value {
        schema::words(["ACTIVE", "INACTIVE"])
    }
}

edge::segments! {
    /// `{reward_id}`
    pub(crate) RewardPath: "reward_id", RewardName, "Id of the reward";
    /// `{referred_id}`
    pub(crate) ReferredPath: "referred_id", CustomerId, "Id of the customer who was referred";
}

request! {
    /// A new reward.
    pub(crate) struct CreateRewardRequest {
        /// What it is called.
        name: NonBlankText,
        /// What it is.
        description: Option<FreeText>,
        /// What a claim credits.
        credit_amount: Amount,
        /// ISO 4217 code; defaults to the deployment's currency.
        currency: Option<Currency>,
        /// The least purchase for which it can be claimed; defaults to 0.
        min_purchase_amount: Option<AmountOrZero>,
        /// How many customers can claim it; null or absent: no limit.
        max_uses: Option<NumberInput<Uses>>,
        /// From when it can be claimed; defaults to now.
        valid_from: Option<Instant>,
        /// Until when it can be claimed; null or absent: it does not end.
        valid_until: Option<Instant>,
        /// The products and categories that it is for; all purchases if none is named.
        applicable_to: Option<List<ProductName, 0, 200>>,
        /// Days until the credit expires; defaults to those of the wallet's tier.
        credit_expiry_days: Option<NumberInput<ExpiryDays>>,
    }
    check(fields, currency_here: Currency) {
        let currency = currency.unwrap_or(currency_here);
        if credit_amount.is_ok_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("credit_amount", MORE_DIGITS);
        }
        if min_purchase_amount.is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("min_purchase_amount", MORE_DIGITS);
        }
        if valid_from.zip(valid_until).is_some_and(|(from, until)| until.0 <= from.0) {
            fields.offend("valid_until", "must be after valid_from");
        }
    }
    rules [
        schema::whole_in_whole_currencies("credit_amount", false),
        schema::whole_in_whole_currencies("min_purchase_amount", true)
    ]
}

request! {
    /// A change of a reward; omitted fields stay as they are.
    pub(crate) struct ChangeRewardRequest {
        /// What it is called.
        name: Option<NonBlankText>,
        /// What it is.
        description: Clearable<FreeText>,
        /// ACTIVE or INACTIVE.
        status: Option<SetStatus>,
        /// How many customers can claim it; null: no limit. A lower limit takes free uses away.
        max_uses: Clearable<NumberInput<Uses>>,
        /// Until when it can be claimed; null: it does not end.
        valid_until: Clearable<Instant>,
        /// The products and categories that it is for.
        applicable_to: Option<List<ProductName, 0, 200>>,
        /// The least purchase for which it can be claimed.
        min_purchase_amount: Option<AmountOrZero>,
    }
}

request! {
    /// A claim of a reward.
    pub(crate) struct ApplyRewardRequest {
        /// The reward.
        reward_id: RewardName,
        /// A registered order of the customer, which proves a purchase.
        order_id: Option<OrderId>,
        /// The amount of a purchase, as a trusted backend states it.
        purchase_amount: Option<Amount>,
        /// The products of a purchase, as a trusted backend states them.
        product_ids: Option<List<ProductName, 0, 100>>,
    }
    check(fields, is_owner: bool) {
        for name in ["purchase_amount", "product_ids"] {
            if is_owner && fields.is_sent(name) {
                fields.offend(name, "is stated by a trusted backend only; name an order_id");
            }
        }
    }
}

request! {
    /// A referral.
    pub(crate) struct ApplyReferralRequest {
        /// Who refers; this or `referral_code`.
        referrer_id: Option<CustomerId>,
        /// The referral code of who refers, however it is written.
        referral_code: Option<WrittenCode>,
        /// Who is referred; must not be the referrer.
        referred_id: CustomerId,
        /// The referrer's bonus of this referral, for admins; defaults to the program's.
        bonus_amount: Option<Amount>,
    }
    check(fields) {
        let sent = ["referrer_id", "referral_code"].map(|name| fields.is_sent(name));
        if sent == [false, false] {
            fields.offend("referrer_id", "is required without referral_code");
        }
        if sent == [true, true] {
            fields.offend("referral_code", "cannot be combined with referrer_id");
        }
    }
    rules [schema::any_sent(&["referrer_id", "referral_code"]), schema::not_both("referrer_id", "referral_code")]
}

request! {
    /// The reversal of a referral.
    pub(crate) struct ReverseReferralRequest {
        /// Reason, as free text; stored permanently.
        reason: NonBlankText,
    }
}

request! {
    /// A change of the referral program; omitted fields stay as they are.
    pub(crate) struct ChangeReferralProgramRequest {
        /// The version that the change builds on: the latest.
        version: NumberInput<Version>,
        /// What the referrer gets.
        referrer_bonus: Option<Amount>,
        /// What the referred customer gets; may be 0.
        referred_bonus: Option<AmountOrZero>,
        /// Days until the credit expires.
        expiry_days: Option<NumberInput<ExpiryDays>>,
        /// How many customers one customer can refer; null: no limit.
        max_per_referrer: Clearable<NumberInput<Referrals>>,
    }
    check(fields, currency: Currency) {
        if referrer_bonus.is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("referrer_bonus", MORE_DIGITS);
        }
        if referred_bonus.is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("referred_bonus", MORE_DIGITS);
        }
    }
}

pub(crate) fn create(request: &ApiRequest, app: &App, now: Timestamp) -> Result<CreateReward, Problem> {
    let currency_here = app.policy.currency();
    let sent = CreateRewardRequest::read(request.fields()?, currency_here)?;
    let currency = sent.currency.unwrap_or(currency_here);
    let cause = Cause::of_request(Operation::CreateReward, request.key()?.as_ref(), request.id());
    let least =
        sent.min_purchase_amount.map(|amount| amount.in_currency(currency).ok_or_else(Problem::internal));
    let terms = RewardTerms {
        name: sent.name.0,
        description: sent.description,
        credit_amount: sent.credit_amount.in_currency(currency).ok_or_else(Problem::internal)?,
        currency,
        min_purchase_amount: least.transpose()?.unwrap_or_default(),
        max_uses: sent.max_uses.map(|uses| uses.0.0),
        valid_from: sent.valid_from.map_or(now, |at| at.0),
        valid_until: sent.valid_until.map(|at| at.0),
        applicable_to: names(sent.applicable_to),
        credit_expiry_days: sent.credit_expiry_days.map(|days| days.0.0),
    };
    // Without a beginning, the request is the same whenever it is repeated.
    let from = sent.valid_from.map_or(Timestamp::LAST, |at| at.0);
    let named = RewardTerms { valid_from: from, ..terms.clone() };
    let named = serde_json::to_string(&named).map_err(|_| Problem::internal())?;
    Ok(CreateReward { id: RewardId::mint(&cause), terms, sent: named })
}

/// A change of a reward, of which the amount is checked against the reward's currency.
pub(crate) struct SentChange {
    pub(crate) change: RewardChange,
    pub(crate) min_purchase_amount: Option<AmountOrZero>,
}

impl SentChange {
    /// Returns the change in the reward's currency.
    pub(crate) fn in_currency(self, currency: Currency) -> Result<RewardChange, Problem> {
        let exact = |amount: AmountOrZero| {
            amount.in_currency(currency).ok_or_else(|| Problem::field("/min_purchase_amount", MORE_DIGITS))
        };
        let min_purchase_amount: Option<Money> = self.min_purchase_amount.map(exact).transpose()?;
        Ok(RewardChange { min_purchase_amount, ..self.change })
    }
}

pub(crate) fn change(request: &ApiRequest) -> Result<SentChange, Problem> {
    let sent = ChangeRewardRequest::read(request.some_fields()?)?;
    request.key()?;
    let change = RewardChange {
        name: sent.name.map(|name| name.0),
        description: sent.description.0,
        is_active: sent.status.map(|status| status.0),
        max_uses: sent.max_uses.0.map(|uses| uses.map(|uses| uses.0.0)),
        valid_until: sent.valid_until.0.map(|until| until.map(|at| at.0)),
        applicable_to: sent.applicable_to.map(|list| names(Some(list))),
        min_purchase_amount: None,
    };
    Ok(SentChange { change, min_purchase_amount: sent.min_purchase_amount })
}

pub(crate) fn claim(request: &ApiRequest) -> Result<ClaimReward, Problem> {
    let is_owner = request.actor()?.role == Role::Customer;
    let sent = ApplyRewardRequest::read(request.fields()?, is_owner)?;
    Ok(ClaimReward {
        customer: request.customer()?,
        reward: sent.reward_id.0,
        order: sent.order_id,
        purchase_amount: sent.purchase_amount,
        products: names(sent.product_ids).into_iter().collect(),
        shards: None,
    })
}

/// Who refers: a customer, or the owner of a code.
pub(crate) enum Referrer {
    Customer(CustomerId),
    Code(ReferralCode),
}

/// A referral, as sent.
pub(crate) struct SentReferral {
    pub(crate) referrer: Referrer,
    pub(crate) referred: CustomerId,
    pub(crate) bonus: Option<Amount>,
}

pub(crate) fn referral(request: &ApiRequest) -> Result<SentReferral, Problem> {
    let sent = ApplyReferralRequest::read(request.fields()?)?;
    let referrer = match (sent.referrer_id, sent.referral_code) {
        (Some(customer), _) => Referrer::Customer(customer),
        (None, Some(code)) => Referrer::Code(code.0),
        (None, None) => return Err(Problem::internal()),
    };
    Ok(SentReferral { referrer, referred: sent.referred_id, bonus: sent.bonus_amount })
}

pub(crate) fn reverse(request: &ApiRequest) -> Result<(CustomerId, FreeText), Problem> {
    let sent = ReverseReferralRequest::read(request.fields()?)?;
    Ok((request.segment::<ReferredPath>()?, sent.reason.0))
}

pub(crate) fn change_program(
    request: &ApiRequest,
    currency: Currency,
) -> Result<(u32, ReferralProgramChange), Problem> {
    let sent = ChangeReferralProgramRequest::read(request.some_fields()?, currency)?;
    request.key()?;
    let change = ReferralProgramChange {
        referrer_bonus: sent.referrer_bonus.and_then(|amount| amount.in_currency(currency)),
        referred_bonus: sent.referred_bonus.and_then(|amount| amount.in_currency(currency)),
        expiry_days: sent.expiry_days.map(|days| days.0.0),
        max_per_referrer: sent.max_per_referrer.0.map(|most| most.map(|most| most.0.0)),
    };
    Ok((sent.version.0.0, change))
}
