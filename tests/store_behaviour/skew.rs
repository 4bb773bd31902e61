//! Machines that differ in their clocks, or in the version of the code that they run.

use tests::{ManualClock, World, admin, customer, staff};

const DEBIT: &str = "/api/wallet/a/deduct-credits";
const TEN: &str = r#"{"amount":10}"#;

async fn world() -> World {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world
}

#[tokio::test]
async fn machines_whose_clocks_are_minutes_apart_revive_no_lot_and_agree() {
    let world = world().await;
    world.credit("a", "50", "promotion", "2026-01-20").await;
    let ahead = world.another_machine(ManualClock::at("2026-01-21T00:02:00Z"));
    let behind = world.another_machine(ManualClock::at("2026-01-20T23:57:00Z"));
    let much = r#"{"amount":120}"#;
    // The machine behind sees the lot as valid; the machine ahead settles its expiry; then it is expired for
    // both.
    behind.expect_available("a", "150.00").await;
    ahead.post(&customer("a"), DEBIT, r#"{"amount":1}"#).await.expect(201);
    behind.post(&customer("a"), DEBIT, much).await.expect_problem(402, "insufficient_funds");
    behind.expect_available("a", "99.00").await;
    let written = behind.post(&customer("a"), DEBIT, r#"{"amount":1}"#).await.expect(201);
    assert_eq!(written.text("/created_at"), "2026-01-21T00:02:00.000Z", "not dated before its predecessor");
    assert_eq!(world.types("a").await, ["CREDIT", "CREDIT", "EXPIRY", "DEBIT", "DEBIT"]);
    world.prove().await;
}

#[tokio::test]
async fn what_one_machine_has_seen_pass_is_past_for_a_machine_whose_clock_runs_behind() {
    let world = world().await;
    world.credit("a", "50", "promotion", "2026-01-20").await;
    world.post(&staff(), DEBIT, r#"{"amount":50,"order_id":"o"}"#).await.expect(201);
    let ahead = world.another_machine(ManualClock::at("2026-01-21T00:02:00Z"));
    let behind = world.another_machine(ManualClock::at("2026-01-20T23:57:00Z"));
    ahead.post(&customer("a"), DEBIT, r#"{"amount":1}"#).await.expect(201);
    // The lot that paid has expired: its refund gets days of grace instead of the old date.
    let refund = r#"{"amount":50,"order_id":"o"}"#;
    let back = behind.post(&admin(), "/api/wallet/a/refund", refund).await.expect(201);
    assert_eq!(back.text("/expiry_date"), "2026-02-20");
    // Credit that expires on that day cannot be granted either.
    let today = r#"{"amount":1,"expires_on":"2026-01-21"}"#;
    behind.post(&admin(), "/api/wallet/a/add-credits", today).await.expect_problem(400, "invalid_request");
    world.prove().await;
}

#[tokio::test]
async fn what_another_version_wrote_into_an_item_stays() {
    let world = world().await;
    let hold = world.post(&admin(), "/api/wallet/a/holds", TEN).await.text("/hold_id");
    world.post(&staff(), DEBIT, r#"{"amount":10,"order_id":"o"}"#).await.expect(201);
    let keys = [
        store::keys::wallet(&domain::ids::CustomerId::parse("a").unwrap()),
        store::keys::hold(&domain::ids::HoldId::parse(&hold).unwrap()),
        store::keys::order(&domain::ids::OrderId::parse("o").unwrap()),
    ];
    for key in &keys {
        let update =
            world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
        let value = aws_sdk_dynamodb::types::AttributeValue::S("from tomorrow".into());
        update
            .update_expression("SET newer = :n")
            .expression_attribute_values(":n", value)
            .send()
            .await
            .unwrap();
    }
    world.post(&admin(), &format!("/api/wallet/holds/{hold}/capture"), "").await.expect(200);
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#).await.expect(201);
    for key in &keys {
        let get = world.raw().get_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
        let item = get.send().await.unwrap().item.unwrap();
        assert_eq!(item["newer"].as_s().unwrap(), "from tomorrow", "{key:?}");
    }
    world.prove().await;
}

#[tokio::test]
async fn a_lot_does_not_leave_alive_and_arrive_expired() {
    let world = world().await;
    world.open_wallet("b", "").await;
    world.credit("a", "50", "promotion", "2026-01-20").await;
    let ahead = world.another_machine(ManualClock::at("2026-01-21T00:02:00Z"));
    let behind = world.another_machine(ManualClock::at("2026-01-20T23:58:00Z"));
    ahead.credit("b", "1", "manual", "").await;
    // The recipient has seen the day end, so it has ended for both: the promotion is not transferred.
    let body = r#"{"amount":120,"to_customer_id":"b"}"#;
    behind
        .post(&customer("a"), "/api/wallet/a/transfer", body)
        .await
        .expect_problem(402, "insufficient_funds");
    let body = r#"{"amount":90,"to_customer_id":"b"}"#;
    behind.post(&customer("a"), "/api/wallet/a/transfer", body).await.expect(201);
    assert_eq!(world.types("a").await, ["CREDIT", "CREDIT", "EXPIRY", "TRANSFER_OUT"]);
    behind.expect_available("b", "91.00").await;
    world.prove().await;
}

#[tokio::test]
async fn what_another_version_wrote_into_items_of_loyalty_stays() {
    let world = World::new().await;
    world.earn("a", "b1", "1000").await;
    let token = world.redeem("a", 4, "b2", "100").await;
    let user = domain::ids::CustomerId::parse("a").unwrap();
    let keys = [
        store::keys::account(&domain::ids::AccountRef::points(&user)),
        store::keys::hold(&domain::ids::HoldId::parse_stored(&token).unwrap()),
        store::keys::purchase(&domain::ids::PurchaseId::Booking(
            domain::ids::BookingId::parse("b1").unwrap(),
        )),
    ];
    for key in &keys {
        let update =
            world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
        let value = aws_sdk_dynamodb::types::AttributeValue::S("from tomorrow".into());
        let update = update.update_expression("SET newer = :n").expression_attribute_values(":n", value);
        update.condition_expression("attribute_exists(pk)").send().await.unwrap();
    }
    world.close(&token, "confirm", "{}").await.expect(200);
    world.refund_booking("b1", "r1", r#""amount":500"#).await;
    world.earn("a", "b3", "1000").await;
    for key in &keys {
        let get = world.raw().get_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
        let item = get.send().await.unwrap().item.unwrap();
        assert_eq!(item["newer"].as_s().unwrap(), "from tomorrow", "{key:?}");
    }
    world.prove().await;
}
