//! Many concurrent requests against one table; the result is exact each time.

use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tests::{Answer, Caller, World, admin, customer, patient, staff};

async fn crowd(balance: &str) -> Arc<World> {
    let world = World::with_retry_policy(patient()).await;
    world.open_wallet("a", balance).await;
    world.open_wallet("b", balance).await;
    Arc::new(world)
}

/// Sends all requests at once, each from its own task.
async fn at_once(world: &Arc<World>, requests: Vec<(Caller, Option<String>, String, String)>) -> Vec<Answer> {
    let send = |(caller, key, path, body): (Caller, Option<String>, String, String)| {
        let world = world.clone();
        tokio::spawn(async move {
            match key {
                Some(key) => world.post_keyed(&caller, &key, &path, &body).await,
                None => world.post(&caller, &path, &body).await,
            }
        })
    };
    join_all(requests.into_iter().map(send)).await.into_iter().map(Result::unwrap).collect()
}

fn by_status(answers: &[Answer]) -> BTreeMap<u16, usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.status).or_default() += 1;
        counts
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_identical_requests_move_value_once_and_all_get_the_same_answer() {
    let world = crowd("500").await;
    let one = (
        customer("a"),
        Some("k".to_owned()),
        "/api/wallet/a/deduct-credits".to_owned(),
        r#"{"amount":7}"#.to_owned(),
    );
    let answers = at_once(&world, vec![one; 100]).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 100)]));
    assert_eq!(answers.iter().map(|answer| &answer.body).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    world.expect_available("a", "493.00").await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_debits_exactly_the_seventy_that_can_be_afforded_succeed() {
    let world = crowd("700").await;
    let path = "/api/wallet/a/deduct-credits".to_owned();
    let debit =
        |n: usize| (customer("a"), Some(format!("k{n}")), path.clone(), r#"{"amount":10}"#.to_owned());
    let answers = at_once(&world, (0..200).map(debit).collect()).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 70), (402, 130)]));
    world.expect_available("a", "0.00").await;
    assert_eq!(world.prove().await.entries, 72);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_releases_and_a_time_out_of_one_hold_have_one_winner() {
    for round in 0..6 {
        let world = crowd("100").await;
        let body = r#"{"amount":60,"expires_in_seconds":60}"#;
        let hold = world.post(&customer("a"), "/api/wallet/a/holds", body).await.expect(201).text("/hold_id");
        // In half of the rounds, the hold is already due on one of the two machines.
        let late = tests::ManualClock::at("2026-01-15T10:01:00Z");
        let machines = [world.clone(), Arc::new(world.another_machine(late))];
        let requests = (0..16).map(|n| {
            let machine = machines[if round % 2 == 1 { n % 2 } else { 0 }].clone();
            let verb = if n % 3 == 0 { "release" } else { "capture" };
            let path = format!("/api/wallet/holds/{hold}/{verb}");
            tokio::spawn(async move { machine.post(&customer("a"), &path, "").await })
        });
        let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let (balance, available, held) = world.balances("a").await;
        assert_eq!(held, if won == 1 { "0.00" } else { "60.00" }, "{:?}", by_status(&answers));
        assert!(won <= 1 && (won == 1 || round % 2 == 1));
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)));
        assert!(
            [("40.00", "40.00"), ("100.00", "100.00"), ("100.00", "40.00")].contains(&(&balance, &available))
        );
        world.prove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_there_and_back_conserve_and_all_finish() {
    let world = crowd("100").await;
    let requests = (0..60).map(|n| {
        let (from, to) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let body = format!(r#"{{"amount":3,"to_customer_id":"{to}"}}"#);
        (staff(), Some(format!("t{n}")), format!("/api/wallet/{from}/transfer"), body)
    });
    let answers = at_once(&world, requests.collect()).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 60)]));
    world.expect_available("a", "100.00").await;
    world.expect_available("b", "100.00").await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_of_one_order_at_once_never_exceed_what_was_paid() {
    let world = crowd("100").await;
    world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":50,"order_id":"o"}"#).await.expect(201);
    let body = r#"{"amount":7,"order_id":"o"}"#.to_owned();
    let refund = |n: usize| (admin(), Some(format!("r{n}")), "/api/wallet/a/refund".to_owned(), body.clone());
    let answers = at_once(&world, (0..30).map(refund).collect()).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 7), (409, 23)]));
    world.expect_available("a", "99.00").await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wallet_is_opened_by_many_at_once() {
    let world = crowd("1").await;
    let body = r#"{"customer_id":"c","initial_balance":5}"#.to_owned();
    let path = "/api/wallet/create".to_owned();
    let requests =
        (0..20).map(|n| (admin(), (n % 2 == 0).then(|| "k".to_owned()), path.clone(), body.clone()));
    let answers = at_once(&world, requests.collect()).await;
    let counts = by_status(&answers);
    // Either the keyed request opened it (and all ten of its copies agree), or a request without a key did.
    assert!(
        counts == BTreeMap::from([(201, 10), (409, 10)]) || counts == BTreeMap::from([(201, 1), (409, 19)])
    );
    world.expect_available("c", "5.00").await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_is_right_while_wallets_are_written() {
    let world = crowd("1000").await;
    let busy = world.clone();
    let writers = tokio::spawn(async move {
        for n in 0..60 {
            let body = r#"{"amount":1,"order_id":"o"}"#.replace("\"o\"", &format!("\"o{}\"", n % 7));
            let hold = busy.post(&staff(), "/api/wallet/a/holds", &body).await;
            if hold.status == 201 {
                let capture = format!("/api/wallet/holds/{}/capture", hold.text("/hold_id"));
                busy.post_keyed(&staff(), &format!("c{n}"), &capture, "").await;
            }
            busy.post(&staff(), "/api/wallet/a/transfer", r#"{"amount":1,"to_customer_id":"b"}"#)
                .await
                .expect(201);
        }
    });
    let mut audits = 0;
    while !writers.is_finished() {
        let audit = world.audit().await;
        assert!(audit.is_proved(), "{audit}");
        audits += 1;
    }
    writers.await.unwrap();
    assert!(audits > 3);
    world.prove().await;
}
