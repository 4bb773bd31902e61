//! Failures of the table, the process and the suppliers that a spend must survive; a counter shows that each
//! one fired.

use scrip::fakes::supply::Switch;
use std::sync::Arc;
use std::time::Duration;
use store::RetryPolicy;
use tests::{Agency, Answer, Fault, patient};
use tokio::sync::Notify;

const RELOADLY: &str = r#""supplier":"reloadly","supplier_product_id":"4711""#;
const TREMENDOUS: &str = r#""supplier":"tremendous","supplier_product_id":"PRODUCT1""#;

/// Opens an agency whose requests do not give up on a slow machine.
async fn agency(cards: usize, brand: &str) -> Arc<Agency> {
    agency_that_gives_up_after(patient().budget, cards, brand).await
}

async fn agency_that_gives_up_after(budget: Duration, cards: usize, brand: &str) -> Arc<Agency> {
    let (base, cap) = (Duration::from_millis(2), Duration::from_millis(20));
    let retry_policy = RetryPolicy { budget, base, cap };
    Arc::new(Agency::with("100", cards, (r#""budget_mode":"isolated""#, brand), retry_policy).await)
}

fn unchanged_reply() -> Fault {
    Fault::Rewrite(Arc::new(|body| body))
}

/// Sends a request whose process stops at the fault, after `passed` requests of that operation have
/// succeeded.
async fn crashed(
    agency: &Arc<Agency>,
    (operation, passed): (&'static str, u64),
    fault: impl Fn(Arc<Notify>) -> Fault,
) {
    let (faults, arrived) = (&agency.world().faults, Arc::new(Notify::new()));
    let before = faults.fired();
    if passed > 0 {
        faults.plan(operation, passed, unchanged_reply());
    }
    faults.plan(operation, 1, fault(arrived.clone()));
    let machine = agency.clone();
    let process = tokio::spawn(async move { machine.provision("CODE").await });
    tests::stopped(process, &arrived).await;
    assert_eq!(faults.fired(), before + passed + 1);
}

/// Runs the monitor after attempts have timed out.
async fn later(agency: &Agency) {
    agency.world().clock.advance(Duration::from_secs(400));
    let looked = agency.shop.monitor().await;
    assert_eq!(looked["breakdown"]["failed"], 0, "{looked}");
}

async fn expect(agency: &Agency, available: &str, reserved: &str, spent: &str) {
    assert_eq!(agency.figures(&agency.campaign).await, [available, reserved, spent]);
}

#[tokio::test]
async fn credit_reserved_before_a_crash_blocks_no_request_and_is_released() {
    let agency = agency(5, "").await;
    crashed(&agency, ("UpdateItem", 0), Fault::StopAfter).await;
    expect(&agency, "75.00", "25.00", "0.00").await;
    assert!(!agency.provision("CODE").await.expect(201).is_replay(), "the same code continues at once");
    expect(&agency, "50.00", "25.00", "25.00").await;
    later(&agency).await;
    expect(&agency, "75.00", "0.00", "25.00").await;
    agency.world().prove().await;
}

#[tokio::test]
async fn a_crash_before_the_commit_is_fenced_and_given_back_and_a_retry_gets_one_card() {
    let agency = agency(5, "").await;
    crashed(&agency, ("TransactWriteItems", 0), Fault::StopBefore).await;
    expect(&agency, "75.00", "25.00", "0.00").await;
    later(&agency).await;
    expect(&agency, "100.00", "0.00", "0.00").await;
    agency.provision("CODE").await.expect(201);
    expect(&agency, "75.00", "0.00", "25.00").await;
    assert_eq!(agency.world().prove().await.budgets.cards, (5, 4, 1));
}

#[tokio::test]
async fn a_crash_after_the_commit_counts_as_spent_at_once_and_a_retry_gets_the_card() {
    let agency = agency(5, "").await;
    crashed(&agency, ("TransactWriteItems", 0), Fault::StopAfter).await;
    expect(&agency, "75.00", "0.00", "25.00").await;
    assert!(agency.provision("CODE").await.expect(201).is_replay());
    later(&agency).await;
    expect(&agency, "75.00", "0.00", "25.00").await;
    assert_eq!(agency.world().prove().await.budgets.cards, (5, 4, 1));
}

#[tokio::test]
async fn a_late_commit_finds_itself_fenced_by_the_resolver_and_its_caller_still_gets_one_card() {
    let agency = agency(5, "").await;
    let (arrived, sign) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    agency.world().faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), sign.clone()));
    let caller = agency.clone();
    let caller = tokio::spawn(async move { caller.provision("CODE").await });
    arrived.notified().await;
    later(&agency).await;
    expect(&agency, "100.00", "0.00", "0.00").await;
    sign.notify_one();
    assert!(!caller.await.unwrap().expect(201).is_replay());
    expect(&agency, "75.00", "0.00", "25.00").await;
    assert_eq!(agency.world().prove().await.budgets.cards, (5, 4, 1));
}

#[tokio::test]
async fn a_lost_reply_at_either_step_results_in_one_card_paid_once() {
    for (operation, fault) in [
        ("UpdateItem", Fault::LostReply),
        ("UpdateItem", Fault::ErrorAfterCommit),
        ("TransactWriteItems", Fault::LostReply),
        ("TransactWriteItems", Fault::ErrorAfterCommit),
    ] {
        let agency = agency(5, "").await;
        agency.world().faults.plan(operation, 1, fault);
        assert!(!agency.provision("CODE").await.expect(201).is_replay());
        assert_eq!(agency.world().faults.fired(), 1);
        expect(&agency, "75.00", "0.00", "25.00").await;
        assert!(agency.provision("CODE").await.expect(201).is_replay());
        assert_eq!(agency.world().prove().await.budgets.cards, (5, 4, 1));
    }
}

#[tokio::test]
async fn a_commit_that_conflicts_with_its_own_first_send_is_not_mistaken_for_another_request() {
    // The positions (entry, redemption, card) that are reported as conflicts, which hides the failed
    // condition.
    for hidden in [vec![0], vec![0, 1], vec![0, 2], vec![1, 2]] {
        let agency = agency(5, "").await;
        let faults = &agency.world().faults;
        faults.plan("TransactWriteItems", 1, Fault::LostReply);
        let answer = hidden.clone();
        let mixed = move |mut body: serde_json::Value| {
            for at in &answer {
                body["CancellationReasons"][at] = serde_json::json!({"Code": "TransactionConflict"});
            }
            body
        };
        faults.plan("TransactWriteItems", 1, Fault::Rewrite(Arc::new(mixed)));
        let issued = agency.provision("CODE").await.expect(201);
        assert_eq!(faults.fired(), 2, "{hidden:?}");
        expect(&agency, "75.00", "0.00", "25.00").await;
        let again = agency.provision("CODE").await.expect(201);
        assert!(again.is_replay());
        assert_eq!(again.text("/card/card_code"), issued.text("/card/card_code"), "{hidden:?}");
        later(&agency).await;
        expect(&agency, "75.00", "0.00", "25.00").await;
        assert_eq!(agency.world().prove().await.budgets.cards, (5, 4, 1));
    }
}

#[tokio::test]
async fn a_lost_reservation_of_the_last_credit_is_found_again_and_not_refused() {
    let agency = agency(5, "").await;
    for code in ["A-001", "A-002", "A-003"] {
        agency.provision(code).await.expect(201);
    }
    agency.world().faults.plan("UpdateItem", 1, Fault::LostReply);
    agency.provision("A-004").await.expect(201);
    expect(&agency, "0.00", "0.00", "100.00").await;
    agency.world().prove().await;
}

#[tokio::test]
async fn storms_and_silence_end_in_503_with_nothing_taken() {
    for (operation, fault, code) in [
        ("TransactWriteItems", Fault::cancelled(&["None", "TransactionConflict"]), "contention"),
        ("TransactWriteItems", Fault::exception("ThrottlingException"), "contention"),
        ("UpdateItem", Fault::exception("ProvisionedThroughputExceededException"), "contention"),
        ("UpdateItem", Fault::exception("TransactionConflictException"), "contention"),
        ("GetItem", Fault::exception("ThrottlingException"), "contention"),
        ("*", Fault::Unreachable, "unavailable"),
    ] {
        let agency = agency_that_gives_up_after(Duration::from_millis(400), 5, "").await;
        agency.world().faults.always(operation, fault);
        let answer = agency.provision("CODE").await.expect_problem(503, code);
        assert!(answer.header("retry-after").is_some() && agency.world().faults.fired() > 2, "{operation}");
        agency.world().faults.clear();
        later(&agency).await;
        expect(&agency, "100.00", "0.00", "0.00").await;
        agency.provision("CODE").await.expect(201);
        agency.world().prove().await;
    }
}

#[tokio::test]
async fn an_allocation_whose_reply_is_lost_moves_once_and_a_refusal_after_it_is_not_believed() {
    let agency = agency(0, "").await;
    let world = agency.world();
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
        let before = agency.account(&agency.agency).await.raw("received");
        world.faults.plan("TransactWriteItems", 1, fault);
        let moved = tests::agency::allocate(world, "platform", &agency.agency, "100").await;
        assert!(!moved.is_replay(), "{}", moved.body);
        let after = agency.account(&agency.agency).await.raw("received");
        let number = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
        assert_eq!(number(&after) - number(&before), 100.into());
    }
    // All of it is allocated, and the reply is lost: the retry finds nothing left, but also its own cause.
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    let moved = tests::agency::allocate(world, &agency.agency, &agency.client, "200").await;
    assert_eq!(moved.raw("from_account_balance"), "0.00");
    world.prove().await;
}

