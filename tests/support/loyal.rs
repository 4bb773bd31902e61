//! What tests of loyalty do with a world: report purchases and refunds, lock points, change the program.

use crate::answer::Answer;
use crate::world::World;
use crate::{admin, service, staff};
use serde_json::{Value, json};

/// Every scope of loyalty.
const SCOPES: &str = "loyalty:read loyalty:earn loyalty:redeem loyalty:refund loyalty:adjust";

/// Returns the backend of a shop, which has every scope of loyalty.
pub fn backend() -> crate::Caller {
    service(SCOPES)
}

impl World {
    /// Reports a purchase, whose body has these further fields.
    pub async fn try_earn(&self, user: &str, booking: &str, amount: &str, more: &str) -> Answer {
        let body = format!(r#"{{"booking_id":"{booking}","amount":{amount}{more}}}"#);
        self.post(&backend(), &format!("/api/loyalty/wallets/{user}/earn"), &body).await
    }

    /// Reports a purchase that earns.
    pub async fn earn(&self, user: &str, booking: &str, amount: &str) -> Answer {
        self.try_earn(user, booking, amount, "").await.expect(201)
    }

    /// Reports a refund of a booking; `what` are the fields that say how much.
    pub async fn try_refund(&self, booking: &str, refund: &str, what: &str) -> Answer {
        let body = format!(r#"{{"booking_id":"{booking}","refund_id":"{refund}",{what}}}"#);
        self.post(&backend(), "/api/loyalty/refunds", &body).await
    }

    /// Reports a refund that counts.
    pub async fn refund_booking(&self, booking: &str, refund: &str, what: &str) -> Answer {
        self.try_refund(booking, refund, what).await.expect(201)
    }

    /// Locks points for a booking.
    pub async fn try_redeem(&self, user: &str, points: u64, booking: &str, charge: &str) -> Answer {
        let body = format!(r#"{{"points":{points},"booking_id":"{booking}","charge":{charge}}}"#);
        self.post(&backend(), &format!("/api/loyalty/wallets/{user}/redeem"), &body).await
    }

    /// Locks points for a booking, and returns the token.
    pub async fn redeem(&self, user: &str, points: u64, booking: &str, charge: &str) -> String {
        self.try_redeem(user, points, booking, charge).await.expect(201).text("/token")
    }

    /// Confirms or releases a redemption.
    pub async fn close(&self, token: &str, how: &str, body: &str) -> Answer {
        self.post(&backend(), &format!("/api/loyalty/redemptions/{token}/{how}"), body).await
    }

    /// Gives points by hand.
    pub async fn give(&self, user: &str, points: u64, more: &str) -> Answer {
        let body = format!(r#"{{"direction":"in","points":{points},"reason":"r"{more}}}"#);
        self.post(&admin(), &format!("/api/loyalty/wallets/{user}/transactions"), &body).await.expect(201)
    }

    /// Reads a customer's points.
    pub async fn points(&self, user: &str) -> Value {
        self.get(&staff(), &format!("/api/loyalty/wallets/{user}")).await.expect(200).json()
    }

    /// Returns available, held, pending and owed points.
    pub async fn standing(&self, user: &str) -> [u64; 4] {
        let points = self.points(user).await;
        ["available", "held", "pending", "owed"].map(|name| points[name].as_u64().unwrap())
    }

    /// Changes the program, on which no change has been made since version `version`.
    pub async fn change_program(&self, version: u32, change: &str) -> Answer {
        let body = format!(r#"{{"version":{version},{change}}}"#);
        self.patch(&admin(), "/api/loyalty/program", &body).await.expect(200)
    }

    /// Returns the types of the movements of points, oldest first.
    pub async fn point_types(&self, user: &str) -> Vec<String> {
        let path = format!("/api/loyalty/wallets/{user}/transactions?limit=100");
        let json = self.get(&staff(), &path).await.expect(200).json();
        let all = json["transactions"].as_array().unwrap().iter();
        let mut types: Vec<String> = all.map(|each| each["type"].as_str().unwrap().to_owned()).collect();
        types.reverse();
        types
    }
}

/// Runs the function for events of purchases on an event of Lambda.
pub async fn run_events(world: &World, event: &Value) -> Result<Value, String> {
    let mut context = lambda_runtime::Context::default();
    context.request_id = "events-1".to_owned();
    let payload = serde_json::value::to_raw_value(event).unwrap();
    let work = purchase_events::handle(&world.app, lambda_runtime::LambdaEvent::new(payload, context));
    let answer = crate::uses::by("purchase-events", work).await;
    answer.map(|failures| serde_json::to_value(failures).unwrap()).map_err(|error| error.to_string())
}

/// Delivers messages from a queue, whose ids are their positions; returns the answer.
pub async fn send_events(world: &World, messages: &[Value]) -> Value {
    let record = |(at, message): (usize, &Value)| {
        json!({"messageId": at.to_string(), "body": message.to_string(), "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "1"}})
    };
    let records: Vec<Value> = messages.iter().enumerate().map(record).collect();
    run_events(world, &json!({"Records": records})).await.unwrap()
}

/// Returns the answer that names these messages as failed.
pub fn queued(failed: &[usize]) -> Value {
    let failures: Vec<Value> = failed.iter().map(|at| json!({"itemIdentifier": at.to_string()})).collect();
    json!({"batchItemFailures": failures})
}

/// Delivers one event without a queue; returns why it failed.
pub async fn failed(world: &World, event: Value) -> Option<String> {
    run_events(world, &event).await.err()
}
