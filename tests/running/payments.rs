//! Payments through the real process, killed at random: whatever is shuffled, dropped, duplicated or delayed,
//! each payment is credited once in the end.

use edge::wiring::SystemClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;
use scrip::data::DataDir;
use scrip::fakes::fixture::{self, SampleValues};
use scrip::fakes::{FakeUrls, Fakes};
use scrip::payments::PaymentSetup;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tests::process::{Platform, Scratch, scrip};

/// One payment, as the customer and the gateway know it.
#[derive(Clone, Debug)]
struct Story {
    rupees: u64,
    gateway: &'static str,
    refund: Option<u64>,
    /// Amount that a dispute withdraws, in rupees, and whether the merchant wins it in the end.
    dispute: Option<(u64, bool)>,
    /// False if no webhook about it is ever sent; then the monitor finds it.
    delivered: bool,
}

fn story() -> impl Strategy<Value = Story> {
    (1..50_u64).prop_flat_map(|rupees| {
        let gateway = prop_oneof![Just("razorpay"), Just("stripe")];
        let dispute = prop::option::of((1..=rupees, any::<bool>()));
        (Just(rupees), gateway, prop::option::of(1..=rupees), dispute, prop::bool::weighted(0.8)).prop_map(
            |(rupees, gateway, refund, dispute, delivered)| Story {
                rupees,
                gateway,
                refund,
                dispute,
                delivered,
            },
        )
    })
}

impl Story {
    fn net(&self) -> u64 {
        if !self.delivered {
            return self.rupees;
        }
        let lost = self.dispute.filter(|(_, won)| !won).map_or(0, |(rupees, _)| rupees);
        self.rupees - (self.refund.unwrap_or(0) + lost).min(self.rupees)
    }

    /// Returns the webhooks about the payment: sample, and values.
    fn webhooks(&self, at: usize, values: &SampleValues) -> Vec<(&'static str, SampleValues)> {
        let stripe = self.gateway == "stripe";
        let mut all: Vec<(&'static str, SampleValues)> = vec![];
        let mut raise = |razorpay: &'static str, other: &'static str, reversal: &str, reversed: u64| {
            let sample = if stripe { other } else { razorpay };
            let event = format!(
                "{}{}-{at}-{}",
                if stripe { "evt_" } else { "" },
                sample.replace('.', "-"),
                all.len()
            );
            let reversal = format!("{reversal}{at}");
            all.push((sample, SampleValues { event, reversal, reversed: reversed * 100, ..values.clone() }));
        };
        raise("razorpay.payment_captured", "stripe.payment_intent_succeeded", "", 0);
        raise("razorpay.order_paid", "stripe.checkout_session_completed", "", 0);
        if let Some(rupees) = self.refund {
            raise("razorpay.refund_processed", "stripe.charge_refunded", "rfnd_", rupees);
        }
        if let Some((rupees, won)) = self.dispute {
            raise("razorpay.payment_dispute_lost", "stripe.charge_dispute_funds_withdrawn", "disp_", rupees);
            if won {
                raise(
                    "razorpay.payment_dispute_won",
                    "stripe.charge_dispute_funds_reinstated",
                    "disp_",
                    rupees,
                );
            }
        }
        if self.delivered { all } else { vec![] }
    }
}

/// A delivery that is repeated until it is acknowledged.
#[derive(Clone)]
enum Delivery {
    Webhook { sample: &'static str, values: SampleValues },
    Verify { topup: String, payment: String, order: String },
}

struct Scene {
    scratch: Scratch,
    platform: Mutex<Platform>,
    signer: Mutex<Arc<Fakes>>,
    token: String,
    http: reqwest::Client,
}

impl Scene {
    fn new(number: u32) -> Self {
        let scratch = Scratch::new(&format!("payments-{number}"));
        let platform = Platform::start(&scratch.0);
        let data = scratch.0.to_str().unwrap().to_owned();
        let scope = "wallet:create wallet:topup wallet:read";
        let (code, token) = scrip(&["token", "--role", "service", "--scope", scope, "--data", &data]);
        assert_eq!(code, 0, "{token}");
        let signer = Mutex::new(signer(&scratch, &platform.api));
        let (platform, token) = (Mutex::new(platform), token.trim().to_owned());
        Self { scratch, platform, signer, token, http: gateways::client().unwrap() }
    }

