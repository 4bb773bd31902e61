//! Taking gateways' reports, and what a decision about one must see.
//!
//! **Invariant:** a report that names its top-up costs one batch read and one transaction; one that is found by a
//! gateway's id, and refunds and disputes, cost reads more.
//! **Invariant:** what had waited for a report is taken in the same call; if that is cut short, it is due by itself.

use crate::Store;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::payments::items::{gateway_ref, topup, webhook_event};
use crate::wallet::execute::Done;
use crate::wallet::items::entry;
use domain::cause::Cause;
use domain::context::Context;
use domain::ids::{CustomerId, EventId, Handle, TopUpId};
use domain::ledger::command::{Needs, State};
use domain::ledger::decision::Outcome;
use domain::ledger::entry::Entry;
use domain::payments::gateway_report::Told;
use domain::payments::process::TakeReport;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::{Event, LeadTo};
use std::collections::HashMap;

/// How many reports that had waited are taken with the one they waited for.
const MAX_FOLLOWED: usize = 500;

/// The items of a report that are known beforehand.
pub(crate) fn wanted(needs: &Needs) -> Vec<Key> {
    let mut wanted: Vec<Key> = needs.topup.iter().map(keys::topup).collect();
    wanted.extend(needs.leads.iter().map(keys::lead));
    wanted.extend(needs.event.iter().map(keys::event));
    wanted
}

/// The quarantined reports that leads lead to.
pub(crate) fn led_to(found: &HashMap<Key, Item>, needs: &Needs) -> Result<Vec<Key>, StoreError> {
    let mut more = Vec::new();
    for item in needs.leads.iter().filter_map(|handle| found.get(&keys::lead(handle))) {
        if let LeadTo::Stray(stray) = gateway_ref::from_item(item)?.to {
            more.push(keys::event(&stray.event));
        }
    }
    Ok(more)
}

impl Store {
    /// The state with all that a report is decided on.
    pub(crate) async fn with_reports(
        &self,
        mut state: State,
        found: &HashMap<Key, Item>,
        needs: &Needs,
    ) -> Result<State, StoreError> {
        let item = |key: Key| found.get(&key);
        state.topup =
            needs.topup.as_ref().and_then(|id| item(keys::topup(id))).map(topup::from_item).transpose()?;
        state.event = needs
            .event
            .as_ref()
            .and_then(|id| item(keys::event(id)))
            .map(webhook_event::from_item)
            .transpose()?;
        for handle in &needs.leads {
            let Some(lead) = item(keys::lead(handle)).map(gateway_ref::from_item).transpose()? else {
                continue;
            };
            if let LeadTo::Stray(stray) = &lead.to
                && let Some(quarantined) =
                    item(keys::event(&stray.event)).map(webhook_event::from_item).transpose()?
            {
                state.quarantined.insert(quarantined.id.clone(), quarantined);
            }
            state.leads.insert(handle.clone(), lead);
        }
        let (Some(reversal), Some(topup)) = (&needs.reversal, &state.topup) else { return Ok(state) };
        let (Some(credited), customer) = (&topup.credited, topup.id.customer()) else { return Ok(state) };
        let mut moved = Vec::new();
        for id in topup.moves_with(reversal) {
            moved.extend(self.entries_caused(customer, &Cause::of_reversal(&id)).await?);
        }
        moved.sort_by_key(|entry| entry.seq);
        let expired = match credited.expires_on {
            Some(date) => self.entries_caused(customer, &Cause::of_expiry(date, credited.class)).await?,
            None => vec![],
        };
        Ok(State { moved, expired, ..state })
    }

