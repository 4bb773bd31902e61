//! The cost of budget operations: capacity units and round trips, as the table reports them.

use rust_decimal::Decimal;
use store::Reading;
use tests::agency::issuer;
use tests::{Agency, Answer, admin};

async fn cost(agency: &Agency, request: impl Future<Output = Answer>) -> Reading {
    agency.world().meter.take();
    let answer = request.await;
    assert!(answer.status < 300, "{}", answer.body);
    agency.world().meter.take()
}

#[tokio::test]
async fn an_allocation_costs_at_most_ten_write_units_and_two_read_units_in_two_round_trips() {
    let agency = Agency::new("500", 0).await;
    let world = agency.world();
    tests::agency::allocate(world, "platform", &agency.agency, "10").await;
    let (from, to) = (&agency.agency, &agency.client);
    let give = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":2}}"#);
    world.post(&admin(), "/api/credit/allocate", &give).await.expect(201);
    let back = format!(r#"{{"account_id":"{to}","amount":1}}"#);
    for (path, body) in [("/api/credit/allocate", &give), ("/api/credit/reclaim", &back)] {
        let found = cost(&agency, world.post(&admin(), path, body)).await;
        assert_eq!((found.write_units, found.read_units), (Decimal::TEN, Decimal::TWO), "{path}");
        assert_eq!(found.round_trips, 2, "{path}");
    }
}

/// Returns the requests of one operation, in the order in which they were sent.
fn operations(agency: &Agency) -> Vec<String> {
    agency.world().faults.take_log().into_iter().map(|(operation, _)| operation).collect()
}

#[tokio::test]
async fn a_card_from_a_pool_costs_at_most_eleven_write_units_in_two_round_trips_one_after_the_other() {
    let agency = Agency::new("5000", 150).await;
    let world = agency.world();
    // Brand, campaign and pools are cached by now, and each commit is settled together with the next
    // reservation.
    for n in 0..3 {
        agency.provision(&format!("WARM-{n}")).await.expect(201);
    }
    operations(&agency);
    let found = cost(&agency, agency.provision("CODE-1")).await;
    assert!(found.write_units <= Decimal::from(11), "{found:?}");
    let mut sent = operations(&agency);
    // First, concurrently: credit is reserved, a card is searched, the code is looked up. Then the commit,
    // and the card is read.
    let (first, second) = (sent.drain(..3).collect::<Vec<_>>(), sent);
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(first), ["GetItem", "Query", "UpdateItem"]);
    assert_eq!(sorted(second), ["GetItem", "TransactWriteItems"]);
    assert_eq!(found.round_trips, 5);
    // A repetition reads and changes nothing.
    world.post(&issuer(), "/api/gift-cards/provision", &agency.provision_body("CODE-1")).await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn the_transaction_of_a_spend_holds_no_item_that_others_spend_from() {
    let agency = Agency::new("500", 10).await;
    agency.provision("CODE-1").await.expect(201);
    operations(&agency);
    agency.world().faults.take_log();
    agency.provision("CODE-2").await.expect(201);
    let log = agency.world().faults.take_log();
    let commit = log.iter().find(|(operation, _)| operation == "TransactWriteItems").unwrap();
    let keys: Vec<String> = commit.1["TransactItems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let write = item.as_object().unwrap().values().next().unwrap();
            let key = write.get("Key").unwrap_or(&write["Item"]);
            key["pk"]["S"].as_str().unwrap().split('#').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(keys, ["E", "N", "F"], "entry, redemption and card");
}
