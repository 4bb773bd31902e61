//! Credit for a delivered order, and what refunds and a cancellation leave of it.
//!
//! **Invariant:** an order gives credit once; a report of a refund counts once, by its id.
//! **Invariant:** what is taken, forgiven and owed for an order sums to what its reports have taken back.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, OrderId, RequestId};
use crate::ledger::command::{CauseKey, Command, draft, may_receive};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::EntryType;
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::posting::Posting;
use crate::loyalty::exact;
use crate::loyalty::program::Program;
use crate::loyalty::report::Reported;
use crate::loyalty::rules::Rules;
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::rewards::causes::reversed_delivery;
use crate::rewards::delivery::{Delivered, DeliveryStep, OrderRecord};
use crate::rewards::delivery_state::{DeliveryNeeds, DeliveryState};
use crate::rewards::referral::finished;
use crate::rewards::reversal::written_first;
use crate::rewards::state::RewardsWrite;
use crate::rewards::take_back::{Taking, Why, give_back, take_back};
use crate::time::plus_days;
use crate::wallet::state::begin;

const MISMATCH: Rejection = Rejection::Loyalty(LoyaltyRejection::PurchaseExists);

/// An order after a report.
#[derive(Clone, Debug)]
pub struct AfterDelivery {
    /// What is known of it.
    pub record: OrderRecord,
    /// The number of the change that the report made.
    pub step: u32,
    /// True if it changed nothing, because the program gives no credit for deliveries.
    pub is_ignored: bool,
    /// True if the reports together exceed the order.
    pub exceeds: bool,
    request: Option<RequestId>,
}

impl Outcome for AfterDelivery {
    fn request(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}

impl AfterDelivery {
    fn of(record: OrderRecord, request: Option<RequestId>) -> Self {
        Self { record, step: 0, is_ignored: false, exceeds: false, request }
    }
}

/// Credits the wallet for a delivered order.
#[derive(Clone, Debug)]
pub struct DeliverOrder {
    /// The order.
    pub order: OrderId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Its total.
    pub total: Money,
    /// The currency of the total.
    pub currency: Currency,
}

/// Returns the most that the program credits for an order, in the order's currency.
fn most(program: &Program, currency: Currency) -> Result<Option<Money>, Rejection> {
    let Some(most) = program.rules.delivery_reward.max_amount else { return Ok(None) };
    if currency == program.currency {
        return Ok(Some(most));
    }
    let rate = program.rules.fx.get(currency.code()).ok_or(Rejection::CurrencyMismatch)?;
    let converted = exact::money(most) / rate.exact();
    Ok(exact::money_floor(&converted, currency.digits()))
}

/// Writes a changed record, and with it what the order shows of it.
fn record_writes(state: &DeliveryState, record: &OrderRecord, was: u64) -> Vec<RewardsWrite> {
    vec![
        RewardsWrite::OrderRecord { record: Box::new(record.clone()), was },
        match &state.order {
            Some(order) => {
                let mut reported = order.clone();
                (reported.reports, reported.version) = (record.reports(), order.version + 1);
                RewardsWrite::Order { order: Box::new(reported), was: order.version }
            }
            None => RewardsWrite::NoOrder(record.order.clone()),
        },
    ]
}

/// Brings the credit to what all reports leave of it.
fn settle(
    posting: &mut Posting,
    record: &mut OrderRecord,
    state: &DeliveryState,
    context: &Context,
    step: DeliveryStep,
) -> Result<(), Rejection> {
    let (was, keeps, posted) = (record.kept(), record.keeps()?, posting.entries.len());
    let reversed = reversed_delivery(&record.order);
    let why = Why { by: context.actor.signature(), request: Some(&context.request), reason: None };
    let mut step = DeliveryStep {
        refunded: record.refunded(),
        kept: keeps,
        reversed: was.saturating_sub(keeps),
        restored: keeps.saturating_sub(was),
        at: Some(posting.now),
        ..step
    };
    if let Some(delivered) = &record.delivered {
        let own = Lot {
            expires_on: delivered.expires_on,
            class: CreditSource::Purchase.class(),
            source: CreditSource::Purchase,
            amount: delivered.amount,
        };
        let mut taking = Taking {
            own,
            order: Some(record.order.clone()),
            reversed: reversed.clone(),
            number: record.reversals,
            expired: &state.expired,
        };
        take_back(posting, &mut taking, step.reversed, &why)?;
        give_back(posting, &mut taking, step.restored, (&state.moved, context), &why)?;
        record.reversals = taking.number;
    }
    step.owed = posting.account.owed.of(&reversed);
    step.transactions = posting.entries.iter().skip(posted).map(|entry| entry.id().to_string()).collect();
    record.steps.push(step);
    Ok(())
}

impl DeliverOrder {
    /// Returns the delivery with what it gives.
    fn terms(&self, program: &Program, posting: &Posting, context: &Context) -> Result<Delivered, Rejection> {
        let reward = program.rules.delivery_reward;
        let delivered = Delivered {
            total: self.total,
            currency: self.currency,
            percent: reward.percent,
            most: most(program, self.currency)?,
            program_version: program.version,
            amount: Money::ZERO,
            expires_on: plus_days(posting.today(), reward.expiry_days),
            at: posting.now,
            step: 0,
            request: context.request.to_string(),
        };
        Ok(Delivered { amount: delivered.credit(self.total)?, ..delivered })
    }

