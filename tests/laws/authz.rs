//! Permissions: every cell of the "who" column of the contract.

use domain::actor::{Actor, Role};
use domain::ids::CustomerId;
use domain::permit::{Denial, permit};
use domain::wallet::permit::WalletAction;

const SCOPES: [(WalletAction, Option<&str>); 13] = [
    (WalletAction::Create, Some("wallet:create")),
    (WalletAction::Read, None),
    (WalletAction::ReadBalance, Some("wallet:read")),
    (WalletAction::Credit, Some("wallet:credit")),
    (WalletAction::Debit, Some("wallet:debit")),
    (WalletAction::Refund, Some("wallet:refund")),
    (WalletAction::Hold, Some("wallet:hold")),
    (WalletAction::Transfer, None),
    (WalletAction::SetStatus, None),
    (WalletAction::RegisterOrder, Some("order:write")),
    (WalletAction::PayOrder, Some("wallet:debit")),
    (WalletAction::TopUp, Some("wallet:topup")),
    (WalletAction::Reports, None),
];
const OWNERS: [WalletAction; 7] = [
    WalletAction::Read,
    WalletAction::ReadBalance,
    WalletAction::Debit,
    WalletAction::Hold,
    WalletAction::Transfer,
    WalletAction::PayOrder,
    WalletAction::TopUp,
];
/// Actions of owners that staff may not do.
const NOT_STAFF: [WalletAction; 2] = [WalletAction::PayOrder, WalletAction::TopUp];

fn actor(role: Role, sub: &str, scope: &str) -> Actor {
    Actor { role, sub: sub.to_owned(), scopes: scope.split(' ').map(str::to_owned).collect(), account: None }
}

#[test]
fn each_role_may_do_what_the_contract_says_and_no_more() {
    let mine = CustomerId::parse("cust_1").unwrap();
    for (action, scope) in SCOPES {
        let ask = |role, sub, scope: &str| permit(&actor(role, sub, scope), action, &mine);
        let owns = OWNERS.contains(&action);
        let when = |granted: bool| if granted { Ok(()) } else { Err(Denial::Forbidden) };
        assert_eq!(ask(Role::Admin, "x", ""), Ok(()), "{action:?}");
        assert_eq!(ask(Role::Staff, "x", ""), when(owns && !NOT_STAFF.contains(&action)), "{action:?}");
        assert_eq!(ask(Role::Customer, "cust_1", ""), when(owns), "{action:?}");
        let other = if owns { Err(Denial::Unknown) } else { Err(Denial::Forbidden) };
        assert_eq!(ask(Role::Customer, "cust_2", ""), other, "{action:?}");
        for role in [Role::Agency, Role::Client, Role::System] {
            assert_eq!(ask(role, "cust_1", "wallet:debit"), Err(Denial::Forbidden), "{action:?}");
        }
        // A service is not the owner, whatever its subject. A customer's scopes are ignored.
        assert_eq!(ask(Role::Service, "cust_1", ""), Err(Denial::Forbidden), "{action:?}");
        for (_, other) in SCOPES {
            let granted = scope.is_some() && scope == other;
            assert_eq!(ask(Role::Service, "x", other.unwrap_or("")), when(granted), "{action:?} {other:?}");
        }
        if !owns {
            assert_eq!(ask(Role::Customer, "cust_1", scope.unwrap_or("")), Err(Denial::Forbidden));
        }
    }
}

#[test]
fn an_order_is_read_by_its_owner_by_staff_and_by_every_service() {
    let mine = CustomerId::parse("cust_1").unwrap();
    let ask = |role, sub| permit(&actor(role, sub, ""), WalletAction::ReadOrder, &mine);
    for (role, sub) in
        [(Role::Customer, "cust_1"), (Role::Staff, "x"), (Role::Admin, "x"), (Role::Service, "x")]
    {
        assert_eq!(ask(role, sub), Ok(()), "{role:?}");
    }
    assert_eq!(ask(Role::Customer, "cust_2"), Err(Denial::Unknown));
    assert_eq!(ask(Role::Agency, "cust_1"), Err(Denial::Forbidden));
}

#[test]
fn system_is_no_role_that_a_token_can_hold() {
    assert!(Role::parse("system").is_err() && Role::parse("root").is_err() && Role::parse("").is_err());
    assert!(Role::parse("admin").is_ok());
}
