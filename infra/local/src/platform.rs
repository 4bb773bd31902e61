//! Starts and stops the platform.
//!
//! **Invariant:** the `ready` line is printed only when `GET /health` answers 200.

use crate::clock::TestClock;
use crate::connection::{Options, TableConnection, embedded};
use crate::control::Control;
use crate::data::{DataDir, Running};
use crate::database::Embedded;
use crate::fakes::{FakeUrls, Fakes};
use crate::functions::{LocalServices, SCHEDULED};
use crate::gateway::LocalGateway;
use crate::keys::Keys;
use crate::payments::PaymentSetup;
use crate::queues::{Queue, SHORT_WORK};
use crate::s3::{self, LocalFiles};
use crate::sqs::{self, LocalQueues};
use crate::token::{Grant, Verifier};
use crate::{Failure, control, docs, gateway, invoke};
use ::queues::Queues;
use aws::Bucket;
use axum::Router;
use axum::routing::any;
use edge::cursor::CursorKey;
use edge::{Clock, wiring};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use store::schema;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running platform.
pub struct Platform {
    /// URL of the API.
    pub url: String,
    /// URL of DynamoDB.
    pub dynamodb: String,
    data: DataDir,
    keys: Arc<Keys>,
    server: JoinHandle<std::io::Result<()>>,
    schedule: JoinHandle<()>,
    mappings: Vec<JoinHandle<()>>,
    stop: tokio::sync::watch::Sender<bool>,
    embedded: Option<Embedded>,
}

