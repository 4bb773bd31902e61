//! Payments over a ledger in memory: top-ups, gateways' reports in any shape, and the wallet's balances.
//!
//! **Invariant:** reports are processed as the store processes them: the top-up is looked up, then the
//! reports that waited for it follow.

use crate::memory::{Apply, InMemory, Memory};
use domain::actor::Actor;
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::currency::Currency;
use domain::ids::{
    AccountRef, CustomerId, EventId, Gateway, GatewayId, IdempotencyKey, RequestId, ReversalId, TopUpId,
};
use domain::ledger::command::Command;
use domain::ledger::lot::CreditSource;
use domain::money::{Amount, Money};
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::payments::initiate::{InitiateTopUp, PlaceTopUp};
use domain::payments::process::ProcessReport;
use domain::payments::state::{self, ReportOutcome, TopUpOutcome};
use domain::payments::topup::GatewayOrder;
use domain::payments::webhook_event::EventStatus;
use domain::policy::Policy;
use domain::text::Metadata;
use domain::time::Timestamp;
use domain::wallet::create::CreateWallet;
use domain::wallet::credit::{AddCredits, Expiry};
use domain::wallet::debit::DeductCredits;
use domain::wallet::holds::PlaceHold;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::sync::Arc;

const START: &str = "2026-01-15T10:00:00Z";

pub fn customer() -> CustomerId {
    CustomerId::parse("c").unwrap()
}

pub fn inr() -> Currency {
    Currency::parse("INR").unwrap()
}

pub fn money(rupees: i64) -> Money {
    Money::try_new(Decimal::from(rupees)).unwrap()
}

pub fn id(text: impl AsRef<str>) -> GatewayId {
    GatewayId::parse(text.as_ref()).unwrap()
}

/// A ledger in memory with one wallet, a clock and one gateway.
pub struct Counter {
    /// Accounts, entries, top-ups and reports.
    pub memory: Memory,
    policy: Arc<Policy>,
    now: Timestamp,
    step: u64,
    gateway: Gateway,
}

/// How a report refers to its payment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReportReference {
    Ours,
    Order,
    PaymentAlone,
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

impl Counter {
    /// Creates one empty wallet, with Razorpay as the gateway.
    pub fn new() -> Self {
        Self::with(Gateway::Razorpay)
    }

    /// Creates one empty wallet, with this gateway.
    pub fn with(gateway: Gateway) -> Self {
        let policy = Arc::new(Policy::standard(inr()).unwrap());
        let mut counter = Self {
            memory: Memory::default(),
            policy,
            now: Timestamp::parse(START).unwrap(),
            step: 0,
            gateway,
        };
        let cause = counter.cause(Operation::Create);
        counter.run(&CreateWallet {
            customer: customer(),
            initial_balance: None,
            currency: inr(),
            metadata: Metadata::default(),
            cause,
        });
        counter
    }

    fn cause(&self, operation: Operation) -> Cause {
        let key = IdempotencyKey::parse(&format!("k{}", self.step)).unwrap();
        Cause::of_request(operation, Some(&key), &RequestId::new(""))
    }

    fn run<C>(&mut self, command: &C) -> C::Outcome
    where
        C: Command,
        C::State: InMemory,
        C::Write: Apply,
    {
        self.try_run(command).unwrap()
    }

    fn try_run<C>(&mut self, command: &C) -> Option<C::Outcome>
    where
        C: Command,
        C::State: InMemory,
        C::Write: Apply,
    {
        self.step += 1;
        let actor = Actor::system("test");
        let request = RequestId::new(format!("r{}", self.step));
        let context = Context { now: self.now, actor, request, policy: self.policy.clone() };
        self.memory.execute(command, &context).ok().map(|(outcome, _)| outcome)
    }

    pub fn wait(&mut self, hours: u32) {
        self.now = self.now.plus_seconds(hours * 3_600).unwrap();
    }

