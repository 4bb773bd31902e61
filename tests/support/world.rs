//! A table, a clock and the functions' routes, with a record of the responses.

use crate::answer::Answer;
use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::faults::Faults;
use crate::patient;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Body;
use axum::response::Response;
use domain::currency::Currency;
use domain::policy::Policy;
use domain::time::Timestamp;
use edge::cursor::CursorKey;
use edge::seal::SealKeys;
use edge::{App, Clock, Problem, lambda};
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use http::{HeaderMap, Method, Request};
use scrip::database::{Embedded, ToolsPort};
use scrip::functions::{Function, LocalServices, serving};
use scrip::gateway;
use scrip::s3::LocalFiles;
use scrip::sqs::LocalQueues;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Credentials, Meter, RetryPolicy, Settings, Store, connect, https, schema};
use tower::ServiceExt;
use vault::Vault;

/// A clock that moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Creates a clock at this instant.
    pub fn at(instant: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(Timestamp::parse(instant).unwrap().millis())))
    }

    /// Sets the clock to this instant, forward or back.
    pub fn set(&self, instant: &str) {
        self.0.store(Timestamp::parse(instant).unwrap().millis(), Ordering::SeqCst);
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }

    /// Advances the clock by whole days.
    pub fn advance_days(&self, days: u64) {
        self.advance(Duration::from_secs(days * 86_400));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Ids that the books must contain, and rejected requests that must have left nothing in them.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) acknowledged: BTreeSet<String>,
    pub(crate) rejected: BTreeSet<String>,
}

/// The world of one test.
pub struct World {
    /// The application state of the functions.
    pub app: App,
    /// The services of the functions, including gateways and suppliers.
    pub parts: LocalServices,
    /// The clock of this world.
    pub clock: Arc<ManualClock>,
    /// The faults to inject.
    pub faults: Arc<Faults>,
    /// Counts capacity units and round trips.
    pub meter: Arc<Meter>,
    /// The queues of jobs.
    pub queues: LocalQueues,
    /// The buckets.
    pub files: LocalFiles,
    functions: Vec<Function>,
    pub(crate) record: Mutex<Record>,
    endpoint: String,
    pub(crate) deployed: Option<Deployed>,
    _database: Option<Arc<Embedded>>,
}

/// Gateways, seal keys, the vault, and suppliers.
pub type ExternalServices = (Gateways, SealKeys, Vault, Suppliers);

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// The instant at which the clocks of the tests start.
pub const START: &str = "2026-01-15T10:00:00Z";

impl World {
    /// Creates a table at [`START`].
    pub async fn new() -> Self {
        Self::with_retry_policy(patient()).await
    }

    /// Creates a table with this retry policy.
    pub async fn with_retry_policy(retry_policy: RetryPolicy) -> Self {
        let nobody = crate::shop::nobody();
        Self::with_payments(
            retry_policy,
            ManualClock::at(START),
            (nobody.gateways, nobody.seal, nobody.vault, nobody.suppliers),
        )
        .await
    }

