//! Applies one event.
//!
//! **Invariant:** a booking and the payments that an event names with it become one purchase, unless each payment earns
//! for itself.

use crate::message::{Bought, Event, Named};
use crate::{Failed, Outcome};
use domain::alert::NewAlert;
use domain::context::Context;
use domain::ids::{CustomerId, HoldId, PurchaseId, RefundId};
use domain::ledger::hold::HoldStatus;
use domain::loyalty::confirm::{ConfirmRedemption, ReleaseRedemption};
use domain::loyalty::earn::EarnPoints;
use domain::loyalty::join::JoinPayment;
use domain::loyalty::park::{Kept, ParkReport};
use domain::loyalty::program::EarnOn;
use domain::loyalty::report::{ReportPurchase, Reported};
use domain::loyalty::rules::Rules;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::text::Metadata;
use edge::App;
use store::{Loyalty, StoreError};

/// How often a report is decided anew because its purchase changed in between.
pub(crate) const MAX_TRIES: u32 = 3;

/// An event that is being applied.
pub(crate) struct Applying<'a> {
    pub(crate) app: &'a App,
    pub(crate) context: Context,
}

/// Returns true if an error says that an event contradicts what was applied before.
pub(crate) fn contradicts(error: &StoreError) -> bool {
    use LoyaltyRejection as Loyalty;
    matches!(
        error,
        StoreError::Rejected(
            Rejection::Loyalty(
                Loyalty::PurchaseExists
                    | Loyalty::RefundExists
                    | Loyalty::TooManyRefunds
                    | Loyalty::BookingCancelled
                    | Loyalty::RedemptionClosed
                    | Loyalty::RedemptionExpired
                    | Loyalty::ConfirmExceedsRedemption
                    | Loyalty::BookingHasRedemption
            ) | Rejection::RedemptionNotFound
        )
    )
}

