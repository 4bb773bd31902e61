//! Statements of an account: what has changed its balance within some dates.
//!
//! **Invariant:** the opening balance is the sum of all entries before, or, of an account with many, what it has now
//! without what came later.

use axum::extract::State;
use axum::response::Response;
use domain::budget::allocate::SlicedAccount;
use domain::budget::entry::{BudgetEntry, MoveType};
use domain::budget::permit::BudgetAction;
use domain::budget::statement::{BudgetLine, BudgetStatement, BudgetTotals, sum};
use domain::currency::Currency;
use domain::ids::budget::{AccountId, BudgetKind};
use domain::language::Language;
use domain::rejection::Rejection;
use domain::time::{Date, Period, Timestamp};
use edge::budget::permitted;
use edge::json::Number;
use edge::paths::AccountPath;
use edge::statement::{Dates, ExpiringSum, Line, MAX_LINES, Seal, StatementQuery, answer};
use edge::statement_page::{PageLine, StatementPage};
use edge::{ApiRequest, App, Problem};
use rust_decimal::Decimal;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// The most other entries that are read for its opening balance.
const MAX_ENTRIES: usize = 30_000;

/// Tries to read entries while nothing moves.
const MAX_READS: u32 = 3;

/// Sums of a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountTotals {
    /// From the parent.
    allocated_in: Number,
    /// To children.
    allocated_out: Number,
    /// Back from children.
    reclaimed_in: Number,
    /// Back to the parent.
    reclaimed_out: Number,
    /// Paid for gift cards.
    spent: Number,
}

/// A statement of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountStatementView {
    account_id: String,
    currency: &'static str,
    #[schema(format = Date)]
    from: String,
    #[schema(format = Date)]
    to: String,
    /// The balance before the first line; the platform's is below zero by what it has issued.
    opening: Number,
    /// The balance after the last line.
    closing: Number,
    totals: AccountTotals,
    /// Oldest first. What is reserved for a card that is not issued yet is no line; what a campaign spends of its client's
    /// credit is in the statement of its client.
    lines: Vec<Line>,
    /// Always empty: credit of accounts does not expire.
    expiring: Vec<ExpiringSum>,
    /// Reserved for the seal of the books that covers the last date; always null in this version.
    sealed: Option<Seal>,
}

/// The heading, and the words for the sums and movements, which have the same order.
struct Words {
    title: &'static str,
    moves: [&'static str; 5],
}

const ENGLISH: Words = Words {
    title: "Account statement",
    moves: [
        "Allocated to this account",
        "Allocated to others",
        "Returned by others",
        "Returned to the parent",
        "Gift cards",
    ],
};

const HINDI: Words = Words {
    title: "खाता विवरण",
    moves: ["इस खाते को आवंटित", "अन्य खातों को आवंटित", "अन्य खातों से वापस", "मूल खाते को वापस", "गिफ़्ट कार्ड"],
};

fn movement(words: &Words, kind: MoveType) -> &'static str {
    let [allocated_in, allocated_out, reclaimed_in, reclaimed_out, spent] = words.moves;
    match kind {
        MoveType::AllocationIn => allocated_in,
        MoveType::AllocationOut => allocated_out,
        MoveType::ReclaimIn => reclaimed_in,
        MoveType::ReclaimOut => reclaimed_out,
        MoveType::Redemption => spent,
        MoveType::Rebalance => "",
    }
}

fn sums(totals: &BudgetTotals) -> [domain::money::Money; 5] {
    let BudgetTotals { allocated_in, allocated_out, reclaimed_in, reclaimed_out, spent } = *totals;
    [allocated_in, allocated_out, reclaimed_in, reclaimed_out, spent]
}

fn line(line: &BudgetLine<'_>, currency: Currency) -> Line {
    let entry = line.entry;
    Line {
        date: entry.at.date().to_string(),
        transaction_id: entry.id().to_string(),
        kind: entry.kind.as_str(),
        reason: entry.notes.as_ref().map(|notes| notes.as_str().to_owned()),
        order_id: None,
        amount: Number::difference(line.amount, currency),
        balance_after: Number::difference(line.balance_after, currency),
    }
}

