//! A purchase as stored: what it earned, and every change of it since.
//!
//! **Invariant:** what was earned never changes; each change has a number, and an answer is rendered from the earning
//! and the changes up to its number.

use crate::currency::Currency;
use crate::ids::{BookingId, CustomerId, HoldId, PaymentId, PurchaseId, RefundId};
use crate::ledger::hold::{Hold, HoldStatus};
use crate::ledger::points::RulesUsed;
use crate::loyalty::exact::Exact;
use crate::loyalty::explanation::Step;
use crate::loyalty::numbers::{PointValue, Points};
use crate::loyalty::purchase::Purchase;
use crate::loyalty::refunds::Refunds;
use crate::loyalty::tiers::TierChange;
use crate::money::Money;
use crate::time::{Date, Timestamp};
use serde::{Deserialize, Serialize};

/// What a purchase earned, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// The purchase as it was reported.
    pub purchase: Purchase,
    /// The points.
    pub points: Points,
    /// What counts as spend, in the program's currency.
    pub eligible: Money,
    /// The points before they were rounded and limited, to six decimal places.
    pub raw: String,
    /// What a point was worth when it was booked.
    pub point_value: PointValue,
    /// The version of the program.
    pub program_version: u32,
    /// The tier by which it was judged.
    pub tier: String,
    /// The campaigns that gave something, with their versions.
    pub campaigns: Vec<(String, u32)>,
    /// What the day's limit left.
    pub day_left: Option<Points>,
    /// The date on which the points become available.
    pub available_on: Date,
    /// The last date on which they can be spent.
    pub expires_on: Option<Date>,
    /// When it was booked.
    pub at: Timestamp,
    /// The number of the EARN entry.
    pub seq: u64,
    /// Every rule that was looked at.
    pub explanation: Vec<Step>,
}

impl Booked {
    /// Returns the rules by which it was judged.
    pub fn rules_used(&self) -> RulesUsed {
        RulesUsed {
            program_version: self.program_version,
            tier: self.tier.clone(),
            campaigns: self.campaigns.clone(),
        }
    }
}

/// The redemption of a booking, as it was when the purchase changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionSeen {
    /// The token.
    pub token: HoldId,
    /// The points that were locked.
    pub points: Points,
    /// The points that were confirmed.
    pub confirmed: Points,
    /// The points that refunds have given back.
    pub returned: Points,
    /// LOCKED, CONFIRMED, RELEASED or EXPIRED.
    pub status: String,
}

impl RedemptionSeen {
    /// Returns the redemption as it is; `None` for a hold of money.
    pub fn of(hold: &Hold) -> Option<Self> {
        let lock = hold.view.lock.as_ref()?;
        Some(Self {
            token: hold.id.clone(),
            points: Points::of_money(hold.view.amount)?,
            confirmed: Points::of_money(hold.view.captured)?,
            returned: Points::of_money(lock.returned)?,
            status: redemption_status(hold.view.status).to_owned(),
        })
    }
}

/// Returns the contract's word for the status of a redemption.
pub fn redemption_status(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Open => "LOCKED",
        HoldStatus::Captured => "CONFIRMED",
        HoldStatus::Released => "RELEASED",
        HoldStatus::Expired => "EXPIRED",
    }
}

/// A change of a purchase: its earning, a refund, or the failure of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseStep {
    /// The refund that was reported, or that failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_id: Option<RefundId>,
    /// The amount that the report named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<Money>,
    /// How much of the purchase is refunded in all.
    pub refunded: Money,
    /// The points that it keeps.
    pub kept: Points,
    /// The spend that it keeps.
    pub spend: Money,
    /// Points that this change took back, owed and forgiven included; below zero if it gave some back.
    pub reversed: i64,
    /// By how much what is owed for it rose; below zero if it fell.
    pub owed: i64,
    /// Points that had expired and are not owed; below zero if some were given back.
    pub forgiven: i64,
    /// Points of the redemption that came back.
    pub back: Points,
    /// What those are worth, as they were redeemed.
    #[serde(default)]
    pub back_value: Money,
    /// Causes and numbers of the entries.
    pub entries: Vec<(String, u64)>,
    /// The redemption after the change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redemption: Option<RedemptionSeen>,
    /// When it happened; `None` while nothing has been earned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
    /// Changes of the tier that it caused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tiers: Vec<TierChange>,
}

