//! Payments, refunds and disputes in any order, number and shape: each payment is credited once, the amount
//! taken back does not depend on the order, and the books are proved.

use domain::cause::Cause;
use domain::currency::Currency;
use domain::ids::{AccountRef, EventId, Gateway, GatewayKey, ReversalId};
use domain::money::Money;
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::payments::webhook_event::EventStatus;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tests::counter::{
    Counter, ReportReference, Step, customer, effective_amounts, id, money, play, steps, story,
};

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
        let net: i64 = stories.iter().map(|story| story.rupees - effective_amounts(story)).sum();
        prop_assert_eq!(counter.balances(), (money(net + spent + 1), Money::ZERO));
        for (at, story) in stories.iter().enumerate() {
            let topup = counter.memory.topups.values().find(|t| t.placed.as_ref().unwrap().order == id(format!("order_{at}"))).unwrap();
            prop_assert_eq!(topup.reversed(), money(effective_amounts(story)));
            let pay = Cause::topup(Gateway::Razorpay, &id(format!("pay_{at}")));
            prop_assert!(counter.memory.entries.contains_key(&(AccountRef::wallet(&customer()), pay)));
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
            counter.balances();
            for topup in counter.memory.topups.values() {
                prop_assert!(topup.reversed() <= topup.amount);
            }
        }
        counter.memory.prove();
    }
}

/// Generates facts that PayPal can report about a payment.
fn facts() -> impl Strategy<Value = Vec<PaymentFact>> {
    let one = (0..4_u8, 1..60_i64);
    prop::collection::vec(one, 1..9).prop_map(|all| {
        let name = |at: usize| id(format!("X{at}"));
        let fact = |(at, (kind, rupees)): (usize, (u8, i64))| {
            let (id, phase) = match kind {
                0 => (ReversalId::refund(Gateway::PayPal, &name(at)), ReversalState::Taken),
                1 => (ReversalId::reversal(Gateway::PayPal, &name(at)), ReversalState::Taken),
                2 => (ReversalId::dispute(Gateway::PayPal, &name(at)), ReversalState::Lost),
                _ => (ReversalId::dispute(Gateway::PayPal, &name(at)), ReversalState::Returned),
            };
            PaymentFact::Reversed {
                id,
                phase,
                amount: money(rupees),
                currency: Currency::parse("INR").unwrap(),
            }
        };
        all.into_iter().enumerate().map(fact).collect()
    })
}

/// Returns the net amount of the facts, from the contract alone: the refunds, and of the disputes the larger
/// of what was reversed and not won back, and what was lost; at most the payment of 100.
fn nets(facts: &[PaymentFact]) -> i64 {
    let mut sums = [0_i64; 4];
    for fact in facts {
        let PaymentFact::Reversed { id, phase, amount, .. } = fact else { continue };
        let at = match (id.as_str().split(':').next().unwrap(), phase) {
            ("refund", _) => 0,
            ("reversal", _) => 1,
            (_, ReversalState::Lost) => 2,
            (_, _) => 3,
        };
        sums[at] += i64::try_from(amount.value()).unwrap();
    }
    let [refunds, reversed, lost, won] = sums;
    (refunds + (reversed - won).max(0).max(lost)).min(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn refunds_reversals_and_disputes_with_paypal_net_the_same_in_any_order_whatever_is_spent_between(
        facts in facts(),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..50_i64, 0..20_i64), 0..20),
    ) {
        let mut counter = Counter::with(Gateway::PayPal);
        counter.initiate(0, 100);
        counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
        let (mut spent, mut came) = (0, 0);
        let shuffled = order.iter().map(|(index, debit, credit)| (index.index(facts.len()), *debit, *credit));
        let all = shuffled.chain((0..facts.len()).map(|at| (at, 0, 0)));
        for (at, debit, credit) in all {
            let report = counter.report(0, "p", ReportReference::Order, facts[at].clone());
            counter.deliver(&format!("e{at}-{spent}-{came}"), report);
            if debit > 0 && counter.balances().0 >= money(debit) {
                counter.debit(debit);
                spent += debit;
            }
            if credit > 0 {
                counter.credit(credit);
                came += credit;
            }
        }
        let (available, owed) = counter.balances();
        let expected = rust_decimal::Decimal::from(100 + came - spent - nets(&facts));
        prop_assert_eq!(available.value() - owed.value(), expected);
        counter.memory.prove();
    }
}

#[test]
fn what_cannot_be_taken_is_owed_and_collected_from_whatever_comes_in() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
    counter.debit(70);
    let refund = Counter::reversal_fact("r1", ReversalState::Taken, 100);
    counter.deliver("ref", counter.report(0, "p", ReportReference::Order, refund));
    assert_eq!(counter.balances(), (money(0), money(70)));
    counter.credit(50);
    assert_eq!(counter.balances(), (money(0), money(20)));
    counter.credit(50);
    assert_eq!(counter.balances(), (money(30), money(0)));
    counter.memory.prove();
}