impl Applying<'_> {
    fn loyalty(&self) -> &Loyalty {
        self.app.store.loyalty()
    }

    async fn earn_on(&self) -> Result<EarnOn, Failed> {
        let rules = self.loyalty().rules().await?;
        let rules = Rules::of(&rules, self.app.policy.currency()).map_err(Failed::Rejected)?;
        rules.program_at(self.context.now).map(|program| program.rules.earn_on).map_err(Failed::Rejected)
    }

    /// Applies an event.
    pub(crate) async fn apply(&self, event: Event) -> Result<Outcome, Failed> {
        match event {
            Event::Unknown | Event::Delivered(None) => Ok(Outcome::Ignored),
            Event::Confirmed(bought) => self.confirmed(bought).await,
            Event::Paid(bought) => self.paid(bought).await,
            Event::PaymentFailed(named) => self.payment_failed(named).await,
            Event::Refunded(named, id, report) => self.refunded(&named, Reported::Refund(id, report)).await,
            Event::Delivered(Some(order)) => self.delivered(order).await,
            Event::OrderCancelled(order) => self.order_cancelled(order).await,
            Event::RefundFailed(named, id) => self.refund_failed(&named, id).await,
            Event::Cancelled(named, kept) => {
                let user = named.user.clone();
                let of_booking = Named { payment: None, ..named };
                self.report(&of_booking, user, Reported::Cancelled(kept)).await
            }
        }
    }

    async fn refund_failed(&self, named: &Named, id: RefundId) -> Result<Outcome, Failed> {
        self.refunded(named, Reported::Failed(id)).await
    }

    /// Applies a report about a refund to the purchase and to the order, each if it is named.
    async fn refunded(&self, named: &Named, what: Reported) -> Result<Outcome, Failed> {
        let Some(order) = &named.order else { return self.report(named, None, what).await };
        let of_order = self.order_refunded(named, order.clone(), what.clone().of_order()).await?;
        if named.booking.is_none() && named.payment.is_none() {
            return Ok(of_order);
        }
        Ok(of_order.and(self.report(named, None, what).await?))
    }

    async fn confirmed(&self, bought: Bought) -> Result<Outcome, Failed> {
        match self.earn_on().await? {
            EarnOn::First | EarnOn::Booking => self.earn(bought).await,
            EarnOn::Payment => Ok(Outcome::Ignored),
        }
    }

    async fn paid(&self, bought: Bought) -> Result<Outcome, Failed> {
        let (redemption, user) = (bought.named.token.clone(), bought.user.clone());
        let earned = match (self.earn_on().await?, &bought.named.booking) {
            (EarnOn::Booking, Some(_)) => self.join(&bought.user, &bought.named).await?,
            (EarnOn::First | EarnOn::Booking, _) => self.earn(bought).await?,
            (EarnOn::Payment, _) => {
                let named = Named { booking: None, ..bought.named };
                self.earn(Bought { named, ..bought }).await?
            }
        };
        let confirmed = match redemption {
            Some(redemption) => self.confirm(&user, redemption).await?,
            None => Outcome::Ignored,
        };
        Ok(earned.and(confirmed))
    }

    async fn earn(&self, Bought { named, user, report }: Bought) -> Result<Outcome, Failed> {
        let Some(report) = report else {
            // It earns nothing; a refund that names only the payment still belongs to the booking.
            let joined = self.join(&user, &named).await?;
            return Ok(if joined == Outcome::Duplicate { Outcome::Ignored } else { joined });
        };
        let command = EarnPoints {
            user: user.clone(),
            booking_id: named.booking.clone(),
            payment_id: named.payment.clone(),
            report,
            quote: None,
            description: None,
            metadata: Metadata::default(),
            is_event: true,
        };
        let earned = match self.loyalty().execute(&command, &self.context).await {
            // This decision has written it, with all its ids.
            Ok(done) if done.outcome.record.is_some() => return Ok(Outcome::Applied),
            Ok(_) => Outcome::Duplicate,
            Err(error) if contradicts(&error) => self.mismatch(&named, &error).await,
            Err(error) => return Err(error.into()),
        };
        // The purchase has earned before; a payment that is named with it may be new.
        let joined = self.join(&user, &named).await?;
        Ok(if earned == Outcome::Duplicate && joined == Outcome::Applied { joined } else { earned })
    }

    /// Makes the payment an id of the booking's purchase.
    async fn join(&self, user: &CustomerId, named: &Named) -> Result<Outcome, Failed> {
        let (Some(booking_id), Some(payment_id)) = (named.booking.clone(), named.payment.clone()) else {
            return Ok(Outcome::Duplicate);
        };
        let command = JoinPayment { user: user.clone(), booking_id, payment_id };
        match self.loyalty().execute(&command, &self.context).await {
            Ok(done) if done.outcome.0 => Ok(Outcome::Applied),
            Ok(_) => Ok(Outcome::Duplicate),
            Err(error) if contradicts(&error) => Ok(self.mismatch(named, &error).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes locked points, also if the lock has ended.
    async fn confirm(&self, user: &CustomerId, token: HoldId) -> Result<Outcome, Failed> {
        let hold = self.loyalty().lock(&token).await?;
        let booking = hold.and_then(|hold| hold.view.lock).map(|lock| lock.booking_id);
        let named = Named {
            user: Some(user.clone()),
            booking: booking.clone(),
            payment: None,
            token: None,
            order: None,
        };
        let (Some(booking_id), true) = (booking, token.customer() == user) else {
            return Ok(self.mismatch(&named, &StoreError::Rejected(Rejection::RedemptionNotFound)).await);
        };
        let command = ConfirmRedemption { token, booking_id, points: None, payment_id: None, late: true };
        match self.loyalty().execute(&command, &self.context).await {
            Ok(done) if done.replayed => Ok(Outcome::Duplicate),
            Ok(_) => Ok(Outcome::Applied),
            Err(error) if contradicts(&error) => Ok(self.mismatch(&named, &error).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Releases the lock that the payment was for, if it is open.
    async fn payment_failed(&self, named: Named) -> Result<Outcome, Failed> {
        let token = match (named.token, named.booking) {
            (Some(token), _) => Some(token),
            (None, Some(booking)) => {
                let purchase = self.loyalty().purchase(&PurchaseId::Booking(booking)).await?;
                purchase.and_then(|purchase| purchase.redemption)
            }
            (None, None) => None,
        };
        let Some(token) = token.filter(|token| named.user.as_ref() == Some(token.customer())) else {
            return Ok(Outcome::Ignored);
        };
        let lock = self.loyalty().lock(&token).await?;
        if lock.is_none_or(|lock| lock.view.lock.is_none() || lock.view.status != HoldStatus::Open) {
            return Ok(Outcome::Ignored);
        }
        let command = ReleaseRedemption { token, reason: None, is_revocable: true };
        match self.loyalty().execute(&command, &self.context).await {
            Ok(done) if done.replayed => Ok(Outcome::Duplicate),
            Ok(_) => Ok(Outcome::Applied),
            Err(error) if contradicts(&error) => Ok(Outcome::Ignored),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the ids of the purchase that a report is about, the one under which it is kept first.
    async fn ids(&self, named: &Named) -> Result<Vec<PurchaseId>, Failed> {
        let booking = named.booking.clone().map(PurchaseId::Booking);
        let payment = named.payment.clone().map(PurchaseId::Payment);
        if self.earn_on().await? != EarnOn::Payment {
            return Ok(booking.into_iter().chain(payment).collect());
        }
        // Nothing is joined: it is about the payment, unless only the booking has earned.
        let (Some(booking), Some(payment)) = (&booking, &payment) else {
            return Ok(booking.into_iter().chain(payment).collect());
        };
        let of_payment = self.loyalty().purchase(payment).await?;
        let of_booking = self.loyalty().purchase(booking).await?;
        let has_earned = of_booking.is_some_and(|record| record.booked.is_some());
        Ok(vec![if of_payment.is_none() && has_earned { booking } else { payment }.clone()])
    }

    /// Applies a report to its purchase, or keeps it until that earns.
    async fn report(
        &self,
        named: &Named,
        user: Option<CustomerId>,
        what: Reported,
    ) -> Result<Outcome, Failed> {
        let ids = self.ids(named).await?;
        let names_both = ids.len() > 1;
        let kept = ParkReport { ids, user: user.clone(), what: what.clone() };
        for _ in 0..MAX_TRIES {
            let kept = match self.loyalty().park(&kept, &self.context).await {
                Ok(done) => done.outcome,
                Err(error) if contradicts(&error) => return Ok(self.mismatch(named, &error).await),
                Err(error) => return Err(error.into()),
            };
            let (id, owner) = match kept {
                Kept::Parked => return Ok(Outcome::Parked),
                Kept::Known => return Ok(Outcome::Duplicate),
                Kept::Belongs(id, owner) => (id, owner),
            };
            if names_both {
                self.join(&owner, named).await?;
            }
            let command =
                ReportPurchase { user: owner, id, what: what.clone(), reason: None, is_event: true };
            return match self.loyalty().execute(&command, &self.context).await {
                Ok(done) => {
                    if done.outcome.exceeds {
                        self.alert(named, "the refunds exceed the purchase").await;
                    }
                    Ok(if done.replayed { Outcome::Duplicate } else { Outcome::Applied })
                }
                // It became part of another purchase meanwhile.
                Err(StoreError::Rejected(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound))) => continue,
                Err(error) if contradicts(&error) => Ok(self.mismatch(named, &error).await),
                Err(error) => Err(error.into()),
            };
        }
        Err(Failed::Rejected(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound)))
    }

    pub(crate) async fn mismatch(&self, named: &Named, error: &StoreError) -> Outcome {
        self.alert(named, &error.to_string()).await;
        Outcome::Conflict
    }

    pub(crate) async fn alert(&self, named: &Named, detail: &str) {
        let booking = named.booking.as_ref().map(ToString::to_string);
        let payment = || named.payment.as_ref().map(ToString::to_string);
        let order = || named.order.as_ref().map(ToString::to_string);
        let subject = booking.or_else(payment).or_else(order).unwrap_or_default();
        let (kind, severity) = ("purchase_mismatch", "warning");
        let alert = NewAlert { kind, severity, subject, detail: detail.to_owned() };
        self.app.store.alerts().raise(&alert, self.context.now).await;
    }
}
