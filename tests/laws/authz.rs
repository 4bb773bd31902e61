//! The whole "who" column of the contract, cell by cell.

use domain::actor::{Actor, Role};
use domain::authz::{Action, Denial, permit};
use domain::ids::CustomerId;

const SCOPES: [(Action, Option<&str>); 9] = [
    (Action::Create, Some("wallet:create")),
    (Action::Read, None),
    (Action::ReadBalance, Some("wallet:read")),
    (Action::Credit, Some("wallet:credit")),
    (Action::Debit, Some("wallet:debit")),
    (Action::Refund, Some("wallet:refund")),
    (Action::Hold, Some("wallet:hold")),
    (Action::Transfer, None),
    (Action::SetStatus, None),
];
const OWNERS: [Action; 5] =
    [Action::Read, Action::ReadBalance, Action::Debit, Action::Hold, Action::Transfer];

fn actor(role: Role, sub: &str, scope: &str) -> Actor {
    Actor { role, sub: sub.to_owned(), scopes: scope.split(' ').map(str::to_owned).collect() }
}

#[test]
fn each_role_may_do_what_the_contract_says_and_no_more() {
    let mine = CustomerId::parse("cust_1").unwrap();
    for (action, scope) in SCOPES {
        let ask = |role, sub, scope: &str| permit(&actor(role, sub, scope), action, &mine);
        let owns = OWNERS.contains(&action);
        let when = |granted: bool| if granted { Ok(()) } else { Err(Denial::Forbidden) };
        assert_eq!(ask(Role::Admin, "x", ""), Ok(()), "{action:?}");
        assert_eq!(ask(Role::Staff, "x", ""), when(owns), "{action:?}");
        assert_eq!(ask(Role::Customer, "cust_1", ""), when(owns), "{action:?}");
        let other = if owns { Err(Denial::Unknown) } else { Err(Denial::Forbidden) };
        assert_eq!(ask(Role::Customer, "cust_2", ""), other, "{action:?}");
        for role in [Role::Agency, Role::Client, Role::System] {
            assert_eq!(ask(role, "cust_1", "wallet:debit"), Err(Denial::Forbidden), "{action:?}");
        }
        // A service is not the owner, whatever its subject; a customer's scopes count for nothing.
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
fn system_is_no_role_that_a_token_can_hold() {
    assert!(Role::parse("system").is_err() && Role::parse("root").is_err() && Role::parse("").is_err());
    assert!(Role::parse("admin").is_ok());
}
