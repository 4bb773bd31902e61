//! Jobs of a test: made by an admin, and carried out by messages.

use crate::rewards::open;
use crate::{Answer, World, admin, staff};
use axum::body::Body;
use http::Request;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

/// The path of bulk credits.
pub const BULK: &str = "/api/wallet/bulk/add-credits";

/// Opens this many wallets; returns their customers.
pub async fn wallets(world: &World, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("c{n:03}")).collect();
    for name in &names {
        open(world, name).await;
    }
    names
}

/// Returns a world with this many wallets, and their customers.
pub async fn with_wallets(count: usize) -> (Arc<World>, Vec<String>) {
    let world = Arc::new(World::new().await);
    let names = wallets(&world, count).await;
    (world, names)
}

/// Makes a job of credits; `options` are further fields of the request.
pub async fn try_bulk(world: &World, credits: &Value, options: &str) -> Answer {
    let body = format!(r#"{{"credits":{credits}{options}}}"#);
    world.post(&admin(), BULK, &body).await
}

/// Makes a job of credits; returns its id.
pub async fn bulk(world: &World, credits: &Value, options: &str) -> String {
    try_bulk(world, credits, options).await.expect(202).text("/job_id")
}

/// Returns credits of this amount to these customers.
pub fn credits<'a>(customers: impl IntoIterator<Item = &'a String>, amount: u32) -> Value {
    let credit =
        |customer: &String| json!({"customer_id": customer, "amount": amount, "source": "promotion"});
    customers.into_iter().map(credit).collect()
}

/// Reads a job.
pub async fn job(world: &World, id: &str) -> Value {
    world.get(&staff(), &format!("/api/jobs/{id}")).await.expect(200).json()
}

/// Returns the status of a job, and how many of its rows succeeded, failed, were cancelled and are pending.
pub async fn standing(world: &World, id: &str) -> (String, [u64; 4]) {
    let job = job(world, id).await;
    let counts = ["succeeded", "failed", "cancelled", "pending"].map(|name| job[name].as_u64().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), job["total"].as_u64().unwrap(), "{job}");
    (job["status"].as_str().unwrap().to_owned(), counts)
}

/// Runs the function that applies parts on an event of a queue; `request` is the id of the invocation.
pub async fn run_parts(world: &World, event: &Value, request: &str) -> Value {
    let mut context = lambda_runtime::Context::default();
    context.request_id = request.to_owned();
    let event = LambdaEvent::new(serde_json::from_value(event.clone()).unwrap(), context);
    let failures = crate::uses::by("bulk-credit", bulk_credit::handle(&world.app, event)).await;
    serde_json::to_value(failures).unwrap()
}

/// Returns the event of one message about a part.
pub fn message(job: &str, part: u32) -> Value {
    let body = json!({"v": 1, "job_id": job, "part": part}).to_string();
    json!({"Records": [{"messageId": "m", "body": body}]})
}

/// Runs the function that does steps of jobs with files on an event of a queue.
pub async fn run_steps(world: &World, event: &Value, request: &str) -> Value {
    let mut context = lambda_runtime::Context::default();
    context.request_id = request.to_owned();
    let event = LambdaEvent::new(serde_json::from_value(event.clone()).unwrap(), context);
    let services = world.parts.move_books();
    let failures = crate::uses::by("move-books", move_books::handle(&services, event)).await;
    serde_json::to_value(failures).unwrap()
}

/// Returns the event of one message about a step of a job.
pub fn step(job: &str, step: &str, segment: u32) -> Value {
    let body = json!({"v": 1, "job_id": job, "step": step, "segment": segment}).to_string();
    json!({"Records": [{"messageId": "m", "body": body}]})
}

/// Announces a file of this size, and returns its upload and where it is to be sent.
pub async fn announce(world: &World, purpose: &str, bytes: usize) -> Value {
    let body = json!({"purpose": purpose, "bytes": bytes}).to_string();
    world.post(&admin(), "/api/uploads", &body).await.expect(201).json()
}

/// Sends a file to where an upload says; returns the status.
pub async fn put_file(world: &World, upload: &Value, file: &[u8]) -> u16 {
    let url = upload["url"].as_str().unwrap();
    let mut request = Request::put(url).header("host", url.split('/').nth(2).unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        let length = name.eq_ignore_ascii_case("content-length");
        let value = if length { file.len().to_string() } else { value.as_str().unwrap().to_owned() };
        request = request.header(name, value);
    }
    let request = request.body(Body::from(file.to_vec())).unwrap();
    if let Some(deployed) = &world.deployed {
        return deployed.put(request).await;
    }
    world.files.router().oneshot(request).await.unwrap().status().as_u16()
}

/// Returns the text of a file at a presigned URL.
pub async fn get_file(world: &World, url: &str) -> String {
    let request = Request::get(url).header("host", url.split('/').nth(2).unwrap());
    let answer = world.files.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Uploads a file; returns the id of the upload.
pub async fn upload(world: &World, purpose: &str, file: &str) -> String {
    let announced = announce(world, purpose, file.len()).await;
    assert_eq!(put_file(world, &announced, file.as_bytes()).await, 200);
    announced["upload_id"].as_str().unwrap().to_owned()
}

/// Handles one message about a step, if one is visible; returns false if there is none.
pub async fn steps_once(world: &World) -> bool {
    static RUN: AtomicU64 = AtomicU64::new(0);
    let request = format!("step-{}", RUN.fetch_add(1, Ordering::Relaxed));
    let handle = |event: String| {
        let request = request.clone();
        async move { Ok(run_steps(world, &serde_json::from_str(&event).unwrap(), &request).await) }
    };
    world.queues.books.handle_batch(&handle).await
}

/// Handles every message about steps that is visible.
pub async fn steps(world: &World) {
    while steps_once(world).await {}
}

/// Handles every message that is visible; returns the number of batches of parts.
pub async fn work(world: &World) -> u64 {
    let mut batches = 0;
    loop {
        steps(world).await;
        let request = format!("batch-{batches}");
        let handle = |event: String| {
            let request = request.clone();
            async move { Ok(run_parts(world, &serde_json::from_str(&event).unwrap(), &request).await) }
        };
        if !world.queues.jobs.handle_batch(&handle).await {
            return batches;
        }
        batches += 1;
    }
}

/// Returns the lines of a job's rows, each with its code or status.
pub async fn outcomes(world: &World, job: &Value) -> Vec<(u64, String)> {
    let path = format!("/api/jobs/{}/rows?limit=100", job["job_id"].as_str().unwrap());
    let rows = world.get(&staff(), &path).await.expect(200).json();
    let outcome = |row: &Value| {
        (
            row["line"].as_u64().unwrap(),
            row["code"].as_str().unwrap_or(row["status"].as_str().unwrap()).to_owned(),
        )
    };
    rows["rows"].as_array().unwrap().iter().map(outcome).collect()
}

impl World {
    /// Replaces an attribute of an item by something that cannot be read.
    pub async fn poison(&self, key: &store::keys::Key, name: &str) {
        let poison = aws_sdk_dynamodb::types::AttributeValue::S("poison".into());
        let update =
            self.raw().update_item().table_name(self.app.store.table()).set_key(Some(key.attributes()));
        let update =
            update.update_expression("SET #name = :poison").expression_attribute_names("#name", name);
        update.expression_attribute_values(":poison", poison).send().await.unwrap();
    }
}