#[test]
fn a_dispute_that_is_won_cancels_what_is_owed_then_gives_back_what_was_taken() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
    counter.debit(70);
    let dispute = |phase| Counter::reversal_fact("d1", phase, 100);
    counter
        .deliver("withdrawn", counter.report(0, "p", ReportReference::Order, dispute(ReversalState::Taken)));
    counter.credit(50);
    assert_eq!(counter.balances(), (money(0), money(20)));
    let won = counter.report(0, "p", ReportReference::Order, dispute(ReversalState::Returned));
    counter.deliver("won", won.clone());
    // 30 were taken and 50 collected; 20 were owed and are owed no longer.
    assert_eq!(counter.balances(), (money(80), money(0)));
    counter.deliver("won-again", won);
    counter.deliver(
        "withdrawn-again",
        counter.report(0, "p", ReportReference::Order, dispute(ReversalState::Taken)),
    );
    assert_eq!(counter.balances(), (money(80), money(0)));
    counter.memory.prove();
}

#[test]
fn credit_that_has_expired_is_not_owed_and_is_not_forgiven_twice() {
    let mut counter = Counter::new();
    for at in 0..2 {
        counter.initiate(at, 100);
        counter.deliver(
            &format!("cap{at}"),
            counter.report(at, &format!("p{at}"), ReportReference::Ours, Counter::captured(100)),
        );
    }
    counter.debit(70);
    counter.wait(24 * 400);
    for at in 0..2 {
        let refund = Counter::reversal_fact(&format!("r{at}"), ReversalState::Taken, 100);
        counter.deliver(
            &format!("ref{at}"),
            counter.report(at, &format!("p{at}"), ReportReference::Order, refund),
        );
    }
    // Of 200, 70 were spent and 130 expired.
    assert_eq!(counter.balances(), (money(0), money(70)));
    counter.memory.prove();
}

#[test]
fn a_second_payment_is_quarantined_and_its_refund_ends_that_without_touching_credit() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    let captured = |payment: &str, counter: &Counter| {
        counter.report(0, payment, ReportReference::Ours, Counter::captured(100))
    };
    let first = captured("p1", &counter);
    let second = captured("p2", &counter);
    assert_eq!(counter.deliver("one", first), EventStatus::Processed);
    assert_eq!(counter.deliver("two", second.clone()), EventStatus::Quarantined);
    assert_eq!(counter.deliver("two-again", second), EventStatus::Ignored);
    assert_eq!(counter.memory.alerts.len(), 1);
    let refund = |rupees, event: &str, counter: &mut Counter| {
        let fact = Counter::reversal_fact(&format!("r{event}"), ReversalState::Taken, rupees);
        let report = counter.report(0, "p2", ReportReference::Order, fact);
        counter.deliver(event, report)
    };
    assert_eq!(refund(40, "a", &mut counter), EventStatus::Processed);
    assert_eq!(counter.memory.alerts.len(), 1, "60 are not refunded yet");
    assert_eq!(refund(60, "b", &mut counter), EventStatus::Processed);
    assert!(counter.memory.alerts.is_empty());
    assert_eq!(counter.memory.events[&EventId::of("razorpay", "two")].status, EventStatus::Ignored);
    assert_eq!(counter.balances(), (money(100), money(0)));
    counter.memory.prove();
}

#[test]
fn another_amount_currency_order_or_gateway_is_quarantined_and_credits_nothing() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    let mut wrong: BTreeMap<&str, GatewayReport> = BTreeMap::new();
    wrong.insert("amount", counter.report(0, "p1", ReportReference::Ours, Counter::captured(99)));
    let dollars = PaymentFact::Captured { amount: money(100), currency: Currency::parse("USD").unwrap() };
    wrong.insert("currency", counter.report(0, "p2", ReportReference::Ours, dollars));
    let report = counter.report(0, "p3", ReportReference::Ours, Counter::captured(100));
    wrong.insert("order", GatewayReport { order: Some(id("order_9")), ..report.clone() });
    wrong.insert("gateway", GatewayReport { gateway: Gateway::Stripe, order: None, ..report.clone() });
    wrong.insert("nothing", GatewayReport { topup: None, order: None, payment: Some(id("p5")), ..report });
    let count = wrong.len();
    for (event, report) in wrong {
        assert_eq!(counter.deliver(event, report), EventStatus::Quarantined, "{event}");
    }
    assert_eq!((counter.memory.alerts.len(), counter.balances().0), (count, money(0)));
    // The correct payment is credited nevertheless.
    let right = counter.report(0, "p4", ReportReference::Order, Counter::captured(100));
    assert_eq!(counter.deliver("right", right), EventStatus::Processed);
    assert_eq!(counter.balances().0, money(100));
    counter.memory.prove();
}

