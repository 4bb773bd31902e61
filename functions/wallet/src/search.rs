//! The search for the transactions that match a filter.
//!
//! **Invariant:** a request reads a bounded number of entries, however many do not match: months without
//! a match are skipped, and beyond the bound the page ends with a place from which to continue.

use crate::filter::Filter;
use domain::ledger::account::Account;
use domain::ledger::entry::Entry;
use domain::ledger::statistics::MonthFigures;
use domain::money::Money;
use domain::time::Timestamp;
use edge::params::Window;
use edge::{App, Problem};
use std::ops::Range;
use std::time::Duration;
use store::{Retry, RetryPolicy, StoreError};

/// Number of matches up to which they are counted; above it, the total is unknown.
const MAX_COUNTED: u64 = 1_000;

/// Number of entries that one request reads to find matches, and to count those of a part of a month.
const MAX_READ: u64 = 2_500;

/// Number of entries that one query reads.
const PAGE: u16 = 250;

/// A page of the list.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    pub(crate) total: Option<u64>,
    pub(crate) next_cursor: Option<String>,
}

/// Position in a filtered list: only entries with lower numbers follow, of which some matches are still
/// to be skipped.
#[derive(Clone, Copy, Debug)]
struct Place {
    below: u64,
    skip: u64,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (below, skip) = text.split_once(' ')?;
        Some(Self { below: below.parse().ok()?, skip: skip.parse().ok()? })
    }

    fn seal(self, app: &App, query: &str) -> Option<String> {
        app.cursors.seal_text(query, &format!("{} {}", self.below, self.skip))
    }
}

/// A month of the list, as far as the filter's dates reach into it.
struct Stretch {
    /// Number of its first entry.
    first: u64,
    /// Number of its last entry.
    last: u64,
    /// Number of entries of the wanted type and source.
    matches: u64,
    /// True if all of it is within the dates.
    is_whole: bool,
}

/// Returns the months that may have matches, newest first.
fn stretches(filter: &Filter, months: &[MonthFigures]) -> Vec<Stretch> {
    let (mut stretches, mut first) = (Vec::new(), 1);
    for figures in months {
        let matches = figures.count(filter.kind, filter.source);
        let (start, end) = (figures.month.start(), figures.month.end());
        let from = filter.from.is_none_or(|from| from <= start);
        let until = filter.until.is_none_or(|until| end <= until);
        let outside =
            filter.from.is_some_and(|from| end <= from) || filter.until.is_some_and(|until| until <= start);
        if matches > 0 && !outside && filter.completed.unwrap_or(true) {
            stretches.push(Stretch { first, last: figures.last_seq, matches, is_whole: from && until });
        }
        first = figures.last_seq + 1;
    }
    stretches.reverse();
    stretches
}

/// Returns a page of the entries that match.
pub(crate) async fn find(
    app: &App,
    account: &Account,
    query: String,
    filter: &Filter,
    window: &Window,
) -> Result<Found, Problem> {
    if filter.is_open() {
        return all(app, account, &query, window).await;
    }
    let place = match &window.cursor {
        Some(cursor) => {
            Place::parse(&app.cursors.open_text(&query, cursor)?).ok_or_else(Problem::internal)?
        }
        None => Place { below: account.seq + 1, skip: 0 },
    };
    let place = Place { skip: place.skip + u64::from(window.skip), ..place };
    let mut stretches = stretches(filter, &app.store.wallets().months(account).await?);
    for stretch in stretches.iter_mut().filter(|stretch| !stretch.is_whole) {
        narrow(app, account, filter, stretch).await?;
    }
    let total = count(app, account, filter, &stretches).await?;
    let search = Search { app, account, filter, limit: usize::from(window.limit) };
    let (entries, next) = search.page(&stretches, place).await?;
    Ok(Found { entries, total, next_cursor: next.and_then(|next| next.seal(app, &query)) })
}

