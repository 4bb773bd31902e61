//! Time and capacity of operations on points and rewards.
//!
//! `cargo bench --bench loyalty` prints what each operation takes against the embedded DynamoDB on this machine: earnings,
//! locks with their confirmations, a reward with 1 000 uses that 10 000 customers claim, and the nightly evaluation. The
//! books are proved. The drop is also run on a simulated DynamoDB in virtual time.

use rust_decimal::Decimal;
use std::sync::Arc;
use std::time::Instant;
use tests::World;
use tests::drop::DropSimulation;
use tests::rewards::{create_reward, open, try_claim};
use tests::timing::{Timings, time};

const WORKERS: u64 = 8;

/// Customers who claim at once.
const CLAIMANTS: u64 = 64;

fn print(name: &str, timings: &Timings, world: &World) {
    let cost = world.meter.take();
    let count = Decimal::from(timings.count());
    let each = |units: Decimal| (units / count).round_dp(2).to_string();
    println!(
        "{name:<44} {:>8.0} {:>8.2} {:>8.2} {:>7} {:>7}",
        timings.per_second(),
        timings.percentile(50),
        timings.percentile(99),
        each(cost.write_units),
        each(cost.read_units),
    );
}

async fn earnings(count: u64) {
    let world = Arc::new(World::new().await);
    world.meter.take();
    let earn = async |world: Arc<World>, at: u64| {
        world.earn(&format!("c{}", at % 1000), &format!("b{at}"), "1000").await;
    };
    let timings = time(&world, (WORKERS, count), earn).await;
    print("earn, 1000 customers, 8 at once", &timings, &world);
    world.prove().await;
}

async fn redemptions(count: u64) {
    let world = Arc::new(World::new().await);
    for customer in 0..100 {
        world.give(&format!("c{customer}"), 100_000, "").await;
    }
    world.meter.take();
    let redeem = async |world: Arc<World>, at: u64| {
        let token = world.redeem(&format!("c{}", at % 100), 10, &format!("b{at}"), "100").await;
        world.close(&token, "confirm", "{}").await.expect(200);
    };
    let timings = time(&world, (WORKERS, count), redeem).await;
    print("lock and confirm, 100 customers, 8 at once", &timings, &world);
    world.prove().await;
}

/// A reward that ten times as many customers claim as it has uses.
async fn drop_of_a_reward(uses: u64) {
    let world = Arc::new(World::new().await);
    for customer in 0..uses * 10 {
        open(&world, &format!("c{customer}")).await;
    }
    let reward =
        create_reward(&world, &format!(r#""name":"Drop","credit_amount":10,"max_uses":{uses}"#)).await;
    world.meter.take();
    let claim = move |world: Arc<World>, at: u64| {
        let reward = reward.clone();
        async move {
            let answer = try_claim(&world, &format!("c{at}"), &reward, "").await;
            assert!([201, 409].contains(&answer.status), "{}", answer.body);
        }
    };
    let timings = time(&world, (CLAIMANTS, uses * 10), claim).await;
    let made = timings.per_second() / 10.0;
    print(&format!("answers to claims of {uses} uses, {CLAIMANTS} at once"), &timings, &world);
    println!("  of which {made:.0} claims/s");
    world.prove().await;
}

async fn nights(customers: u64) {
    let world = World::new().await;
    for customer in 0..customers {
        world.earn(&format!("c{customer}"), &format!("b{customer}"), "60000").await;
    }
    world.clock.set("2027-02-20T00:20:00Z");
    world.meter.take();
    let started = Instant::now();
    let event = evaluate_tiers::EvaluateEvent::default();
    let request = domain::ids::RequestId::new("bench");
    let summary = evaluate_tiers::evaluate(&world.app, &event, request).await.unwrap();
    let elapsed = started.elapsed();
    assert_eq!(u64::from(summary.looked_at), customers);
    let each = elapsed / u32::try_from(customers).unwrap();
    print("evaluate-tiers, each customer", &Timings::new(vec![each; customers as usize], elapsed), &world);
    world.prove().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "on this machine", "ops/s", "p50 ms", "p99 ms", "WCU", "RCU"
    );
    earnings(5_000).await;
    redemptions(2_000).await;
    nights(1_000).await;
    drop_of_a_reward(1_000).await;
    println!("books proved after each\n");
    println!(
        "{:<44} {:>8} {:>8} {:>10} {:>10}",
        "simulated DynamoDB, virtual time", "claims/s", "ended ms", "rejected", "WCU wasted"
    );
    for (callers, uses) in [(1_000, 100), (10_000, 1_000), (100_000, 10_000)] {
        let found = DropSimulation::new(callers, uses).await.run();
        let percent = |per_mille: u64| format!("{}.{} %", per_mille / 10, per_mille % 10);
        println!(
            "{:<44} {:>8} {:>8} {:>10} {:>10}",
            format!("{uses} uses, {callers} callers within a second"),
            found.per_second,
            found.ended_ms,
            percent(found.rejected_per_mille),
            percent(found.wasted_per_mille)
        );
    }
}