#[test]
fn a_report_of_a_top_up_that_never_appears_is_parked_for_a_day_and_then_quarantined() {
    let mut counter = Counter::new();
    let report = counter.report(7, "p", ReportReference::Ours, Counter::captured(100));
    assert_eq!(counter.deliver("early", report.clone()), EventStatus::Parked);
    assert_eq!(counter.deliver("early", report.clone()), EventStatus::Parked);
    counter.wait(23);
    assert_eq!(counter.deliver("early", report.clone()), EventStatus::Parked);
    counter.wait(1);
    assert_eq!(counter.deliver("early", report), EventStatus::Quarantined);
    assert_eq!(counter.memory.alerts.len(), 1);
    // The top-up appears after all, a day late.
    counter.initiate(7, 100);
    assert_eq!(counter.balances().0, money(100));
    assert!(counter.memory.alerts.is_empty());
    assert!(counter.memory.refs.contains_key(&GatewayKey::of(Gateway::Razorpay, &id("p"))));
    counter.memory.prove();
}

#[test]
fn credit_that_is_to_pay_very_many_debts_pays_them_before_it_expires() {
    let mut counter = Counter::new();
    for at in 0..60 {
        let payment = format!("p{at}");
        counter.initiate(at, 1);
        counter.deliver(
            &format!("c{at}"),
            counter.report(at, &payment, ReportReference::Ours, Counter::captured(1)),
        );
    }
    counter.debit(60);
    for at in 0..60 {
        let report = Counter::reversal_fact(&format!("r{at}"), ReversalState::Taken, 1);
        counter.deliver(
            &format!("r{at}"),
            counter.report(at, &format!("p{at}"), ReportReference::Order, report),
        );
    }
    assert_eq!(counter.balances(), (money(0), money(60)));
    // The credit expires after five days, and no request touches the wallet before that.
    counter.credit(100);
    assert_eq!(counter.balances(), (money(40), money(0)));
    counter.wait(24 * 30);
    assert_eq!(counter.balances(), (money(0), money(0)));
    counter.credit(1);
    assert_eq!(counter.balances(), (money(1), money(0)), "nothing is owed any longer");
    counter.memory.prove();
}

#[test]
fn an_unmatched_payment_that_returns_keeps_its_alert_until_it_is_refunded() {
    let mut counter = Counter::with(Gateway::PayPal);
    counter.initiate(0, 100);
    counter.deliver("one", counter.report(0, "p1", ReportReference::Ours, Counter::captured(100)));
    counter.deliver("two", counter.report(0, "p2", ReportReference::Ours, Counter::captured(100)));
    let inr = Currency::parse("INR").unwrap();
    let reversed = |id, phase| PaymentFact::Reversed { id, phase, amount: money(100), currency: inr };
    let say = |counter: &mut Counter, event: &str, fact: PaymentFact| {
        let report = counter.report(0, "p2", ReportReference::Order, fact);
        counter.deliver(event, report)
    };
    let (taken, dispute) =
        (ReversalId::reversal(Gateway::PayPal, &id("R")), ReversalId::dispute(Gateway::PayPal, &id("D")));
    assert_eq!(say(&mut counter, "gone", reversed(taken, ReversalState::Taken)), EventStatus::Processed);
    assert!(counter.memory.alerts.is_empty());
    for _ in 0..3 {
        let won = reversed(dispute.clone(), ReversalState::Returned);
        assert_eq!(say(&mut counter, "won", won), EventStatus::Quarantined);
    }
    assert_eq!(counter.memory.alerts.len(), 1);
    let refund = ReversalId::refund(Gateway::PayPal, &id("X"));
    assert_eq!(say(&mut counter, "refund", reversed(refund, ReversalState::Taken)), EventStatus::Processed);
    assert!(counter.memory.alerts.is_empty());
    assert_eq!(counter.balances(), (money(100), money(0)));
    counter.memory.prove();
}

#[test]
fn a_top_up_names_the_state_of_its_wallet_and_a_report_that_moves_nothing_leaves_the_wallet_alone() {
    let mut counter = Counter::new();
    let topup = counter.initiate(0, 100);
    let wallet = AccountRef::wallet(&customer());
    let say = |counter: &mut Counter, event: &str, fact: PaymentFact| {
        let report = counter.report(0, "p", ReportReference::Order, fact);
        let was = counter.memory.topups[&topup].version;
        assert_eq!(counter.deliver(event, report), EventStatus::Processed);
        let (account, topup) = (&counter.memory.accounts[&wallet], &counter.memory.topups[&topup]);
        assert!(topup.version > was, "{event}");
        assert_eq!((topup.wallet_version, topup.seq), (account.version, account.seq), "{event}");
        account.version
    };
    let credited = say(&mut counter, "paid", Counter::captured(100));
    let taken = |rupees| Counter::reversal_fact("r", ReversalState::Taken, rupees);
    let reversed = say(&mut counter, "taken", taken(40));
    assert!(reversed > credited);
    for event in ["again", "and again"] {
        assert_eq!(say(&mut counter, event, taken(40)), reversed);
    }
    // What cannot be taken is owed: the wallet has changed, although no entry was written.
    counter.debit(60);
    let before = counter.memory.accounts[&wallet].version;
    assert!(say(&mut counter, "more", taken(90)) > before);
    assert_eq!(counter.balances(), (money(0), money(50)));
    counter.memory.prove();
}
