//! The catalogue of vouchers, and the stock of their codes.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use std::time::Duration;
use store::keys::Key;
use tests::vouchers::{buy, change_voucher, create_voucher, stock, upload, voucher_with};
use tests::{Agency, Shop, World, admin, customer, service, staff};

async fn offers(world: &World, name: &str) -> Vec<Value> {
    let json = world.get(&customer(name), "/api/loyalty/vouchers").await.expect(200).json();
    json["vouchers"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_voucher_is_added_once_and_shown_with_the_money_value_of_its_price() {
    let world = World::new().await;
    world.change_program(1, r#""point_value":"0.25""#).await;
    let body = r#"{"name":"Tea","description":"A cup","price_points":10,"face_value":"20.50",
        "valid_until":"2026-12-31T00:00:00Z","per_user_limit":3,"low_stock_threshold":5}"#;
    let path = "/api/loyalty/vouchers";
    world.post(&staff(), path, body).await.expect_problem(403, "forbidden");
    let first = world.post_keyed(&admin(), "k", path, body).await.expect(201);
    assert_eq!((first.raw("price_points"), first.raw("price_value")), ("10".into(), "2.50".into()));
    assert_eq!((first.raw("face_value"), first.text("/status")), ("20.50".into(), "active".into()));
    assert_eq!((first.field("/stock"), first.field("/sold")), (json!(0), json!(0)));
    assert_eq!(first.text("/health"), "red");
    let id = first.text("/voucher_id");
    assert_eq!(first.header("location"), Some(format!("{path}/{id}").as_str()));
    stock(&world, &id, "TEA", 4).await;
    change_voucher(&world, &id, r#""price_points":12,"name":"Chai""#).await;
    world.change_program(2, r#""point_value":"0.5""#).await;
    let again = world.post_keyed(&admin(), "k", path, body).await.expect(201);
    assert_eq!(
        (again.body.as_str(), again.header("idempotent-replayed")),
        (first.body.as_str(), Some("true"))
    );
    let other = body.replace("Tea", "Coffee");
    world.post_keyed(&admin(), "k", path, &other).await.expect_problem(422, "idempotency_key_reused");
    let read = world.get(&staff(), &format!("{path}/{id}")).await.expect(200);
    assert_eq!((read.field("/stock"), read.text("/health")), (json!(4), "yellow".into()));
    assert_eq!((read.text("/name"), read.raw("price_value")), ("Chai".into(), "6.00".into()));
    let ended = r#"{"name":"A","price_points":1,"valid_until":"2026-01-01T00:00:00Z"}"#;
    world.post(&admin(), path, ended).await.expect_problem(400, "invalid_request");
    world
        .patch(&admin(), &format!("{path}/{id}"), r#"{"valid_until":"2026-01-01T00:00:00Z"}"#)
        .await
        .expect_problem(400, "invalid_request");
    world
        .patch(&admin(), &format!("{path}/{id}"), r#"{"face_value":1.005}"#)
        .await
        .expect_problem(400, "invalid_request");
    world
        .patch(&admin(), &format!("{path}/vch_0"), r#"{"name":"B"}"#)
        .await
        .expect_problem(404, "voucher_not_found");
    world.prove().await;
}

#[tokio::test]
async fn customers_see_what_is_for_sale_and_why_they_cannot_buy_it() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let cheap = voucher_with(&world, 50, 2, r#","per_user_limit":1"#).await;
    let dear = voucher_with(&world, 500, 1, "").await;
    let gold = voucher_with(&world, 10, 1, r#","tiers":["GOLD"]"#).await;
    let empty = voucher_with(&world, 10, 0, "").await;
    let paused = voucher_with(&world, 10, 1, "").await;
    change_voucher(&world, &paused, r#""status":"paused""#).await;
    create_voucher(&world, r#""name":"Later","price_points":1,"valid_from":"2027-01-01T00:00:00Z""#).await;
    let found = offers(&world, "a").await;
    let seen = |id: &str| {
        let offer = found.iter().find(|offer| offer["voucher_id"] == id).unwrap();
        (offer["purchasable"].clone(), offer["reason"].clone(), offer["in_stock"].clone())
    };
    assert_eq!(found.len(), 4);
    assert_eq!(seen(&cheap), (json!(true), json!(null), json!(true)));
    assert_eq!(seen(&dear), (json!(false), json!("points"), json!(true)));
    assert_eq!(seen(&gold), (json!(false), json!("tier"), json!(true)));
    assert_eq!(seen(&empty), (json!(false), json!("stock"), json!(false)));
    assert!(found.iter().all(|offer| offer.get("stock").is_none() && offer.get("health").is_none()));
    buy(&world, "k", "a", &cheap).await;
    let reason = |found: Vec<Value>, id: &str| {
        found.iter().find(|offer| offer["voucher_id"] == id).unwrap()["reason"].clone()
    };
    assert_eq!(reason(offers(&world, "a").await, &cheap), "limit");
    world.post(&admin(), "/api/loyalty/wallets/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    assert_eq!(reason(offers(&world, "a").await, &empty), "frozen");
    let path = format!("/api/loyalty/vouchers/{paused}");
    world.get(&customer("a"), &path).await.expect_problem(404, "voucher_not_found");
    world.get(&service("wallet:read"), &path).await.expect_problem(404, "voucher_not_found");
    assert_eq!(world.get(&staff(), &path).await.expect(200).text("/status"), "paused");
    let other = world.get(&service("wallet:read"), "/api/loyalty/vouchers").await.expect(200).json();
    assert!(
        other["vouchers"][0].get("purchasable").is_none() && other["vouchers"][0]["in_stock"].is_boolean()
    );
    let all = world.get(&staff(), "/api/loyalty/vouchers?limit=4").await.expect(200).json();
    let next = all["next_cursor"].as_str().unwrap();
    let rest = world.get(&staff(), &format!("/api/loyalty/vouchers?limit=4&cursor={next}")).await;
    assert_eq!(
        (all["total"].clone(), rest.expect(200).json()["vouchers"].as_array().unwrap().len()),
        (json!(6), 2)
    );
    world.prove().await;
}

#[tokio::test]
async fn a_code_that_is_known_anywhere_is_not_stocked_again() {
    let agency = Agency::new("", 3).await;
    let world = agency.world();
    let id = voucher_with(world, 10, 0, "").await;
    let other = voucher_with(world, 10, 0, "").await;
    let file = "code,pin\nAAAA-1111,1\nAAAA-2222,2\nAAAA-1111,3\n,4\n=cmd,5\n";
    let first = upload(world, &id, file).await.expect(200).json();
    assert_eq!(
        (&first["accepted"], &first["duplicates"], &first["invalid"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let details: Vec<&str> =
        first["lines"].as_array().unwrap().iter().map(|line| line["detail"].as_str().unwrap()).collect();
    assert_eq!(details[0], "appears earlier in this file");
    let again = upload(world, &id, file).await.expect(200).json();
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(3)));
    assert_eq!(again["lines"][0]["detail"], "is already in this stock");
    // Another voucher's code, and a gift card's.
    let cards = world.partition("L#pools", "").await.len();
    assert_eq!(cards, 1);
    let known = upload(world, &other, "code\nAAAA-2222\n").await.expect(200).json();
    assert_eq!((&known["accepted"], &known["lines"][0]["detail"]), (&json!(0), &json!("is already known")));
    let known = upload(world, &other, "code\nc-000001\n").await.expect(200).json();
    assert_eq!((&known["accepted"], &known["lines"][0]["detail"]), (&json!(0), &json!("is already known")));
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let known = world.post_csv(&admin(), &path, "code\nAAAA-1111\nNEW-CARD-1\n").await.expect(200).json();
    assert_eq!((&known["accepted"], &known["lines"][0]["detail"]), (&json!(1), &json!("is already known")));
    let bad = upload(world, &id, "code,number\nAAAA,1\n").await;
    bad.expect_problem(400, "invalid_request");
    let path = format!("/api/loyalty/vouchers/{id}/codes");
    world.post_csv(&staff(), &path, "code\nBBBB-1111\n").await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn a_stock_that_is_low_or_empty_raises_an_alert_that_closes_when_it_recovers() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let id = voucher_with(world, 10, 3, r#","low_stock_threshold":3"#).await;
    let free = voucher_with(world, 10, 0, "").await;
    change_voucher(world, &free, r#""status":"paused""#).await;
    assert_eq!(shop.monitor().await["breakdown"]["vouchers"], 0);
    world.give("a", 100, "").await;
    buy(world, "k1", "a", &id).await;
    assert_eq!(shop.monitor().await["alerts_generated"], 1);
    assert_eq!(shop.monitor().await["alerts_generated"], 0, "an alert is raised once");
    let open = async || {
        let found = world.get(&staff(), "/api/alerts?status=open").await.expect(200).json();
        let found = found["alerts"].as_array().unwrap().clone();
        found.iter().map(|alert| (alert["kind"].clone(), alert["severity"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(open().await, [(json!("low_stock"), json!("warning"))]);
    for key in ["k2", "k3"] {
        buy(world, key, "a", &id).await;
    }
    shop.monitor().await;
    assert_eq!(open().await, [(json!("low_stock"), json!("critical"))]);
    stock(world, &id, "MORE", 3).await;
    shop.monitor().await;
    world.clock.advance(Duration::from_mins(5));
    shop.monitor().await;
    assert_eq!(open().await, []);
    // One for sale that was never given a code.
    change_voucher(world, &free, r#""status":"active""#).await;
    assert_eq!(shop.monitor().await["breakdown"]["vouchers"], 1);
    world.prove().await;
}

#[tokio::test]
async fn many_codes_are_stocked_in_parts_and_counted_exactly() {
    let world = World::new().await;
    let id = voucher_with(&world, 10, 0, "").await;
    stock(&world, &id, "MANY", 1_300).await;
    let read = world.get(&admin(), &format!("/api/loyalty/vouchers/{id}")).await.expect(200);
    assert_eq!((read.field("/stock"), read.field("/sold")), (json!(1_300), json!(0)));
    // Codes of more partitions than the first: all are found.
    world.give("a", 100, "").await;
    for key in ["k1", "k2", "k3"] {
        buy(&world, key, "a", &id).await;
    }
    let read = world.get(&admin(), &format!("/api/loyalty/vouchers/{id}")).await.expect(200);
    assert_eq!((read.field("/stock"), read.field("/sold")), (json!(1_297), json!(3)));
    world.prove().await;
}

#[tokio::test]
async fn a_code_a_purchase_or_a_count_changed_by_hand_is_found_and_named() {
    let world = World::new().await;
    world.give("a", 1000, "").await;
    let id = voucher_with(&world, 10, 5, r#","per_user_limit":5"#).await;
    let bought = buy(&world, "k1", "a", &id).await.text("/purchase/purchase_id");
    world.prove().await;
    let purchase = world.partition(&format!("PU#v:{bought}"), "U").await.remove(0);
    let document = purchase["document"].as_s().unwrap().clone();
    let free = world.partition(&format!("F#{id}#0"), "").await.remove(0);
    let card = document.split("\"card\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let listed = world.partition("L#vouchers", "").await.remove(0);
    let own = world.partition("L#v:a", "").await.remove(0);
    let text = |pk: &str, sk: &str| (pk.to_owned(), sk.to_owned());
    let paths = [
        (text(&format!("PU#v:{bought}"), "U"), "document", document.replace("\"points\":10", "\"points\":9")),
        (text(&format!("C#{card}"), "C"), "purchase_id", format!("vbuy_{}", "0".repeat(20))),
        (text("A#p:a", &format!("C#{id}")), "bought", String::new()),
        (text(free["pk"].as_s().unwrap(), free["sk"].as_s().unwrap()), "", String::new()),
        (text("L#vouchers", listed["sk"].as_s().unwrap()), "", String::new()),
        (text("L#v:a", own["sk"].as_s().unwrap()), "", String::new()),
        (text(&format!("VO#{id}"), "S#0"), "stocked", String::new()),
    ];
    for ((pk, sk), name, value) in paths {
        let before = world.partition(&pk, &sk).await.remove(0);
        let mut changed = before.clone();
        if name.is_empty() {
            let delete = world.raw().delete_item().table_name(world.app.store.table());
            delete.set_key(Some(Key { pk, sk }.attributes())).send().await.unwrap();
        } else {
            let value =
                if value.is_empty() { AttributeValue::N("9".into()) } else { AttributeValue::S(value) };
            changed.insert(name.to_owned(), value);
            let put = world.raw().put_item().table_name(world.app.store.table()).set_item(Some(changed));
            put.send().await.unwrap();
        }
        let found = world.audit().await;
        assert!(!found.is_proved() && found.to_string().contains(&id), "{name}: {found}");
        let put = world.raw().put_item().table_name(world.app.store.table()).set_item(Some(before));
        put.send().await.unwrap();
        world.prove().await;
    }
}
