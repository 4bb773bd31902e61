//! No code, number or PIN appears in the clear: every stored byte, every response except the card itself,
//! every log line and every request to the table of a full run is searched.

use aws_sdk_dynamodb::types::{AttributeValue, StreamSpecification, StreamViewType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tests::agency::issuer;
use tests::{Agency, World, acts_for, admin};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Collects every text and byte string of an attribute.
fn bytes(value: &AttributeValue, found: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => found.extend_from_slice(text.as_bytes()),
        AttributeValue::B(blob) => found.extend_from_slice(blob.as_ref()),
        AttributeValue::M(map) => map.iter().for_each(|(name, value)| {
            found.extend_from_slice(name.as_bytes());
            bytes(value, found);
        }),
        AttributeValue::L(list) => list.iter().for_each(|value| bytes(value, found)),
        AttributeValue::Ss(set) => set.iter().for_each(|text| found.extend_from_slice(text.as_bytes())),
        _ => {}
    }
    found.push(b'\n');
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Enables the table's stream with old and new images.
async fn watch(world: &World) {
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .unwrap();
    let update = world.raw().update_table().table_name(world.app.store.table()).stream_specification(stream);
    update.send().await.unwrap();
}

/// Returns every record of the table's stream, as it was sent.
async fn records(world: &World) -> String {
    let ask = async |operation: &str, body: Value| {
        let request = gateways::client()
            .unwrap()
            .post(world.endpoint())
            .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
            .header("x-amz-date", "20260115T100000Z")
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=x/20260115/us-east-1/dynamodb/aws4_request, \
                 SignedHeaders=host, Signature=00",
            )
            .body(body.to_string());
        request.send().await.unwrap().text().await.unwrap()
    };
    let ask_json = async |operation: &str, body: Value| {
        serde_json::from_str::<Value>(&ask(operation, body).await).unwrap()
    };
    let streams = ask_json("ListStreams", json!({"TableName": world.app.store.table()})).await;
    let arn = &streams["Streams"][0]["StreamArn"];
    let shards = ask_json("DescribeStream", json!({"StreamArn": arn})).await;
    let mut printed = String::new();
    for shard in shards["StreamDescription"]["Shards"].as_array().unwrap() {
        let from =
            json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let mut at = ask_json("GetShardIterator", from).await["ShardIterator"].clone();
        loop {
            let page = ask("GetRecords", json!({"ShardIterator": at})).await;
            let read: Value = serde_json::from_str(&page).unwrap();
            printed.push_str(&page);
            if read["Records"].as_array().is_none_or(Vec::is_empty) {
                break;
            }
            at = read["NextShardIterator"].clone();
        }
    }
    printed
}

#[tokio::test]
async fn no_code_number_pin_or_address_is_in_the_table_a_log_a_request_or_an_error() {
    let lines = Lines::default();
    let log =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    let guard = tracing::subscriber::set_default(log);
    let agency = Agency::with(
        "500",
        0,
        (r#""budget_mode":"isolated""#, r#""supplier":"reloadly","supplier_product_id":"4711""#),
        Default::default(),
    )
    .await;
    let world = agency.world();
    watch(world).await;
    world.faults.take_log();
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let file = "code,number,pin,url\nSECRETCODE1,7712345678901,PINPIN91,https://gift.example.com/SECRETURL1\n\
                SECRETCODE2,7712345678902,PINPIN92,\n=SECRETCODE3,,,\nSECRETCODE1,,,\n";
    let mut answers = vec![world.post_csv(&admin(), &path, file).await.expect(200)];
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let line = format!("code,brand_id,denomination\nREGISTERED-77,{},25\n", agency.brand);
    answers.push(world.post_csv(&acts_for("client", &agency.client), &codes, &line).await.expect(200));
    let provision = agency.provision_body("PROVISION-88").replace(
        '}',
        r#","delivery_method":"email","delivery_address":"asha.secret@example.com","recipient_id":"cust_1"}"#,
    );
    let made = world.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
    let body = json!({"redemption_code": "REGISTERED-77", "campaign_id": agency.campaign}).to_string();
    let request =
        tests::world::request(http::Method::POST, "/api/gift-cards/redeem", &body, Default::default());
    let redeemed = world.send(None, request).await.expect(201);
    let supplied = agency.provision("SUPPLIED-99").await.expect(201);
    let bad = provision.replace("PROVISION-88", "PROVISION\u{7}88");
    answers.push(world.post(&issuer(), "/api/gift-cards/provision", &bad).await.expect(400));
    let other = provision.replace("\"denomination\":25", "\"denomination\":50");
    answers.push(world.post(&issuer(), "/api/gift-cards/provision", &other).await.expect(409));
    let id = made.text("/redemption/redemption_id");
    answers.push(world.get(&admin(), &format!("/api/gift-cards/redemptions/{id}")).await.expect(200));
    for path in ["/api/alerts", "/api/gift-cards/inventory", "/api/gift-cards/profit"] {
        answers.push(world.get(&admin(), path).await.expect(200));
    }
    answers
        .push(world.get(&admin(), &format!("/api/credit/accounts/{}/transactions", agency.campaign)).await);
    agency.shop.monitor().await;
    let mut secrets: Vec<String> =
        ["SECRETCODE1", "SECRETCODE2", "SECRETCODE3", "7712345678901", "7712345678902"]
            .into_iter()
            .chain(["PINPIN91", "PINPIN92", "SECRETURL1", "REGISTERED-77", "PROVISION-88", "SUPPLIED-99"])
            .chain(["asha.secret", "203.0.113.7x"])
            .map(str::to_owned)
            .collect();
    secrets.push(supplied.text("/card/card_code"));
    secrets.push(supplied.text("/card/card_pin"));
    assert!(made.body.contains("SECRETCODE") && redeemed.body.contains("SECRETCODE"), "the cards show codes");
    drop(guard);
    let log = lines.0.lock().unwrap().clone();
    assert!(holds(&log, "budget") || !log.is_empty(), "something was logged");
    let scan = world.raw().scan().table_name(world.app.store.table()).send().await.unwrap();
    let mut table = Vec::new();
    for item in scan.items() {
        for (name, value) in item {
            table.extend_from_slice(name.as_bytes());
            bytes(value, &mut table);
        }
    }
    assert!(holds(&table, &agency.pool), "the table was read");
    let stream = records(world).await;
    assert!(stream.contains("REMOVE") && stream.contains(&agency.campaign), "the stream was read");
    let sent: String = world.faults.take_log().iter().map(|(_, body)| body.to_string()).collect();
    for secret in &secrets {
        assert!(!holds(&table, secret), "{secret} is in the table");
        assert!(!stream.contains(secret.as_str()), "{secret} is in the stream");
        assert!(!stream.contains(&STANDARD.encode(secret)), "{secret} is in the stream");
        assert!(!sent.contains(secret.as_str()), "{secret} was sent to the table");
        assert!(!holds(&log, secret), "{secret} is in the log");
        for answer in &answers {
            assert!(!answer.body.contains(secret.as_str()), "{secret} is in {}", answer.body);
        }
    }
    // The debug output of the vault contains no key either.
    let debug = format!("{:?}", agency.shop.parts().vault);
    assert!(debug.starts_with("Vault(") && !debug.contains("AAEC"), "{debug}");
    world.prove().await;
}
