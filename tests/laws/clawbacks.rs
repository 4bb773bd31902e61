//! What a gateway takes back: from which credit, and how much of it can be kept in mind.

use domain::ids::{AccountRef, Gateway, ReversalId};
use domain::ledger::lot::CreditSource;
use domain::money::Money;
use domain::payments::gateway_report::{PaymentFact, ReversalState};
use domain::payments::webhook_event::EventStatus;
use tests::counter::{Counter, ReportReference, customer, id, inr, money};

/// Pays a top-up of this amount.
fn pay(counter: &mut Counter, at: usize, rupees: i64) {
    counter.initiate(at, rupees);
    let report = counter.report(at, &format!("p{at}"), ReportReference::Ours, Counter::captured(rupees));
    assert_eq!(counter.deliver(&format!("cap{at}"), report), EventStatus::Processed);
}

/// Refunds part of a top-up; the same name is the same refund.
fn refund(counter: &mut Counter, at: usize, name: &str, rupees: i64) -> EventStatus {
    let fact = Counter::reversal_fact(name, ReversalState::Taken, rupees);
    let report = counter.report(at, &format!("p{at}"), ReportReference::Order, fact);
    counter.deliver(&format!("{name}-{rupees}"), report)
}

/// Returns the credit from top-ups and from promotions.
fn lots(counter: &Counter) -> (Money, Money) {
    let lots = &counter.memory.accounts[&AccountRef::wallet(&customer())].lots;
    let of =
        |source| Money::checked_sum(lots.iter().filter(|lot| lot.source == source).map(|lot| lot.amount));
    (of(CreditSource::Topup).unwrap(), of(CreditSource::Promotion).unwrap())
}

#[test]
fn a_refund_takes_the_credit_of_its_own_payment_before_credit_that_expires_earlier() {
    let mut counter = Counter::new();
    pay(&mut counter, 0, 100);
    counter.credit(50);
    refund(&mut counter, 0, "r", 60);
    assert_eq!(lots(&counter), (money(40), money(50)));
    refund(&mut counter, 0, "r2", 40);
    assert_eq!(counter.balances(), (money(50), money(0)));
    counter.memory.prove();
}

#[test]
fn a_payment_has_at_most_400_reversals_and_a_further_one_is_quarantined() {
    let mut counter = Counter::new();
    pay(&mut counter, 0, 500);
    for n in 0..400 {
        assert_eq!(refund(&mut counter, 0, &format!("r{n}"), 1), EventStatus::Processed);
    }
    assert_eq!(refund(&mut counter, 0, "r400", 1), EventStatus::Quarantined);
    assert_eq!(refund(&mut counter, 0, "r399", 2), EventStatus::Processed, "one that is known may change");
    assert_eq!(counter.balances(), (money(99), money(0)));
    counter.memory.prove();
}

#[test]
fn a_wallet_has_at_most_400_debts_and_a_refund_that_needs_a_further_one_is_quarantined() {
    let mut counter = Counter::new();
    pay(&mut counter, 0, 500);
    pay(&mut counter, 1, 10);
    counter.debit(510);
    for n in 0..400 {
        assert_eq!(refund(&mut counter, 0, &format!("r{n}"), 1), EventStatus::Processed);
    }
    assert_eq!(refund(&mut counter, 1, "s", 5), EventStatus::Quarantined);
    assert_eq!(counter.balances(), (money(0), money(400)));
    counter.memory.prove();
}

#[test]
fn what_was_forgiven_because_it_had_expired_can_be_forgiven_again_once_the_dispute_is_won() {
    let mut counter = Counter::new();
    for at in 0..2 {
        pay(&mut counter, at, 100);
    }
    counter.debit(70);
    counter.wait(24 * 400);
    for phase in [ReversalState::Taken, ReversalState::Returned] {
        let fact = Counter::reversal_fact("d", phase, 100);
        let report = counter.report(0, "p0", ReportReference::Order, fact);
        counter.deliver(&format!("d{phase:?}"), report);
        assert_eq!(counter.balances(), (money(0), money(0)), "130 have expired");
    }
    refund(&mut counter, 1, "r1", 100);
    assert_eq!(counter.balances(), (money(0), money(0)));
    refund(&mut counter, 0, "r0", 100);
    assert_eq!(counter.balances(), (money(0), money(70)));
    counter.memory.prove();
}

#[test]
fn what_is_given_back_in_parts_returns_to_each_lot_what_was_taken_from_it() {
    let mut counter = Counter::with(Gateway::PayPal);
    pay(&mut counter, 0, 100);
    counter.debit(70);
    counter.credit(70);
    let mut report = |name: &str, phase, rupees| {
        let id = match phase {
            ReversalState::Taken => ReversalId::reversal(Gateway::PayPal, &id(name)),
            _ => ReversalId::dispute(Gateway::PayPal, &id(name)),
        };
        let fact = PaymentFact::Reversed { id, phase, amount: money(rupees), currency: inr() };
        let report = counter.report(0, "p0", ReportReference::Order, fact);
        assert_eq!(counter.deliver(name, report), EventStatus::Processed);
        lots(&counter)
    };
    assert_eq!(report("X", ReversalState::Taken, 100), (money(0), money(0)));
    assert_eq!(report("A", ReversalState::Returned, 60), (money(0), money(60)));
    assert_eq!(report("B", ReversalState::Returned, 40), (money(30), money(70)));
    counter.memory.prove();
}