    pub fn initiate(&mut self, at: usize, rupees: i64) -> TopUpId {
        let key = IdempotencyKey::parse(&format!("topup{at}")).unwrap();
        let command = InitiateTopUp {
            customer: customer(),
            amount: Amount::parse(&rupees.to_string()).unwrap(),
            gateway: self.gateway,
            return_url: None,
            cause: Cause::of_request(Operation::TopUp, Some(&key), &RequestId::new("")),
        };
        let topup = command.id();
        self.follow_topup(&command);
        let placed =
            GatewayOrder { order: id(format!("order_{at}")), checkout: "{}".into(), checkout_url: None };
        self.follow_topup(&PlaceTopUp { topup: topup.clone(), gateway: self.gateway, placed });
        topup
    }

    fn follow_topup<C>(&mut self, command: &C)
    where
        C: Command<State = state::PaymentState, Write = state::PaymentWrite, Outcome = TopUpOutcome>,
    {
        let waiting = self.run(command).waiting;
        self.process_waiting(waiting);
    }

    fn process_waiting(&mut self, mut waiting: Vec<EventId>) {
        while let Some(event) = waiting.pop() {
            let report = self.memory.events[&event].report.clone();
            waiting.extend(self.take(event, report).1);
        }
    }

    /// Processes a report as the store does: finds the top-up, applies the report, then processes the reports
    /// that waited for it.
    pub fn deliver(&mut self, event: &str, report: GatewayReport) -> EventStatus {
        let (status, waiting) = self.take(EventId::of("razorpay", event), Some(report));
        self.process_waiting(waiting);
        status
    }

    fn take(&mut self, event: EventId, report: Option<GatewayReport>) -> (EventStatus, Vec<EventId>) {
        let mut topup = report.as_ref().and_then(|report| report.topup.clone());
        loop {
            let report = ProcessReport {
                id: event.clone(),
                kind: "test".to_owned(),
                body: vec![],
                report: report.clone(),
                topup: topup.clone(),
                is_refused: false,
                record_only_failures: false,
            };
            match self.run(&report) {
                ReportOutcome::OtherTopUp(found) => topup = Some(found),
                ReportOutcome::Kept(event, waiting) => return (event.status, waiting),
            }
        }
    }

    pub fn report(
        &self,
        at: usize,
        payment: &str,
        naming: ReportReference,
        fact: PaymentFact,
    ) -> GatewayReport {
        let key = IdempotencyKey::parse(&format!("topup{at}")).unwrap();
        let cause = Cause::of_request(Operation::TopUp, Some(&key), &RequestId::new(""));
        GatewayReport {
            gateway: self.gateway,
            topup: (naming == ReportReference::Ours).then(|| TopUpId::mint(&customer(), &cause)),
            order: (naming != ReportReference::PaymentAlone).then(|| id(format!("order_{at}"))),
            payment: Some(id(payment)),
            charge: None,
            method: None,
            customer_fee: None,
            at: None,
            fact,
        }
    }

    pub fn captured(rupees: i64) -> PaymentFact {
        PaymentFact::Captured { amount: money(rupees), currency: inr() }
    }

    pub fn reversal_fact(name: &str, phase: ReversalState, rupees: i64) -> PaymentFact {
        let reversal = match name.starts_with('d') {
            true => ReversalId::dispute(Gateway::Razorpay, &id(name)),
            false => ReversalId::refund(Gateway::Razorpay, &id(name)),
        };
        PaymentFact::Reversed { id: reversal, phase, amount: money(rupees), currency: inr() }
    }

    /// Returns the available and the owed amount.
    pub fn balances(&self) -> (Money, Money) {
        let account = self.memory.settled(&AccountRef::wallet(&customer()), self.now).unwrap();
        assert!(account.owed.total().is_zero() || account.available().is_zero(), "debt despite credit");
        (account.available(), account.owed.total())
    }

    pub fn credit(&mut self, rupees: i64) {
        let cause = self.cause(Operation::AddCredits);
        self.run(&AddCredits {
            customer: customer(),
            amount: Amount::parse(&rupees.to_string()).unwrap(),
            reason: None,
            source: CreditSource::Promotion,
            expiry: Expiry::Days(5),
            order_id: None,
            metadata: Metadata::default(),
            cause,
            currency: None,
        });
    }

