//! The payment page of the fakes, as a browser uses it.

use serde_json::{Value, json};
use tests::process::{Platform, Scratch, scrip};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_pays_on_the_page_and_another_sites_page_cannot() {
    let scratch = Scratch::new("checkout");
    let data = scratch.0.to_str().unwrap();
    let platform = Platform::start(&scratch.0);
    let http = gateways::client().unwrap();
    let scope = "wallet:create wallet:topup wallet:read";
    let token = scrip(&["token", "--role", "service", "--scope", scope, "--data", data]).1;
    let post = async |path: &str, body: Value| -> Value {
        let request = http.post(format!("{}{path}", platform.api)).bearer_auth(token.trim());
        let request = request.header("content-type", "application/json").body(body.to_string());
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    };
    post("/api/wallet/create", json!({"customer_id": "c"})).await;
    for (at, gateway) in ["razorpay", "stripe", "paypal"].into_iter().enumerate() {
        let back = format!("{}/docs/?session={{CHECKOUT_SESSION_ID}}", platform.api);
        let asked = json!({"customer_id": "c", "amount": 10, "gateway": gateway, "return_url": back});
        let begun = post("/api/integration/wallet/topup/initiate", asked).await;
        let page = begun["checkout_url"].as_str().unwrap();
        let shown = http.get(page).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("10.00 INR"), "{shown}");
        let action = shown.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
        let press = async |origin: &str, button: &str| {
            let request = http.post(format!("{}{action}", platform.api)).header("origin", origin);
            request.body(format!("do={button}")).send().await.unwrap()
        };
        assert_eq!(press("https://evil.example", "pay").await.status(), 403);
        let paid = press(&platform.api, "pay").await;
        assert_eq!(paid.status(), 303);
        let leads_to = paid.headers()["location"].to_str().unwrap().to_owned();
        // Razorpay's checkout runs in the shop's own page; Stripe fills in its session; PayPal appends its
        // order.
        let order = begun["gateway_order_id"].as_str().unwrap();
        let expected = match gateway {
            "stripe" => format!("{}/docs/?session={order}", platform.api),
            "paypal" => format!("{back}&token={order}&PayerID=PAYER00000001"),
            _ => action.to_owned(),
        };
        assert_eq!(leads_to, expected);
        let balance = http.get(format!("{}/api/wallet/c/balance", platform.api)).bearer_auth(token.trim());
        let balance: Value =
            serde_json::from_str(&balance.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(balance["available"].as_f64(), Some((at + 1) as f64 * 10.0), "{gateway}");
    }
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert_eq!(code, 0, "{proof}");
}

#[test]
fn every_sample_can_be_triggered_and_the_books_are_proved() {
    let scratch = Scratch::new("trigger");
    let data = scratch.0.to_str().unwrap();
    let _platform = Platform::start(&scratch.0);
    for (at, sample) in scrip::fakes::fixture::names().enumerate() {
        let customer = format!("c{at}");
        let (code, printed) =
            scrip(&["trigger", sample, "--customer", &customer, "--amount", "25", "--data", data]);
        assert_eq!(code, 0, "{sample} {printed}");
        let happened: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(happened["status"], 200, "{sample} {printed}");
    }
    let forged = scrip(&[
        "trigger",
        "stripe.charge_refunded",
        "--customer",
        "x",
        "--deliver",
        "forged",
        "--data",
        data,
    ]);
    assert!(forged.0 == 0 && forged.1.contains("\"status\": 401"), "{}", forged.1);
    let wrong = scrip(&[
        "trigger",
        "razorpay.order_paid",
        "--customer",
        "y",
        "--deliver",
        "wrong-amount",
        "--data",
        data,
    ]);
    assert!(wrong.1.contains("quarantined"), "{}", wrong.1);
    let held =
        ["trigger", "razorpay.payment_captured", "--customer", "z", "--deliver", "delayed", "--data", data];
    assert!(scrip(&held).1.contains("held back"));
    assert!(
        scrip(&["trigger", "razorpay.order_paid", "--customer", "z", "--data", data]).1.contains("processed")
    );
    let (code, none) = scrip(&["trigger", "razorpay.nothing", "--data", data]);
    assert!(code == 1 && none.contains("razorpay.payment_captured"), "{none}");
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert_eq!(code, 0, "{proof}");
}