fn page(
    dates: Dates,
    account: &SlicedAccount,
    statement: &BudgetStatement<'_>,
    language: Language,
) -> String {
    let words = match language {
        Language::English => &ENGLISH,
        Language::Hindi => &HINDI,
    };
    let lines = statement.lines.iter().map(|line| PageLine {
        date: line.entry.at.date(),
        movement: movement(words, line.entry.kind),
        reason: line.entry.notes.as_ref().map(domain::text::FreeText::as_str),
        amount: line.amount,
        balance: line.balance_after,
    });
    let account = &account.account;
    StatementPage {
        language,
        title: words.title,
        owner: account.name.as_str(),
        dates,
        currency: account.currency,
        opening: statement.opening,
        closing: statement.closing,
        sums: words.moves.into_iter().zip(sums(&statement.totals)).collect(),
        lines: lines.collect(),
        expiring: vec![],
    }
    .render()
}

/// Returns what an account has itself; the platform, less what it has issued.
async fn own(app: &App, sliced: &SlicedAccount) -> Result<Decimal, Problem> {
    if sliced.account.kind() == BudgetKind::Platform {
        return Ok(-sliced.balance().value());
    }
    Ok(app.store.budgets().own_credit(sliced).await?.value())
}

/// Returns the opening balance of an account with many entries: what it has now, without what came later.
async fn opening_from_now(app: &App, id: &AccountId, dates: Dates) -> Result<Decimal, Problem> {
    let budgets = app.store.budgets();
    let period = Period { from: Timestamp::start_of(dates.from), until: Timestamp::LAST };
    for _ in 0..MAX_READS {
        let before = budgets.load_sliced(id).await?.ok_or(Rejection::AccountNotFound)?;
        let later = budgets.entries_in(id, period, MAX_ENTRIES).await?.ok_or_else(|| dates.too_long())?;
        let after = budgets.load_sliced(id).await?.ok_or(Rejection::AccountNotFound)?;
        // Nothing has moved while the entries were read.
        let (now, still) = (own(app, &before).await?, own(app, &after).await?);
        let same = before.slices().eq(after.slices());
        if same && now == still {
            return now.checked_sub(sum(&later)?).ok_or_else(Problem::internal);
        }
    }
    let busy = "the account is being spent from; try again".to_owned();
    Err(StoreError::Contention(busy).into())
}

/// Returns the balance at the beginning of a statement, and its entries, oldest first.
async fn read(app: &App, id: &AccountId, dates: Dates) -> Result<(Decimal, Vec<BudgetEntry>), Problem> {
    let budgets = app.store.budgets();
    let (from, until) = (Timestamp::start_of(dates.from), Timestamp::end_of(dates.to));
    let entries = budgets.entries_in(id, Period { from, until }, MAX_LINES).await?;
    let mut entries = entries.ok_or_else(|| dates.too_long())?;
    entries.sort_by(|a, b| (a.at, a.id().as_str()).cmp(&(b.at, b.id().as_str())));
    let before = Period { from: Timestamp::start_of(Date::MIN), until: from };
    let opening = match budgets.entries_in(id, before, MAX_ENTRIES).await? {
        Some(before) => sum(&before)?,
        None => opening_from_now(app, id, dates).await?,
    };
    Ok((opening, entries))
}

/// Returns what has changed an account's balance within some dates; also as `text/csv`, or as a page to print
/// (`text/html`).
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/statement", tag = "budgets",
    params(AccountPath, StatementQuery),
    responses((status = 200, content((AccountStatementView = "application/json"), (String = "text/csv"), (String = "text/html")))))]
pub(crate) async fn statement(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    let dates = Dates::of(&request, app.clock.now().date())?;
    permitted(&app, &request, &id, BudgetAction::Read).await?;
    let sliced = app.store.budgets().load_sliced(&id).await?.ok_or(Rejection::AccountNotFound)?;
    let (opening, entries) = read(&app, &id, dates).await?;
    let statement = BudgetStatement::of(opening, &entries)?;
    let currency = sliced.account.currency;
    let [allocated_in, allocated_out, reclaimed_in, reclaimed_out, spent] =
        sums(&statement.totals).map(|sum| Number::money(sum, currency));
    let view = AccountStatementView {
        account_id: id.to_string(),
        currency: currency.code(),
        from: dates.from.to_string(),
        to: dates.to.to_string(),
        opening: Number::difference(statement.opening, currency),
        closing: Number::difference(statement.closing, currency),
        totals: AccountTotals { allocated_in, allocated_out, reclaimed_in, reclaimed_out, spent },
        lines: statement.lines.iter().map(|each| line(each, currency)).collect(),
        expiring: vec![],
        sealed: None,
    };
    answer(&request, dates, (&view, &view.lines), || page(dates, &sliced, &statement, app.language))
}