    /// Creates a table with these gateways.
    pub async fn with_payments(
        retry_policy: RetryPolicy,
        clock: Arc<ManualClock>,
        payments: ExternalServices,
    ) -> Self {
        let (endpoint, database) = match edge::wiring::optional("SCRIP_TEST_DYNAMODB_ENDPOINT") {
            Some(endpoint) => (endpoint, None),
            None => {
                let database = Embedded::start(None, ToolsPort::Closed).unwrap();
                (database.url(), Some(Arc::new(database)))
            }
        };
        let name = format!("scrip_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::SeqCst));
        let world = Self::over((endpoint, database), name, clock, retry_policy, payments);
        schema::create(world.app.store.client(), world.app.store.table()).await.unwrap();
        world.faults.take_log();
        world
    }

    /// Returns another machine on the same table, with its own clock.
    pub fn another_machine(&self, clock: Arc<ManualClock>) -> Self {
        let (endpoint, database) = (self.endpoint.clone(), self._database.clone());
        let parts = self.parts.clone();
        let payments = (parts.gateways, parts.seal, parts.vault, parts.suppliers);
        let table = self.app.store.table().to_owned();
        Self::over((endpoint, database), table, clock, patient(), payments)
    }

    /// Returns this world as a machine sees it that has another endpoint of DynamoDB.
    pub fn at_endpoint(&self, endpoint: &str) -> Self {
        let parts = self.parts.clone();
        let payments = (parts.gateways, parts.seal, parts.vault, parts.suppliers);
        let (table, retry) = (self.app.store.table().to_owned(), patient());
        Self::over((endpoint.to_owned(), None), table, self.clock.clone(), retry, payments)
    }

    pub(crate) fn over(
        (endpoint, database): (String, Option<Arc<Embedded>>),
        table: String,
        clock: Arc<ManualClock>,
        retry_policy: RetryPolicy,
        (gateways, seal, vault, suppliers): ExternalServices,
    ) -> Self {
        let faults = Arc::new(Faults::default());
        let meter = Arc::new(Meter::default());
        let client = connect(settings(&endpoint), faults.over(https().unwrap()));
        let store = Store::new(client, table).with_retry_policy(retry_policy).with_meter(meter.clone());
        let app = App {
            store,
            clock: clock.clone(),
            policy: Arc::new(Policy::standard(Currency::parse("INR").unwrap()).unwrap()),
            cursors: CursorKey::new("a key for tests"),
            claims: Arc::default(),
            expiry_history_days: None,
            language: domain::language::Language::English,
        };
        let queues = LocalQueues::default();
        let client = queues.client();
        let files = LocalFiles::open(None, b"a secret for tests").unwrap();
        let parts = LocalServices {
            app: app.clone(),
            gateways,
            seal,
            vault,
            suppliers,
            queues: client,
            files: files.client(),
        };
        let functions = parts.functions();
        let record = Mutex::default();
        let deployed = None;
        Self {
            app,
            parts,
            clock,
            faults,
            meter,
            queues,
            files,
            functions,
            record,
            endpoint,
            deployed,
            _database: database,
        }
    }

    /// Returns the URL of the table's endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns a client without faults, for reading and tampering.
    pub fn raw(&self) -> aws_sdk_dynamodb::Client {
        connect(settings(&self.endpoint), https().unwrap())
    }

    /// Returns the items of a partition whose sort key begins with this prefix.
    pub async fn partition(&self, pk: &str, prefix: &str) -> Vec<HashMap<String, AttributeValue>> {
        let query = self.raw().query().table_name(self.app.store.table()).consistent_read(true);
        let mut query = query.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
        // DynamoDB refuses an empty value of a key.
        query = if prefix.is_empty() {
            query.key_condition_expression("pk = :pk")
        } else {
            let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
            query.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
        };
        query.send().await.unwrap().items.unwrap_or_default()
    }

    /// Sends a request as API Gateway would: as an event, through the Lambda adapter.
    pub async fn send(&self, caller: Option<&Caller>, request: Request<Body>) -> Answer {
        if let Some(deployed) = &self.deployed {
            let answer = Answer::read(deployed.send(caller, request).await).await;
            let id = answer.header("content-type") == Some("application/problem+json");
            self.note(if id { answer.text("/instance") } else { String::new() }, &answer);
            return answer;
        }
        let id = format!("req-{}", COUNTER.fetch_add(1, Ordering::SeqCst));
        let response = match self.through_the_adapter(&id, caller, request).await {
            Ok(response) => response,
            Err(problem) => problem.respond(&id),
        };
        let answer = Answer::read(response).await;
        self.note(id, &answer);
        answer
    }

    async fn through_the_adapter(
        &self,
        id: &str,
        caller: Option<&Caller>,
        request: Request<Body>,
    ) -> Result<Response, Problem> {
        let path = lambda::decode_path(request.uri().path())?;
        let function = serving(&self.functions, &path).unwrap_or_else(|| panic!("no function serves {path}"));
        let claims = caller.map(|caller| caller.0.clone());
        let event =
            gateway::event(gateway::ClientRequest { id, address: "203.0.113.7" }, path, claims, request)
                .await?;
        let request = lambda::request(event)?;
        let work = function.router.clone().oneshot(request);
        Ok(crate::uses::by(function.name, work).await.unwrap())
    }

    fn note(&self, request: String, answer: &Answer) {
        let mut record = self.record.lock().unwrap();
        match answer.status {
            200..300 => {
                let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
                let ids = ["/id", "/out_transaction/id", "/in_transaction/id"];
                let mut found: Vec<_> = ids.iter().filter_map(|id| body.pointer(id)).collect();
                found.extend(body.get("transactions").and_then(|all| all.as_array()).into_iter().flatten());
                record.acknowledged.extend(found.into_iter().filter_map(|id| id.as_str()).map(str::to_owned));
            }
            400..500 => {
                record.rejected.insert(request);
            }
            _ => {}
        }
    }

    /// Sends a GET request.
    pub async fn get(&self, caller: &Caller, path: &str) -> Answer {
        self.send(Some(caller), Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a POST request without an idempotency key.
    pub async fn post(&self, caller: &Caller, path: &str, body: &str) -> Answer {
        self.send(Some(caller), request(Method::POST, path, body, HeaderMap::new())).await
    }

    /// Sends a POST request with an idempotency key.
    pub async fn post_keyed(&self, caller: &Caller, key: &str, path: &str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", key.parse().unwrap());
        self.send(Some(caller), request(Method::POST, path, body, headers)).await
    }

    /// Sends a PATCH request.
    pub async fn patch(&self, caller: &Caller, path: &str, body: &str) -> Answer {
        self.send(Some(caller), request(Method::PATCH, path, body, HeaderMap::new())).await
    }

    /// Sends a POST request with a CSV file.
    pub async fn post_csv(&self, caller: &Caller, path: &str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/csv".parse().unwrap());
        self.send(Some(caller), request(Method::POST, path, body, headers)).await
    }

    /// Opens a wallet with this initial balance (empty: none).
    pub async fn open_wallet(&self, customer: &str, balance: &str) {
        let balance =
            if balance.is_empty() { String::new() } else { format!(r#","initial_balance":{balance}"#) };
        let body = format!(r#"{{"customer_id":"{customer}"{balance}}}"#);
        self.post(&crate::admin(), "/api/wallet/create", &body).await.expect(201);
    }

    /// Adds credit that can be spent through this date (empty: as the tier says).
    pub async fn credit(&self, customer: &str, amount: &str, source: &str, expires_on: &str) -> Answer {
        let date =
            if expires_on.is_empty() { String::new() } else { format!(r#","expires_on":"{expires_on}""#) };
        let body = format!(r#"{{"amount":{amount},"source":"{source}"{date}}}"#);
        self.post(&crate::admin(), &format!("/api/wallet/{customer}/add-credits"), &body).await.expect(201)
    }

    /// Returns balance, available and held, as sent.
    pub async fn balances(&self, customer: &str) -> (String, String, String) {
        let answer = self.get(&crate::staff(), &format!("/api/wallet/{customer}/balance")).await.expect(200);
        (answer.raw("balance"), answer.raw("available"), answer.raw("held"))
    }

    /// Asserts the available amount.
    #[track_caller]
    pub fn expect_available(&self, customer: &str, available: &str) -> impl Future<Output = ()> {
        let (caller, available) = (std::panic::Location::caller(), available.to_owned());
        async move {
            let (_, found, _) = self.balances(customer).await;
            assert_eq!(found, available, "available of {customer} at {caller}");
        }
    }

    /// Returns the types of all entries, oldest first.
    pub async fn types(&self, customer: &str) -> Vec<String> {
        let answer =
            self.get(&crate::staff(), &format!("/api/wallet/{customer}/transactions?limit=100")).await;
        let json = answer.expect(200).json();
        let mut types: Vec<String> = json["transactions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["type"].as_str().unwrap().to_owned())
            .collect();
        types.reverse();
        types
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        Self { acknowledged: self.acknowledged.clone(), rejected: self.rejected.clone() }
    }
}

fn settings(endpoint: &str) -> Settings {
    Settings {
        region: "us-east-1".to_owned(),
        credentials: Credentials::new("test", "test", None, None, "test"),
        endpoint: Some(endpoint.to_owned()),
        attempt_timeout: Duration::from_secs(20),
    }
}

/// Returns a request without a token, as a function receives it from an address.
pub async fn event_from(address: &str, request: Request<Body>) -> lambda_http::Request {
    let (path, id) = (request.uri().path().to_owned(), COUNTER.fetch_add(1, Ordering::SeqCst).to_string());
    let caller = gateway::ClientRequest { id: &format!("req-{id}"), address };
    let event = gateway::event(caller, path, None::<Vec<(String, String)>>, request).await.unwrap();
    lambda::request(event).unwrap()
}

/// Returns a request; a body is JSON unless a header says otherwise.
pub fn request(method: Method, path: &str, body: &str, headers: HeaderMap) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.contains_key("content-type") && !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    request.headers_mut().extend(headers);
    request
}