async fn ask(agency: &Agency) -> Answer {
    agency.provision("CODE").await
}

#[tokio::test]
async fn crashes_around_a_supplier_order_end_in_one_card_or_full_credit() {
    // Before and after the order is written to the table; before and after the delivered card is.
    for (passed, stop, issued) in [
        (0, Fault::StopBefore as fn(Arc<Notify>) -> Fault, 0),
        (0, Fault::StopAfter, 1),
        (1, Fault::StopBefore, 1),
        (1, Fault::StopAfter, 1),
    ] {
        for brand in [RELOADLY, TREMENDOUS] {
            let agency = agency(0, brand).await;
            crashed(&agency, ("TransactWriteItems", passed), stop).await;
            later(&agency).await;
            let fakes = &agency.shop.fakes;
            let supplier = if brand == RELOADLY { "reloadly" } else { "tremendous" };
            assert_eq!(fakes.issued(supplier).len(), issued, "{passed} {supplier}");
            let spent = if issued == 1 { ["75.00", "0.00", "25.00"] } else { ["100.00", "0.00", "0.00"] };
            assert_eq!(agency.figures(&agency.campaign).await, spent);
            assert_eq!(ask(&agency).await.expect(201).is_replay(), issued == 1);
            assert_eq!(fakes.issued(supplier).len(), 1, "exactly one card is issued");
            expect(&agency, "75.00", "0.00", "25.00").await;
            assert_eq!(agency.world().prove().await.budgets.cards, (1, 0, 1));
        }
    }
}

