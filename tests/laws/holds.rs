//! Holds: who may close one, and which of its entries it names.

use domain::actor::{Actor, Role};
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, HoldId, TransactionId};
use domain::ledger::hold::{Hold, HoldStatus, HoldView};
use domain::money::Money;
use domain::time::Timestamp;
use std::collections::BTreeSet;

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
    };
    let id = HoldId::mint(&owner, &Cause::stored("hold"));
    Hold { id, view, side, reason: None, created_at: start, lots: vec![], seq: 0 }
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
