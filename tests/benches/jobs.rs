//! Time and capacity of jobs.
//!
//! `cargo bench --bench jobs` prints what a row of a bulk job takes against the embedded DynamoDB on this machine, from
//! the request to the job's end, beside the single credits that it replaces. The books are proved.

use rust_decimal::Decimal;
use std::sync::Arc;
use std::time::Instant;
use tests::World;
use tests::jobs::{bulk, credits, run_parts, standing};
use tests::timing::time;

const WORKERS: u64 = 8;

/// Batches of messages that are handled at once, as on the local platform.
const BATCHES: usize = 10;

async fn wallets(count: u64) -> (Arc<World>, Vec<String>) {
    let world = Arc::new(World::new().await);
    let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
    for name in &names {
        world.open_wallet(name, "10").await;
    }
    world.meter.take();
    (world, names)
}

fn print(name: &str, world: &World, (rows, seconds): (u64, f64)) {
    let cost = world.meter.take();
    let each = |units: Decimal| (units / Decimal::from(rows)).round_dp(2).to_string();
    println!(
        "{name:<44} {:>8.0} {:>8.2} {:>7} {:>7}",
        rows as f64 / seconds,
        seconds,
        each(cost.write_units),
        each(cost.read_units)
    );
}

async fn single(count: u64) {
    let (world, names) = wallets(count).await;
    let credit = move |world: Arc<World>, at: u64| {
        let name = names[usize::try_from(at).unwrap()].clone();
        async move {
            world.credit(&name, "7", "promotion", "2026-12-31").await;
        }
    };
    let started = Instant::now();
    time(&world, (WORKERS, count), credit).await;
    print("single credits, 8 at once", &world, (count, started.elapsed().as_secs_f64()));
    world.prove().await;
}

async fn job(count: u64) {
    let (world, names) = wallets(count).await;
    let started = Instant::now();
    let id = bulk(&world, &credits(&names, 7), "").await;
    let made = started.elapsed().as_secs_f64();
    let consumers: Vec<_> = (0..BATCHES)
        .map(|consumer| {
            let world = world.clone();
            tokio::spawn(async move {
                let handle = |event: String| {
                    let world = world.clone();
                    async move {
                        let event = serde_json::from_str(&event).unwrap();
                        Ok(run_parts(&world, &event, &format!("consumer-{consumer}")).await)
                    }
                };
                while world.queues.jobs.handle_batch(&handle).await {}
            })
        })
        .collect();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(standing(&world, &id).await, ("completed".into(), [count, 0, 0, 0]));
    print(&format!("rows of one job, stored after {made:.2} s"), &world, (count, seconds));
    world.prove().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("{:<44} {:>8} {:>8} {:>7} {:>7}", "on this machine", "rows/s", "seconds", "WCU", "RCU");
    single(1_000).await;
    job(1_000).await;
    job(10_000).await;
    println!("books proved after each");
}
