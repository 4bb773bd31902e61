//! Looks at the queues of dead letters.
//!
//! **Invariant:** a message is taken out only if what it asked for is done, which the table says.

use crate::{MonitorSummary, Services, raise};
use domain::alert::NewAlert;
use domain::context::Context;
use domain::ids::JobId;
use domain::jobs::part::{PARTS_OF_SEGMENT, PartState};
use queues::{DeadLetter, DeadQueue, NoAnswer, Step};
use std::time::{Duration, Instant};
use store::StoreError;

/// Time for which a run takes messages out of one queue.
const BUDGET: Duration = Duration::from_secs(10);

/// Looks at every queue of dead letters.
pub(crate) async fn run(
    services: &Services,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    for queue in services.tools.queues.dead() {
        let Ok(left) = look(services, &queue, summary).await else {
            summary.breakdown.failed += 1;
            continue;
        };
        let alert = NewAlert {
            kind: "queue_dead",
            severity: "critical",
            subject: queue.name.clone(),
            detail: format!("{left} messages could not be handled"),
        };
        let alerts = services.app.store.alerts();
        if left == 0 {
            alerts.found_over(&alert.id(), context.now).await?;
            continue;
        }
        summary.breakdown.queues_dead += 1;
        raise(services, alert, context.now, summary).await?;
    }
    Ok(())
}

/// Takes out the messages of a queue of which nothing is left to do; returns how many remain.
async fn look(services: &Services, queue: &DeadQueue, summary: &mut MonitorSummary) -> Result<u64, NoAnswer> {
    let (queues, started) = (&services.tools.queues, Instant::now());
    loop {
        let left = queues.count_dead(queue).await?;
        if left == 0 || started.elapsed() >= BUDGET {
            return Ok(left);
        }
        let mut removed = 0;
        for letter in queues.dead_letters(queue).await? {
            let done = is_done(services, &letter).await.unwrap_or_else(|error| {
                // The message stays, and the others are looked at.
                tracing::warn!(queue = queue.name, %error, "what a dead message asked for cannot be read");
                summary.breakdown.failed += 1;
                false
            });
            if done && queues.remove_dead(queue, &letter).await.is_ok() {
                removed += 1;
            }
        }
        if removed == 0 {
            return Ok(left);
        }
    }
}

/// Returns true if what a message asked for is done, or will never be.
async fn is_done(services: &Services, letter: &DeadLetter) -> Result<bool, StoreError> {
    let (id, parts) = match (&letter.part, &letter.step) {
        (Some(part), _) => (&part.job_id, part.part..part.part.saturating_add(1)),
        (None, Some(step)) => (&step.job_id, parts_of(step.step, step.segment)),
        (None, None) => return Ok(false),
    };
    let Ok(id) = JobId::parse(id) else { return Ok(false) };
    let jobs = services.app.store.jobs();
    let Some(job) = jobs.job(&id).await? else { return Ok(false) };
    if job.status.is_final() {
        return Ok(true);
    }
    let is_split = letter.step.as_ref().is_some_and(|step| step.step == Step::Split);
    if is_split {
        return Ok(!job.is_to_be_split());
    }
    let until = parts.end.min(job.terms.parts);
    let found = jobs.parts(&id, parts.start, until).await?;
    let done = found.iter().filter(|part| part.state == PartState::Done).count();
    Ok(u32::try_from(done).is_ok_and(|done| done >= until.saturating_sub(parts.start)) && until > parts.start)
}

fn parts_of(step: Step, segment: u32) -> std::ops::Range<u32> {
    match step {
        Step::Split => 0..0,
        Step::Export => segment..segment.saturating_add(1),
        Step::Apply => {
            let first = segment.saturating_mul(PARTS_OF_SEGMENT);
            first..first.saturating_add(PARTS_OF_SEGMENT)
        }
    }
}
