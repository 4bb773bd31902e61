//! Applies parts of bulk jobs: credits to wallets, and points.
//!
//! **Invariant:** a message names a part, which [`parts::apply`] applies once.

use domain::ids::{JobId, RequestId};
use edge::batch::{Batch, Failures, each_by};
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use parts::{Failed, Invocation};
use queues::{PartMessage, VERSION};
use std::time::{Duration, Instant};

/// Messages that are handled at once.
const AT_ONCE: usize = 4;

/// Time after which no part is taken in an invocation, which ends after 60 s.
const TAKE_WITHIN: Duration = Duration::from_secs(25);

/// Time after which no row is begun in an invocation.
const BEGIN_WITHIN: Duration = Duration::from_secs(42);

/// Handles a batch of messages.
pub async fn handle(app: &App, event: LambdaEvent<Batch>) -> Failures {
    let invocation = Invocation {
        request: RequestId::new(event.context.request_id),
        started: Instant::now(),
        take_within: TAKE_WITHIN,
        begin_within: BEGIN_WITHIN,
    };
    let subject = |message: &PartMessage| Some(format!("{}#{}", message.job_id, message.part));
    each_by(event.payload, AT_ONCE, subject, |message| apply(app, message, &invocation)).await
}

async fn apply(app: &App, message: PartMessage, invocation: &Invocation) -> Result<(), Failed> {
    let started = Instant::now();
    let done = apply_part(app, &message, invocation).await;
    telemetry::count("bulk-part", done.is_err().then_some("failed"), 0, started);
    done
}

async fn apply_part(app: &App, message: &PartMessage, invocation: &Invocation) -> Result<(), Failed> {
    if message.v != VERSION {
        return Err(Failed::Unreadable("the version of the message is unknown"));
    }
    let id = JobId::parse(&message.job_id).map_err(|_| Failed::Unreadable("the message names no job"))?;
    parts::apply(app, &id, message.part, invocation).await
}
