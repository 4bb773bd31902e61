//! What readers see when the table fails, and that stored contradictions fail closed.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::actor::{Actor, Role};
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::ids::{CustomerId, EventId, IdempotencyKey, RequestId};
use domain::ledger::lot::CreditSource;
use domain::money::Amount;
use domain::text::{FreeText, Metadata};
use domain::wallet::credit::{AddCredits, Expiry};
use edge::Clock;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tests::{Fault, World, customer, staff};

#[tokio::test]
async fn reads_wait_out_a_passing_fault() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for fault in [Fault::Unreachable, Fault::LostReply, Fault::exception("ThrottlingException")] {
        world.faults.plan("GetItem", 2, fault);
        world.expect_available("a", "100.00").await;
    }
    assert_eq!(world.faults.fired(), 6);
}

#[tokio::test]
async fn a_balance_that_contradicts_its_lots_is_not_served_and_not_spent_from() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let key = store::keys::wallet(&CustomerId::parse("a").unwrap());
    let update =
        world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    let update = update.update_expression("SET available = :n");
    update.expression_attribute_values(":n", AttributeValue::N("1000000".into())).send().await.unwrap();
    world.get(&staff(), "/api/wallet/a/balance").await.expect_problem(503, "unavailable");
    let debit = world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await;
    let debit = debit.expect_problem(503, "unavailable");
    assert!(!debit.body.contains("lots"), "the response contains internal text");
    let audit = world.audit().await;
    assert!(
        audit.differences.iter().any(|d| d.account == "w:a" && d.detail.contains("available")),
        "{audit}"
    );
}

#[tokio::test]
async fn a_due_hold_that_another_has_closed_between_two_reads_is_read_again() {
    for (verb, path) in [("GET", "/api/wallet/a/balance"), ("POST", "/api/wallet/a/deduct-credits")] {
        let world = World::new().await;
        world.open_wallet("a", "100").await;
        let body = r#"{"amount":60,"expires_in_seconds":60}"#;
        world.post(&customer("a"), "/api/wallet/a/holds", body).await.expect(201);
        world.clock.advance(Duration::from_secs(90));
        let table = world.app.store.table().to_owned();
        // The account shows the hold as open; the hold, read a moment later, is released.
        world.faults.plan(
            "BatchGetItem",
            1,
            Fault::Rewrite(Arc::new(move |mut body| {
                let hold = &mut body["Responses"][&table][0];
                hold["status"] = json!({"S": "released"});
                hold["released"] = json!({"N": "60"});
                hold["lots"] = json!({"L": []});
                hold["seq"] = json!({"N": "9"});
                body
            })),
        );
        match verb {
            "GET" => assert_eq!(world.get(&staff(), path).await.expect(200).raw("available"), "100.00"),
            _ => assert_eq!(world.post(&staff(), path, r#"{"amount":100}"#).await.status, 201),
        }
        assert_eq!(world.faults.fired(), 1);
        world.prove().await;
    }
}

/// Text that was accepted before a rule became stricter stays readable: it is stored, and is part of the
/// proof.
#[tokio::test]
async fn text_that_is_no_longer_taken_is_still_read() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let turned = "paid \u{202e}2 times";
    assert!(FreeText::parse(turned).is_err());
    let pairs = || BTreeMap::from([("note".to_owned(), turned.to_owned())]);
    assert!(Metadata::try_new(pairs()).is_err());
    let request = RequestId::new("from-before");
    let key = IdempotencyKey::parse("k").unwrap();
    let command = AddCredits {
        customer: CustomerId::parse("a").unwrap(),
        amount: Amount::parse("5").unwrap(),
        reason: Some(FreeText::parse_stored(turned).unwrap()),
        source: CreditSource::Manual,
        expiry: Expiry::ByTier,
        order_id: None,
        metadata: Metadata::parse_stored(pairs()).unwrap(),
        cause: Cause::of_request(Operation::AddCredits, Some(&key), &request),
        currency: None,
    };
    let actor = Actor { role: Role::Admin, ..Actor::system("test") };
    let context = Context { now: world.clock.now(), actor, request, policy: world.app.policy.clone() };
    world.app.store.wallets().execute(&command, &context).await.unwrap();
    let history = world.get(&staff(), "/api/wallet/a/transactions").await.expect(200);
    assert_eq!(history.text("/transactions/0/reason"), turned);
    assert_eq!(history.text("/transactions/0/metadata/note"), turned);
    assert!(EventId::parse("stripe:..").is_err() && EventId::parse_stored("stripe:..").is_ok());
    world.prove().await;
}