    fn credit(
        &self,
        posting: &mut Posting,
        delivered: &Delivered,
        context: &Context,
    ) -> Result<(), Rejection> {
        let source = CreditSource::Purchase;
        let (expires_on, amount) = (delivered.expires_on, delivered.amount);
        let lot = Lot { expires_on, class: source.class(), source, amount };
        let key = CauseKey::new(Cause::delivery(&self.order), Fingerprint::stored(""));
        let mut credit = draft(key, EntryType::Credit, vec![lot], None, context);
        (credit.fingerprint, credit.source, credit.expires_on) = (None, Some(source), expires_on);
        credit.order_id = Some(self.order.clone());
        posting.post(credit).map(|_| ())
    }
}

impl Command for DeliverOrder {
    type State = DeliveryState;
    type Outcome = AfterDelivery;
    type Write = RewardsWrite;

    fn needs(&self) -> DeliveryNeeds {
        DeliveryNeeds { customer: Some(self.customer.clone()), order: self.order.clone() }
    }

    fn key(&self, _: &DeliveryState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &DeliveryState, context: &Context) -> Decided<AfterDelivery, RewardsWrite> {
        let stored = state.record.clone();
        let mut record = stored.unwrap_or_else(|| OrderRecord::new(self.order.clone()));
        let owners = record.customer.iter().chain(state.order.as_ref().map(|order| &order.customer));
        if owners.into_iter().any(|customer| *customer != self.customer) {
            return Err(MISMATCH.into());
        }
        if let Some(delivered) = &record.delivered {
            if (delivered.total, delivered.currency) != (self.total, self.currency) {
                return Err(MISMATCH.into());
            }
            let request = record.delivered_by();
            return Ok(Decision::Already(AfterDelivery::of(record, request)));
        }
        let rules = Rules::of(&state.rules, context.policy.currency())?;
        let now = rules.changed_at.map_or(context.now, |changed| context.now.max(changed));
        let program = rules.program_at(now)?;
        let reward = program.rules.delivery_reward;
        if reward.percent.value().is_zero() || self.total.is_zero() {
            let after = AfterDelivery { is_ignored: true, ..AfterDelivery::of(record, None) };
            return Ok(Decision::Already(after));
        }
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        written_first(&posting)?;
        may_receive(&posting.account)?;
        if posting.account.unit != self.currency {
            return Err(Rejection::CurrencyMismatch.into());
        }
        let delivered = Delivered { step: record.next_step(), ..self.terms(program, &posting, context)? };
        let missing = Rejection::Inconsistent("a delivery without its wallet");
        let mut profile = state.wallet.as_ref().map(|wallet| wallet.profile.clone()).ok_or(missing)?;
        if !delivered.amount.is_zero() {
            self.credit(&mut posting, &delivered, context)?;
            profile.delivered_orders += 1;
        }
        let was = record.version;
        let transactions = posting.entries.iter().map(|entry| entry.id().to_string()).collect();
        let (kept, at) = (delivered.amount, Some(posting.now));
        let first = DeliveryStep { kept, at, transactions, ..DeliveryStep::default() };
        (record.customer, record.delivered) = (Some(self.customer.clone()), Some(delivered));
        record.steps.push(first);
        if !record.refunded().is_zero() {
            // What was reported before the delivery is taken off in the same transaction.
            settle(&mut posting, &mut record, state, context, DeliveryStep::default())?;
        }
        record.version = was + 1;
        let mut writes = if posting.is_untouched() { vec![] } else { finished(posting, &profile)? };
        writes.push(RewardsWrite::OrderRecord { record: Box::new(record.clone()), was });
        let exceeds = record.exceeds(Some(self.total));
        let after = AfterDelivery::of(record, Some(context.request.clone()));
        let outcome = AfterDelivery { exceeds, ..after };
        Ok(Decision::Commit { outcome, writes })
    }
}

/// A refund of an order, the failure of one, or its cancellation.
#[derive(Clone, Debug)]
pub struct ReportOrder {
    /// The order.
    pub order: OrderId,
    /// Whose it is, if that is known.
    pub customer: Option<CustomerId>,
    /// What is reported.
    pub what: Reported,
    /// True for an event: what exceeds the order is counted up to it.
    pub is_event: bool,
}

impl ReportOrder {
    /// Returns the change that the same report made, if it was made before.
    fn before(&self, record: &OrderRecord) -> Result<Option<u32>, Rejection> {
        if !self.what.is_known(&record.refunds)? {
            return Ok(None);
        }
        let at = |failed: bool, id: &str| {
            let has = |step: &DeliveryStep| {
                step.refund_id.as_ref().is_some_and(|refund| refund.as_str() == id)
                    && step.amount.is_none() == failed
            };
            let at = record.steps.iter().position(has).unwrap_or(record.steps.len().saturating_sub(1));
            u32::try_from(at).unwrap_or(0)
        };
        Ok(Some(match &self.what {
            Reported::Refund(id, _) => at(false, id.as_str()),
            Reported::Failed(id) => at(true, id.as_str()),
            Reported::Cancelled(_) => record.cancelled_at.unwrap_or(0),
        }))
    }
}

impl Command for ReportOrder {
    type State = DeliveryState;
    type Outcome = AfterDelivery;
    type Write = RewardsWrite;