impl Platform {
    /// Starts the database, the functions and the schedules; when it returns, the API answers.
    pub async fn start(options: Options) -> Result<Self, Failure> {
        let data = DataDir::open(&options.data)?;
        let claimed = data.running().await;
        if let (Some(running), false) = (&claimed, options.memory) {
            let (pid, api) = (running.pid, &running.api);
            return Err(format!("a platform is already running in this directory (pid {pid}, {api})").into());
        }
        let keys = Arc::new(Keys::open(&data)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
        let listener = listener.map_err(|error| format!("port {}: {error}", options.port))?;
        let address = listener.local_addr()?;
        let mut link = match TableConnection::of_environment() {
            Some(link) => link,
            None => embedded(&options, &data, address)?,
        };
        let clock = Arc::new(TestClock::open((!options.memory).then(|| data.clone()))?);
        let app = link.app(clock.clone(), CursorKey::new(keys.cursor.clone()))?;
        schema::create(app.store.client(), app.store.table()).await?;
        app.store.ping().await?;
        let url = format!("http://{address}");
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let PaymentSetup { gateways, seal, vault, suppliers, secrets } = PaymentSetup::open(&data, &url)?;
        let state = (!options.memory).then(|| data.file("gateways.json"));
        let fakes =
            Fakes::open(FakeUrls { own: url.clone(), api: url.clone() }, secrets, clock.clone(), state)?;
        let queues = Queues::connect(sqs::settings(&url), store::https()?);
        let objects = LocalFiles::open((!options.memory).then(|| data.file("s3")), &keys.cursor)?;
        let files = Bucket::new(s3::settings(&url, &keys.cursor), store::https()?);
        let services = LocalServices { app, gateways, seal, vault, suppliers, queues, files };
        let schedule = tokio::spawn(schedules(services.clone()));
        let purchases = Arc::new(Queue::new("purchases", SHORT_WORK));
        let local = LocalQueues::default();
        let mut mappings = mappings(&services, &purchases, &local);
        mappings.push(tokio::spawn(resume_jobs(services.clone())));
        let routes = routes(services, clock, &fakes, &keys, (purchases, local))?.merge(objects.router());
        let server = tokio::spawn(async move {
            let mut stopped = stopped;
            let signal = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            axum::serve(listener, routes).with_graceful_shutdown(signal).await
        });
        let running = Running { api: url.clone(), dynamodb: link.tools_url(), pid: std::process::id() };
        // A platform in memory can share the directory with a running platform; commands then find
        // the running one.
        if claimed.is_none() {
            data.write("platform.json", &serde_json::to_string(&running)?)?;
        }
        let (dynamodb, embedded) = (link.tools_url(), link.embedded.take());
        Ok(Self { url, dynamodb, data, keys, server, schedule, mappings, stop, embedded })
    }

    /// Issues a token of this platform, valid for a day.
    pub fn token(&self, role: &str, sub: Option<&str>) -> Result<String, Failure> {
        let (role, sub, ttl) = (role.to_owned(), sub.map(str::to_owned), Duration::from_hours(24));
        Grant { role, sub, account: None, scope: None, ttl }.sign(&self.keys, &wiring::claim_names())
    }

    /// Prints how to use the platform, and runs until Ctrl-C or a termination signal; then finishes
    /// pending requests.
    pub async fn run_until_stopped(self) -> Result<(), Failure> {
        self.greet()?;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        println!("stopping");
        tokio::select! {
            stopped = self.stop() => stopped,
            // A second Ctrl-C does not wait for pending requests.
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }

    /// Stops the platform: finishes pending requests (for at most ten seconds), then closes the
    /// database.
    pub async fn stop(self) -> Result<(), Failure> {
        self.schedule.abort();
        for mapping in &self.mappings {
            mapping.abort();
        }
        self.stop.send_replace(true);
        let finished = tokio::time::timeout(Duration::from_secs(10), self.server).await;
        if let Ok(finished) = finished {
            finished??;
        }
        self.data.forget(std::process::id());
        tokio::task::spawn_blocking(move || drop(self.embedded)).await?;
        Ok(())
    }

    fn greet(&self) -> Result<(), Failure> {
        let (url, admin, customer) =
            (&self.url, self.token("admin", None)?, self.token("customer", Some("cust_123"))?);
        println!("Scrip {}: stored value behind an HTTP API\n", env!("CARGO_PKG_VERSION"));
        println!("  API       {url}        docs at {url}/docs");
        println!("  DynamoDB  {}", self.dynamodb);
        let default = self.data.path() == std::path::Path::new(".scrip");
        let at = if default { String::new() } else { format!(" --data {}", self.data.path().display()) };
        println!("  tokens    cargo run -- token --role admin{at}\n");
        println!("Open a wallet, spend from it, see what happened:\n");
        println!(
            "curl -sw '\\n' {url}/api/wallet/create -H 'Authorization: Bearer {admin}' -H 'Idempotency-Key: hello-1' \
             -H 'Content-Type: application/json' -d '{{\"customer_id\":\"cust_123\",\"initial_balance\":500}}'\n"
        );
        println!(
            "curl -sw '\\n' {url}/api/wallet/cust_123/deduct-credits -H 'Authorization: Bearer {customer}' \
             -H 'Idempotency-Key: hello-2' -H 'Content-Type: application/json' \
             -d '{{\"amount\":120.50,\"reason\":\"Breakfast\"}}'\n"
        );
        println!(
            "curl -sw '\\n' '{url}/api/wallet/cust_123/transactions?limit=1' -H 'Authorization: Bearer {customer}'\n"
        );
        println!("ready: {url} (Ctrl-C stops; `cargo run -- audit{at}` proves the books)");
        Ok(())
    }
}

fn routes(
    services: LocalServices,
    clock: Arc<TestClock>,
    fakes: &Arc<Fakes>,
    keys: &Arc<Keys>,
    (purchases, queues): (Arc<Queue>, LocalQueues),
) -> Result<Router, Failure> {
    let gateway =
        Arc::new(LocalGateway { functions: services.functions(), tokens: Verifier::new(keys.clone()) });
    let jwks = serde_json::json!({"keys": [keys.jwk]});
    let handled = Router::new().fallback(any(gateway::handle)).with_state(gateway);
    let described: Arc<dyn Clock> = clock.clone();
    let stand_in = queues.router();
    let (fakes, keys) = (fakes.clone(), keys.clone());
    let fake_routes = fakes.router();
    let control = Control { services, clock, jwks, fakes, keys, purchases, queues };
    let routes = control::router(control).merge(fake_routes).merge(stand_in);
    Ok(routes.merge(docs::router(described)?).merge(handled))
}

/// Sends messages about what jobs have not done: the queues of the platform that has stopped are gone.
async fn resume_jobs(services: LocalServices) {
    let (jobs, now) = (services.app.store.jobs(), services.app.clock.now());
    let work = async || {
        for job in jobs.open_jobs().await? {
            let (job, _) = jobs.settle(job, now).await?;
            if job.status.is_final() {
                continue;
            }
            if services.queues.send_left(jobs, &job).await?.is_err() {
                tracing::warn!(job = %job.terms.id, "the job is left to the monitor");
            }
        }
        Ok::<(), store::StoreError>(())
    };
    if let Err(error) = work().await {
        tracing::warn!(%error, "jobs are left to the monitor");
    }
}

/// Batches of parts of jobs that are handled at once, as in the template.
const JOBS_AT_ONCE: usize = 10;

/// Steps of jobs with files that are done at once, as in the template.
const STEPS_AT_ONCE: usize = 4;

/// Hands the messages of each queue to its function.
fn mappings(services: &LocalServices, purchases: &Arc<Queue>, local: &LocalQueues) -> Vec<JoinHandle<()>> {
    let drive = |queue: &Arc<Queue>, function: &'static str| {
        let (services, queue) = (services.clone(), queue.clone());
        tokio::spawn(async move {
            let handle = |event: String| {
                let services = services.clone();
                Box::pin(async move { invoke::invoke(&services, function, &event).await })
            };
            queue.drive(handle).await;
        })
    };
    let mut mappings = vec![drive(purchases, "purchase-events")];
    mappings.extend((0..JOBS_AT_ONCE).map(|_| drive(&local.jobs, "bulk-credit")));
    mappings.extend((0..STEPS_AT_ONCE).map(|_| drive(&local.books, "move-books")));
    mappings
}

/// Runs the scheduled functions as in the template, by the machine's clock.
async fn schedules(services: LocalServices) {
    let mut every = tokio::time::interval(Duration::from_mins(5));
    every.tick().await;
    for turn in 1_u64.. {
        every.tick().await;
        // The sweep runs every 15 minutes, the monitor every 5.
        for function in SCHEDULED.into_iter().filter(|function| *function == "monitor" || turn % 3 == 0) {
            if let Err(error) = invoke::invoke(&services, function, "{}").await {
                tracing::error!(function, error, "scheduled function failed");
            }
        }
    }
}