/// How long the entries of a period are read again because the newest are not listed yet.
const PATIENT: RetryPolicy = RetryPolicy {
    budget: Duration::from_secs(2),
    base: Duration::from_millis(20),
    cap: Duration::from_millis(200),
};

/// Returns the entries of a period, oldest first, and the balance before it; `None` if there are more than `most`.
/// Numbers have no gaps, so an entry that is not listed yet is noticed, and the period is read again.
pub(crate) async fn between(
    app: &App,
    account: &Account,
    period: (Timestamp, Timestamp),
    most: u64,
) -> Result<Option<(Money, Vec<Entry>)>, Problem> {
    let mut retry = Retry::new(PATIENT);
    loop {
        match listed_between(app, account, period, most).await {
            Err(StoreError::Contention(_)) if retry.backoff().await => {}
            read => return Ok(read?),
        }
    }
}

async fn listed_between(
    app: &App,
    account: &Account,
    (from, until): (Timestamp, Timestamp),
    most: u64,
) -> Result<Option<(Money, Vec<Entry>)>, StoreError> {
    let months = app.store.wallets().months(account).await?;
    let first = number_at(app, account, &months, from).await?;
    let end = number_at(app, account, &months, until).await?;
    if end.saturating_sub(first) > most {
        return Ok(None);
    }
    let opening = match first.checked_sub(1).filter(|before| *before > 0) {
        Some(before) => listed(app, account, before).await?.balance_after,
        None => Money::ZERO,
    };
    let (mut entries, mut before) = (vec![], end);
    while before > first {
        let wanted = u16::try_from((before - first).min(u64::from(PAGE))).unwrap_or(PAGE);
        let page = app.store.wallets().history(account.id.customer(), before, wanted).await?;
        if page.entries.is_empty() {
            return Err(not_listed());
        }
        for entry in page.entries {
            if entry.seq + 1 != before {
                return Err(not_listed());
            }
            before = entry.seq;
            entries.push(entry);
        }
    }
    entries.reverse();
    Ok(Some((opening, entries)))
}

fn not_listed() -> StoreError {
    StoreError::Contention("entries are not listed yet".to_owned())
}

async fn listed(app: &App, account: &Account, seq: u64) -> Result<Entry, StoreError> {
    app.store.wallets().entry(account.id.customer(), seq).await?.ok_or_else(not_listed)
}

