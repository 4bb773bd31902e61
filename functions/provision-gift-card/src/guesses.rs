//! Counts wrong codes at the public redemption endpoint: by address, by campaign, and of all callers.
//!
//! **Invariant:** only a wrong code costs a write more than a right one; the counts of a campaign and of
//! all callers are read from those writes, and remembered by this process until their window ends.
//! **Invariant:** an address is known by its keyed digest only; an IPv6 address by that of its /64,
//! because one caller has all addresses of it.

use crate::Limits;
use domain::alert::NewAlert;
use domain::giftcard::guessing::GUESSING_WINDOW;
use domain::ids::budget::AccountId;
use domain::time::Timestamp;
use edge::Problem;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use store::{Store, StoreError};

/// Number of campaigns over their limit that a process remembers.
const MAX_REMEMBERED: usize = 10_000;

/// Name of the count of all callers.
const ALL: &str = "all";

/// Part of a campaign's limit that it keeps while the limit over all callers is exceeded: a tenth.
const SHARE_UNDER_ATTACK: u64 = 10;

/// What this process has seen in one window.
#[derive(Debug, Default)]
struct Seen {
    window: i64,
    /// Campaigns, and all callers, that are over their limit.
    exceeded: HashSet<String>,
    /// Campaigns over a tenth of their limit.
    suspected: HashSet<String>,
}

/// Counts of wrong codes that are over their limit, as far as this process has seen them.
#[derive(Clone, Debug, Default)]
pub struct Guesses(Arc<Mutex<Seen>>);

/// Returns what an address is counted as: an IPv6 address by its /64.
pub(crate) fn counted_as(address: &str) -> String {
    let Ok(IpAddr::V6(v6)) = address.parse::<IpAddr>() else { return address.to_owned() };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.to_string();
    }
    let prefix = u128::from(v6) & !u128::from(u64::MAX);
    format!("{}/64", Ipv6Addr::from(prefix))
}

impl Guesses {
    /// Rejects a try if too many wrong codes were tried for its campaign, or by all callers. While the
    /// limit over all callers is exceeded, campaigns have a tenth of theirs, so that naming a campaign does
    /// not evade it.
    pub(crate) fn admit(&self, campaign: Option<&AccountId>, now: Timestamp) -> Result<(), Problem> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = seen.window == GUESSING_WINDOW.number(now);
        let all = seen.exceeded.contains(ALL);
        let is_exceeded = campaign.map_or(all, |campaign| {
            let campaign = campaign.as_str();
            seen.exceeded.contains(campaign) || all && seen.suspected.contains(campaign)
        });
        if is_current && is_exceeded {
            return Err(Problem::rate_limited(GUESSING_WINDOW.seconds_left(now)));
        }
        Ok(())
    }

    /// Counts a wrong code, of its campaign if it named one that exists, and of all callers; raises an alert
    /// when there are too many.
    pub(crate) async fn count(
        &self,
        store: &Store,
        limits: &Limits,
        campaign: Option<&AccountId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(campaign) = campaign
            && store.budgets().cached_account(campaign).await?.is_some()
        {
            let most = limits.wrong_per_campaign;
            let whose = format!("campaign {campaign}");
            let count = count_one(store, campaign.as_str(), most, whose, now).await?;
            self.remember(campaign.as_str(), count, most, now);
        }
        let count = count_one(store, ALL, limits.wrong_in_all, "all callers".to_owned(), now).await?;
        self.remember(ALL, count, limits.wrong_in_all, now);
        Ok(())
    }

    fn remember(&self, subject: &str, count: u64, most: u64, now: Timestamp) {
        if count < most / SHARE_UNDER_ATTACK {
            return;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = GUESSING_WINDOW.number(now);
        if seen.window != window {
            *seen = Seen { window, ..Seen::default() };
        }
        let seen = if count < most { &mut seen.suspected } else { &mut seen.exceeded };
        if seen.len() < MAX_REMEMBERED {
            seen.insert(subject.to_owned());
        }
    }
}

/// Counts a wrong code; raises an alert if there are too many. Returns the number in this window.
async fn count_one(
    store: &Store,
    subject: &str,
    most: u64,
    whose: String,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let period = format!("wrong:{subject}:{}", GUESSING_WINDOW.number(now));
    let until = now.plus_seconds(2 * GUESSING_WINDOW.seconds).unwrap_or(now);
    let count = store.gift_cards().count_tries(&period, 1, until).await?;
    if count >= most {
        let detail = format!("{count} wrong codes for {whose} in ten minutes");
        let alert = NewAlert { kind: "code_guessing", severity: "critical", subject: whose, detail };
        store.alerts().raise(&alert, now).await;
    }
    Ok(count)
}
