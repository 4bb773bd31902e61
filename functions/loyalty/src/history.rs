//! Reads movements of points, and changes of the tier.
//!
//! **Invariant:** what is due is written before movements are listed, so that the list includes it.
//! **Invariant:** a request reads a bounded number of entries, however few match.

use crate::input::Sent;
use crate::paths::UserPath;
use crate::views::{self, PointsTransaction};
use crate::{Standing, permitted, standing};
use axum::extract::State;
use axum::response::Response;
use domain::ids::{AccountKind, BookingId, CustomerId, LoyaltyCampaignId, PaymentId, TransactionId};
use domain::ledger::account::Account;
use domain::ledger::entry::{Entry, EntryType};
use domain::loyalty::account::SettlePoints;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::state::LoyaltyNeeds;
use domain::loyalty::tiers::{TierChange, TierRecord};
use domain::parse::ParseError;
use domain::time::Timestamp;
use edge::input::{From, Text, Until};
use edge::json::Number;
use edge::params::{Window, WindowQuery};
use edge::paths::TransactionPath;
use edge::{ApiRequest, App, Problem, page, reply, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Number of entries that one request reads.
const MAX_READ: usize = 2_500;

/// Number of matches up to which they are counted.
const MAX_COUNTED: u64 = 1_000;

/// The type of a movement, or one of the words for a group of types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MovementType(&'static [EntryType]);

const GROUPS: [(&str, &[EntryType]); 4] = [
    ("earn", &[EntryType::Earn]),
    ("burn", &[EntryType::Burn]),
    ("refund", &[EntryType::Refund]),
    ("adjustment", &[EntryType::AdjustIn, EntryType::AdjustOut]),
];

impl Text for MovementType {
    fn parse(text: &str) -> Result<Self, ParseError> {
        const UNKNOWN: ParseError = ParseError("is not the type of a movement of points");
        if let Some((_, group)) = GROUPS.iter().find(|(word, _)| *word == text) {
            return Ok(Self(group));
        }
        let at =
            EntryType::ALL.iter().position(|kind| kind.as_str() == text && kind.is_of(AccountKind::Points));
        at.and_then(|at| EntryType::ALL_SLICE.get(at..=at)).map(Self).ok_or(UNKNOWN)
    }

    fn schema() -> Value {
        let types = EntryType::of_kind(AccountKind::Points).map(EntryType::as_str);
        schema::words(types.chain(GROUPS.iter().map(|(word, _)| *word)))
    }
}

edge::query! {
    /// Filter of the list of movements.
    pub(crate) struct MovementsQuery {
        /// Only movements of this type, or of this group of types.
        kind as "type": MovementType,
        /// Only movements of this booking.
        booking_id: Sent<BookingId>,
        /// Only movements of this payment.
        payment_id: Sent<PaymentId>,
        /// Only earnings to which this campaign applied.
        campaign_id: Sent<LoyaltyCampaignId>,
        /// Only movements at or after this date or instant.
        start_date: From,
        /// Only movements at or before this date or instant; a date counts through its end.
        end_date: Until,
    }
}

impl MovementsQuery {
    fn is_open(&self) -> bool {
        self.kind.is_none()
            && self.booking_id.is_none()
            && self.payment_id.is_none()
            && self.campaign_id.is_none()
            && self.start_date.is_none()
            && self.end_date.is_none()
    }

    fn until(&self) -> Option<Timestamp> {
        let until = self.end_date?;
        let next = if until.is_instant { Timestamp::from_millis(until.at.millis() + 1) } else { None };
        Some(next.unwrap_or(until.at))
    }

    fn matches(&self, entry: &Entry) -> bool {
        let points = entry.points.as_deref();
        let names = |id: &Sent<LoyaltyCampaignId>| {
            let rules = points.and_then(|points| points.rules.as_ref());
            rules.is_some_and(|rules| rules.campaigns.iter().any(|(used, _)| used == id.0.as_str()))
        };
        let booking = points.and_then(|points| points.booking_id.as_ref());
        let payment = points.and_then(|points| points.payment_id.as_ref());
        self.kind.is_none_or(|kind| kind.0.contains(&entry.kind))
            && self.booking_id.as_ref().is_none_or(|id| booking == Some(&id.0))
            && self.payment_id.as_ref().is_none_or(|id| payment == Some(&id.0))
            && self.campaign_id.as_ref().is_none_or(names)
            && self.start_date.is_none_or(|from| entry.at >= from.0)
            && self.until().is_none_or(|until| entry.at < until)
    }

    /// Returns the filter as text, to which cursors are bound.
    fn bind(&self, account: &Account) -> String {
        let Self { kind, booking_id, payment_id, campaign_id, start_date, .. } = self;
        let until = self.until();
        format!(
            "points|{}|{kind:?}|{booking_id:?}|{payment_id:?}|{campaign_id:?}|{start_date:?}|{until:?}",
            account.id.customer()
        )
    }
}

/// Movements of points, newest first.
#[derive(Serialize, ToSchema)]
pub struct PointsTransactions {
    transactions: Vec<PointsTransaction>,
    /// Total number of matches; with a filter, null above 1000.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Writes what is due, and returns the account.
async fn settled(app: &App, request: &ApiRequest, user: &CustomerId) -> Result<Account, Problem> {
    let command = SettlePoints { user: user.clone() };
    let done = app.store.loyalty().execute(&command, &request.context(app)?).await?;
    Ok(done.outcome.0.account)
}

/// Lists movements of points, newest first.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/transactions", tag = "loyalty",
    params(UserPath, MovementsQuery, WindowQuery), responses((status = 200, body = PointsTransactions)))]