    pub fn debit(&mut self, rupees: i64) {
        let cause = self.cause(Operation::DeductCredits);
        let amount = Amount::parse(&rupees.to_string()).unwrap();
        self.try_run(&DeductCredits { customer: customer(), amount, reason: None, order_id: None, cause });
    }

    pub fn hold(&mut self, rupees: i64) {
        let cause = self.cause(Operation::Hold);
        let amount = Amount::parse(&rupees.to_string()).unwrap();
        let (reason, order_id) = (None, None);
        self.try_run(&PlaceHold {
            customer: customer(),
            amount,
            reason,
            order_id,
            ttl_seconds: 3_600,
            cause,
        });
    }
}

/// Everything that happens to one payment, as the gateway knows it.
#[derive(Clone, Debug)]
pub struct Story {
    /// Amount paid, in rupees.
    pub rupees: i64,
    /// Amounts of the refunds, in rupees.
    pub refunds: Vec<i64>,
    /// Amount that a dispute withdraws, in rupees, and whether the merchant wins it in the end.
    pub dispute: Option<(i64, bool)>,
}

pub fn story() -> impl Strategy<Value = Story> {
    (10..100_i64).prop_flat_map(|rupees| {
        let refunds = prop::collection::vec(1..=rupees, 0..3);
        let dispute = prop::option::of((1..=rupees, any::<bool>()));
        (Just(rupees), refunds, dispute).prop_map(|(rupees, refunds, dispute)| Story {
            rupees,
            refunds,
            dispute,
        })
    })
}

#[derive(Clone, Debug)]
pub enum Step {
    Initiate(usize),
    Report { at: usize, event: String, naming: ReportReference, fact: PaymentFact },
}

/// Returns all steps of all stories; each fact is reported in several shapes and more than once.
pub fn steps(stories: &[Story]) -> Vec<Step> {
    let mut steps = vec![];
    for (at, story) in stories.iter().enumerate() {
        steps.push(Step::Initiate(at));
        let mut report = |event: &str, naming, fact| {
            steps.push(Step::Report { at, event: format!("{event}{at}"), naming, fact });
        };
        report("captured", ReportReference::PaymentAlone, PaymentFact::Nothing);
        report("cap", ReportReference::Ours, Counter::captured(story.rupees));
        report("paid", ReportReference::Ours, Counter::captured(story.rupees));
        report("failed", ReportReference::Order, PaymentFact::Failed);
        for (nth, rupees) in story.refunds.iter().enumerate() {
            let naming =
                [ReportReference::Ours, ReportReference::Order, ReportReference::PaymentAlone][nth % 3];
            let fact = Counter::reversal_fact(&format!("r{at}_{nth}"), ReversalState::Taken, *rupees);
            report(&format!("refund{nth}_"), naming, fact.clone());
            report(&format!("refund-again{nth}_"), ReportReference::Order, fact);
        }
        if let Some((rupees, won)) = story.dispute {
            let name = format!("d{at}");
            report(
                "withdrawn",
                ReportReference::PaymentAlone,
                Counter::reversal_fact(&name, ReversalState::Taken, rupees),
            );
            if won {
                report(
                    "won",
                    ReportReference::Order,
                    Counter::reversal_fact(&name, ReversalState::Returned, rupees),
                );
            } else {
                report(
                    "lost",
                    ReportReference::Order,
                    Counter::reversal_fact(&name, ReversalState::Lost, rupees),
                );
            }
        }
    }
    steps
}

pub fn effective_amounts(story: &Story) -> i64 {
    let dispute = story.dispute.filter(|(_, won)| !won).map_or(0, |(rupees, _)| rupees);
    (story.refunds.iter().sum::<i64>() + dispute).min(story.rupees)
}

pub fn play(counter: &mut Counter, stories: &[Story], step: &Step) {
    match step {
        Step::Initiate(at) => {
            counter.initiate(*at, stories[*at].rupees);
        }
        Step::Report { at, event, naming, fact } => {
            let report = counter.report(*at, &format!("pay_{at}"), *naming, fact.clone());
            counter.deliver(event, report);
        }
    }
}
