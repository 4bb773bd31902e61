//! A table that cannot be reached at all: nobody listens, the name is unknown, the certificate is not trusted.

use axum::body::Body;
use std::time::{Duration, Instant};
use tests::agency::issuer;
use tests::{Agency, Answer, Fault, World, admin, customer, staff};
use tokio::io::AsyncReadExt;

const NOTHING_APPLIED: &str =
    "the table cannot be reached; nothing was applied, try again later with the same Idempotency-Key";

/// Returns endpoints that cannot be reached. The last one speaks TLS with a certificate that nobody trusts.
async fn endpoints() -> Vec<String> {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = free.local_addr().unwrap();
    drop(free);
    let (config, _) = tests::tls::localhost();
    let tls = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tls.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = tls.accept().await {
            let config = config.clone();
            tokio::spawn(async move {
                let mut session = rustls::ServerConnection::new(config).unwrap();
                let mut bytes = [0_u8; 4_096];
                while let Ok(read @ 1..) = socket.read(&mut bytes).await {
                    session.read_tls(&mut &bytes[..read]).unwrap();
                    let _ = session.process_new_packets();
                    let mut answer = vec![];
                    while session.wants_write() {
                        session.write_tls(&mut answer).unwrap();
                    }
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, &answer).await;
                }
            });
        }
    });
    let port = address.port();
    vec![format!("http://{closed}"), "http://table.invalid".to_owned(), format!("https://localhost:{port}")]
}

/// Asserts an answer that was given at once and promises that nothing was applied.
fn refused(answer: Answer, started: Instant, of_read: bool) {
    let answer = answer.expect_problem(503, "unavailable");
    let detail = answer.text("/detail");
    assert!(detail == NOTHING_APPLIED || of_read && !detail.contains("outcome"), "{detail}");
    assert!(answer.header("retry-after").is_some());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn it_is_said_at_once_that_nothing_was_applied() {
    let agency = Agency::new("100", 2).await;
    let world = agency.world();
    world.open_wallet("a", "100").await;
    for endpoint in endpoints().await {
        let away = world.at_endpoint(&endpoint);
        let started = Instant::now;
        let (debit, began) = ("/api/wallet/a/deduct-credits", started());
        refused(away.post_keyed(&customer("a"), "k", debit, r#"{"amount":10}"#).await, began, false);
        let began = started();
        refused(away.get(&staff(), "/api/wallet/a/balance").await, began, true);
        let began = started();
        refused(away.get(&staff(), "/api/wallet/a/transactions").await, began, true);
        let began = started();
        let request = agency.provision_body("CODE");
        refused(away.post(&issuer(), "/api/gift-cards/provision", &request).await, began, false);
        let began = started();
        let back = format!(r#"{{"account_id":"{}","amount":1}}"#, agency.campaign);
        refused(away.post(&admin(), "/api/credit/reclaim", &back).await, began, false);
        let began = started();
        let health = http::Request::get("/health").body(Body::empty()).unwrap();
        let health = away.send(None, health).await;
        assert_eq!(health.status, 503, "{}", health.body);
        assert!(began.elapsed() < Duration::from_secs(3));
    }
    // Nothing of it was applied, and the keys are free.
    world
        .post_keyed(&customer("a"), "k", "/api/wallet/a/deduct-credits", r#"{"amount":10}"#)
        .await
        .expect(201);
    agency.provision("CODE").await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn a_send_whose_outcome_is_unknown_stays_so_when_the_table_can_no_longer_be_reached() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.faults.plan("GetItem", 1, Fault::Rewrite(std::sync::Arc::new(|body| body)));
    world.faults.always("*", Fault::Unreachable);
    let debit = "/api/wallet/a/deduct-credits";
    let unknown = world.post_keyed(&customer("a"), "k", debit, r#"{"amount":10}"#).await;
    let detail = unknown.expect_problem(503, "unavailable").text("/detail");
    assert!(detail.contains("the outcome is unknown"), "{detail}");
    world.faults.clear();
    assert!(world.post_keyed(&customer("a"), "k", debit, r#"{"amount":10}"#).await.expect(201).is_replay());
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_card_whose_sale_is_unknown_is_never_said_to_be_unsold_and_a_repetition_shows_it() {
    let patience = store::RetryPolicy { budget: Duration::from_millis(400), ..Default::default() };
    let agency = Agency::with("100", 2, (r#""budget_mode":"isolated""#, ""), patience).await;
    agency.world().faults.plan("TransactWriteItems", 1, Fault::LostReply);
    agency.world().faults.always("TransactWriteItems", Fault::Unreachable);
    let unknown = agency.provision("CODE").await.expect_problem(503, "unavailable").text("/detail");
    assert!(unknown.contains("the outcome is unknown"), "{unknown}");
    agency.world().faults.clear();
    assert!(agency.provision("CODE").await.expect(201).is_replay());
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_read_without_an_answer_never_speaks_of_outcomes() {
    let patience = store::RetryPolicy { budget: Duration::from_millis(100), ..Default::default() };
    let world = World::with_retry_policy(patience).await;
    world.open_wallet("a", "100").await;
    world.faults.always("*", Fault::ErrorAfterCommit);
    for path in ["balance", "transactions", "statistics", "expiring"] {
        let answer = world.get(&staff(), &format!("/api/wallet/a/{path}")).await;
        let detail = answer.expect_problem(503, "unavailable").text("/detail");
        assert_eq!(detail, "the table does not answer at the moment; try again");
    }
    world.prove().await;
}
