//! Runs one function on one event, in the same way as the Lambda runtime.
//!
//! **Invariant:** an HTTP function receives its event as in Lambda, through `lambda_http`'s adapter
//! (including base64 bodies, cookies and context); a scheduled function receives it as
//! `lambda_runtime`'s event type.

use crate::clock::{self, TestClock};
use crate::connection::TableConnection;
use crate::data::DataDir;
use crate::functions::{LocalServices, SCHEDULED, WITH_MESSAGES};
use crate::keys::Keys;
use crate::payments::PaymentSetup;
use crate::{Failure, gateway, s3, sqs};
use ::queues::Queues;
use aws::Bucket;
use edge::Clock;
use edge::cursor::CursorKey;
use edge::lambda::{HttpEvent, HttpFunction};
use lambda_http::{Context, LambdaEvent, Service};
use serde_json::Value;
use std::sync::Arc;

/// Runs a function of the platform in this directory, whether the platform is running or not;
/// returns the answer as JSON.
pub async fn run(data: &DataDir, function: &str, event: &str) -> Result<String, Failure> {
    let keys = Keys::open(data)?;
    let link = TableConnection::open(data).await?;
    let running = data.running().await;
    let url = running.as_ref().map_or("http://127.0.0.1:8787", |running| &running.api).to_owned();
    let clock = match running {
        Some(running) => {
            let clock = format!("{}/_local/clock", running.api);
            let reply = gateways::client()?.get(clock).send().await?.text().await?;
            let machine = edge::wiring::SystemClock.now().millis();
            TestClock::ahead_by((clock::now_of(&reply)?.millis() - machine).max(0))
        }
        None => TestClock::open(Some(data.clone()))?,
    };
    let files = Bucket::new(s3::settings(&url, &keys.cursor), store::https()?);
    let app = link.app(Arc::new(clock), CursorKey::new(keys.cursor))?;
    let PaymentSetup { gateways, seal, vault, suppliers, .. } = PaymentSetup::open(data, &url)?;
    let queues = Queues::connect(sqs::settings(&url), store::https()?);
    let services = LocalServices { app, gateways, seal, vault, suppliers, queues, files };
    Ok(serde_json::to_string_pretty(&invoke(&services, function, event).await?)?)
}

/// Runs a function on an event.
pub async fn invoke(services: &LocalServices, function: &str, event: &str) -> Result<Value, Failure> {
    let mut context = Context::default();
    context.request_id = gateway::request_id();
    if let Some(http) = services.functions().into_iter().find(|known| known.name == function) {
        let event: HttpEvent = serde_json::from_str(event)?;
        let mut function = HttpFunction { router: http.router };
        return match Service::call(&mut function, LambdaEvent::new(event, context)).await {
            Ok(answer) => Ok(serde_json::to_value(&answer)?),
            Err(never) => match never {},
        };
    }
    match function {
        "expire-credits" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(expire_credits::handle(&services.app, event).await?)?)
        }
        "evaluate-tiers" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(evaluate_tiers::handle(&services.app, event).await?)?)
        }
        "purchase-events" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(purchase_events::handle(&services.app, event).await?)?)
        }
        "move-books" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(Box::pin(move_books::handle(&services.move_books(), event)).await)?)
        }
        "bulk-credit" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(Box::pin(bulk_credit::handle(&services.app, event)).await)?)
        }
        "monitor" => {
            let event = LambdaEvent::new(serde_json::from_str(event)?, context);
            Ok(serde_json::to_value(Box::pin(monitor::handle(&services.monitor(), event)).await?)?)
        }
        other => {
            let http = services.functions().into_iter().map(|known| known.name);
            let names: Vec<&str> = http.chain(SCHEDULED).chain(WITH_MESSAGES).collect();
            Err(format!("there is no function {other}; the functions are {}", names.join(", ")).into())
        }
    }
}
