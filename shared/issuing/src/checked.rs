//! What the scheduled check of stock and credit found, and its bounds.
//!
//! **Invariant:** a check that fails is counted, and the remaining checks continue.

use domain::ids::AlertId;
use std::time::Duration;
use store::StoreError;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Pools that are low or empty.
    pub csv_pools: u32,
    /// Vouchers for sale whose codes are few or none.
    pub vouchers: u32,
    /// Active campaigns that cannot pay for another card.
    pub campaigns: u32,
    /// Agencies below their threshold.
    pub agencies: u32,
    /// Clients below their threshold.
    pub clients: u32,
    /// Campaigns with an alert, raised within the last day, about a card that could not be issued.
    pub provisioning_failures: u32,
    /// Cards that refills delivered into buffer pools.
    pub refilled: u32,
    /// Number of accounts, pools and steps that could not be checked.
    pub failed: u32,
    /// Alerts that the check opened.
    pub opened: Vec<AlertId>,
}

/// Bounds of a check.
#[derive(Clone, Copy, Debug)]
pub struct WatchBounds {
    /// Bounds of the check of accounts.
    pub accounts: AccountBounds,
    /// Time for which old alerts are closed.
    pub alerts: Duration,
    /// Time after which no further supplier is called.
    pub refills: Duration,
}

/// What the check of one account or pool found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) campaigns: u32,
    pub(crate) agencies: u32,
    pub(crate) clients: u32,
    pub(crate) opened: Vec<AlertId>,
}

impl WatchSummary {
    pub(crate) fn add(&mut self, checked: Checked) {
        self.campaigns += checked.campaigns;
        self.agencies += checked.agencies;
        self.clients += checked.clients;
        self.opened.extend(checked.opened);
    }
}

/// Logs and counts a failed check, so that the remaining checks continue.
pub(crate) fn failed(result: Result<(), StoreError>, what: &str, summary: &mut WatchSummary) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "cannot be checked now");
        summary.failed += 1;
    }
}

/// Bounds of the check of all accounts.
#[derive(Clone, Copy, Debug)]
pub struct AccountBounds {
    /// Time for which accounts are checked.
    pub time: Duration,
    /// Accounts that are checked in a run.
    pub limit: usize,
    /// Accounts of one agency that are checked before the next agency's.
    pub share: usize,
}