/// A purchase, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseRecord {
    /// What it is known by.
    pub id: PurchaseId,
    /// Whose it is; unknown as long as only refunds of it were reported.
    pub user: Option<CustomerId>,
    /// Its booking.
    pub booking_id: Option<BookingId>,
    /// The payment that was named with it.
    pub payment_id: Option<PaymentId>,
    /// What it earned; `None` if nothing has been earned yet.
    pub booked: Option<Booked>,
    /// All that is known of refunds.
    pub refunds: Refunds,
    /// Its changes, oldest first; the first is the earning.
    pub steps: Vec<PurchaseStep>,
    /// The newest redemption of the booking.
    pub redemption: Option<HoldId>,
    /// The charge that was left to pay in money when the newest redemption was placed.
    pub charge_after: Option<Money>,
    /// The number of the change by which the booking was cancelled.
    pub cancelled_at: Option<u32>,
    /// When somebody should look at refunds of it, because it has not earned until then.
    pub alert_at: Option<Timestamp>,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

/// Seconds for which a refund may precede what it refunds: a week.
pub(crate) const PARKED_SECONDS: u32 = 7 * 86_400;

impl PurchaseRecord {
    /// Creates the record of a purchase of which nothing is stored.
    pub fn new(id: PurchaseId) -> Self {
        let (booking_id, payment_id) = match &id {
            PurchaseId::Booking(id) => (Some(id.clone()), None),
            PurchaseId::Payment(id) => (None, Some(id.clone())),
        };
        Self {
            id,
            user: None,
            booking_id,
            payment_id,
            booked: None,
            refunds: Refunds::default(),
            steps: vec![],
            redemption: None,
            charge_after: None,
            cancelled_at: None,
            alert_at: None,
            version: 0,
        }
    }

    /// Says when somebody should look, if only refunds were reported of it until then.
    pub fn expect(&mut self, now: Timestamp) {
        if self.booked.is_none() && !self.refunds.reported().is_zero() {
            self.alert_at = self.alert_at.or(now.plus_seconds(PARKED_SECONDS));
        }
    }

    /// Returns true if refunds were reported of it, and nothing that they refund.
    pub fn lacks_purchase(&self) -> bool {
        self.booked.is_none() && self.redemption.is_none() && !self.refunds.reported().is_zero()
    }

    /// Returns true if the booking was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.refunds.amount_kept.is_some()
    }

    /// Returns the amount by which refunds are measured: the earning's or, if nothing was earned, what was left of the
    /// charge after points.
    pub fn amount(&self) -> Money {
        let earned = self.booked.as_ref().map(|booked| booked.purchase.amount);
        earned.or(self.charge_after).unwrap_or(Money::ZERO)
    }

    /// Returns the currency of the purchase.
    pub fn currency(&self) -> Option<Currency> {
        self.booked.as_ref().map(|booked| booked.purchase.currency)
    }

    /// Returns the points that it keeps after the changes so far.
    pub fn kept(&self) -> Points {
        self.steps.last().map_or(Points::ZERO, |step| step.kept)
    }

    /// Returns the spend that it keeps after the changes so far.
    pub fn spend(&self) -> Money {
        self.steps.last().map_or(Money::ZERO, |step| step.spend)
    }

    /// Returns the points of redemptions that have come back.
    pub fn back(&self) -> Points {
        self.steps.iter().fold(Points::ZERO, |sum, step| sum.saturating_add(step.back))
    }

    /// Returns the number of the next change.
    pub fn next_step(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Returns the purchase as it was after a change.
    pub fn as_of(&self, step: u32) -> Self {
        let until = usize::try_from(step).unwrap_or(usize::MAX).saturating_add(1);
        let steps = self.steps.iter().take(until).cloned().collect();
        Self { steps, ..self.clone() }
    }

    /// Returns what is left of each line.
    pub fn left(&self) -> Vec<Exact> {
        self.booked.as_ref().map(|booked| self.refunds.left_of(&booked.purchase)).unwrap_or_default()
    }
}