    /// The entries whose causes begin so, strongly consistent, oldest first.
    async fn entries_caused(&self, customer: &CustomerId, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let items = self.partition(&keys::entry_partition(customer), prefix).await?;
        let mut entries = items.iter().map(entry::from_item).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| entry.seq);
        Ok(entries)
    }

    /// Takes a report: what became of it, and of those that had waited for it, is stored when this returns.
    pub async fn take_report(&self, report: TakeReport, context: &Context) -> Result<Done, StoreError> {
        let (done, waiting) = self.take_one(report, context).await?;
        self.follow(waiting, context).await;
        Ok(done)
    }

    /// Takes reports that had waited. One that fails is due again by itself.
    pub async fn follow(&self, waiting: Vec<EventId>, context: &Context) {
        let mut queue = waiting;
        let mut taken = 0;
        // One that still waits may be taken again, when what it waits for now has been taken too.
        while let Some(id) = queue.pop() {
            taken += 1;
            if taken > MAX_FOLLOWED {
                tracing::warn!(%id, "too many reports had waited; the rest is left for later");
                return;
            }
            match self.take_again(&id, context).await {
                Ok((_, more)) => queue.extend(more),
                Err(error) => tracing::warn!(%id, %error, "a report that had waited is left for later"),
            }
        }
    }

    /// Takes a stored report again, by what it says.
    pub async fn take_again(
        &self,
        id: &EventId,
        context: &Context,
    ) -> Result<(Option<Done>, Vec<EventId>), StoreError> {
        let Some((event, _)) = self.event(id).await? else { return Ok((None, vec![])) };
        let report = TakeReport {
            id: event.id,
            kind: event.kind,
            body: vec![],
            topup: None,
            told: event.told,
            only_trouble: false,
        };
        let (done, more) = self.take_one(report, context).await?;
        Ok((Some(done), more))
    }

    async fn take_one(
        &self,
        mut report: TakeReport,
        context: &Context,
    ) -> Result<(Done, Vec<EventId>), StoreError> {
        report.topup = match report.told.as_ref() {
            Some(told) => self.about(told).await?,
            None => None,
        };
        loop {
            let done = self.execute(&report, context).await?;
            match &done.outcome {
                Outcome::Elsewhere(topup) => report.topup = Some(topup.clone()),
                Outcome::Event(_, waiting) => {
                    let waiting = waiting.clone();
                    return Ok((done, waiting));
                }
                Outcome::Entry(_)
                | Outcome::Account(_)
                | Outcome::Order(_)
                | Outcome::TopUp(..)
                | Outcome::Nothing => {
                    return Err(StoreError::Corrupt("a report has another outcome".to_owned()));
                }
            }
        }
    }

    /// The top-up that a report names, or that what it names leads to.
    async fn about(&self, told: &Told) -> Result<Option<TopUpId>, StoreError> {
        if told.topup.is_some() {
            return Ok(told.topup.clone());
        }
        let handles: Vec<Key> = told.handles().iter().map(keys::lead).collect();
        if handles.is_empty() {
            return Ok(None);
        }
        let found = self.patiently(|| self.batch(&handles)).await?;
        for item in handles.iter().filter_map(|key| found.get(key)) {
            if let LeadTo::TopUp(topup) = gateway_ref::from_item(item)?.to {
                return Ok(Some(topup));
            }
        }
        Ok(None)
    }

    /// A top-up.
    pub async fn topup(&self, id: &TopUpId) -> Result<Option<TopUp>, StoreError> {
        let item = self.patiently(|| self.get(keys::topup(id))).await?;
        item.map(|item| topup::from_item(&item)).transpose()
    }

    /// A report and its sealed body.
    pub async fn event(&self, id: &EventId) -> Result<Option<(Event, Vec<u8>)>, StoreError> {
        let Some(item) = self.patiently(|| self.get(keys::event(id))).await? else { return Ok(None) };
        Ok(Some((webhook_event::from_item(&item)?, webhook_event::body_of(&item).unwrap_or_default())))
    }

    /// The top-up that a handle leads to.
    pub async fn topup_at(&self, handle: &Handle) -> Result<Option<TopUpId>, StoreError> {
        let item = self.patiently(|| self.get(keys::lead(handle))).await?;
        Ok(item.map(|item| gateway_ref::from_item(&item)).transpose()?.and_then(|lead| match lead.to {
            LeadTo::TopUp(topup) => Some(topup),
            LeadTo::Waiting(_) | LeadTo::Stray(_) => None,
        }))
    }

    /// A customer's newest top-ups.
    pub async fn newest_topups(&self, customer: &CustomerId, limit: u16) -> Result<Vec<TopUp>, StoreError> {
        let places = self.newest_listed(&keys::topup_list(customer), limit).await?;
        let ids = places.iter().filter_map(|place| place.split_once('#'));
        let wanted: Vec<Key> =
            ids.filter_map(|(_, id)| TopUpId::parse(id).ok()).map(|id| keys::topup(&id)).collect();
        let found = self.patiently(|| self.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(topup::from_item).collect()
    }
}
