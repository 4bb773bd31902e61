//! Reading CSV bodies: a header that names the columns, and a report of every line that was not taken.
//!
//! **Invariant:** a byte order mark, CRLF and quotes are understood; a line is told by its number in the file.
//! **Invariant:** no report repeats anything of a line.

use crate::json::Raw;
use crate::problem::Problem;
use csv::{ReaderBuilder, StringRecord, Trim};
use domain::parse::ParseError;
use serde::Serialize;
use std::slice::Split;
use utoipa::ToSchema;

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

/// What is told of a line that is no line.
const UNREADABLE: &str = "is not UTF-8, its quotes are not closed, or it holds a carriage return";

/// A file, line by line.
pub struct File<'a> {
    columns: Vec<String>,
    lines: Split<'a, u8, fn(&u8) -> bool>,
    number: u64,
}

/// A line of a file.
pub struct Line<'a> {
    columns: &'a [String],
    record: StringRecord,
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

/// What is told of a line that cannot be taken.
pub fn invalid(line: u64, detail: String) -> LineReport {
    LineReport { line, status: "invalid", detail }
}

/// What is told of a column of a line that cannot be taken.
pub fn refused(line: u64, (column, error): (&'static str, ParseError)) -> LineReport {
    invalid(line, format!("{column} {error}"))
}

/// A line whose quoted cells begin and end with their quotes: spaces before and behind are no part of them, and would make a
/// reader take the quotes for a part of the text.
fn without_spaces_around_quotes(line: &[u8]) -> Vec<u8> {
    let (mut tidy, mut quoted, mut spaces) = (Vec::with_capacity(line.len()), false, 0);
    for byte in line {
        match byte {
            b' ' | b'\t' if !quoted => {
                spaces += 1;
                tidy.push(*byte);
                continue;
            }
            b'"' => {
                let text = tidy.len() - spaces;
                if !quoted && tidy.get(..text).is_some_and(|text| matches!(text.last(), None | Some(b','))) {
                    tidy.truncate(text);
                }
                quoted = !quoted;
            }
            b',' if !quoted => {
                let text = tidy.len() - spaces;
                if tidy.get(..text).is_some_and(|text| text.last() == Some(&b'"')) {
                    tidy.truncate(text);
                }
            }
            _ => {}
        }
        spaces = 0;
        tidy.push(*byte);
    }
    let text = tidy.len() - spaces;
    tidy.truncate(text);
    tidy
}

/// The cells of one line; none if it is not UTF-8, its quotes are not closed, or it holds a carriage return, which a reader
/// might take for the end of a line. No cell goes on in the next line.
fn cells(line: &[u8]) -> Option<StringRecord> {
    if line.contains(&b'\r') {
        return None;
    }
    let line = &without_spaces_around_quotes(line);
    let closed = line.split(|byte| *byte == b'"').count() % 2 == 1;
    let mut reader = ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(Trim::All).buffer_capacity(line.len().max(1));
    let record = reader.from_reader(line.as_slice()).into_records().next()?.ok()?;
    closed.then_some(record)
}

impl<'a> File<'a> {
    /// Reads the first line; `known` are the columns that the file may have, the first of which it must have.
    pub fn open(body: &'a [u8], known: &[&'static str]) -> Result<Self, Problem> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let is_end: fn(&u8) -> bool = |byte| *byte == b'\n';
        let mut lines = body.split(is_end);
        let header = lines.next().map(plain).filter(|line| !line.is_empty());
        let header = header.ok_or_else(|| Problem::invalid("the file is empty"))?;
        let unreadable = || Problem::invalid(format!("the first line {UNREADABLE}"));
        let header = cells(header).ok_or_else(unreadable)?;
        let columns: Vec<String> = header.iter().map(str::to_ascii_lowercase).collect();
        let required = known.first().copied().unwrap_or_default();
        let unknown = columns.iter().any(|column| !known.contains(&column.as_str()));
        let twice =
            columns.iter().enumerate().any(|(at, column)| columns.iter().take(at).any(|c| c == column));
        if unknown || twice || !columns.iter().any(|column| column == required) {
            let detail = format!("the first line must name columns, each once: {}", known.join(", "));
            return Err(Problem::invalid(detail));
        }
        Ok(Self { columns, lines, number: 1 })
    }

    /// The next line that is not blank, or what is wrong with it.
    pub fn next_line(&mut self) -> Option<Result<Line<'_>, LineReport>> {
        loop {
            let line = plain(self.lines.next()?);
            self.number += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let number = self.number;
            let Some(record) = cells(line) else {
                return Some(Err(invalid(number, UNREADABLE.to_owned())));
            };
            if record.len() > self.columns.len() {
                return Some(Err(invalid(number, "has more cells than the first line names".to_owned())));
            }
            return Some(Ok(Line { columns: &self.columns, record, number }));
        }
    }
}

/// A line without the carriage return at its end.
fn plain(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
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
