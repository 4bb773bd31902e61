//! Reading CSV bodies: a header that names the columns, and a report of every line that was not taken.
//!
//! **Invariant:** a byte order mark, CRLF and quotes are understood; a line is told by its number in the file.
//! **Invariant:** no report repeats anything of a line.

use crate::json::Raw;
use crate::problem::Problem;
use csv::{ReaderBuilder, StringRecord, Trim};
use domain::parse::ParseError;
use serde::Serialize;
use utoipa::ToSchema;

/// The most lines that a report names.
const MOST_LINES: usize = 200_000;

/// What became of a line that was not taken.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct LineReport {
    /// Its number in the file; the header is line 1.
    pub line: u64,
    /// duplicate or invalid
    #[schema(examples("duplicate"))]
    pub status: &'static str,
    /// Why; nothing of the line is repeated.
    pub detail: String,
}

/// A line of a file.
pub struct Line<'a> {
    columns: &'a [String],
    record: &'a StringRecord,
    /// Its number in the file.
    pub number: u64,
}

impl Line<'_> {
    /// The text of a column, if the file has it.
    pub fn cell(&self, name: &'static str) -> Option<String> {
        let at = self.columns.iter().position(|column| column == name)?;
        self.record.get(at).map(str::to_owned)
    }
}

/// Reads every line of a file; `known` are the columns that it may have, the first of which it must have.
pub fn lines(
    body: &[u8],
    known: &[&'static str],
    mut take: impl FnMut(&Line<'_>) -> Result<(), (&'static str, ParseError)>,
) -> Result<Vec<LineReport>, Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // The reader tells a line that follows a CRLF by the number of the one before.
    let body: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(body.as_slice());
    let mut records = reader.records();
    let header = records.next().ok_or_else(|| Problem::invalid("the file is empty"))?;
    let header = header.map_err(|_| Problem::invalid("the first line cannot be read"))?;
    let columns: Vec<String> = header.iter().map(str::to_ascii_lowercase).collect();
    let required = known.first().copied().unwrap_or_default();
    let unknown = columns.iter().any(|column| !known.contains(&column.as_str()));
    let twice = columns.iter().enumerate().any(|(at, column)| columns.iter().take(at).any(|c| c == column));
    if unknown || twice || !columns.iter().any(|column| column == required) {
        let detail = format!("the first line must name columns, each once: {}", known.join(", "));
        return Err(Problem::invalid(detail));
    }
    let mut reports = Vec::new();
    let mut number = 1;
    for record in records {
        number += 1;
        let invalid = |detail: String| LineReport { line: number, status: "invalid", detail };
        let Ok(record) = record else {
            reports.push(invalid("is not UTF-8, or its quotes are not closed".to_owned()));
            continue;
        };
        let number = record.position().map_or(number, csv::Position::line);
        let refused = if record.len() > columns.len() {
            Some("has more cells than the first line names".to_owned())
        } else {
            let line = Line { columns: &columns, record: &record, number };
            take(&line).err().map(|(column, error)| format!("{column} {error}"))
        };
        if let Some(detail) = refused {
            reports.push(LineReport { line: number, status: "invalid", detail });
        }
        if reports.len() > MOST_LINES {
            return Err(Problem::invalid("too many lines cannot be read"));
        }
    }
    Ok(reports)
}

/// A text that is required to be a short word of the caller's: an id of theirs.
pub fn word(raw: Raw<'_>) -> Result<String, ParseError> {
    crate::json::of(|text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
            Ok(text.to_owned())
        } else {
            Err(ParseError("must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -"))
        }
    })(raw)
}
