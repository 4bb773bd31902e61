//! Parses requests that lock points, and confirm or release a lock.
//!
//! **Invariant:** an owner never states a charge: it is what is due of an order that a service registered.

use crate::input::{AmountOrZero, PointsInput, Sent};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::{BookingId, CustomerId, HoldId, OrderId, PaymentId};
use domain::loyalty::confirm::{ConfirmRedemption, ReleaseRedemption};
use domain::loyalty::lock::RedeemPoints;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::text::FreeText;
use edge::input::{NumberInput, Text};
use edge::{ApiRequest, Problem, request, schema};
use serde_json::Value;

/// Default time of a lock: 15 minutes.
const LOCK_SECONDS: u32 = 900;

/// A lock's time in seconds, 60 to 86 400.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockSeconds(u32);

impl Text for LockSeconds {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let seconds = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let within = seconds.filter(|seconds| (60..=86_400).contains(seconds));
        within.map(Self).ok_or(ParseError("must be a whole number of seconds from 60 to 86400"))
    }

    fn schema() -> Value {
        schema::whole(60, 86_400)
    }
}

request! {
    /// Points locked for a booking.
    pub(crate) struct LockPointsRequest {
        /// How many; the fewest of the same value are locked.
        points: PointsInput,
        /// The booking; for owners, a registered order of theirs.
        booking_id: Sent<BookingId>,
        /// For services: the charge after coupons and before points.
        charge: Option<Amount>,
        /// ISO 4217 code; defaults to the program's currency.
        currency: Option<Currency>,
        /// What a coupon has taken off; defaults to 0.
        coupon_discount: Option<AmountOrZero>,
        /// Time until the lock ends by itself; defaults to 15 minutes.
        expires_in_seconds: Option<NumberInput<LockSeconds>>,
        /// Description, as free text.
        description: Option<FreeText>,
    }
}

pub(crate) fn redeem(request: &ApiRequest, user: CustomerId) -> Result<RedeemPoints, Problem> {
    let is_owner = request.actor()?.owns(&user);
    let sent = LockPointsRequest::read(request.fields()?)?;
    match (is_owner, sent.charge) {
        (true, Some(_)) => {
            return Err(Problem::field("/charge", "must not be sent: it is what is due of the order"));
        }
        (false, None) => return Err(Problem::field("/charge", "is required")),
        (true, None) | (false, Some(_)) => {}
    }
    if is_owner && OrderId::parse(sent.booking_id.0.as_str()).is_err() {
        return Err(Problem::field("/booking_id", "is a reserved word"));
    }
    Ok(RedeemPoints {
        user,
        points: sent.points.0,
        booking_id: sent.booking_id.0,
        charge: sent.charge,
        currency: sent.currency,
        coupon_discount: sent.coupon_discount.and_then(|coupon| coupon.0),
        ttl_seconds: sent.expires_in_seconds.map_or(LOCK_SECONDS, |NumberInput(seconds)| seconds.0),
        description: sent.description,
        cause: Cause::of_request(Operation::Redeem, request.key()?.as_ref(), request.id()),
    })
}

request! {
    /// Locked points that are taken.
    pub(crate) struct ConfirmRequest {
        /// How many; defaults to all, and the rest goes back.
        points: Option<PointsInput>,
        /// The payment of the rest.
        payment_id: Option<Sent<PaymentId>>,
        /// Whether a lock is taken that has ended; defaults to false.
        late: Option<bool>,
    }
}

request! {
    /// Locked points that are taken.
    pub(crate) struct ConfirmTokenRequest {
        /// The redemption.
        token: LockToken,
        /// How many; defaults to all, and the rest goes back.
        points: Option<PointsInput>,
        /// The payment of the rest.
        payment_id: Option<Sent<PaymentId>>,
        /// Whether a lock is taken that has ended; defaults to false.
        late: Option<bool>,
    }
}

/// The token of a redemption.
#[derive(Clone, Debug)]
pub(crate) struct LockToken(pub(crate) HoldId);

impl LockToken {
    pub(crate) fn parse_text(text: &str) -> Result<HoldId, ParseError> {
        HoldId::parse_of(domain::ids::AccountKind::Points, text)
    }
}

impl Text for LockToken {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_text(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^lock_[A-Za-z0-9_-]{2,171}\\.[0-9a-f]{20}$")
    }
}

/// What a confirmation says beside its token.
pub(crate) struct Confirmation {
    pub(crate) token: HoldId,
    points: Option<PointsInput>,
    payment_id: Option<Sent<PaymentId>>,
    late: Option<bool>,
}

impl Confirmation {
    pub(crate) fn command(self, booking_id: BookingId) -> ConfirmRedemption {
        ConfirmRedemption {
            token: self.token,
            booking_id,
            points: self.points.map(|points| points.0),
            payment_id: self.payment_id.map(|id| id.0),
            late: self.late.unwrap_or(false),
        }
    }
}

pub(crate) fn confirm(request: &ApiRequest, token: HoldId) -> Result<Confirmation, Problem> {
    let ConfirmRequest { points, payment_id, late } = ConfirmRequest::read(request.fields()?)?;
    request.key()?;
    Ok(Confirmation { token, points, payment_id, late })
}

pub(crate) fn confirm_token(request: &ApiRequest) -> Result<Confirmation, Problem> {
    let sent = ConfirmTokenRequest::read(request.fields()?)?;
    request.key()?;
    let ConfirmTokenRequest { token, points, payment_id, late } = sent;
    Ok(Confirmation { token: token.0, points, payment_id, late })
}

request! {
    /// Locked points that are released.
    pub(crate) struct ReleaseRequest {
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

request! {
    /// Locked points that are released.
    pub(crate) struct ReleaseTokenRequest {
        /// The redemption.
        token: LockToken,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

pub(crate) fn release(request: &ApiRequest, token: HoldId) -> Result<ReleaseRedemption, Problem> {
    let ReleaseRequest { reason } = ReleaseRequest::read(request.fields()?)?;
    request.key()?;
    let is_revocable = request.actor()?.owns(token.customer());
    Ok(ReleaseRedemption { token, reason, is_revocable })
}

pub(crate) fn release_token(request: &ApiRequest) -> Result<ReleaseRedemption, Problem> {
    let ReleaseTokenRequest { token, reason } = ReleaseTokenRequest::read(request.fields()?)?;
    request.key()?;
    let is_revocable = request.actor()?.owns(token.0.customer());
    Ok(ReleaseRedemption { token: token.0, reason, is_revocable })
}
