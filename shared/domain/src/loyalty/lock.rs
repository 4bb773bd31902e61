//! Redemption: points are locked for a booking, and confirmed when the rest of it is paid, or released.
//!
//! **Invariant:** a booking has at most one redemption that is open or confirmed.
//! **Invariant:** a lock keeps its point value, whatever changes later, and takes the fewest points of its value.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::keyed_request;
use crate::ids::{BookingId, CustomerId, HoldId, OrderId, PurchaseId, RequestId};
use crate::ledger::account::AccountStatus;
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::Entry;
use crate::ledger::hold::{Hold, HoldStatus, HoldView, MAX_OPEN_HOLDS};
use crate::ledger::hold_moves::{self, NewHold};
use crate::ledger::points::LockTerms;
use crate::loyalty::member::{Member, Setting};
use crate::loyalty::numbers::Points;
use crate::loyalty::record::PurchaseRecord;
use crate::loyalty::redemption::{Charge, point_value};
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite};
use crate::money::{Amount, Money};
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::FreeText;

pub(super) const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a redemption overflow");

/// A redemption as it was after a movement.
#[derive(Clone, Debug)]
pub struct Redeemed {
    /// The token.
    pub token: HoldId,
    /// The redemption.
    pub view: HoldView,
    request: Option<RequestId>,
}

impl Redeemed {
    /// Returns a stored redemption.
    pub fn of(hold: &Hold) -> Self {
        Self { token: hold.id.clone(), view: hold.view.clone(), request: None }
    }

    /// Returns true if a request released it, so that a repetition of that is a replay.
    pub fn was_released_by_request(&self) -> bool {
        self.view.status == HoldStatus::Released
    }

    pub(super) fn by(hold: &Hold, request: &RequestId) -> Self {
        Self { request: Some(request.clone()), ..Self::of(hold) }
    }
}

impl Outcome for Redeemed {
    fn of_entry(entry: Entry) -> Option<Self> {
        let redemption = entry.points.as_ref().and_then(|points| points.redemption.clone());
        let token = entry.hold_id.clone().or(redemption)?;
        Some(Self { token, view: entry.after.hold.clone()?, request: entry.request })
    }

    fn request(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}

keyed_request! {
    /// Locks points for a booking.
    #[derive(Clone, Debug)]
    pub struct RedeemPoints ("redeem") {
        /// The customer.
        pub user: CustomerId => _,
        /// The points, of which the fewest of their value are locked.
        pub points: Points => "points",
        /// The booking.
        pub booking_id: BookingId => "booking_id",
        /// The charge after coupons and before points; `None` if it is what is due of a registered order.
        pub charge: Option<Amount> => "charge",
        /// The currency of the charge.
        pub currency: Option<Currency> => "currency",
        /// What a coupon has taken off.
        pub coupon_discount: Option<Amount> => "coupon_discount",
        /// The time until the lock times out.
        pub ttl_seconds: u32 => "ttl",
        /// The description given by the caller.
        pub description: Option<FreeText> => _,
        /// What makes it happen once.
        pub cause: Cause => _,
    }
}

impl RedeemPoints {
    fn purchase(&self) -> PurchaseId {
        PurchaseId::Booking(self.booking_id.clone())
    }

    fn charge(&self, state: &LoyaltyState, currency: Currency) -> Result<Money, Rejection> {
        if self.currency.is_some_and(|named| named != currency) {
            return Err(Rejection::CurrencyMismatch);
        }
        if let Some(charge) = self.charge {
            let too_precise =
                Rejection::Loyalty(LoyaltyRejection::TooPreciseAt { field: "charge", unit: currency.into() });
            return charge.in_currency(currency).ok_or(too_precise);
        }
        let order = state.order.as_ref().filter(|order| order.customer == self.user);
        let order = order.ok_or(Rejection::OrderNotFound)?;
        if order.currency == currency { Ok(order.due()) } else { Err(Rejection::CurrencyMismatch) }
    }

    fn coupon_discount(&self, currency: Currency) -> Result<Money, Rejection> {
        let too_precise = Rejection::Loyalty(LoyaltyRejection::TooPreciseAt {
            field: "coupon_discount",
            unit: currency.into(),
        });
        let discount = self.coupon_discount.map(|discount| discount.in_currency(currency).ok_or(too_precise));
        Ok(discount.transpose()?.unwrap_or_default())
    }

    /// Returns the write by which the booking names its redemption.
    fn noted(&self, state: &LoyaltyState, token: Option<HoldId>, charge_after: Money) -> LoyaltyWrite {
        let stored = state.purchases.get(&self.purchase());
        let mut record = stored.cloned().unwrap_or_else(|| PurchaseRecord::new(self.purchase()));
        let was = record.version;
        (record.user, record.redemption) = (Some(self.user.clone()), token);
        (record.charge_after, record.version) = (Some(charge_after), was + 1);
        LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false }
    }

