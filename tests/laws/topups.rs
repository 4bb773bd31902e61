//! Payments, refunds and disputes in any order, number and shape: each paid payment credited once, what was
//! taken back the same whatever the order, and the books proved.

use domain::actor::{Actor, Role};
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::currency::Currency;
use domain::decide::Command;
use domain::decide::create::CreateWallet;
use domain::decide::credit::{AddCredits, Expiry};
use domain::decide::debit::DeductCredits;
use domain::decide::holds::PlaceHold;
use domain::decide::reports::TakeReport;
use domain::decide::topups::{InitiateTopUp, PlaceTopUp};
use domain::decision::Outcome;
use domain::event::EventStatus;
use domain::gateway::{Fact, Gateway, Handle, Phase, ReversalId, Told};
use domain::ids::{CustomerId, EventId, GatewayId, IdempotencyKey, RequestId, TopUpId};
use domain::lot::Source;
use domain::money::{Amount, Money};
use domain::policy::Policy;
use domain::text::Metadata;
use domain::time::Timestamp;
use domain::topup::Placed;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;
use tests::memory::Memory;

const START: &str = "2026-01-15T10:00:00Z";

pub fn customer() -> CustomerId {
    CustomerId::parse("c").unwrap()
}

fn inr() -> Currency {
    Currency::parse("INR").unwrap()
}

fn money(rupees: i64) -> Money {
    Money::try_new(Decimal::from(rupees)).unwrap()
}

fn id(text: impl AsRef<str>) -> GatewayId {
    GatewayId::parse(text.as_ref()).unwrap()
}

/// A ledger in memory with one wallet, a clock, and the gateway's side of every payment.
struct Counter {
    memory: Memory,
    policy: Arc<Policy>,
    now: Timestamp,
    step: u64,
}

/// How a report names what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Naming {
    Ours,
    Order,
    PaymentAlone,
}

