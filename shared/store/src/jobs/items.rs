//! Items of jobs.
//!
//! **Invariant:** what changes of a job are attributes of their own; its terms are one document that never changes.

use super::KEPT_DAYS;
use crate::engine::attr::{Attributes, Item, Reader, number};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::engine::item::due;
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::JobId;
use domain::jobs::figures::{Difference, Figures, ImportOutcomes};
use domain::jobs::job::{Job, JobTerms, RefusedLine};
use domain::jobs::part::{Part, PartState, Tally};
use domain::jobs::row::{Row, RowOutcome};
use domain::jobs::status::JobStatus;
use domain::jobs::upload::{Upload, UploadTerms};
use domain::parse::ParseError;
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// Returns the second at which an item may be removed.
pub(super) fn purge_at(now: Timestamp) -> i64 {
    now.millis() / 1000 + KEPT_DAYS * 86_400
}

/// Converts a job to its item; it is due at `at`.
pub(super) fn job_to_item(job: &Job, at: Timestamp) -> Result<Item, StoreError> {
    let key = keys::job(&job.terms.id);
    let attributes = Attributes::default()
        .text("terms", document(&job.terms)?)
        .text("status", job.status.as_str())
        .number("requeued", job.requeued)
        .text("quiet_since", job.quiet_since);
    let mut item = due(attributes, DueKind::Jobs, at, &key.pk).0;
    item.extend(key.attributes());
    Ok(item)
}

/// Reads a job.
pub(super) fn job_from_item(item: &Item) -> Result<Job, StoreError> {
    let reader = Reader::new(item, "job");
    let terms: Option<JobTerms> = read_document(reader.text("terms")?);
    Ok(Job {
        terms: terms.ok_or_else(|| reader.corrupt("terms"))?,
        status: reader.parse("status", JobStatus::parse)?,
        started_at: reader.maybe("started_at", Timestamp::parse)?,
        finished_at: reader.maybe("finished_at", Timestamp::parse)?,
        requeued: u32::try_from(reader.count("requeued")?).map_err(|_| reader.corrupt("requeued"))?,
        quiet_since: reader.instant("quiet_since")?,
        etag: reader.maybe_text("etag")?.map(str::to_owned),
        refusal: match reader.maybe_text("refusal")? {
            Some(text) => Some(read_document(text).ok_or_else(|| reader.corrupt("refusal"))?),
            None => None,
        },
    })
}

/// Converts an upload that no job reads yet.
pub(super) fn upload_to_item(terms: &UploadTerms) -> Result<Item, StoreError> {
    let attributes =
        Attributes::default().text("terms", document(terms)?).number("purge_at", purge_at(terms.created_at));
    let mut item = attributes.0;
    item.extend(keys::upload(&terms.id).attributes());
    Ok(item)
}

/// Reads an upload.
pub(super) fn upload_from_item(item: &Item) -> Result<Upload, StoreError> {
    let reader = Reader::new(item, "upload");
    let terms: Option<UploadTerms> = read_document(reader.text("terms")?);
    Ok(Upload {
        terms: terms.ok_or_else(|| reader.corrupt("terms"))?,
        job: reader.maybe("job", JobId::parse)?,
    })
}

/// Converts the rows that were refused when a job was made.
pub(super) fn lines_to_item(job: &JobTerms, lines: &Vec<RefusedLine>) -> Result<Item, StoreError> {
    let mut item = Attributes::default().text("lines", document(lines)?).0;
    item.extend(keys::refused_lines(&job.id).attributes());
    Ok(item)
}

/// Reads the rows that were refused when a job was made.
pub(super) fn lines_from_item(item: &Item) -> Result<Vec<RefusedLine>, StoreError> {
    let reader = Reader::new(item, "refused rows");
    read_document(reader.text("lines")?).ok_or_else(|| reader.corrupt("lines"))
}

/// Returns a set of one job.
pub(super) fn job_set(job: &JobId) -> AttributeValue {
    AttributeValue::Ss(vec![job.to_string()])
}

/// Reads which jobs have these rows.
pub(super) fn same_rows_from_item(item: &Item) -> Result<Vec<JobId>, StoreError> {
    let reader = Reader::new(item, "digest of rows");
    let jobs = if reader.has("jobs") { reader.set("jobs")? } else { vec![] };
    jobs.into_iter().map(|job| JobId::parse(job).map_err(|_| reader.corrupt("jobs"))).collect()
}

/// Converts rows to the attribute of their part.
pub(super) fn rows_text(rows: &Vec<Row>) -> Result<String, StoreError> {
    document(rows)
}

/// Converts a part that nobody has begun.
pub(super) fn part_to_item(part: &Part) -> Result<Item, StoreError> {
    let mut item = Attributes::default().text("state", "open").text("rows", rows_text(&part.rows)?).0;
    item.extend(keys::part(&part.job, part.number).attributes());
    Ok(item)
}