    fn needs(&self) -> DeliveryNeeds {
        DeliveryNeeds { customer: self.customer.clone(), order: self.order.clone() }
    }

    fn key(&self, _: &DeliveryState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &DeliveryState, context: &Context) -> Decided<AfterDelivery, RewardsWrite> {
        let stored = state.record.clone();
        let mut record = stored.unwrap_or_else(|| OrderRecord::new(self.order.clone()));
        let of_other = |customer: &CustomerId| self.customer.as_ref().is_some_and(|own| own != customer);
        let is_other = record.customer.as_ref().is_some_and(of_other)
            || state.order.as_ref().is_some_and(|order| of_other(&order.customer));
        if is_other {
            return Err(MISMATCH.into());
        }
        // The order may have been registered since the caller looked for its customer.
        let owner = || state.order.as_ref().map(|order| order.customer.clone());
        record.customer = record.customer.or_else(|| self.customer.clone()).or_else(owner);
        let delivered = record.delivered.as_ref().map(|delivered| delivered.total);
        let total = delivered.or(state.order.as_ref().map(|order| order.totals.total));
        let is_refund = matches!(self.what, Reported::Refund(..));
        if let Some(step) = self.before(&record)? {
            let exceeds = is_refund && record.exceeds(total);
            let after = AfterDelivery::of(record, Some(RequestId::new("")));
            return Ok(Decision::Already(AfterDelivery { step, exceeds, ..after }));
        }
        let was = record.version;
        let occasion = self.what.add_to(&mut record.refunds)?;
        let exceeds = is_refund && record.exceeds(total);
        if exceeds && !self.is_event {
            return Err(Rejection::RefundExceedsPayment.into());
        }
        let step = record.next_step();
        if matches!(self.what, Reported::Cancelled(_)) {
            record.cancelled_at = Some(step);
        }
        let (refund_id, amount) = (occasion.refund_id, occasion.amount);
        let new_step = DeliveryStep { refund_id, amount, ..DeliveryStep::default() };
        record.version = was + 1;
        let mut writes = vec![];
        if record.delivered.is_some() {
            let unknown = Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound);
            let customer = self.customer.as_ref().ok_or(unknown)?;
            let mut posting = begin(state.wallet.as_ref(), customer, context)?;
            written_first(&posting)?;
            settle(&mut posting, &mut record, state, context, new_step)?;
            if !posting.is_untouched() || posting.has_owed() {
                let missing = Rejection::Inconsistent("a delivery without its wallet");
                let profile = state.wallet.as_ref().map(|wallet| wallet.profile.clone()).ok_or(missing)?;
                writes = finished(posting, &profile)?;
            }
        } else {
            let (refunded, at) = (record.refunded(), Some(context.now));
            record.steps.push(DeliveryStep { refunded, at, ..new_step });
            if state.order.is_none() {
                record.expect(context.now);
            }
        }
        writes.extend(record_writes(state, &record, was));
        let after = AfterDelivery::of(record, Some(context.request.clone()));
        let outcome = AfterDelivery { step, exceeds, ..after };
        Ok(Decision::Commit { outcome, writes })
    }
}