    fn api(&self) -> String {
        self.platform.lock().unwrap().api.clone()
    }

    /// Kills the process with SIGKILL and starts a new one on the same data.
    fn restart(&self) {
        let mut platform = self.platform.lock().unwrap();
        platform.kill();
        *platform = Platform::start(&self.scratch.0);
        *self.signer.lock().unwrap() = signer(&self.scratch, &platform.api);
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.api()));
        let request = request.bearer_auth(&self.token).header("idempotency-key", key);
        let reply =
            request.header("content-type", "application/json").body(body.to_string()).send().await.ok()?;
        Some((reply.status().as_u16(), serde_json::from_str(&reply.text().await.ok()?).ok()?))
    }

    /// Repeats a request until it is answered, because the process may be killed at any time.
    async fn post_until_answered(&self, path: &str, key: &str, body: &Value) -> Value {
        for _ in 0..50 {
            match self.post(path, key, body).await {
                Some((status, answer)) if status < 500 => {
                    assert!(status < 300, "{path} {answer}");
                    return answer;
                }
                Some(_) | None => {}
            }
        }
        panic!("{path} was never answered");
    }

    /// Returns true if the delivery was acknowledged.
    async fn deliver(&self, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Webhook { sample, values } => {
                let endpoint = sample.split('.').next().unwrap();
                let body = fixture::render(sample, values).unwrap();
                let signer = self.signer.lock().unwrap().clone();
                let url = format!("{}/api/integration/webhook/{endpoint}", self.api());
                let mut request = self.http.post(url).body(body.clone());
                for (name, value) in signer.headers(endpoint, &values.event, &body, false) {
                    request = request.header(name, value);
                }
                request.send().await.is_ok_and(|reply| reply.status().is_success())
            }
            Delivery::Verify { topup, payment, order } => {
                let signature = self.signer.lock().unwrap().checkout_signature(order, payment);
                let body = json!({"topup_id": topup, "gateway_payment_id": payment, "signature": signature});
                let answered = self.post("/api/integration/wallet/topup/verify", "v", &body).await;
                answered.is_some_and(|(status, _)| status == 200)
            }
        }
    }
}

fn signer(scratch: &Scratch, api: &str) -> Arc<Fakes> {
    let payments = PaymentSetup::open(&DataDir::open(&scratch.0).unwrap(), api).unwrap();
    Fakes::open(
        FakeUrls { own: api.to_owned(), api: api.to_owned() },
        payments.secrets,
        Arc::new(SystemClock),
        None,
    )
    .unwrap()
}

/// Initiates a top-up and pays it at the fake gateway, which runs in the process.
async fn paid(scene: &Scene, at: usize, story: &Story) -> SampleValues {
    let page = (story.gateway == "stripe").then_some("https://shop.example.com/");
    let body =
        json!({"customer_id": "c", "amount": story.rupees, "gateway": story.gateway, "return_url": page});
    let begun =
        scene.post_until_answered("/api/integration/wallet/topup/initiate", &format!("t{at}"), &body).await;
    let order = begun["gateway_order_id"].as_str().unwrap().to_owned();
    let sample = if story.gateway == "stripe" {
        "stripe.checkout_session_completed"
    } else {
        "razorpay.payment_captured"
    };
    let wanted = json!({"fixture": sample, "order": order, "deliver": "never-sent"});
    let done = scene.post_until_answered("/_local/trigger", "x", &wanted).await;
    let text = |name: &str| done[name].as_str().unwrap().to_owned();
    SampleValues {
        topup: text("topup_id"),
        charge: format!("ch_{at}"),
        payment: text("payment"),
        order,
        units: story.rupees * 100,
        currency: "INR".to_owned(),
        at: 1_768_471_200,
        ..SampleValues::default()
    }
}