/// Returns the number of the first entry that is at or after an instant, or the number after the last one.
async fn number_at(
    app: &App,
    account: &Account,
    months: &[MonthFigures],
    at: Timestamp,
) -> Result<u64, StoreError> {
    if at > account.updated_at {
        return Ok(account.seq + 1);
    }
    let (mut low, mut high) = (1, account.seq + 1);
    for figures in months {
        if figures.month.end() <= at {
            low = figures.last_seq + 1;
        } else {
            high = figures.last_seq + 1;
            if at <= figures.month.start() {
                high = low;
            }
            break;
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if listed(app, account, middle).await?.at >= at { high = middle } else { low = middle + 1 }
    }
    Ok(low)
}

/// Narrows a stretch to the entries within the filter's dates. Entries are dated in the order of their
/// numbers, so the first and the last are found by bisection.
async fn narrow(app: &App, account: &Account, filter: &Filter, stretch: &mut Stretch) -> Result<(), Problem> {
    if let Some(from) = filter.from {
        stretch.first = first_at(app, account, from, stretch.first..stretch.last + 1).await?;
    }
    if let Some(until) = filter.until {
        stretch.last = first_at(app, account, until, stretch.first..stretch.last + 1).await? - 1;
    }
    if filter.kind.is_none() && filter.source.is_none() {
        stretch.matches = (stretch.last + 1).saturating_sub(stretch.first);
        stretch.is_whole = true;
    }
    Ok(())
}

/// Returns the number of the first entry of a range that is at or after an instant; the end of the range if
/// there is none.
async fn first_at(app: &App, account: &Account, at: Timestamp, within: Range<u64>) -> Result<u64, Problem> {
    let Range { start: mut low, end: mut high } = within;
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = app.store.wallets().entry(account.id.customer(), middle).await?;
        // The newest entries may not be listed yet: they are at or after any instant that is past.
        if entry.is_none_or(|entry| entry.at >= at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Returns a page of all entries. Sequence numbers have no gaps, so skipped entries need not be read.
async fn all(app: &App, account: &Account, query: &str, window: &Window) -> Result<Found, Problem> {
    let below = match &window.cursor {
        Some(cursor) => app.cursors.open(query, cursor)?,
        None => account.seq + 1,
    };
    let before = below.saturating_sub(u64::from(window.skip));
    let page = app.store.wallets().history(account.id.customer(), before, window.limit).await?;
    let place = page.entries.last().map(|last| last.seq).filter(|seq| *seq > 1);
    let next_cursor = place.and_then(|place| app.cursors.seal(query, place));
    Ok(Found { entries: page.entries, total: Some(account.seq), next_cursor })
}

/// Counts the matches; None if there are too many to count.
async fn count(
    app: &App,
    account: &Account,
    filter: &Filter,
    stretches: &[Stretch],
) -> Result<Option<u64>, Problem> {
    let whole = stretches.iter().filter(|stretch| stretch.is_whole);
    let (mut count, mut left) = (whole.map(|stretch| stretch.matches).sum::<u64>(), MAX_READ);
    for stretch in stretches.iter().filter(|stretch| !stretch.is_whole) {
        let mut before = stretch.last + 1;
        while before > stretch.first {
            if left == 0 || count > MAX_COUNTED {
                return Ok(None);
            }
            let entries = read(app, account, before, stretch.first, left).await?;
            let Some(last) = entries.last() else { break };
            (before, left) = (last.seq, left.saturating_sub(u64::try_from(entries.len()).unwrap_or(left)));
            count += u64::try_from(entries.iter().filter(|entry| filter.matches(entry)).count()).unwrap_or(0);
        }
    }
    Ok(Some(count).filter(|count| *count <= MAX_COUNTED))
}

/// Reads some entries with numbers below `before` and not below `first`, newest first.
async fn read(
    app: &App,
    account: &Account,
    before: u64,
    first: u64,
    most: u64,
) -> Result<Vec<Entry>, Problem> {
    let limit = u16::try_from((before - first).min(most)).unwrap_or(PAGE).min(PAGE);
    Ok(app.store.wallets().history(account.id.customer(), before, limit).await?.entries)
}

/// A search for a page of matches.
struct Search<'a> {
    app: &'a App,
    account: &'a Account,
    filter: &'a Filter,
    limit: usize,
}

impl Search<'_> {
    /// Returns matches from a place on, and the place from which to continue.
    async fn page(
        &self,
        stretches: &[Stretch],
        mut place: Place,
    ) -> Result<(Vec<Entry>, Option<Place>), Problem> {
        let (mut kept, mut left) = (Vec::new(), MAX_READ);
        for stretch in stretches {
            if stretch.first >= place.below {
                continue;
            }
            if stretch.is_whole && stretch.last < place.below && stretch.matches <= place.skip {
                place = Place { below: stretch.first, skip: place.skip - stretch.matches };
                continue;
            }
            place.below = place.below.min(stretch.last + 1);
            while place.below > stretch.first {
                if left == 0 {
                    return Ok((kept, Some(place)));
                }
                let entries = read(self.app, self.account, place.below, stretch.first, left).await?;
                if entries.is_empty() {
                    break;
                }
                left = left.saturating_sub(u64::try_from(entries.len()).unwrap_or(left));
                for entry in entries {
                    let below = entry.seq;
                    if self.filter.matches(&entry) {
                        if kept.len() == self.limit {
                            return Ok((kept, Some(place)));
                        }
                        if place.skip > 0 {
                            place.skip -= 1;
                        } else {
                            kept.push(entry);
                        }
                    }
                    place.below = below;
                }
            }
        }
        Ok((kept, None))
    }
}
