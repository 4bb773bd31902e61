//! Time and capacity of wallet operations, compared with the bare SDK calls on the same emulator.
//!
//! `cargo bench` prints a table; the last column is the rate as a percentage of the bare SDK's rate. Set
//! `SCRIP_TEST_DYNAMODB_ENDPOINT` to measure another server.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use std::collections::HashMap;
use std::sync::Arc;
use store::Reading;
use tests::timing::{Timings, time};
use tests::{World, customer, service, staff};

const WALLETS: u64 = 1_000;
const WORKERS: u64 = 8;

/// Durations and cost of one series of operations.
struct Series {
    name: &'static str,
    timings: Timings,
    cost: Option<Reading>,
}

impl Series {
    fn print(&self, limit: &Series) {
        let at = |percent| self.timings.percentile(percent);
        let count = self.timings.count();
        let cost = self.cost.map_or_else(String::new, |cost| {
            let each =
                |units: rust_decimal::Decimal| (units / rust_decimal::Decimal::from(count)).round_dp(2);
            let trips = cost.round_trips as f64 / count as f64;
            format!("{:>6} {:>6} {trips:>6.2}", each(cost.write_units), each(cost.read_units))
        });
        let ratio = self.timings.per_second() / limit.timings.per_second() * 100.0;
        println!(
            "{:<28} {:>8.0} {:>8.2} {:>8.2} {:>8.2} {cost:<20} {:>10.0} {ratio:>6.0} %",
            self.name,
            self.timings.per_second(),
            at(50),
            at(95),
            at(99),
            limit.timings.per_second()
        );
    }
}

/// Runs operations: `load` is the number of callers and of operations.
async fn series<F, Fut>(world: &Arc<World>, name: &'static str, load: (u64, u64), operation: F) -> Series
where
    F: Fn(Arc<World>, u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    world.meter.take();
    let timings = time(world, load, operation).await;
    Series { name, timings, cost: Some(world.meter.take()) }
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn key(pk: String, sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// The minimum of a debit: read the account, then change it and write an entry in one transaction.
async fn bare_debit(client: &Client, table: &str, series: u64, at: u64) {
    let wallet = at % series;
    let account = key(format!("B#{wallet}"), "A");
    client
        .get_item()
        .table_name(table)
        .set_key(Some(account.clone()))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(account))
        .update_expression("SET n = if_not_exists(n, :big) - :one, body = :body")
        .expression_attribute_values(":big", AttributeValue::N("1000000".into()))
        .expression_attribute_values(":one", AttributeValue::N("1".into()))
        .expression_attribute_values(":body", text("x".repeat(600)))
        .build()
        .unwrap();
    let mut entry = key(format!("BE#{wallet}"), &format!("{series}-{at}"));
    entry.insert("hs".to_owned(), text(format!("{at:012}")));
    entry.insert("body".to_owned(), text("x".repeat(700)));
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(entry))
        .condition_expression("attribute_not_exists(pk)");
    let items = [
        TransactWriteItem::builder().update(update).build(),
        TransactWriteItem::builder().put(put.build().unwrap()).build(),
    ];
    client.transact_write_items().set_transact_items(Some(items.to_vec())).send().await.unwrap();
}

async fn bare_page(client: &Client, table: &str) {
    let query = client.query().table_name(table).index_name("by_account").scan_index_forward(false).limit(50);
    let query =
        query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text("E#w:one"));
    assert_eq!(query.send().await.unwrap().count(), 50);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let world = Arc::new(World::new().await);
    world.open_wallet("one", "1000000").await;
    for n in 0..WALLETS {
        world.open_wallet(&format!("w{n}"), "1000").await;
    }
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>10} {:>8}",
        "operation", "ops/s", "p50 ms", "p95 ms", "p99 ms", "WCU", "RCU", "trips", "bare SDK/s", "of bare"
    );
    let bare = |wallets: u64| {
        move |world: Arc<World>, at: u64| async move {
            bare_debit(world.app.store.client(), world.app.store.table(), wallets, at).await;
        }
    };
    let one = async |world: Arc<World>, _: u64| {
        let path = "/api/wallet/one/deduct-credits";
        world.post(&service("wallet:debit"), path, r#"{"amount":1,"reason":"bench"}"#).await.expect(201);
    };
    let limit = series(&world, "", (1, 1_500), bare(1)).await;
    series(&world, "debit, one wallet", (1, 1_500), one).await.print(&limit);
    let many = async |world: Arc<World>, at: u64| {
        let path = format!("/api/wallet/w{}/deduct-credits", at % WALLETS);
        world.post(&service("wallet:debit"), &path, r#"{"amount":1,"reason":"bench"}"#).await.expect(201);
    };
    let limit = series(&world, "", (WORKERS, 3_000), bare(WALLETS)).await;
    series(&world, "debits, 1000 wallets, 8 at once", (WORKERS, 3_000), many).await.print(&limit);
    let limit = series(&world, "", (WORKERS, 5_000), |world: Arc<World>, at: u64| async move {
        let get =
            world.app.store.client().get_item().table_name(world.app.store.table()).consistent_read(true);
        get.set_key(Some(key(format!("A#w:w{}", at % WALLETS), "A"))).send().await.unwrap();
    });
    let limit = limit.await;
    let balance = async |world: Arc<World>, at: u64| {
        let id = format!("w{}", at % WALLETS);
        world.get(&customer(&id), &format!("/api/wallet/{id}/balance")).await.expect(200);
    };
    series(&world, "balances, 8 at once", (WORKERS, 5_000), balance).await.print(&limit);
    let limit = series(&world, "", (1, 500), |world: Arc<World>, _| async move {
        bare_page(world.app.store.client(), world.app.store.table()).await;
    });
    let limit = limit.await;
    let page = async |world: Arc<World>, _: u64| {
        world.get(&staff(), "/api/wallet/one/transactions?limit=50").await.expect(200);
    };
    series(&world, "history, a page of 50", (1, 500), page).await.print(&limit);
    let audit = world.prove().await;
    println!("books proved: {} accounts, {} entries", audit.accounts, audit.entries);
}
