//! Processes gateways' reports, and reads payments for callers.
//!
//! **Invariant:** reports that waited for a report are processed in the same call; if that call is
//! interrupted, they become due by themselves.

use super::Payments;
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::ledger::execute::Done;
use crate::payments::items::{gateway_ref, topup, webhook_event};
use domain::context::Context;
use domain::ids::{CustomerId, EventId, GatewayKey, TopUpId};
use domain::payments::gateway_report::GatewayReport;
use domain::payments::process::ProcessReport;
use domain::payments::state::ReportOutcome;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::{RefTarget, WebhookEvent};

/// Maximum number of waiting reports that are processed with the report for which they waited.
const MAX_FOLLOWED: usize = 500;

/// Number of times that a report is decided again after it could not be applied.
const MAX_REFUSALS: u32 = 2;

/// Records that a report cannot be applied to what is stored. It is quarantined: it waits for an operator,
/// and its gateway need not repeat it.
fn refuse(report: &mut ProcessReport, error: &StoreError) {
    tracing::error!(id = %report.id, %error, "the report cannot be applied");
    report.is_refused = true;
}

impl Payments {
    /// Processes a report; when this returns, its outcome is stored, and that of the reports that
    /// waited for it, except for those that failed and are due again.
    pub async fn process_report(
        &self,
        report: ProcessReport,
        context: &Context,
    ) -> Result<Done<WebhookEvent>, StoreError> {
        let (done, waiting) = self.process_one(report, context).await?;
        self.process_waiting(waiting, context).await;
        Ok(done)
    }

    /// Processes reports that waited. If one fails, it becomes due again by itself.
    pub async fn process_waiting(&self, waiting: Vec<EventId>, context: &Context) {
        let mut queue = waiting;
        let mut taken = 0;
        // A report that still waits may be processed again once the report for which it now waits
        // has been processed.
        while let Some(id) = queue.pop() {
            taken += 1;
            if taken > MAX_FOLLOWED {
                tracing::warn!(%id, "too many waiting reports; the rest is processed when due");
                return;
            }
            match self.reprocess(&id, context).await {
                Ok((_, more)) => queue.extend(more),
                Err(error) => tracing::warn!(%id, %error, "a waiting report is retried when due"),
            }
        }
    }

    /// Processes a stored report again, from its stored content. Returns None if there is no such
    /// report, and the reports that waited for it.
    pub async fn reprocess(
        &self,
        id: &EventId,
        context: &Context,
    ) -> Result<(Option<Done<WebhookEvent>>, Vec<EventId>), StoreError> {
        let Some((event, _)) = self.event(id).await? else { return Ok((None, vec![])) };
        let report = ProcessReport {
            id: event.id,
            kind: event.kind,
            body: vec![],
            topup: None,
            report: event.report,
            record_only_failures: false,
            is_refused: false,
        };
        let (done, more) = self.process_one(report, context).await?;
        Ok((Some(done), more))
    }

    async fn process_one(
        &self,
        mut report: ProcessReport,
        context: &Context,
    ) -> Result<(Done<WebhookEvent>, Vec<EventId>), StoreError> {
        if let Some(content) = report.report.as_ref() {
            match self.topup_of(content).await {
                Ok(topup) => report.topup = topup,
                Err(error @ StoreError::Corrupt(_)) => refuse(&mut report, &error),
                Err(error) => return Err(error),
            }
        }
        let mut retry = self.table.retry();
        loop {
            let done = match self.execute(&report, context).await {
                Ok(done) => done,
                Err(error @ (StoreError::Rejected(_) | StoreError::Corrupt(_))) if !report.is_refused => {
                    // Other writes may have been in progress: it is decided again, a few times.
                    if retry.tries() >= MAX_REFUSALS || !retry.backoff().await {
                        refuse(&mut report, &error);
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            match done.outcome.clone() {
                ReportOutcome::OtherTopUp(topup) => report.topup = Some(topup),
                ReportOutcome::Kept(event, waiting) => return Ok((done.map(|_| *event), waiting)),
            }
        }
    }

    /// Returns the top-up that a report names, or to which one of its gateway references leads.
    async fn topup_of(&self, report: &GatewayReport) -> Result<Option<TopUpId>, StoreError> {
        if report.topup.is_some() {
            return Ok(report.topup.clone());
        }
        let keys: Vec<Key> = report.keys().iter().map(keys::gateway_ref).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        for item in keys.iter().filter_map(|key| found.get(key)) {
            if let RefTarget::TopUp(topup) = gateway_ref::from_item(item)?.to {
                return Ok(Some(topup));
            }
        }
        Ok(None)
    }

    /// Reads a top-up.
    pub async fn topup(&self, id: &TopUpId) -> Result<Option<TopUp>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::topup(id))).await?;
        item.map(|item| topup::from_item(&item)).transpose()
    }

    /// Reads a report and its sealed body.
    pub async fn event(&self, id: &EventId) -> Result<Option<(WebhookEvent, Vec<u8>)>, StoreError> {
        let Some(item) = self.table.with_retry(|| self.table.get(keys::event(id))).await? else {
            return Ok(None);
        };
        Ok(Some((webhook_event::from_item(&item)?, webhook_event::body_of(&item).unwrap_or_default())))
    }

    /// Returns the top-up to which a gateway reference leads.
    pub async fn topup_at(&self, key: &GatewayKey) -> Result<Option<TopUpId>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::gateway_ref(key))).await?;
        Ok(item.map(|item| gateway_ref::from_item(&item)).transpose()?.and_then(|gateway_ref| {
            match gateway_ref.to {
                RefTarget::TopUp(topup) => Some(topup),
                RefTarget::Waiting(_) | RefTarget::UnmatchedPayment(_) => None,
            }
        }))
    }

    /// Returns a customer's newest top-ups, newest first.
    pub async fn newest_topups(&self, customer: &CustomerId, limit: u16) -> Result<Vec<TopUp>, StoreError> {
        let places = self.table.newest_listed(&keys::topup_list(customer), limit).await?;
        let ids = places.iter().filter_map(|place| place.split_once('#'));
        let wanted: Vec<Key> =
            ids.filter_map(|(_, id)| TopUpId::parse(id).ok()).map(|id| keys::topup(&id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(topup::from_item).collect()
    }
}
