//! Expiry dates: until when credit can be spent, and what happens to it afterwards.

use tests::{World, admin, customer, staff};

async fn spend(world: &World, amount: &str) -> tests::Answer {
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", &format!(r#"{{"amount":{amount}}}"#)).await
}

#[tokio::test]
async fn credit_is_spendable_through_the_end_of_its_date_and_not_a_millisecond_later() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "100", "promotion", "2026-01-20").await;
    world.clock.set("2026-01-20T23:59:59.999Z");
    spend(&world, "40").await.expect(201);
    world.clock.set("2026-01-21T00:00:00Z");
    let refused = spend(&world, "60").await.expect_problem(402, "insufficient_funds");
    assert_eq!(refused.raw("available"), "0.00");
    // No job has run: reading the list settles what is due, dated when it fell due.
    assert_eq!(world.types("a").await, ["CREDIT", "DEBIT", "EXPIRY"]);
    let history = world.get(&customer("a"), "/api/wallet/a/expiry-history").await.expect(200);
    insta::assert_json_snapshot!(history.json());
    world.prove().await;
}

#[tokio::test]
async fn what_is_due_is_written_ahead_of_the_next_entry() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for day in ["2026-01-16", "2026-01-17", "2026-01-18"] {
        world.credit("a", "10", "promotion", day).await;
    }
    world.clock.set("2026-01-18T00:00:00Z");
    let debit = spend(&world, "105").await.expect(201);
    assert_eq!((debit.field("/seq"), debit.raw("balance_after")), (7.into(), "5.00".into()));
    assert_eq!(&world.types("a").await[4..], ["EXPIRY", "EXPIRY", "DEBIT"]);
    world.prove().await;
}

#[tokio::test]
async fn more_due_than_one_transaction_carries_is_written_in_several() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for day in 0..45 {
        let date = format!("2026-{:02}-{:02}", 2 + day / 28, 1 + day % 28);
        world.credit("a", "1", "promotion", &date).await;
    }
    world.clock.set("2026-06-01T00:00:00Z");
    world.faults.take_log();
    spend(&world, "100").await.expect(201);
    let log = world.faults.take_log();
    let sizes: Vec<usize> = log
        .iter()
        .filter(|(op, _)| op == "TransactWriteItems")
        .map(|(_, body)| body["TransactItems"].as_array().unwrap().len())
        .collect();
    assert_eq!(
        sizes,
        [22, 22, 8],
        "two transactions of twenty entries and the account, then one of five entries, the debit and the account, \
         each with the figures of a month that ended"
    );
    assert_eq!(world.balances("a").await.0, "0.00");
    world.prove().await;
}

#[tokio::test]
async fn debits_burn_the_soonest_date_first_and_promotional_before_refund_before_paid() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    for (source, date) in [
        ("manual", "2026-02-01"),
        ("refund", "2026-02-01"),
        ("loyalty", "2026-02-01"),
        ("purchase", "2026-01-31"),
    ] {
        world.credit("a", "10", source, date).await;
    }
    let lots = spend(&world, "35").await.expect(201).json()["lots"].clone();
    let burned: Vec<String> = lots
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| {
            format!(
                "{} {} {}",
                lot["source"].as_str().unwrap(),
                lot["expires_on"].as_str().unwrap(),
                lot["amount"]
            )
        })
        .collect();
    assert_eq!(
        burned,
        [
            "purchase 2026-01-31 10.0",
            "loyalty 2026-02-01 10.0",
            "refund 2026-02-01 10.0",
            "manual 2026-02-01 5.0"
        ]
    );
    world.prove().await;
}

