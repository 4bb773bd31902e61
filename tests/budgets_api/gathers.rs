//! Credit reclaimed from accounts that are being spent from, where no single slice has enough.

use std::sync::Arc;
use std::time::Duration;
use tests::agency::allocate;
use tests::{Agency, Answer, Fault, World, admin, patient};
use tokio::sync::Notify;

/// Opens a client with 800 on eight slices, none of which has half of it, and a campaign that shares it.
async fn spread(cards: usize) -> Agency {
    let agency = Agency::with("", cards, ("", ""), patient()).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.client);
    world.patch(&admin(), &path, r#"{"slices":8}"#).await.expect(200);
    allocate(world, "platform", &agency.agency, "800").await;
    for n in 0..16 {
        let (from, to) = (&agency.agency, &agency.client);
        let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":50}}"#);
        world.post_keyed(&admin(), &format!("fund-{n}"), "/api/credit/allocate", &body).await.expect(201);
    }
    agency
}

async fn reclaim(world: &World, account: &str, amount: &str, key: &str) -> Answer {
    let body = format!(r#"{{"account_id":"{account}"{amount}}}"#);
    world.post_keyed(&admin(), key, "/api/credit/reclaim", &body).await
}

async fn received(agency: &Agency) -> [String; 3] {
    let client = agency.account(&agency.client).await;
    ["received", "available", "spent"].map(|name| client.raw(name))
}

#[tokio::test]
async fn a_reclaim_keeps_slices_out_of_its_transaction_and_moves_the_whole_amount() {
    let agency = spread(5).await;
    let world = agency.world();
    world.faults.take_log();
    let moved = reclaim(world, &agency.client, r#","amount":700"#, "k").await.expect(201);
    assert_eq!(
        (moved.raw("from_account_balance"), moved.raw("to_account_balance")),
        ("100.00".into(), "700.00".into())
    );
    let slices = format!("A#b:{}", agency.client);
    let log = world.faults.take_log();
    let transactions = log.iter().filter(|(name, _)| name == "TransactWriteItems");
    assert!(transactions.clone().count() > 0);
    assert!(transactions.into_iter().all(|(_, body)| !body.to_string().contains(&slices)));
    assert_eq!(received(&agency).await, ["100.00", "100.00", "0.00"]);
    assert!(reclaim(world, &agency.client, r#","amount":700"#, "k").await.expect(201).body == moved.body);
    world.prove().await;
    agency.provision("CODE").await.expect(201);
    let all = reclaim(world, &agency.client, "", "all").await.expect(201);
    assert_eq!(all.raw("from_account_balance"), "0.00");
    assert_eq!(received(&agency).await, ["25.00", "0.00", "25.00"]);
    reclaim(world, &agency.client, r#","amount":1"#, "none").await.expect_problem(402, "insufficient_funds");
    world.prove().await;
}

#[tokio::test]
async fn credit_is_reclaimed_during_concurrent_spends_and_nothing_is_below_zero() {
    let agency = Arc::new(spread(12).await);
    let world = agency.world();
    let spends = (0..40).map(|n| {
        let agency = agency.clone();
        tokio::spawn(async move { agency.provision(&format!("CODE-{n:03}")).await.status })
    });
    let spends: Vec<_> = spends.collect();
    let cuts = (0..6).map(|n| {
        let agency = agency.clone();
        tokio::spawn(async move {
            let cut = reclaim(agency.world(), &agency.client, r#","amount":150"#, &format!("cut-{n}")).await;
            cut.status
        })
    });
    let cuts: Vec<_> = cuts.collect();
    let (mut spent, mut cut) = (0, 0);
    for spend in spends {
        spent += u32::from(spend.await.unwrap() == 201);
    }
    for one in cuts {
        cut += u32::from(one.await.unwrap() == 201);
    }
    let left = 800 - 25 * spent - 150 * cut;
    assert!(cut >= 1 && left < 150, "{spent} spends, {cut} cuts");
    assert_eq!(agency.figures(&agency.client).await[0], format!("{left}.00"));
    assert_eq!(agency.account(&agency.agency).await.raw("available"), format!("{}.00", 150 * cut));
    world.prove().await;
}

#[tokio::test]
async fn a_lost_reply_at_any_step_moves_it_once() {
    for (operation, passed) in [("UpdateItem", 0), ("UpdateItem", 2), ("TransactWriteItems", 0)] {
        for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
            let agency = spread(0).await;
            let world = agency.world();
            if passed > 0 {
                world.faults.plan(operation, passed, Fault::Rewrite(Arc::new(|body| body)));
            }
            world.faults.plan(operation, 1, fault);
            let moved = reclaim(world, &agency.client, r#","amount":500"#, "k").await.expect(201);
            assert!(!moved.is_replay() || operation == "TransactWriteItems", "{}", moved.body);
            assert_eq!(world.faults.fired(), passed + 1);
            world.clock.advance(Duration::from_secs(400));
            agency.shop.monitor().await;
            assert_eq!(received(&agency).await, ["300.00", "300.00", "0.00"], "{operation} {passed}");
            assert_eq!(agency.account(&agency.agency).await.raw("available"), "500.00");
            world.prove().await;
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_step_moves_all_of_it_or_gives_all_of_it_back() {
    for (operation, passed, stop, moved) in [
        ("UpdateItem", 1, Fault::StopAfter as fn(Arc<Notify>) -> Fault, false),
        ("TransactWriteItems", 0, Fault::StopBefore, false),
        ("TransactWriteItems", 0, Fault::StopAfter, true),
        ("UpdateItem", 6, Fault::StopAfter, true),
    ] {
        let agency = Arc::new(spread(0).await);
        let world = agency.world();
        let arrived = Arc::new(Notify::new());
        if passed > 0 {
            world.faults.plan(operation, passed, Fault::Rewrite(Arc::new(|body| body)));
        }
        world.faults.plan(operation, 1, stop(arrived.clone()));
        let machine = agency.clone();
        let process = tokio::spawn(async move {
            reclaim(machine.world(), &machine.client, r#","amount":500"#, "k").await;
        });
        tests::stopped(process, &arrived).await;
        // The books are proved at every instant; credit that is moved counts as moved at once.
        world.prove().await;
        let want = if moved { "300.00" } else { "800.00" };
        assert_eq!(received(&agency).await[0], want, "{operation} {passed}");
        world.clock.advance(Duration::from_secs(400));
        let looked = agency.shop.monitor().await;
        assert_eq!(looked["breakdown"]["failed"], 0, "{looked}");
        assert_eq!(received(&agency).await, [want, want, "0.00"], "{operation} {passed}");
        world.prove().await;
        let again = reclaim(world, &agency.client, r#","amount":500"#, "k").await.expect(201);
        assert_eq!(again.is_replay(), moved);
        assert_eq!(received(&agency).await, ["300.00", "300.00", "0.00"]);
        world.prove().await;
    }
}

#[tokio::test]
async fn all_credit_is_reclaimed_from_slices_with_the_maximum_of_attempts() {
    let agency = Agency::with("2000", 64, (r#""budget_mode":"isolated","slices":2"#, ""), patient()).await;
    let world = agency.world();
    // Each process leaves one committed attempt unsettled, on the only slice that has credit.
    for n in 0..64 {
        let process = world.another_machine(world.clock.clone());
        let provision = agency.provision_body(&format!("CODE-{n}"));
        process.post(&tests::agency::issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
    }
    allocate(world, "platform", &agency.agency, "80").await;
    allocate(world, &agency.agency, &agency.client, "80").await;
    for n in 0..8 {
        let (from, to) = (&agency.client, &agency.campaign);
        let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":10}}"#);
        world.post_keyed(&admin(), &format!("more-{n}"), "/api/credit/allocate", &body).await.expect(201);
    }
    let some = reclaim(world, &agency.campaign, r#","amount":475"#, "some").await.expect(201);
    assert_eq!(some.raw("from_account_balance"), "5.00");
    let all = reclaim(world, &agency.campaign, "", "all").await.expect(201);
    assert_eq!(all.raw("from_account_balance"), "0.00");
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "1600.00"]);
    world.prove().await;
}

#[tokio::test]
async fn credit_reserved_by_a_write_with_a_lost_reply_is_found_and_reclaimed() {
    let agency = spread(0).await;
    let world = agency.world();
    world.faults.plan("UpdateItem", 2, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("UpdateItem", 1, Fault::LostReply);
    // This is nearly all of it, so what the lost reply left reserved is needed too.
    reclaim(world, &agency.client, r#","amount":795"#, "k").await.expect(201);
    assert_eq!(received(&agency).await, ["5.00", "5.00", "0.00"]);
    world.prove().await;
}
