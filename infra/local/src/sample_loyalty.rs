//! The loyalty of the sample: campaigns, vouchers, bookings that earn, redemptions, refunds.
//!
//! **Invariant:** every row has a natural cause or a key of its own, so a second replay changes nothing.

use crate::Failure;
use crate::replay::Replay;
use domain::cause::{Cause, Operation};
use domain::ids::{IdempotencyKey, RequestId, VoucherId};
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The number of codes that a voucher is given.
const CODES: usize = 50;

/// One operation.
#[derive(Debug, Deserialize)]
pub(crate) struct LoyaltyRow {
    /// Days since the start of the replay.
    pub(crate) day: u32,
    customer_id: String,
    /// campaign, voucher, earn, redeem (which locks and confirms), refund or buy.
    operation: String,
    amount: String,
    points: Option<u64>,
    /// The booking; of a campaign or a voucher, the name by which later rows know it.
    booking_id: String,
    /// The refund; of a purchase of a voucher, its key.
    refund_id: String,
    category: String,
    name: String,
    multiplier: String,
    /// Days for which a campaign holds.
    days: Option<u32>,
    /// Tiers that a campaign is for, separated by spaces.
    tiers: String,
}

/// Plays a row.
pub(crate) async fn play(replay: &mut Replay, row: &LoyaltyRow, start: Timestamp) -> Result<(), Failure> {
    let user = &row.customer_id;
    match row.operation.as_str() {
        "campaign" => {
            let at = |days: u32| start.plus_seconds(days * 86_400).map(|at| at.to_string());
            let tiers: Vec<&str> = row.tiers.split_whitespace().collect();
            let categories: Vec<&str> = row.category.split_whitespace().collect();
            let body = json!({
                "name": row.name,
                "multiplier": row.multiplier,
                "valid_from": at(row.day + 1),
                "valid_until": at(row.day + 1 + row.days.unwrap_or(1)),
                "tiers": tiers,
                "categories": categories,
            });
            replay.post("/api/loyalty/campaigns", &body, &row.booking_id).await?;
        }
        "voucher" => {
            let body = json!({"name": row.name, "price_points": row.points, "low_stock_threshold": 10});
            let made = replay.post("/api/loyalty/vouchers", &body, &row.booking_id).await?;
            let id = text(&made, "voucher_id")?;
            let codes: Vec<String> = (0..CODES).map(|n| format!("{}-{n:04}", row.booking_id)).collect();
            let path = format!("/api/loyalty/vouchers/{id}/codes");
            replay.send(&path, "text/csv", format!("code\n{}\n", codes.join("\n")), &row.booking_id).await?;
        }
        "earn" => {
            let line = json!({"line_id": "stay", "categories": [row.category], "amount": row.amount});
            let body = json!({"booking_id": row.booking_id, "amount": row.amount, "lines": [line]});
            replay.post(&format!("/api/loyalty/wallets/{user}/earn"), &body, &row.booking_id).await?;
        }
        "redeem" => {
            let body = json!({"points": row.points, "booking_id": row.booking_id, "charge": row.amount});
            let path = format!("/api/loyalty/wallets/{user}/redeem");
            let locked = replay.post(&path, &body, &format!("redeem-{}", row.booking_id)).await?;
            let path = format!("/api/loyalty/redemptions/{}/confirm", text(&locked, "token")?);
            replay.post(&path, &json!({}), &row.booking_id).await?;
        }
        "refund" => {
            let body = json!({
                "booking_id": row.booking_id,
                "refund_id": row.refund_id,
                "amount": row.amount,
            });
            replay.post("/api/loyalty/refunds", &body, &row.refund_id).await?;
        }
        "buy" => {
            let key = IdempotencyKey::parse(&row.booking_id)?;
            let cause = Cause::of_request(Operation::CreateVoucher, Some(&key), &RequestId::new(""));
            let id = VoucherId::mint(&cause);
            let path = format!("/api/loyalty/vouchers/{id}/purchase");
            replay.post(&path, &json!({"user_id": user}), &row.refund_id).await?;
        }
        other => return Err(format!("{other} is not an operation").into()),
    }
    Ok(())
}

fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Failure> {
    answer.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing: {answer}").into())
}