/// Reads a part, and who has ended it.
pub(super) fn part_from_item(
    item: &Item,
    job: &JobId,
    part: u32,
) -> Result<(Part, Option<String>), StoreError> {
    let reader = Reader::new(item, "part of a job");
    let owner = reader.maybe_text("owner")?.map(str::to_owned);
    let state = match reader.text("state")? {
        "open" => PartState::Open,
        "done" => PartState::Done,
        "applying" => PartState::Applying {
            owner: owner.clone().ok_or_else(|| reader.corrupt("owner"))?,
            until: reader.instant("until")?,
        },
        _ => return Err(reader.corrupt("state")),
    };
    let rows: Option<Vec<Row>> = read_document(reader.text("rows")?);
    let rows = rows.filter(|rows| !rows.is_empty()).ok_or_else(|| reader.corrupt("rows"))?;
    Ok((Part { state, ..Part::open(job, part, rows) }, owner))
}

/// Converts a failed row.
pub(super) fn failed_to_item(job: &JobId, row: &Row, now: Timestamp) -> Result<Item, StoreError> {
    let attributes = Attributes::default().text("row", document(row)?).number("purge_at", purge_at(now));
    let mut item = attributes.0;
    item.extend(keys::failed_row(job, row.line).attributes());
    Ok(item)
}

/// Converts a difference between a row of an import and the table.
pub(super) fn difference_to_item(
    job: &JobId,
    difference: &Difference,
    now: Timestamp,
) -> Result<Item, StoreError> {
    let attributes = Attributes::default().text("difference", document(difference)?);
    let mut item = attributes.number("purge_at", purge_at(now)).0;
    item.extend(keys::difference(job, difference.line).attributes());
    Ok(item)
}

/// Reads a difference between a row of an import and the table.
pub(super) fn difference_from_item(item: &Item) -> Result<Difference, StoreError> {
    let reader = Reader::new(item, "difference of an import");
    read_document(reader.text("difference")?).ok_or_else(|| reader.corrupt("difference"))
}

/// Reads a failed row.
pub(super) fn failed_from_item(item: &Item) -> Result<Row, StoreError> {
    let reader = Reader::new(item, "failed row");
    let row: Option<Row> = read_document(reader.text("row")?);
    row.filter(|row| matches!(row.outcome, RowOutcome::Failed(..))).ok_or_else(|| reader.corrupt("row"))
}

/// The prefixes of the attributes with the figures of an import.
const BOOKS: &str = "books_";
const FAILED: &str = "failed_";
const SKIPPED: &str = "skipped_";

/// Names the figures of an import that a part adds, each with its number.
pub(super) fn figures(outcomes: &ImportOutcomes) -> Vec<(String, AttributeValue)> {
    let all = [(BOOKS, &outcomes.books), (FAILED, &outcomes.failed), (SKIPPED, &outcomes.skipped)];
    let named = all.into_iter().flat_map(|(prefix, figures)| {
        figures.iter().map(move |(name, amount)| (format!("{prefix}{name}"), number(amount)))
    });
    named.collect()
}

/// Reads the figures of an import that one of a job's items has counted.
pub(super) fn figures_from_item(item: &Item) -> Result<ImportOutcomes, StoreError> {
    let reader = Reader::new(item, "figures of an import");
    let of = |prefix: &str| {
        let named = reader.names().filter_map(|name| Some((name.strip_prefix(prefix)?, name)));
        let amounts = named.map(|(short, name)| Ok((short.to_owned(), reader.money(name)?)));
        amounts.collect::<Result<BTreeMap<_, _>, StoreError>>().map(Figures::stored)
    };
    Ok(ImportOutcomes { books: of(BOOKS)?, failed: of(FAILED)?, skipped: of(SKIPPED)? })
}

/// Reads what one of a job's items has counted, and when.
pub(super) fn tally_from_item(item: &Item) -> Result<(Tally, Timestamp), StoreError> {
    let reader = Reader::new(item, "progress of a job");
    let tally = Tally {
        succeeded: reader.count("succeeded")?,
        failed: reader.count("failed")?,
        cancelled: reader.count("cancelled")?,
        amount: reader.money("amount")?,
    };
    Ok((tally, reader.instant("at")?))
}

/// Names of what is counted, each with its number.
pub(super) fn counted(tally: &Tally) -> [(&'static str, AttributeValue); 4] {
    [
        ("succeeded", number(tally.succeeded)),
        ("failed", number(tally.failed)),
        ("cancelled", number(tally.cancelled)),
        ("amount", number(tally.amount)),
    ]
}

/// The error that a stored word is none of those known.
pub(super) fn unknown(what: &'static str) -> StoreError {
    StoreError::built(ParseError(what))
}
