//! Time and capacity of jobs.
//!
//! `cargo bench --bench jobs` prints what a row of a bulk job takes against the embedded DynamoDB on this machine, from
//! the request to the job's end, beside the single credits that it replaces. The books are proved.

use rust_decimal::Decimal;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;
use tests::jobs::{BULK, bulk, credits, run_parts, standing, steps, steps_once, upload};
use tests::timing::time;
use tests::{World, admin};

const WORKERS: u64 = 8;

/// Batches of messages that are handled at once, as on the local platform.
const BATCHES: usize = 10;

/// Steps of jobs with files that are done at once, as on the local platform.
const STEPS: usize = 4;

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

/// Applies parts of jobs until no message is left.
async fn apply(world: &Arc<World>) {
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
}

/// Does steps of jobs with files until no message is left, as many at once as the mapping does.
async fn work(world: &Arc<World>) {
    let workers: Vec<_> = (0..STEPS)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { steps(&world).await })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

async fn job(count: u64) {
    let (world, names) = wallets(count).await;
    let started = Instant::now();
    let id = bulk(&world, &credits(&names, 7), "").await;
    let made = started.elapsed().as_secs_f64();
    apply(&world).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(standing(&world, &id).await, ("completed".into(), [count, 0, 0, 0]));
    print(&format!("rows of one job, stored after {made:.2} s"), &world, (count, seconds));
    world.prove().await;
}

/// Returns the most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Uploads a file of this many credits; says how much memory its reading takes.
async fn uploaded(count: u64) {
    let (world, names) = wallets(1_000).await;
    let mut file = "customer_id,amount,reason,source\n".to_owned();
    for n in 0..count {
        writeln!(file, "{},7,Diwali {n},promotion", names[usize::try_from(n % 1_000).unwrap()]).unwrap();
    }
    let id = upload(&world, "bulk_credit", &file).await;
    let body = format!(r#"{{"upload_id":"{id}"}}"#);
    let started = Instant::now();
    let made = world.post(&admin(), BULK, &body).await.expect(202).text("/job_id");
    let before = peak();
    steps(&world).await;
    println!("reading {count} rows: {:.1} s, {} MiB", started.elapsed().as_secs_f64(), peak() - before);
    apply(&world).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(standing(&world, &made).await, ("completed".into(), [count, 0, 0, 0]));
    print("rows of an upload", &world, (count, seconds));
    world.prove().await;
}

/// Imports this many wallets of one lot, and exports them.
async fn moved(count: u64) {
    let world = Arc::new(World::new().await);
    let mut file = "customer_id,currency,balance,lots\n".to_owned();
    for n in 0..count {
        writeln!(file, "c{n},INR,{n}.5,{n}.5|2027-01-01|promotion").unwrap();
    }
    let id = upload(&world, "import_wallets", &file).await;
    world.meter.take();
    let started = Instant::now();
    let body = format!(r#"{{"kind":"wallets","upload_id":"{id}"}}"#);
    let made = world.post(&admin(), "/api/imports", &body).await.expect(202).text("/job_id");
    steps_once(&world).await;
    work(&world).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(standing(&world, &made).await, ("completed".into(), [count, 0, 0, 0]));
    print("wallets imported", &world, (count, seconds));
    let started = Instant::now();
    world.post(&admin(), "/api/exports", r#"{"kind":"wallets"}"#).await.expect(202);
    work(&world).await;
    print("wallets exported", &world, (count, started.elapsed().as_secs_f64()));
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
    uploaded(100_000).await;
    moved(10_000).await;
    println!("books proved after each");
}
