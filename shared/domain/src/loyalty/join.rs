//! A payment that is named with a booking which may have earned before.
//!
//! **Invariant:** what was reported by the payment counts for the booking from then on, in the same transaction.

use crate::context::Context;
use crate::ids::{BookingId, CustomerId, PaymentId, PurchaseId, RequestId};
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::loyalty::identity::{Identified, identify};
use crate::loyalty::member::{Member, Setting};
use crate::loyalty::park::book_kept;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite};
use crate::rejection::{LoyaltyRejection, Rejection};

/// Makes a payment an id of a booking's purchase.
#[derive(Clone, Debug)]
pub struct JoinPayment {
    /// Whose purchase it is.
    pub user: CustomerId,
    /// The booking.
    pub booking_id: BookingId,
    /// The payment.
    pub payment_id: PaymentId,
}

/// Says whether a payment became an id of a purchase just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsNew(pub bool);

impl Outcome for IsNew {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}

impl JoinPayment {
    fn ids(&self) -> Vec<PurchaseId> {
        vec![PurchaseId::Booking(self.booking_id.clone()), PurchaseId::Payment(self.payment_id.clone())]
    }
}

impl Command for JoinPayment {
    type State = LoyaltyState;
    type Outcome = IsNew;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds { purchases: self.ids(), movements: true, ..LoyaltyNeeds::points(&self.user) }
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<IsNew, LoyaltyWrite> {
        let Identified { mut record, aliases, has_more_reports } = identify(&self.ids(), &state.purchases)?;
        if record.user.as_ref().is_some_and(|user| *user != self.user) {
            return Err(Rejection::Loyalty(LoyaltyRejection::PurchaseExists).into());
        }
        if aliases.is_empty() {
            return Ok(Decision::Already(IsNew(false)));
        }
        let setting = Setting::of(state, context)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let was = record.version;
        record.user = Some(self.user.clone());
        record.payment_id = record.payment_id.or(Some(self.payment_id.clone()));
        if has_more_reports && (record.booked.is_some() || record.redemption.is_some()) {
            book_kept(&mut member, &mut record, state, &setting)?;
        }
        record.version = was + 1;
        let mut writes = vec![LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false }];
        writes.extend(aliases);
        if member.posting.is_untouched() && !member.has_changes() {
            return Ok(Decision::Commit { outcome: IsNew(true), writes });
        }
        member.finish(IsNew(true), writes)
    }
}