async fn play(number: u32, stories: Vec<Story>, shuffle: Vec<prop::sample::Index>, kills: Vec<usize>) {
    let scene = Arc::new(Scene::new(number));
    scene.post_until_answered("/api/wallet/create", "w", &json!({"customer_id": "c"})).await;
    let mut deliveries: Vec<Delivery> = vec![];
    for (at, story) in stories.iter().enumerate() {
        let values = paid(&scene, at, story).await;
        for (sample, values) in story.webhooks(at, &values) {
            let copies = 1 + at % 2;
            deliveries.extend((0..copies).map(|_| Delivery::Webhook { sample, values: values.clone() }));
        }
        if at % 3 == 0 {
            let SampleValues { topup, payment, order, .. } = values;
            deliveries.push(Delivery::Verify { topup, payment, order });
        }
    }
    for (at, index) in shuffle.iter().enumerate().take(deliveries.len()) {
        let other = index.index(deliveries.len());
        deliveries.swap(at, other);
    }
    let queue = Arc::new(Mutex::new(VecDeque::from(deliveries)));
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (scene, queue, done) = (scene.clone(), queue.clone(), done.clone());
            tokio::spawn(async move {
                loop {
                    let Some(next) = queue.lock().unwrap().pop_front() else { return };
                    // A delivery that is not acknowledged is repeated later.
                    if scene.deliver(&next).await {
                        done.fetch_add(1, Ordering::SeqCst);
                    } else {
                        queue.lock().unwrap().push_back(next);
                    }
                }
            })
        })
        .collect();
    for kill in kills {
        let enough =
            || done.load(Ordering::SeqCst) >= kill || workers.iter().all(|worker| worker.is_finished());
        while !enough() {
            tokio::task::yield_now().await;
        }
        let scene = scene.clone();
        tokio::task::spawn_blocking(move || scene.restart()).await.unwrap();
    }
    for worker in workers {
        worker.await.unwrap();
    }
    prove(&scene, &stories).await;
}

async fn prove(scene: &Scene, stories: &[Story]) {
    // Payments without a webhook are found by polling, when the top-ups expire.
    scene.post_until_answered("/_local/clock", "c", &json!({"advance": "25h"})).await;
    let looked = scene.post_until_answered("/_local/run/monitor", "m", &json!({})).await;
    assert_eq!(looked["success"], true, "{looked}");
    let net: u64 = stories.iter().map(Story::net).sum();
    let url = format!("{}/api/wallet/c/balance", scene.api());
    let reply = scene.http.get(url).bearer_auth(&scene.token).send().await.unwrap();
    let balance: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(balance["available"].to_string().parse::<Decimal>().unwrap(), Decimal::from(net), "{balance}");
    let (code, proof) = scrip(&["audit", "--data", scene.scratch.0.to_str().unwrap()]);
    let paid: u64 = stories.iter().map(|story| story.rupees).sum();
    assert!(code == 0 && proof.contains(&format!("sum          INR CREDIT         {paid}.00")), "{proof}");
}

#[test]
fn payments_reported_in_any_way_to_a_killed_process_are_each_credited_once_and_proved() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
    let number = AtomicUsize::new(0);
    let stories = prop::collection::vec(story(), 8..14);
    let shuffle = prop::collection::vec(any::<prop::sample::Index>(), 100);
    let kills = (3..10_usize, 12..20_usize).prop_map(|(first, second)| vec![first, second]);
    runner
        .run(&(stories, shuffle, kills), |(stories, shuffle, kills)| {
            let number = u32::try_from(number.fetch_add(1, Ordering::SeqCst)).unwrap();
            runtime.block_on(play(number, stories, shuffle, kills));
            Ok(())
        })
        .unwrap();
}
