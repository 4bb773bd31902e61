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

/// What this process knows to be over its limit in one window.
#[derive(Debug, Default)]
struct Exceeded {
    window: i64,
    subjects: HashSet<String>,
}

/// Counts of wrong codes that are over their limit.
#[derive(Clone, Debug, Default)]
pub struct Guesses(Arc<Mutex<Exceeded>>);

/// Returns what an address is counted as: an IPv6 address by its /64.
pub(crate) fn counted_as(address: &str) -> String {
    let Ok(IpAddr::V6(v6)) = address.parse::<IpAddr>() else { return address.to_owned() };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.to_string();
    }
    let prefix = u128::from(v6) & !u128::from(u64::MAX);
    format!("{}/64", Ipv6Addr::from(prefix))
}

fn subject(campaign: Option<&AccountId>) -> String {
    campaign.map_or_else(|| ALL.to_owned(), ToString::to_string)
}

impl Guesses {
    /// Rejects a try if too many wrong codes were tried for its campaign, or by all callers.
    pub(crate) fn admit(&self, campaign: Option<&AccountId>, now: Timestamp) -> Result<(), Problem> {
        let exceeded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = exceeded.window == GUESSING_WINDOW.number(now);
        if is_current && exceeded.subjects.contains(&subject(campaign)) {
            return Err(Problem::rate_limited(GUESSING_WINDOW.seconds_left(now)));
        }
        Ok(())
    }

    /// Counts a wrong code, of its campaign if it named one, and of all callers; raises an alert when
    /// there are too many.
    pub(crate) async fn count(
        &self,
        store: &Store,
        limits: &Limits,
        campaign: Option<&AccountId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let named = campaign.map(|campaign| (Some(campaign), limits.wrong_per_campaign));
        for (of, most) in named.into_iter().chain([(None, limits.wrong_in_all)]) {
            let subject = subject(of);
            let period = format!("wrong:{subject}:{}", GUESSING_WINDOW.number(now));
            let until = now.plus_seconds(2 * GUESSING_WINDOW.seconds).unwrap_or(now);
            let count = store.gift_cards().count_tries(&period, 1, until).await?;
            if count < most {
                continue;
            }
            self.remember(&subject, now);
            let whose = if of.is_some() { format!("campaign {subject}") } else { "all callers".to_owned() };
            let detail = format!("{count} wrong codes for {whose} in ten minutes");
            let alert = NewAlert { kind: "code_guessing", severity: "critical", subject: whose, detail };
            store.alerts().raise(&alert, now).await;
        }
        Ok(())
    }

    fn remember(&self, subject: &str, now: Timestamp) {
        let mut exceeded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = GUESSING_WINDOW.number(now);
        if exceeded.window != window {
            *exceeded = Exceeded { window, subjects: HashSet::new() };
        }
        if exceeded.subjects.len() < MAX_REMEMBERED {
            exceeded.subjects.insert(subject.to_owned());
        }
    }
}