#[tokio::test]
async fn a_date_of_today_or_earlier_and_two_ways_to_say_it_are_refused() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    for bad in [
        r#"{"amount":1,"expires_on":"2026-01-15"}"#,
        r#"{"amount":1,"expires_on":"2020-01-01"}"#,
        r#"{"amount":1,"expires_on":"2026-03-01","expiry_days":5}"#,
        r#"{"amount":1,"expiry_days":0}"#,
        r#"{"amount":1,"expiry_days":-1}"#,
        r#"{"amount":1,"expiry_days":1.5}"#,
        r#"{"amount":1,"expires_on":"2026-02-30"}"#,
        r#"{"amount":1,"expires_on":"2026-03-01T00:00:00Z"}"#,
        r#"{"amount":1,"expires_on":"+12026-1-2"}"#,
        r#"{"amount":1,"expires_on":" 2026-3-01"}"#,
        r#"{"amount":1,"expires_on":"+2026-3-01"}"#,
    ] {
        world.post(&admin(), "/api/wallet/a/add-credits", bad).await.expect_problem(400, "invalid_request");
    }
    let tomorrow = world.post(&admin(), "/api/wallet/a/add-credits", r#"{"amount":1,"expiry_days":1}"#).await;
    assert_eq!(tomorrow.expect(201).text("/expiry_date"), "2026-01-16");
    world.prove().await;
}

#[tokio::test]
async fn expiring_lists_what_ends_soon_with_days_and_sources() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.credit("a", "10", "promotion", "2026-01-16").await;
    world.credit("a", "20", "purchase", "2026-02-14").await;
    world.credit("a", "30", "manual", "2026-02-15").await;
    let answer = world.get(&customer("a"), "/api/wallet/a/expiring").await.expect(200);
    insta::assert_json_snapshot!(answer.json());
    let wider = world.get(&staff(), "/api/wallet/a/expiring?days_ahead=31&limit=2").await.expect(200);
    assert_eq!((wider.field("/total"), wider.field("/lots/1/days_remaining")), (3.into(), 30.into()));
    let cursor = wider.text("/next_cursor");
    let rest = world
        .get(&staff(), &format!("/api/wallet/a/expiring?days_ahead=31&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(rest.field("/lots/0/expires_on"), "2026-02-15");
    let balance = world.get(&customer("a"), "/api/wallet/a/balance").await.expect(200);
    assert_eq!(balance.field("/next_expiry/date"), "2026-01-16");
}

#[tokio::test]
async fn a_refund_whose_date_has_passed_comes_back_once_with_days_of_grace() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "100", "purchase", "2026-01-20").await;
    let debit = r#"{"amount":100,"order_id":"o"}"#;
    world.post(&staff(), "/api/wallet/a/deduct-credits", debit).await.expect(201);
    world.clock.set("2026-03-01T12:00:00Z");
    let refund = r#"{"amount":60,"order_id":"o"}"#;
    let back = world.post(&admin(), "/api/wallet/a/refund", refund).await.expect(201);
    assert_eq!(
        (back.text("/expiry_date"), back.text("/lots/0/source")),
        ("2026-03-31".into(), "refund".into())
    );
    // It is spent again and its own date passes. It is not extended a second time: it expires at once, with
    // an entry.
    world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":60,"order_id":"p"}"#).await.expect(201);
    world.clock.set("2026-04-15T12:00:00Z");
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":60,"order_id":"p"}"#).await.expect(201);
    assert_eq!(world.balances("a").await.0, "0.00");
    assert_eq!(world.types("a").await, ["CREDIT", "DEBIT", "REFUND", "DEBIT", "REFUND", "EXPIRY"]);
    world.prove().await;
}

#[tokio::test]
async fn an_expired_lot_stays_unspendable_days_later_though_nothing_has_deleted_it() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "100", "promotion", "2026-01-16").await;
    world.clock.set("2026-01-19T00:00:01Z");
    spend(&world, "1").await.expect_problem(402, "insufficient_funds");
    world.expect_available("a", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn the_last_date_there_is_is_a_date_like_any_other() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "10", "manual", "9999-12-31").await;
    spend(&world, "4").await.expect(201);
    world.expect_available("a", "6.00").await;
    let swept = tests::uses::by(
        "expire-credits",
        expire_credits::sweep(&world.app, &Default::default(), domain::ids::RequestId::new("s")),
    )
    .await;
    assert_eq!(swept.unwrap().wallets, 0, "the end of the last date sorts after all other instants");
    world.prove().await;
}