pub(crate) async fn transactions(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    let mut params = request.params();
    let filter = MovementsQuery::take(&mut params);
    let window = params.window();
    params.finish()?;
    let account = settled(&app, &request, &user).await?;
    let found = find(&app, &account, &filter, &window).await?;
    let currency = app.policy.currency();
    if request.accepts_csv() {
        return csv(&found.0, currency);
    }
    reply::ok(&PointsTransactions {
        transactions: found.0.iter().map(|entry| views::transaction(entry, currency)).collect(),
        total: found.1,
        limit: window.limit,
        skip: window.skip,
        next_cursor: found.2,
    })
}

/// Entries of a page, the number of all matches, and the place of the next page.
type Found = (Vec<Entry>, Option<u64>, Option<String>);

async fn find(
    app: &App,
    account: &Account,
    filter: &MovementsQuery,
    window: &Window,
) -> Result<Found, Problem> {
    let query = filter.bind(account);
    let from = match &window.cursor {
        Some(cursor) => app.cursors.open(&query, cursor)?,
        None => account.seq + 1,
    };
    let user = account.id.customer();
    let limit = usize::from(window.limit);
    if filter.is_open() {
        let before = from.saturating_sub(u64::from(window.skip));
        let page = app.store.loyalty().history(user, before, window.limit).await?;
        let place = page.entries.last().map(|last| last.seq).filter(|seq| *seq > 1);
        let next = place.and_then(|place| app.cursors.seal(&query, place));
        return Ok((page.entries, Some(account.seq), next));
    }
    let (mut kept, mut skipped, mut before, mut read) = (Vec::new(), 0, from, 0);
    let mut next = None;
    'search: while before > 1 && read < MAX_READ {
        let page = app.store.loyalty().history(user, before, 250).await?;
        if page.entries.is_empty() {
            break;
        }
        read += page.entries.len();
        for entry in page.entries {
            if filter.matches(&entry) {
                if kept.len() == limit {
                    next = app.cursors.seal(&query, before);
                    break 'search;
                }
                if skipped < window.skip {
                    skipped += 1;
                } else {
                    kept.push(entry.clone());
                }
            }
            before = entry.seq;
        }
        if read >= MAX_READ && before > 1 {
            next = app.cursors.seal(&query, before);
        }
    }
    Ok((kept, count(app, account, filter).await?, next))
}