#[tokio::test]
async fn a_supplier_whose_reply_is_lost_is_asked_under_the_same_reference_and_delivers_one_card() {
    for (brand, supplier) in [(RELOADLY, "reloadly"), (TREMENDOUS, "tremendous")] {
        for switch in [Switch::ReplyLost, Switch::Slow] {
            let agency = agency(0, brand).await;
            let fakes = &agency.shop.fakes;
            fakes.supply(supplier, switch);
            let pending = ask(&agency).await.expect(202);
            assert_eq!(pending.text("/redemption/status"), "PENDING");
            expect(&agency, "75.00", "25.00", "0.00").await;
            // Repeating the code sends no request to the supplier and reserves nothing.
            assert!(ask(&agency).await.expect(202).is_replay());
            expect(&agency, "75.00", "25.00", "0.00").await;
            if switch == Switch::ReplyLost {
                fakes.supply(supplier, Switch::Well);
            }
            for _ in 0..3 {
                later(&agency).await;
            }
            let done = ask(&agency).await.expect(201);
            assert_eq!((done.text("/source"), fakes.issued(supplier).len()), ("api".into(), 1));
            expect(&agency, "75.00", "0.00", "25.00").await;
            agency.world().prove().await;
        }
    }
}

#[tokio::test]
async fn a_silent_supplier_keeps_the_reservation_and_is_never_replaced_by_a_pool() {
    let agency = agency(0, RELOADLY).await;
    agency.shop.fakes.supply("reloadly", Switch::Silent);
    ask(&agency).await.expect(202);
    agency.stock("c", 3).await;
    agency.world().clock.advance(Duration::from_secs(3_600));
    later(&agency).await;
    expect(&agency, "75.00", "25.00", "0.00").await;
    let alerts = agency.world().get(&tests::admin(), "/api/alerts?status=open").await.expect(200);
    assert!(alerts.body.contains("supplier_unresolved"), "{}", alerts.body);
    // Meanwhile, another code receives a card from the pool.
    agency.provision("OTHER").await.expect(201);
    agency.shop.fakes.supply("reloadly", Switch::Well);
    agency.world().clock.advance(Duration::from_secs(900));
    later(&agency).await;
    assert_eq!(ask(&agency).await.expect(201).text("/source"), "api");
    let alerts = agency.world().get(&tests::admin(), "/api/alerts?status=open").await.expect(200);
    assert!(!alerts.body.contains("supplier_unresolved"), "{}", alerts.body);
    agency.world().prove().await;
}

#[tokio::test]
async fn what_a_supplier_rejects_gives_the_credit_back_and_may_be_tried_again() {
    for (brand, supplier) in [(RELOADLY, "reloadly"), (TREMENDOUS, "tremendous")] {
        for (switch, code) in [
            (Switch::OutOfStock, "out_of_stock"),
            (Switch::OutOfFunds, "supplier_rejected"),
            (Switch::Rejects, "supplier_rejected"),
        ] {
            let agency = agency(0, brand).await;
            agency.shop.fakes.supply(supplier, switch);
            ask(&agency).await.expect_problem(409, code);
            expect(&agency, "100.00", "0.00", "0.00").await;
            let alerts = agency.world().get(&tests::admin(), "/api/alerts?status=open").await.expect(200);
            assert_eq!(alerts.text("/alerts/0/kind"), "provision_failed");
            agency.shop.fakes.supply(supplier, Switch::Well);
            assert!(!ask(&agency).await.expect(201).is_replay());
            expect(&agency, "75.00", "0.00", "25.00").await;
            agency.world().prove().await;
        }
    }
}

