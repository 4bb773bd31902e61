//! Vouchers of a test.

use crate::{Answer, World, admin, customer};

/// Adds a voucher with these fields; returns its id.
pub async fn create_voucher(world: &World, fields: &str) -> String {
    let body = format!("{{{fields}}}");
    world.post(&admin(), "/api/loyalty/vouchers", &body).await.expect(201).text("/voucher_id")
}

/// Changes a voucher.
pub async fn change_voucher(world: &World, id: &str, fields: &str) -> Answer {
    let body = format!("{{{fields}}}");
    world.patch(&admin(), &format!("/api/loyalty/vouchers/{id}"), &body).await.expect(200)
}

/// Uploads a file of codes.
pub async fn upload(world: &World, voucher: &str, file: &str) -> Answer {
    world.post_csv(&admin(), &format!("/api/loyalty/vouchers/{voucher}/codes"), file).await
}

/// Stocks so many codes, whose texts begin with `prefix`.
pub async fn stock(world: &World, voucher: &str, prefix: &str, count: usize) {
    let lines: Vec<String> = (0..count).map(|n| format!("{prefix}-{n:06},{n:04}")).collect();
    let file = format!("code,pin\n{}\n", lines.join("\n"));
    let answer = upload(world, voucher, &file).await.expect(200);
    assert_eq!(answer.field("/accepted"), count, "{}", answer.body);
}

/// Adds a voucher for these points with so many codes, and returns its id.
pub async fn voucher_with(world: &World, price: u64, codes: usize, more: &str) -> String {
    let id = create_voucher(world, &format!(r#""name":"Coffee","price_points":{price}{more}"#)).await;
    if codes > 0 {
        stock(world, &id, &format!("CODE-{}", &id[4..12]), codes).await;
    }
    id
}

/// Buys a voucher as its owner; `more` are further fields of the request.
pub async fn try_buy(world: &World, key: &str, user: &str, voucher: &str, more: &str) -> Answer {
    let body = format!(r#"{{"user_id":"{user}"{more}}}"#);
    let path = format!("/api/loyalty/vouchers/{voucher}/purchase");
    world.post_keyed(&customer(user), key, &path, &body).await
}

/// Buys a voucher as its owner.
pub async fn buy(world: &World, key: &str, user: &str, voucher: &str) -> Answer {
    try_buy(world, key, user, voucher, "").await.expect(201)
}

/// Refunds a bought voucher.
pub async fn refund_voucher(world: &World, purchase: &str) -> Answer {
    let path = format!("/api/loyalty/voucher-purchases/{purchase}/refund");
    world.post(&admin(), &path, r#"{"reason":"unused"}"#).await
}
