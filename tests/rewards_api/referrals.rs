//! Referrals: both customers are credited, once, and there are no circles.

use futures::future::join_all;
use rust_decimal::Decimal;
use serde_json::json;
use tests::rewards::{open, refer, try_refer};
use tests::{Fault, World, admin, customer, service, staff};

async fn world_of(names: &[&str]) -> World {
    let world = World::new().await;
    for name in names {
        open(&world, name).await;
    }
    world
}

#[tokio::test]
async fn a_referral_credits_both_customers_once_and_counts_for_the_referrer() {
    let world = world_of(&["a", "b", "c"]).await;
    let code =
        world.get(&customer("a"), "/api/wallet/a/referral-code").await.expect(200).text("/referral_code");
    let written = format!("{}-{}", code[..4].to_lowercase(), &code[4..]);
    let body = format!(r#"{{"referral_code":"{written}","referred_id":"b"}}"#);
    let shop = service("wallet:referral");
    let first = world.post(&shop, "/api/wallet/referral/apply", &body).await.expect(201);
    assert_eq!((&first.json()["referrer_id"], &first.json()["referral_count"]), (&json!("a"), &json!(1)));
    let given = &first.json()["referrer_transaction"];
    assert_eq!(
        (&given["amount"], &given["source"], &given["expiry_date"]),
        (&json!(100.0), &json!("referral"), &json!("2027-01-15"))
    );
    assert_eq!(first.json()["referred_transaction"]["amount"], 50.0);
    refer(&world, "a", "c").await;
    let again = try_refer(&world, "a", "b", "").await.expect(201);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    let wallet = world.get(&customer("a"), "/api/wallet/a").await.json();
    assert_eq!((&wallet["metadata"]["referral_count"], &wallet["available"]), (&json!(2), &json!(200.0)));
    world.expect_available("b", "50.00").await;
    let other = r#","bonus_amount":70"#;
    try_refer(&world, "a", "b", other).await.expect_problem(409, "referral_already_applied");
    try_refer(&world, "c", "b", "").await.expect_problem(409, "referral_already_applied");
    world.prove().await;
}

#[tokio::test]
async fn a_referral_is_refused_in_the_order_of_the_contract() {
    let world = world_of(&["a", "b", "c"]).await;
    let (path, shop) = ("/api/wallet/referral/apply", service("wallet:referral"));
    world
        .post(&shop, path, r#"{"referrer_id":"a","referred_id":"a"}"#)
        .await
        .expect_problem(400, "self_referral");
    world.post(&shop, path, r#"{"referred_id":"a"}"#).await.expect(400);
    world
        .post(&shop, path, r#"{"referrer_id":"a","referral_code":"ABCD","referred_id":"b"}"#)
        .await
        .expect(400);
    world
        .post(&customer("a"), path, r#"{"referrer_id":"a","referred_id":"b"}"#)
        .await
        .expect_problem(403, "forbidden");
    let bonus = r#"{"referrer_id":"a","referred_id":"b","bonus_amount":5}"#;
    world.post(&shop, path, bonus).await.expect_problem(403, "forbidden");
    world
        .post(&shop, path, r#"{"referral_code":"AAAA2222","referred_id":"b"}"#)
        .await
        .expect_problem(404, "code_not_found");
    let code = world.get(&customer("a"), "/api/wallet/a/referral-code").await.text("/referral_code");
    let own = format!(r#"{{"referral_code":"{code}","referred_id":"a"}}"#);
    world.post(&shop, path, &own).await.expect_problem(400, "self_referral");
    try_refer(&world, "a", "nobody", "").await.expect_problem(404, "wallet_not_found");
    try_refer(&world, "nobody", "a", "").await.expect_problem(404, "wallet_not_found");
    world.post(&admin(), "/api/wallet/c/suspend", r#"{"reason":"test"}"#).await.expect(200);
    try_refer(&world, "a", "c", "").await.expect_problem(409, "account_suspended");
    world.post(&admin(), "/api/wallet/c/unfreeze", r#"{"reason":"test"}"#).await.expect(200);
    world.post(&admin(), "/api/wallet/c/freeze", r#"{"reason":"test"}"#).await.expect(200);
    refer(&world, "a", "c").await;
    let dollars = r#"{"customer_id":"d","currency":"USD"}"#;
    world.post(&admin(), "/api/wallet/create", dollars).await.expect(201);
    try_refer(&world, "a", "d", "").await.expect_problem(400, "currency_mismatch");
    try_refer(&world, "c", "a", "").await.expect_problem(409, "referral_cycle");
    let change = r#"{"version":1,"max_per_referrer":1,"referred_bonus":0,"referrer_bonus":"12.50"}"#;
    world.patch(&admin(), "/api/wallet/referral/program", change).await.expect(200);
    try_refer(&world, "a", "b", "").await.expect_problem(409, "referral_limit_reached");
    let made = refer(&world, "c", "b").await;
    assert_eq!(
        (&made.json()["referred_transaction"], &made.json()["referrer_transaction"]["amount"]),
        (&json!(null), &json!(12.5))
    );
    world
        .patch(&admin(), "/api/wallet/referral/program", change)
        .await
        .expect_problem(409, "version_conflict");
    let program = world.get(&staff(), "/api/wallet/referral/program").await.expect(200).json();
    assert_eq!(
        (&program["version"], &program["expiry_days"], &program["created_by"]),
        (&json!(2), &json!(365), &json!("admin-1"))
    );
    world.get(&shop, "/api/wallet/referral/program").await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn arcs_of_a_circle_that_are_applied_at_once_never_close_it() {
    let apply = async |world: &World, referrer: &str, referred: &str| loop {
        let answer = try_refer(world, referrer, referred, "").await;
        if answer.status != 503 {
            return answer;
        }
    };
    for circle in
        [vec!["a", "b"], vec!["a", "b", "c"], vec!["a", "b", "c", "d"], vec!["a", "b", "c", "d", "e", "f"]]
    {
        for _ in 0..5 {
            let world = world_of(&circle).await;
            let arcs = circle.iter().zip(circle.iter().cycle().skip(1));
            let answers = join_all(arcs.map(|(referrer, referred)| apply(&world, referrer, referred))).await;
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status == 201);
            assert_eq!((made.len(), refused.len()), (circle.len() - 1, 1));
            refused.into_iter().next().unwrap().expect_problem(409, "referral_cycle");
            world.prove().await;
        }
    }
}

#[tokio::test]
async fn of_thirty_referrers_of_one_newcomer_one_is_credited() {
    let names: Vec<String> = (0..30).map(|n| format!("r{n}")).collect();
    let world = world_of(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    open(&world, "new").await;
    let answers = join_all(names.iter().map(|name| async {
        loop {
            let answer = try_refer(&world, name, "new", "").await;
            if answer.status != 503 {
                return answer;
            }
        }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "referral_already_applied");
    }
    world.expect_available("new", "50.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_reversal_takes_both_bonuses_back_once_and_what_is_spent_is_owed() {
    let world = world_of(&["a", "b"]).await;
    let path = "/api/wallet/referral/b/reverse";
    let body = r#"{"reason":"fraud"}"#;
    world.post(&admin(), path, body).await.expect_problem(404, "referral_not_found");
    refer(&world, "a", "b").await;
    world.post(&customer("b"), "/api/wallet/b/deduct-credits", r#"{"amount":30}"#).await.expect(201);
    let first = world.post(&admin(), path, body).await.expect(200);
    assert_eq!(first.json()["referral_count"], 0);
    assert_eq!(first.json()["referrer_transaction"]["amount"], 100.0);
    assert_eq!(first.json()["referred_transaction"]["amount"], 20.0);
    let again = world.post(&admin(), path, body).await.expect(200);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    assert_eq!(world.balances("b").await.0, "0.00");
    assert_eq!(world.get(&staff(), "/api/wallet/b").await.json()["owed"], 30.0);
    assert_eq!(world.get(&staff(), "/api/wallet/a").await.json()["metadata"]["referral_count"], 0);
    try_refer(&world, "a", "b", "").await.expect(201);
    try_refer(&world, "c", "b", "").await.expect_problem(404, "wallet_not_found");
    world.credit("b", "50", "manual", "2026-05-01").await;
    world.expect_available("b", "20.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_reversal_of_bonuses_that_have_expired_takes_and_owes_nothing() {
    let world = world_of(&["a", "b"]).await;
    refer(&world, "a", "b").await;
    world.clock.advance_days(400);
    let answer =
        world.post(&admin(), "/api/wallet/referral/b/reverse", r#"{"reason":"late"}"#).await.expect(200);
    assert_eq!(
        (&answer.json()["referrer_transaction"], &answer.json()["referral_count"]),
        (&json!(null), &json!(0))
    );
    for name in ["a", "b"] {
        assert_eq!(world.get(&staff(), &format!("/api/wallet/{name}")).await.json()["owed"], 0.0);
    }
    world.prove().await;
}

#[tokio::test]
async fn a_referral_whose_answer_is_lost_is_applied_once_and_costs_fourteen_write_units() {
    let world = world_of(&["a", "b", "c", "d"]).await;
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
        world.faults.plan("TransactWriteItems", 1, fault);
        refer(&world, "a", "b").await;
        world.expect_available("a", "100.00").await;
    }
    for name in ["b", "c"] {
        world.credit(name, "10", "manual", "2026-01-20").await;
    }
    world.meter.take();
    refer(&world, "b", "c").await;
    let found = world.meter.take();
    assert_eq!(found.write_units, Decimal::from(14));
    assert_eq!(world.faults.fired(), 2);
    world.prove().await;
}