#[tokio::test]
async fn a_card_that_a_supplier_delivers_twice_is_issued_once() {
    let agency = agency(0, RELOADLY).await;
    agency.shop.fakes.supply("reloadly", Switch::Duplicate);
    agency.provision("FIRST").await.expect(201);
    agency.provision("SECOND").await.expect_problem(409, "supplier_rejected");
    expect(&agency, "75.00", "0.00", "25.00").await;
    let alerts = agency.world().get(&tests::admin(), "/api/alerts").await.expect(200);
    assert!(alerts.body.contains("card_known"), "{}", alerts.body);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_card_that_comes_for_a_failed_order_goes_into_stock_and_is_sold_to_the_next() {
    let agency = agency(0, RELOADLY).await;
    let fakes = &agency.shop.fakes;
    fakes.supply("reloadly", Switch::LateDelivery);
    ask(&agency).await.expect_problem(409, "supplier_rejected");
    fakes.supply("reloadly", Switch::Well);
    let reference = fakes.issued("reloadly").first().unwrap().clone();
    for _ in 0..2 {
        let answer = agency.webhook("reloadly", &reference, false).await.expect(200);
        assert_eq!(answer.text("/status"), "processed");
    }
    expect(&agency, "100.00", "0.00", "0.00").await;
    let next = agency.provision("NEXT").await.expect(201);
    assert_eq!((next.text("/source"), fakes.issued("reloadly").len()), ("csv".into(), 1));
    let alerts = agency.world().get(&tests::admin(), "/api/alerts").await.expect(200);
    assert!(alerts.body.contains("card_unclaimed"));
    agency.world().prove().await;
}

#[tokio::test]
async fn a_suppliers_webhook_resolves_its_order_and_a_forged_one_is_refused() {
    for (brand, supplier) in [(RELOADLY, "reloadly"), (TREMENDOUS, "tremendous")] {
        let agency = agency(0, brand).await;
        agency.shop.fakes.supply(supplier, Switch::ReplyLost);
        ask(&agency).await.expect(202);
        agency.shop.fakes.supply(supplier, Switch::Well);
        let reference = agency.shop.fakes.issued(supplier).first().unwrap().clone();
        agency.webhook(supplier, &reference, true).await.expect_problem(401, "unauthenticated");
        expect(&agency, "75.00", "25.00", "0.00").await;
        agency.world().clock.advance(Duration::from_secs(5));
        for _ in 0..2 {
            agency.webhook(supplier, &reference, false).await.expect(200);
        }
        expect(&agency, "75.00", "0.00", "25.00").await;
        let other = agency.webhook(supplier, "nothing.of.ours", false).await.expect(200);
        assert_eq!(other.text("/status"), "ignored");
        agency.world().prove().await;
    }
}

#[tokio::test]
async fn a_transactional_read_that_conflicts_or_fails_once_is_retried() {
    let agency = agency(0, "").await;
    let world = agency.world();
    let open = format!(r#"{{"kind":"client","parent_id":"{}","name":"East"}}"#, agency.agency);
    let allocate =
        format!(r#"{{"from_account_id":"platform","to_account_id":"{}","amount":5}}"#, agency.agency);
    let requests = [("/api/credit/accounts", open), ("/api/credit/allocate", allocate)];
    for (path, body) in &requests {
        world.post_keyed(&tests::admin(), "k", path, body).await.expect(201);
    }
    for fault in [
        Fault::cancelled(&["TransactionConflict"]),
        Fault::exception("ProvisionedThroughputExceededException"),
        Fault::Answer(500, serde_json::json!({})),
        Fault::LostReply,
    ] {
        for (path, body) in &requests {
            let fired = world.faults.fired();
            world.faults.plan("TransactGetItems", 1, fault.clone());
            assert!(world.post_keyed(&tests::admin(), "k", path, body).await.expect(201).is_replay());
            assert_eq!(world.faults.fired(), fired + 1, "{path}");
        }
        // A rejection is only returned after the redemption was read.
        let fired = world.faults.fired();
        world.faults.plan("TransactGetItems", 1, fault.clone());
        agency.provision("CODE").await.expect_problem(409, "out_of_stock");
        assert_eq!(world.faults.fired(), fired + 1);
    }
    world.prove().await;
}