    /// Checks that the booking may have a redemption. Returns the one that it has, if it is the same.
    fn existing(
        &self,
        member: &Member,
        state: &LoyaltyState,
        fewest: Points,
    ) -> Result<Option<Redeemed>, Rejection> {
        if member.posting.account.status != AccountStatus::Active {
            return Err(Rejection::AccountFrozen(self.user.clone()));
        }
        let Some(record) = state.purchases.get(&self.purchase()) else { return Ok(None) };
        if record.is_cancelled() {
            return Err(Rejection::Loyalty(LoyaltyRejection::BookingCancelled));
        }
        if record.user.as_ref().is_some_and(|user| *user != self.user) {
            return Err(Rejection::Loyalty(LoyaltyRejection::BookingHasRedemption));
        }
        match newest(member, state, Some(record)) {
            Some(hold) if hold.view.status == HoldStatus::Open => {
                let same = [self.points, fewest].iter().any(|points| points.money() == hold.view.amount);
                let found = Redeemed::by(hold, &RequestId::new(""));
                if same {
                    Ok(Some(found))
                } else {
                    Err(Rejection::Loyalty(LoyaltyRejection::BookingHasRedemption))
                }
            }
            Some(hold) if hold.view.status == HoldStatus::Captured => {
                Err(Rejection::Loyalty(LoyaltyRejection::BookingHasRedemption))
            }
            Some(_) | None => Ok(None),
        }
    }
}

/// Returns the newest redemption of a booking.
pub(super) fn newest<'a>(
    member: &'a Member,
    state: &'a LoyaltyState,
    record: Option<&PurchaseRecord>,
) -> Option<&'a Hold> {
    let token = record?.redemption.as_ref()?;
    member.posting.hold(token).or_else(|| state.locks.get(token))
}

impl Command for RedeemPoints {
    type State = LoyaltyState;
    type Outcome = Redeemed;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        let order =
            self.charge.is_none().then(|| OrderId::parse_stored(self.booking_id.as_str()).ok()).flatten();
        LoyaltyNeeds { purchases: vec![self.purchase()], order, ..LoyaltyNeeds::points(&self.user) }
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Redeemed, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let currency = context.policy.currency();
        let amount = self.charge(state, currency)?;
        let coupon_discount = self.coupon_discount(currency)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let (program, tier) = (member.program()?.clone(), member.tier()?.clone());
        let campaigns = member.rules.campaigns_at(member.posting.now);
        let (each, campaign) = point_value(&program, &campaigns, &tier, amount, member.posting.now);
        let charge = Charge { program: &program, tier: &tier, point_value: each, amount };
        let checked = charge.check(self.points);
        if let Some(found) = self.existing(&member, state, checked.unwrap_or(self.points))? {
            return Ok(Decision::Already(found));
        }
        if member.posting.account.holds.len() >= MAX_OPEN_HOLDS {
            return Err(Rejection::TooManyHolds.into());
        }
        if !program.rules.redemption.coupons_allowed && !coupon_discount.is_zero() {
            return Err(Rejection::Loyalty(LoyaltyRejection::NotCombinable).into());
        }
        let points = checked.map_err(|(limit, most)| {
            Rejection::Loyalty(LoyaltyRejection::RedemptionPolicy {
                limit_points: most.get(),
                limited_by: limit.as_str(),
            })
        })?;
        let available = member.posting.account.available();
        let worth = |points: Money| charge.value(Points::of_money(points).unwrap_or_default());
        let too_few = || {
            Rejection::Loyalty(LoyaltyRejection::InsufficientPoints {
                available,
                required: points.money(),
                values: [worth(available), worth(points.money())],
                currency,
            })
        };
        let lots = member.posting.account.lots.burn(points.money()).ok_or_else(too_few)?;
        let lock = LockTerms {
            booking_id: self.booking_id.clone(),
            currency,
            point_value: each.value(),
            charge: amount,
            coupon_discount,
            campaign_id: campaign.map(|campaign| campaign.id.clone()),
            program_version: program.version,
            returned: Money::ZERO,
            owed: Money::ZERO,
            late: false,
            created_at: member.posting.now,
            revocable: false,
        };
        let new = NewHold {
            key: CauseKey::new(self.cause.clone(), self.fingerprint()),
            lots,
            amount: points.money(),
            reason: self.description.clone(),
            order_id: None,
            ttl_seconds: self.ttl_seconds,
            lock: Some(Box::new(lock)),
        };
        let entry = hold_moves::place(&mut member.posting, new, &setting.context)?;
        let charge_after = amount.saturating_sub(charge.value(points));
        let purchase = self.noted(state, entry.hold_id.clone(), charge_after);
        let outcome = Redeemed::of_entry(entry).ok_or(OVERFLOW)?;
        member.finish(outcome, vec![purchase])
    }
}