impl Counter {
    fn new() -> Self {
        let policy = Arc::new(Policy::standard(inr()).unwrap());
        let mut counter =
            Self { memory: Memory::default(), policy, now: Timestamp::parse(START).unwrap(), step: 0 };
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

    fn run(&mut self, command: &dyn Command) -> Outcome {
        self.try_run(command).unwrap()
    }

    fn try_run(&mut self, command: &dyn Command) -> Option<Outcome> {
        self.step += 1;
        let actor = Actor { role: Role::System, sub: "test".to_owned(), scopes: Default::default() };
        let request = RequestId::new(format!("r{}", self.step));
        let context = Context { now: self.now, actor, request, policy: self.policy.clone() };
        self.memory.execute(command, &context).ok().map(|(outcome, _)| outcome)
    }

    fn wait(&mut self, hours: u32) {
        self.now = self.now.plus_seconds(hours * 3_600).unwrap();
    }

    fn initiate(&mut self, at: usize, rupees: i64) -> TopUpId {
        let key = IdempotencyKey::parse(&format!("topup{at}")).unwrap();
        let command = InitiateTopUp {
            customer: customer(),
            amount: Amount::parse(&rupees.to_string()).unwrap(),
            gateway: Gateway::Razorpay,
            return_url: None,
            cause: Cause::of_request(Operation::TopUp, Some(&key), &RequestId::new("")),
        };
        let topup = command.id();
        self.follow_topup(&command);
        let placed = Placed { order: id(format!("order_{at}")), checkout: "{}".into(), checkout_url: None };
        self.follow_topup(&PlaceTopUp { topup: topup.clone(), gateway: Gateway::Razorpay, placed });
        topup
    }

    fn follow_topup(&mut self, command: &dyn Command) {
        let Outcome::TopUp(_, waiting) = self.run(command) else { panic!("no top-up") };
        self.follow(waiting);
    }

    fn follow(&mut self, mut waiting: Vec<EventId>) {
        while let Some(event) = waiting.pop() {
            let told = self.memory.events[&event].told.clone();
            waiting.extend(self.take(event, told).1);
        }
    }

    /// As the store does: find the top-up, take the report, take what had waited.
    fn report(&mut self, event: &str, told: Told) -> EventStatus {
        let (status, waiting) = self.take(EventId::of("razorpay", event), Some(told));
        self.follow(waiting);
        status
    }

    fn take(&mut self, event: EventId, told: Option<Told>) -> (EventStatus, Vec<EventId>) {
        let mut topup = told.as_ref().and_then(|told| told.topup.clone());
        loop {
            let report = TakeReport {
                id: event.clone(),
                kind: "test".to_owned(),
                body: vec![],
                told: told.clone(),
                topup: topup.clone(),
                only_trouble: false,
            };
            match self.run(&report) {
                Outcome::Elsewhere(found) => topup = Some(found),
                Outcome::Event(event, waiting) => return (event.status, waiting),
                other => panic!("{other:?}"),
            }
        }
    }

    fn told(&self, at: usize, payment: &str, naming: Naming, fact: Fact) -> Told {
        let key = IdempotencyKey::parse(&format!("topup{at}")).unwrap();
        let cause = Cause::of_request(Operation::TopUp, Some(&key), &RequestId::new(""));
        Told {
            gateway: Gateway::Razorpay,
            topup: (naming == Naming::Ours).then(|| TopUpId::mint(&customer(), &cause)),
            order: (naming != Naming::PaymentAlone).then(|| id(format!("order_{at}"))),
            payment: Some(id(payment)),
            charge: None,
            method: None,
            fact,
        }
    }

    fn captured(rupees: i64) -> Fact {
        Fact::Captured { amount: money(rupees), currency: inr() }
    }

    fn taken_back(name: &str, phase: Phase, rupees: i64) -> Fact {
        let reversal = match name.starts_with('d') {
            true => ReversalId::dispute(Gateway::Razorpay, &id(name)),
            false => ReversalId::refund(Gateway::Razorpay, &id(name)),
        };
        Fact::Reversed { id: reversal, phase, amount: money(rupees), currency: inr() }
    }

    /// Available and owed.
    fn stands(&self) -> (Money, Money) {
        let account = self.memory.settled(&customer(), self.now).unwrap();
        assert!(account.owed.total().is_zero() || account.available().is_zero(), "owes, yet has");
        (account.available(), account.owed.total())
    }

    fn credit(&mut self, rupees: i64) {
        let cause = self.cause(Operation::AddCredits);
        self.run(&AddCredits {
            customer: customer(),
            amount: Amount::parse(&rupees.to_string()).unwrap(),
            reason: None,
            source: Source::Promotion,
            expiry: Expiry::Days(5),
            order_id: None,
            metadata: Metadata::default(),
            cause,
        });
    }

    fn debit(&mut self, rupees: i64) {
        let cause = self.cause(Operation::DeductCredits);
        let amount = Amount::parse(&rupees.to_string()).unwrap();
        self.try_run(&DeductCredits { customer: customer(), amount, reason: None, order_id: None, cause });
    }

    fn hold(&mut self, rupees: i64) {
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

/// One payment's whole story, as the gateway knows it.
#[derive(Clone, Debug)]
struct Story {
    rupees: i64,
    /// Refunds: name and amount.
    refunds: Vec<i64>,
    /// A dispute: amount withdrawn, and whether it was won in the end.
    dispute: Option<(i64, bool)>,
}

fn story() -> impl Strategy<Value = Story> {
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
enum Step {
    Initiate(usize),
    Report { at: usize, event: String, naming: Naming, fact: Fact },
}

/// All steps of all stories; reports in several shapes and numbers.
fn steps(stories: &[Story]) -> Vec<Step> {
    let mut steps = vec![];
    for (at, story) in stories.iter().enumerate() {
        steps.push(Step::Initiate(at));
        let mut report = |event: &str, naming, fact| {
            steps.push(Step::Report { at, event: format!("{event}{at}"), naming, fact });
        };
        report("captured", Naming::PaymentAlone, Fact::Nothing);
        report("cap", Naming::Ours, Counter::captured(story.rupees));
        report("paid", Naming::Ours, Counter::captured(story.rupees));
        report("failed", Naming::Order, Fact::Failed);
        for (nth, rupees) in story.refunds.iter().enumerate() {
            let naming = [Naming::Ours, Naming::Order, Naming::PaymentAlone][nth % 3];
            let fact = Counter::taken_back(&format!("r{at}_{nth}"), Phase::Taken, *rupees);
            report(&format!("refund{nth}_"), naming, fact.clone());
            report(&format!("refund-again{nth}_"), Naming::Order, fact);
        }
        if let Some((rupees, won)) = story.dispute {
            let name = format!("d{at}");
            report("withdrawn", Naming::PaymentAlone, Counter::taken_back(&name, Phase::Taken, rupees));
            if won {
                report("won", Naming::Order, Counter::taken_back(&name, Phase::Returned, rupees));
            } else {
                report("lost", Naming::Order, Counter::taken_back(&name, Phase::Lost, rupees));
            }
        }
    }
    steps
}

fn comes_to(story: &Story) -> i64 {
    let dispute = story.dispute.filter(|(_, won)| !won).map_or(0, |(rupees, _)| rupees);
    (story.refunds.iter().sum::<i64>() + dispute).min(story.rupees)
}

fn play(counter: &mut Counter, stories: &[Story], step: &Step) {
    match step {
        Step::Initiate(at) => {
            counter.initiate(*at, stories[*at].rupees);
        }
        Step::Report { at, event, naming, fact } => {
            let told = counter.told(*at, &format!("pay_{at}"), *naming, fact.clone());
            counter.report(event, told);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reports_in_any_order_and_number_credit_each_payment_once_and_take_back_the_same(
        stories in prop::collection::vec(story(), 1..4),
        seed in any::<u64>(),
        spent in 0..60_i64,
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut all = steps(&stories);
        let copies: Vec<Step> = again.iter().map(|index| index.get(&all).clone()).collect();
        all.extend(copies);
        let mut order: Vec<usize> = (0..all.len()).collect();
        let mut state = seed | 1;
        for at in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut counter = Counter::new();
        counter.credit(spent + 1);
        for at in order {
            play(&mut counter, &stories, &all[at]);
        }
        let net: i64 = stories.iter().map(|story| story.rupees - comes_to(story)).sum();
        prop_assert_eq!(counter.stands(), (money(net + spent + 1), Money::ZERO));
        for (at, story) in stories.iter().enumerate() {
            let topup = counter.memory.topups.values().find(|t| t.placed.as_ref().unwrap().order == id(format!("order_{at}"))).unwrap();
            prop_assert_eq!(topup.reversed(), money(comes_to(story)));
            let pay = Cause::topup(Gateway::Razorpay, &id(format!("pay_{at}")));
            prop_assert!(counter.memory.entries.contains_key(&(customer(), pay)));
        }
        let open: Vec<_> = counter.memory.events.values().filter(|event| !event.status.is_final()).collect();
        prop_assert!(open.is_empty() && counter.memory.alerts.is_empty(), "{:?}", open);
        counter.memory.prove();
    }

    #[test]
    fn with_spending_holds_and_expiry_in_between_the_books_are_proved_and_value_is_conserved(
        stories in prop::collection::vec(story(), 1..4),
        choices in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8, 1..80_i64), 10..60),
    ) {
        let all = steps(&stories);
        let mut counter = Counter::new();
        for (index, kind, rupees) in choices {
            match kind {
                0 => counter.debit(rupees),
                1 => counter.hold(rupees),
                2 => counter.wait(u32::try_from(rupees).unwrap() * 8),
                3 if rupees > 70 => counter.wait(9_000),
                3 => counter.credit(rupees),
                _ => play(&mut counter, &stories, index.get(&all)),
            }
            counter.stands();
            for topup in counter.memory.topups.values() {
                prop_assert!(topup.reversed() <= topup.amount);
            }
        }
        counter.memory.prove();
    }
}

#[test]
fn what_cannot_be_taken_is_owed_and_collected_from_whatever_comes_in() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    counter.report("cap", counter.told(0, "p", Naming::Ours, Counter::captured(100)));
    counter.debit(70);
    let refund = Counter::taken_back("r1", Phase::Taken, 100);
    counter.report("ref", counter.told(0, "p", Naming::Order, refund));
    assert_eq!(counter.stands(), (money(0), money(70)));
    counter.credit(50);
    assert_eq!(counter.stands(), (money(0), money(20)));
    counter.credit(50);
    assert_eq!(counter.stands(), (money(30), money(0)));
    counter.memory.prove();
}

#[test]
fn a_dispute_that_is_won_cancels_what_is_owed_then_gives_back_what_was_taken() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    counter.report("cap", counter.told(0, "p", Naming::Ours, Counter::captured(100)));
    counter.debit(70);
    let dispute = |phase| Counter::taken_back("d1", phase, 100);
    counter.report("withdrawn", counter.told(0, "p", Naming::Order, dispute(Phase::Taken)));
    counter.credit(50);
    assert_eq!(counter.stands(), (money(0), money(20)));
    let won = counter.told(0, "p", Naming::Order, dispute(Phase::Returned));
    counter.report("won", won.clone());
    // 30 were taken and 50 collected; 20 were owed and no longer are.
    assert_eq!(counter.stands(), (money(80), money(0)));
    counter.report("won-again", won);
    counter.report("withdrawn-again", counter.told(0, "p", Naming::Order, dispute(Phase::Taken)));
    assert_eq!(counter.stands(), (money(80), money(0)));
    counter.memory.prove();
}

#[test]
fn credit_that_has_expired_is_not_owed_and_is_not_forgiven_twice() {
    let mut counter = Counter::new();
    for at in 0..2 {
        counter.initiate(at, 100);
        counter.report(
            &format!("cap{at}"),
            counter.told(at, &format!("p{at}"), Naming::Ours, Counter::captured(100)),
        );
    }
    counter.debit(70);
    counter.wait(24 * 400);
    for at in 0..2 {
        let refund = Counter::taken_back(&format!("r{at}"), Phase::Taken, 100);
        counter.report(&format!("ref{at}"), counter.told(at, &format!("p{at}"), Naming::Order, refund));
    }
    // Of 200, 70 were spent and 130 expired.
    assert_eq!(counter.stands(), (money(0), money(70)));
    counter.memory.prove();
}

#[test]
fn a_second_payment_is_quarantined_and_its_refund_ends_that_without_touching_credit() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    let captured =
        |payment: &str, counter: &Counter| counter.told(0, payment, Naming::Ours, Counter::captured(100));
    let first = captured("p1", &counter);
    let second = captured("p2", &counter);
    assert_eq!(counter.report("one", first), EventStatus::Processed);
    assert_eq!(counter.report("two", second.clone()), EventStatus::Quarantined);
    assert_eq!(counter.report("two-again", second), EventStatus::Ignored);
    assert_eq!(counter.memory.alerts.len(), 1);
    let refund = |rupees, event: &str, counter: &mut Counter| {
        let fact = Counter::taken_back(&format!("r{event}"), Phase::Taken, rupees);
        let told = counter.told(0, "p2", Naming::Order, fact);
        counter.report(event, told)
    };
    assert_eq!(refund(40, "a", &mut counter), EventStatus::Processed);
    assert_eq!(counter.memory.alerts.len(), 1, "60 are still there");
    assert_eq!(refund(60, "b", &mut counter), EventStatus::Processed);
    assert!(counter.memory.alerts.is_empty());
    assert_eq!(counter.memory.events[&EventId::of("razorpay", "two")].status, EventStatus::Ignored);
    assert_eq!(counter.stands(), (money(100), money(0)));
    counter.memory.prove();
}

#[test]
fn another_amount_currency_order_or_gateway_is_quarantined_and_credits_nothing() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    let mut wrong: BTreeMap<&str, Told> = BTreeMap::new();
    wrong.insert("amount", counter.told(0, "p1", Naming::Ours, Counter::captured(99)));
    let dollars = Fact::Captured { amount: money(100), currency: Currency::parse("USD").unwrap() };
    wrong.insert("currency", counter.told(0, "p2", Naming::Ours, dollars));
    let told = counter.told(0, "p3", Naming::Ours, Counter::captured(100));
    wrong.insert("order", Told { order: Some(id("order_9")), ..told.clone() });
    wrong.insert("gateway", Told { gateway: Gateway::Stripe, order: None, ..told.clone() });
    wrong.insert("nothing", Told { topup: None, order: None, payment: Some(id("p5")), ..told });
    let count = wrong.len();
    for (event, told) in wrong {
        assert_eq!(counter.report(event, told), EventStatus::Quarantined, "{event}");
    }
    assert_eq!((counter.memory.alerts.len(), counter.stands().0), (count, money(0)));
    // The right one is credited all the same.
    let right = counter.told(0, "p4", Naming::Order, Counter::captured(100));
    assert_eq!(counter.report("right", right), EventStatus::Processed);
    assert_eq!(counter.stands().0, money(100));
    counter.memory.prove();
}

#[test]
fn a_report_of_a_top_up_that_never_appears_is_parked_for_a_day_and_then_quarantined() {
    let mut counter = Counter::new();
    let told = counter.told(7, "p", Naming::Ours, Counter::captured(100));
    assert_eq!(counter.report("early", told.clone()), EventStatus::Parked);
    assert_eq!(counter.report("early", told.clone()), EventStatus::Parked);
    counter.wait(23);
    assert_eq!(counter.report("early", told.clone()), EventStatus::Parked);
    counter.wait(1);
    assert_eq!(counter.report("early", told), EventStatus::Quarantined);
    assert_eq!(counter.memory.alerts.len(), 1);
    // A day late, it appears after all.
    counter.initiate(7, 100);
    assert_eq!(counter.stands().0, money(100));
    assert!(counter.memory.alerts.is_empty());
    assert!(counter.memory.leads.contains_key(&Handle::of(Gateway::Razorpay, &id("p"))));
    counter.memory.prove();
}
