//! Time and capacity of operations on budgets and gift cards, and the spends per second that a budget would
//! sustain on DynamoDB.
//!
//! `cargo bench` prints two tables: operations against the embedded DynamoDB on this machine, and spends on a
//! simulated DynamoDB in virtual time, compared with the naive spend that puts the balance into its
//! transaction. The books are proved.

use std::sync::Arc;
use std::time::Instant;
use tests::agency::{allocate, file, issuer};
use tests::plan::Plan;
use tests::simulation::{Setting, Simulation, SpendMethod};
use tests::timing::{Timings, time};
use tests::{Agency, admin};

const WORKERS: u64 = 8;

fn print(name: &str, timings: &Timings, agency: &Agency) {
    let at = |percent| timings.percentile(percent);
    let cost = agency.world().meter.take();
    let count = rust_decimal::Decimal::from(timings.count());
    let each = |units: rust_decimal::Decimal| (units / count).round_dp(2).to_string();
    println!(
        "{name:<34} {:>8.0} {:>8.2} {:>8.2} {:>8.2} {:>7} {:>7}",
        timings.per_second(),
        at(50),
        at(95),
        at(99),
        each(cost.write_units),
        each(cost.read_units),
    );
}

/// Provisions `count` cards from several tasks at once.
async fn provision(slices: u8, count: u64) {
    let fields = format!(r#""budget_mode":"isolated","slices":{slices}"#);
    let agency =
        Arc::new(Agency::with("100000", count as usize + 100, (&fields, ""), Default::default()).await);
    if slices > 1 {
        let account = domain::ids::budget::AccountId::parse(&agency.campaign).unwrap();
        let context = domain::context::Context {
            now: agency.world().app.clock.now(),
            actor: domain::actor::Actor::system("bench"),
            request: domain::ids::RequestId::new("bench"),
            policy: agency.world().app.policy.clone(),
        };
        agency.world().app.store.budgets().rebalance(&account, &context).await.unwrap();
    }
    agency.world().meter.take();
    let provision = async |agency: Arc<Agency>, at: u64| {
        let provision = agency.provision_body(&format!("CODE-{at}"));
        agency.world().post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
    };
    let timings = time(&agency, (WORKERS, count), provision).await;
    print(&format!("card from a pool, {slices} slices, 8 at once"), &timings, &agency);
    agency.world().prove().await;
}

async fn allocations(count: u64) {
    let agency = Agency::new("", 0).await;
    allocate(agency.world(), "platform", &agency.agency, "1000000").await;
    agency.world().meter.take();
    let (started, mut took) = (Instant::now(), vec![]);
    for _ in 0..count {
        let started = Instant::now();
        allocate(agency.world(), &agency.agency, &agency.client, "1").await;
        took.push(started.elapsed());
    }
    print("allocate", &Timings::new(took, started.elapsed()), &agency);
    agency.world().prove().await;
}

async fn import(count: usize) {
    let agency = Agency::new("", 0).await;
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let body = file("bench", count);
    agency.world().meter.take();
    let started = Instant::now();
    let answer = agency.world().post_csv(&admin(), &path, &body).await.expect(200);
    let elapsed = started.elapsed();
    assert_eq!(answer.field("/accepted"), count);
    let timings = Timings::new(vec![elapsed / count as u32; count], elapsed);
    print("import, each card", &timings, &agency);
    agency.world().prove().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!(
        "{:<34} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "on this machine", "ops/s", "p50 ms", "p95 ms", "p99 ms", "WCU", "RCU"
    );
    allocations(1_000).await;
    for slices in [1, 8, 64] {
        provision(slices, 2_000).await;
    }
    import(20_000).await;
    println!("books proved after each\n");
    let plan = Plan::from_measured_spend().await;
    println!(
        "{:<34} {:>8} {:>8} {:>8} {:>10} {:>10}",
        "simulated DynamoDB, virtual time", "spends/s", "p50 ms", "p99 ms", "rejected", "WCU wasted"
    );
    for (way, name) in [(SpendMethod::Reserved, "reserved"), (SpendMethod::OneTransaction, "one transaction")]
    {
        for (slices, callers) in [(1, 16), (4, 60), (16, 200), (64, 400)] {
            let found = Simulation::new(Setting { slices, callers, seconds: 10, way }, plan).run();
            let percent = |per_mille: u64| format!("{}.{} %", per_mille / 10, per_mille % 10);
            println!(
                "{:<34} {:>8} {:>8} {:>8} {:>10} {:>10}",
                format!("{name}, {slices} slices, {callers} callers"),
                found.per_second,
                found.p50_ms,
                found.p99_ms,
                percent(found.rejected_per_mille),
                percent(found.wasted_per_mille)
            );
        }
    }
}
