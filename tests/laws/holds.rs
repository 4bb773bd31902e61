//! Holds: who may close one, which of its entries it names, and what its captures show of its order.

use domain::actor::{Actor, Role};
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::ids::{AccountRef, CustomerId, HoldId, IdempotencyKey, OrderId, RequestId, TransactionId};
use domain::ledger::hold::{Hold, HoldStatus, HoldView};
use domain::money::{Amount, Money};
use domain::payments::gateway_report::ReversalState;
use domain::policy::Policy;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use domain::wallet::holds::{CaptureHold, PlaceHold};
use std::collections::BTreeSet;
use std::sync::Arc;
use tests::counter::{Counter, ReportReference, customer, inr, money};

fn hold(side: Role) -> Hold {
    let owner = AccountRef::wallet(&CustomerId::parse("a").unwrap());
    let start = Timestamp::from_millis(0).unwrap();
    let view = HoldView {
        amount: Money::ZERO,
        captured: Money::ZERO,
        released: Money::ZERO,
        status: HoldStatus::Open,
        order_id: None,
        expires_at: start,
        transactions: vec![],
        lock: None,
    };
    let id = HoldId::mint(&owner, &Cause::stored("hold"));
    Hold { id, view, side, reason: None, created_at: start, lots: vec![], paid: vec![], seq: 0 }
}

#[test]
fn a_hold_is_closed_by_the_side_that_placed_it_and_by_staff_alone() {
    let roles =
        [Role::Customer, Role::Staff, Role::Admin, Role::Agency, Role::Client, Role::Service, Role::System];
    for side in [Role::Customer, Role::Service, Role::Staff, Role::Admin] {
        for role in roles {
            let actor = Actor { role, sub: "s".to_owned(), scopes: BTreeSet::new(), account: None };
            let may = role == side || matches!(role, Role::Staff | Role::Admin);
            assert_eq!(hold(side).may_close(&actor), may, "{role:?} closes a hold of {side:?}");
        }
    }
}

#[test]
fn a_hold_names_the_entry_that_placed_it_and_the_newest_99_others() {
    let owner = AccountRef::wallet(&CustomerId::parse("a").unwrap());
    let id = |seq: u64| TransactionId::of(&owner, seq, &Cause::stored("c"));
    let mut view = hold(Role::Customer).view;
    for seq in 1..=150 {
        view.note(id(seq));
        let newest: Vec<_> = (1..=seq).filter(|n| *n == 1 || n + 99 > seq).map(id).collect();
        assert_eq!(view.transactions, newest);
    }
}

#[test]
fn each_capture_of_an_order_shows_the_order_as_it_left_it_and_is_repeated_as_it_was() {
    let mut counter = Counter::new();
    counter.credit(100);
    let cause = |operation, key: &str| {
        Cause::of_request(operation, Some(&IdempotencyKey::parse(key).unwrap()), &RequestId::new(""))
    };
    let context = Context {
        now: counter.memory.accounts[&AccountRef::wallet(&customer())].updated_at,
        actor: Actor::system("shop"),
        request: RequestId::new("r"),
        policy: Arc::new(Policy::standard(inr()).unwrap()),
    };
    let placed = PlaceHold {
        customer: customer(),
        amount: Amount::parse("90").unwrap(),
        reason: None,
        order_id: Some(OrderId::parse("o").unwrap()),
        ttl_seconds: 3_600,
        cause: cause(Operation::Hold, "place"),
    };
    counter.memory.execute(&placed, &context).unwrap();
    let hold = HoldId::mint(&AccountRef::wallet(&customer()), &placed.cause);
    let capture = |key: &str, amount: &str, is_final| CaptureHold {
        hold: hold.clone(),
        amount: Some(Amount::parse(amount).unwrap()),
        is_final,
        cause: cause(Operation::Capture, key),
    };
    for (key, amount, is_final, paid) in [("first", "30", false, 30), ("last", "50", true, 80)] {
        let command = capture(key, amount, is_final);
        let (entry, replayed) = counter.memory.execute(&command, &context).unwrap();
        assert!(!replayed);
        let order = entry.after.order.clone().unwrap();
        assert_eq!((order.totals.paid, order.totals.refunded), (money(paid), Money::ZERO));
        assert_eq!(order.transactions.last(), Some(&entry.id()));
        assert_eq!(counter.memory.execute(&command, &context).unwrap(), (entry, true));
    }
    assert_eq!(counter.balances(), (money(20), money(0)));
    counter.memory.prove();
}

#[test]
fn debts_that_a_timed_out_hold_pays_are_written_before_the_next_operation() {
    let mut counter = Counter::new();
    counter.initiate(0, 100);
    counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
    counter.hold(100);
    let refund = Counter::reversal_fact("r", ReversalState::Taken, 100);
    counter.deliver("ref", counter.report(0, "p", ReportReference::Order, refund));
    assert_eq!(counter.balances(), (money(0), money(100)));
    let wallet = AccountRef::wallet(&customer());
    let version = counter.memory.accounts[&wallet].version;
    counter.wait(2);
    counter.credit(30);
    assert_eq!(counter.memory.accounts[&wallet].version, version + 2);
    assert_eq!(counter.balances(), (money(30), money(0)));
    counter.memory.prove();
}

#[test]
fn two_holds_may_be_for_one_order_and_its_payment_by_one_is_not_that_of_the_other() {
    let mut counter = Counter::new();
    counter.credit(100);
    let context = Context {
        now: counter.memory.accounts[&AccountRef::wallet(&customer())].updated_at,
        actor: Actor::system("shop"),
        request: RequestId::new("r"),
        policy: Arc::new(Policy::standard(inr()).unwrap()),
    };
    let cause = |operation, request: &str| Cause::of_request(operation, None, &RequestId::new(request));
    let mut place = |request: &str| {
        let command = PlaceHold {
            customer: customer(),
            amount: Amount::parse("40").unwrap(),
            reason: None,
            order_id: Some(OrderId::parse("o").unwrap()),
            ttl_seconds: 3_600,
            cause: cause(Operation::Hold, request),
        };
        counter.memory.execute(&command, &context).unwrap();
        HoldId::mint(&AccountRef::wallet(&customer()), &command.cause)
    };
    let (one, two) = (place("p1"), place("p2"));
    let capture = |hold: &HoldId, request: &str| CaptureHold {
        hold: hold.clone(),
        amount: None,
        is_final: true,
        cause: cause(Operation::Capture, request),
    };
    let (first, replayed) = counter.memory.execute(&capture(&one, "c1"), &context).unwrap();
    assert!(!replayed);
    assert_eq!(counter.memory.execute(&capture(&one, "c2"), &context).unwrap(), (first, true));
    let other = counter.memory.execute(&capture(&two, "c3"), &context);
    assert_eq!(other.unwrap_err(), Rejection::OrderAlreadyPaid);
    counter.memory.prove();
}
