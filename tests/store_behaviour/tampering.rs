//! Changes that are made directly in the table are found and named.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::CustomerId;
use scrip::audit::AuditReport;
use tests::{World, admin, customer};

async fn world() -> World {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    let body = r#"{"amount":25,"order_id":"o","reason":"tea"}"#;
    world.post(&admin(), "/api/wallet/a/deduct-credits", body).await.expect(201);
    world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":5}"#).await.expect(201);
    world
}

async fn entry(world: &World, seq: u64) -> domain::ledger::entry::Entry {
    world.app.store.wallets().entry(&CustomerId::parse("a").unwrap(), seq).await.unwrap().unwrap()
}

async fn set(world: &World, key: &store::keys::Key, expression: &str, value: Option<AttributeValue>) {
    let update =
        world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    let update = update.update_expression(expression);
    let update = match value {
        Some(value) => update.expression_attribute_values(":v", value),
        None => update,
    };
    update.send().await.unwrap();
}

fn names(audit: &AuditReport, at: &str) -> bool {
    audit.differences.iter().all(|d| d.account == "w:a")
        && audit.differences.iter().any(|d| d.at.as_deref().unwrap_or("w:a").contains(at))
}

#[tokio::test]
async fn a_stored_entry_that_is_changed_or_removed_is_named() {
    for (expression, value) in [
        ("SET amount = :v", AttributeValue::N("1".into())),
        ("SET balance_after = :v", AttributeValue::N("99".into())),
        ("SET reason = :v", AttributeValue::S("coffee".into())),
        ("SET order_id = :v", AttributeValue::S("other".into())),
        ("SET hs = :v", AttributeValue::S("000000000009".into())),
        ("SET currency = :v", AttributeValue::S("USD".into())),
    ] {
        let world = world().await;
        let second = entry(&world, 2).await;
        let key = store::keys::entry(&second.account, &second.cause);
        set(&world, &key, expression, Some(value)).await;
        let found = world.audit().await;
        assert!(!found.is_proved() && !found.differences.is_empty(), "{expression} {found}");
        assert!(found.differences.iter().all(|d| d.account == "w:a"), "{found}");
    }
    let world = world().await;
    let second = entry(&world, 2).await;
    let key = store::keys::entry(&second.account, &second.cause);
    world
        .raw()
        .delete_item()
        .table_name(world.app.store.table())
        .set_key(Some(key.attributes()))
        .send()
        .await
        .unwrap();
    let found = world.audit().await;
    assert!(
        found.to_string().contains("entry 2 is missing") && found.to_string().ends_with("NOT PROVED"),
        "{found}"
    );
}

#[tokio::test]
async fn a_balance_a_hold_or_an_order_that_is_edited_is_named() {
    let lot = |amount: &str| {
        let lot = [("c", "paid"), ("s", "manual"), ("d", "2027-01-15")];
        let mut map: std::collections::HashMap<String, AttributeValue> =
            lot.iter().map(|(k, v)| ((*k).to_owned(), AttributeValue::S((*v).to_owned()))).collect();
        map.insert("a".into(), AttributeValue::N(amount.into()));
        AttributeValue::L(vec![AttributeValue::M(map)])
    };
    let account = store::keys::wallet(&CustomerId::parse("a").unwrap());
    let number = |text: &str| Some(AttributeValue::N(text.into()));
    let edits = [
        ("SET earned = :v", number("5")),
        ("SET available = :v", number("1000")),
        ("SET lots = :v", Some(lot("1000"))),
        ("SET seq = :v", number("2")),
        ("REMOVE holds", None),
        ("SET held = :v", number("0")),
    ];
    for (expression, value) in edits {
        let world = world().await;
        set(&world, &account, expression, value).await;
        let found = world.audit().await;
        assert!(!found.is_proved() && names(&found, ""), "{expression} {found}");
    }
    // Lots and sum are edited consistently: the entries still contradict them.
    let world = world().await;
    set(&world, &account, "SET lots = :v", Some(lot("1000"))).await;
    set(&world, &account, "SET available = :v", number("1000")).await;
    let found = world.audit().await.to_string();
    assert!(found.contains("w:a: available is stored as 1000, its entries give 70"), "{found}");
    let order = store::keys::order(&domain::ids::OrderId::parse("o").unwrap());
    let world = world_with_order_edited(&order).await;
    assert!(names(&world.audit().await, "o"));
}