/// Counts the matches; `None` if there are too many entries or matches to count.
async fn count(app: &App, account: &Account, filter: &MovementsQuery) -> Result<Option<u64>, Problem> {
    if account.seq > u64::try_from(MAX_READ).unwrap_or(u64::MAX) {
        return Ok(None);
    }
    let (mut before, mut count) = (account.seq + 1, 0);
    while before > 1 {
        let page = app.store.loyalty().history(account.id.customer(), before, 250).await?;
        let Some(last) = page.entries.last() else { break };
        before = last.seq;
        count +=
            u64::try_from(page.entries.iter().filter(|entry| filter.matches(entry)).count()).unwrap_or(0);
    }
    Ok(Some(count).filter(|count| *count <= MAX_COUNTED))
}

/// Returns a page of movements as CSV.
fn csv(entries: &[Entry], currency: domain::currency::Currency) -> Result<Response, Problem> {
    const COLUMNS: [&str; 15] = [
        "id",
        "seq",
        "type",
        "points",
        "points_value",
        "currency",
        "booking_id",
        "payment_id",
        "refund_id",
        "redemption_token",
        "balance_after",
        "pending_after",
        "expires_on",
        "created_at",
        "reference",
    ];
    let rows: Vec<PointsTransaction> =
        entries.iter().map(|entry| views::transaction(entry, currency)).collect();
    edge::csv::file(&COLUMNS, &rows).map(reply::csv).ok_or_else(Problem::internal)
}

/// Returns one movement of points.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/transactions/{transaction_id}", tag = "loyalty",
    params(UserPath, TransactionPath), responses((status = 200, body = PointsTransaction)))]
pub(crate) async fn transaction(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    request.params().finish()?;
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "transaction_not_found", "there is no such transaction");
    let (id, seq) = request.path("transaction_id", TransactionId::parse).map_err(|_| unknown())?;
    let entry = app.store.loyalty().entry(&user, seq).await?;
    let entry = entry.filter(|entry| entry.id() == id).ok_or_else(unknown)?;
    reply::ok(&views::transaction(&entry, app.policy.currency()))
}

/// A change of the tier, or the beginning or end of grace.
#[derive(Serialize, ToSchema)]
pub struct TierChangeView {
    from: String,
    to: String,
    #[schema(format = DateTime)]
    at: String,
    /// upgrade, ageing, refund, program, adjustment, granted, grant_ended, grace_started or grace_ended
    #[schema(examples("upgrade"))]
    reason: &'static str,
    spend_12m: Number,
    lifetime_points: u64,
    program_version: u32,
}

/// Changes of the tier, newest first.
#[derive(Serialize, ToSchema)]
pub struct TierHistory {
    changes: Vec<TierChangeView>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists changes of the tier, newest first, with the beginning and end of grace.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/tier-history", tag = "loyalty",
    params(UserPath, WindowQuery), responses((status = 200, body = TierHistory)))]
pub(crate) async fn tiers(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    let needs = LoyaltyNeeds::points(&user);
    let Standing { member, .. } = standing(&app, &request.context(&app)?, &needs).await?;
    let stored = app.store.loyalty().tier_records(&user).await?;
    let of = |record: TierRecord| match record {
        TierRecord::Changed(change) => Some(change),
        TierRecord::Granted { .. } => None,
    };
    let mut changes: Vec<TierChange> = stored.into_iter().filter_map(|(_, _, record)| of(record)).collect();
    changes.extend(member.changes().cloned());
    changes.reverse();
    let numbered: Vec<(usize, TierChange)> = changes.into_iter().enumerate().collect();
    let list = format!("tier-history|{user}");
    let page = page::of(&app, &list, &window, numbered, |(at, _)| format!("{at:06}"))?;
    let currency = app.policy.currency();
    let view = |(_, change): &(usize, TierChange)| TierChangeView {
        from: change.from.as_str().to_owned(),
        to: change.to.as_str().to_owned(),
        at: change.at.to_string(),
        reason: change.reason.as_str(),
        spend_12m: Number::money(change.spend_12m, currency),
        lifetime_points: change.lifetime.get(),
        program_version: change.program_version,
    };
    reply::ok(&TierHistory {
        changes: page.items.iter().map(view).collect(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next_cursor,
    })
}