async fn world_with_order_edited(order: &store::keys::Key) -> World {
    let world = world().await;
    set(&world, order, "SET paid = :v", Some(AttributeValue::N("5".into()))).await;
    world
}

#[tokio::test]
async fn the_digest_is_that_of_the_entries_alone() {
    let world = world().await;
    let before = world.audit().await;
    assert_eq!(world.audit().await.digest, before.digest);
    world.post(&admin(), "/api/wallet/b/freeze", r#"{"reason":"r"}"#).await.expect(200);
    assert_eq!(world.audit().await.digest, before.digest);
    world.credit("b", "1", "manual", "").await;
    assert_ne!(world.audit().await.digest, before.digest);
}

async fn item(world: &World, key: &store::keys::Key) -> std::collections::HashMap<String, AttributeValue> {
    let get = world.raw().get_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    get.send().await.unwrap().item.unwrap()
}

async fn put_back(world: &World, item: std::collections::HashMap<String, AttributeValue>) {
    world.raw().put_item().table_name(world.app.store.table()).set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn a_restore_that_holds_half_of_a_transaction_is_found() {
    let account = store::keys::wallet(&CustomerId::parse("a").unwrap());
    let order = store::keys::order(&domain::ids::OrderId::parse("o").unwrap());
    for key in [&account, &order] {
        let world = world().await;
        let before = item(&world, key).await;
        world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#).await.expect(201);
        assert!(world.audit().await.is_proved());
        put_back(&world, before).await;
        let found = world.audit().await;
        assert!(found.to_string().contains("was overwritten with an older version"), "{found}");
    }
}

#[tokio::test]
async fn a_transfer_that_did_not_arrive_and_a_wallet_that_vanished_are_found() {
    let world = world().await;
    let recipient = store::keys::wallet(&CustomerId::parse("b").unwrap());
    let before = item(&world, &recipient).await;
    let body = r#"{"amount":5,"to_customer_id":"b"}"#;
    world.post(&customer("a"), "/api/wallet/a/transfer", body).await.expect(201);
    let arrived =
        world.app.store.wallets().history(&CustomerId::parse("b").unwrap(), 99, 1).await.unwrap().entries;
    let entry = store::keys::entry(&arrived[0].account, &arrived[0].cause);
    let delete = |key: store::keys::Key| {
        world.raw().delete_item().table_name(world.app.store.table()).set_key(Some(key.attributes())).send()
    };
    delete(entry).await.unwrap();
    put_back(&world, before).await;
    let found = world.audit().await.to_string();
    assert!(found.contains("w:b") && found.contains("has not arrived"), "{found}");
    // Without its account and its entries, the wallet is still named by its referral code.
    delete(recipient).await.unwrap();
    let first = world.app.store.wallets().entry(&CustomerId::parse("b").unwrap(), 1).await.unwrap().unwrap();
    delete(store::keys::entry(&first.account, &first.cause)).await.unwrap();
    let found = world.audit().await.to_string();
    assert!(found.contains("w:b: has no account"), "{found}");
}

#[tokio::test]
async fn a_forged_order_without_payments_is_found() {
    let world = world().await;
    let mut forged = item(&world, &store::keys::order(&domain::ids::OrderId::parse("o").unwrap())).await;
    for (name, value) in [("pk", "O#forged"), ("order_id", "forged")] {
        forged.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }
    put_back(&world, forged).await;
    let found = world.audit().await.to_string();
    assert!(found.contains("w:a forged: the order does not match its entries"), "{found}");
}

#[tokio::test]
async fn a_status_that_was_lifted_by_hand_is_found() {
    let world = world().await;
    world.post(&admin(), "/api/wallet/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    let account = store::keys::wallet(&CustomerId::parse("a").unwrap());
    let update =
        world.raw().update_item().table_name(world.app.store.table()).set_key(Some(account.attributes()));
    let update = update.update_expression("SET #s = :v").expression_attribute_names("#s", "status");
    update.expression_attribute_values(":v", AttributeValue::S("ACTIVE".into())).send().await.unwrap();
    let found = world.audit().await.to_string();
    assert!(found.contains("w:a: its status is stored as ACTIVE, its records give FROZEN"), "{found}");
}
