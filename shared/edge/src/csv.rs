//! Reading CSV bodies: a header line that names the columns, and a report of every line that is not
//! accepted.
//!
//! Accepts what spreadsheets export: a byte order mark, line ends of CRLF, CR or LF, quotes,
//! non-breaking spaces and trailing empty columns. A line that consists of separators alone is blank.
//!
//! **Invariant:** a line is identified by its number in the file; reading takes time linear in the
//! file's length.
//! **Invariant:** no report repeats content of a line.

use crate::json::Members;
use crate::problem::Problem;
use crate::schema;
use domain::giftcard::card::CellError;
use domain::giftcard::code::plain;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Returns a cell of a CSV file. Text that a spreadsheet would run as a formula is quoted with an apostrophe.
pub fn cell(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\'', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// Returns the text of a cell without the apostrophe that keeps a spreadsheet from running it.
pub fn unquoted(cell: &str) -> &str {
    let rest =
        cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\'', '\t', '\r']));
    rest.unwrap_or(cell)
}

/// Returns a CSV file with these columns, which are fields of each row's JSON; `None` if a row is not an object.
pub fn file<T: Serialize>(columns: &[&str], rows: &[T]) -> Option<String> {
    let mut lines = vec![columns.join(",")];
    for row in rows {
        let row = serde_json::to_string(row).ok()?;
        let Members(fields) = serde_json::from_str(&row).ok()?;
        // Numbers keep their decimal places.
        let cells = columns.iter().map(|column| {
            let field = fields.iter().find(|(name, _)| name == column).map(|(_, raw)| raw.get());
            match field {
                Some("null") | None => String::new(),
                Some(raw) => {
                    serde_json::from_str::<String>(raw).map_or_else(|_| raw.to_owned(), |text| cell(&text))
                }
            }
        });
        lines.push(cells.collect::<Vec<_>>().join(","));
    }
    Some(format!("{}\n", lines.join("\n")))
}

/// Report on a line that was not accepted.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct LineReport {
    /// Line number in the file; the header is line 1.
    pub line: u64,
    /// duplicate or invalid
    #[schema(examples("duplicate"))]
    pub status: &'static str,
    /// The reason; does not repeat content of the line.
    #[schema(value_type = String)]
    pub detail: Cow<'static, str>,
}

/// The report on a line that cannot be decoded or split into cells.
const UNREADABLE: &str = "is not UTF-8, or its quotes are not closed";

/// A CSV file that is read line by line.
pub struct File<'a> {
    columns: Vec<&'static str>,
    rest: &'a [u8],
    number: u64,
    reader: Reader,
}

/// A place in a file that is read in parts: its columns, and the number of the line before.
#[derive(Clone, Debug)]
pub struct Position {
    columns: Vec<&'static str>,
    number: u64,
}

/// A data line of a file.
pub struct Line<'a> {
    columns: &'a [&'static str],
    cells: Vec<String>,
    /// Its number in the file, counted from 1.
    pub number: u64,
}

impl Line<'_> {
    /// Returns the text of a column in plain characters; None if the file lacks the column or the line ends before it.
    pub fn cell(&self, name: &'static str) -> Option<String> {
        self.text(name).map(|text| plain(&text))
    }

    /// Returns all cells, as they were written.
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// Returns the text of a column as it was written, without spaces around it.
    pub fn text(&self, name: &'static str) -> Option<String> {
        let at = self.columns.iter().position(|column| *column == name)?;
        self.cells.get(at).cloned()
    }
}

/// Reports an invalid line.
pub fn invalid(line: u64, detail: impl Into<Cow<'static, str>>) -> LineReport {
    LineReport { line, status: "invalid", detail: detail.into() }
}

/// Maximum number of lines that a response reports: Lambda's limit for a response is 6 MB.
const MAX_REPORTED_LINES: usize = 30_000;

/// Most commas in a line, apart from trailing ones; those in quoted cells count.
const MAX_COMMAS: usize = 1_000;

/// Number of invalid lines at which a file is refused.
const MAX_INVALID_LINES: u64 = 30_000;

/// The lines of a file that are not accepted: the first 30,000, and the number of all.
#[derive(Clone, Debug, Default)]
pub struct LineReports {
    lines: BTreeMap<u64, LineReport>,
    /// Lines whose content is already known.
    pub duplicates: u64,
    /// Lines that are invalid.
    pub invalid: u64,
}

impl LineReports {
    /// Adds an invalid line; refuses the file if there are too many.
    pub fn add_invalid(&mut self, report: LineReport) -> Result<(), Problem> {
        self.invalid += 1;
        if self.invalid >= MAX_INVALID_LINES {
            let detail = format!("{MAX_INVALID_LINES} lines are invalid; nothing of the file was taken");
            return Err(Problem::invalid(detail));
        }
        self.keep(report);
        Ok(())
    }

    /// Adds a line whose content is already known.
    pub fn add_duplicate(&mut self, line: u64, detail: &'static str) {
        self.duplicates += 1;
        self.keep(LineReport { line, status: "duplicate", detail: detail.into() });
    }

    fn keep(&mut self, report: LineReport) {
        self.lines.insert(report.line, report);
        if self.lines.len() > MAX_REPORTED_LINES {
            self.lines.pop_last();
        }
    }

    /// Returns the reports by line number.
    pub fn into_lines(self) -> Vec<LineReport> {
        self.lines.into_values().collect()
    }
}

/// Reports a line with an invalid cell.
pub fn refused(line: u64, error: &CellError) -> LineReport {
    invalid(line, error.to_string())
}

/// Copies a line to `tidy` without the spaces around quoted cells, because the CSV reader would treat
/// quotes after a space as part of the text.
fn without_spaces_around_quotes(line: &[u8], tidy: &mut Vec<u8>) {
    tidy.clear();
    let (mut quoted, mut spaces) = (false, 0);
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
}

/// Parses single lines; a cell cannot span lines.
struct Reader {
    reader: csv_core::Reader,
    line: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Reader {
    fn new() -> Self {
        Self { reader: csv_core::Reader::new(), line: vec![], text: vec![], ends: vec![] }
    }

    /// Returns the cells of a line without trailing empty ones; None if it is not UTF-8 or a quote is
    /// not closed.
    fn cells(&mut self, line: &[u8]) -> Option<Vec<String>> {
        without_spaces_around_quotes(line, &mut self.line);
        // Trailing separators are no cells; they are cut before any cell is made of them.
        let end = self.line.iter().rposition(|byte| !matches!(byte, b',' | b' ' | b'\t'));
        self.line.truncate(end.map_or(0, |end| end + 1));
        let count = |wanted: u8| self.line.split(|byte| *byte == wanted).count() - 1;
        let (quotes, commas) = (count(b'"'), count(b','));
        if commas > MAX_COMMAS {
            return None;
        }
        self.line.push(b'\n');
        if quotes % 2 == 1 || std::str::from_utf8(&self.line).is_err() {
            return None;
        }
        self.text.resize(self.line.len(), 0);
        self.ends.resize(commas + 2, 0);
        self.reader.reset();
        let (_, _, _, ends) = self.reader.read_record(&self.line, &mut self.text, &mut self.ends);
        let mut from = 0;
        let mut cells = Vec::new();
        for to in self.ends.get(..ends)? {
            cells.push(std::str::from_utf8(self.text.get(from..*to)?).ok()?.trim().to_owned());
            from = *to;
        }
        while cells.last().is_some_and(|cell| plain(cell).is_empty()) {
            cells.pop();
        }
        Some(cells)
    }
}

impl<'a> File<'a> {
    /// Opens a file and reads its header; `known` lists the allowed columns, the first of which is
    /// required.
    pub fn open(body: &'a [u8], known: &[&'static str]) -> Result<Self, Problem> {
        Self::open_with(body, known, 1)
    }

    /// Opens a file of whose columns the first `required` must be there.
    pub fn open_with(body: &'a [u8], known: &[&'static str], required: usize) -> Result<Self, Problem> {
        if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
            return Err(Problem::invalid("the file is UTF-16: save it as CSV in UTF-8"));
        }
        let rest = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut file = Self { columns: vec![], rest, number: 0, reader: Reader::new() };
        let (header, cells) = loop {
            let header = file.take_line().ok_or_else(|| Problem::invalid("the file is empty"))?;
            let cells = file.reader.cells(header);
            let cells = cells.ok_or_else(|| Problem::invalid(format!("the first line {UNREADABLE}")))?;
            // Blank lines before the header are ignored.
            if !cells.is_empty() {
                break (header, cells);
            }
        };
        file.columns = columns(&cells, known, required).ok_or_else(|| {
            let other = !header.contains(&b',') && header.iter().any(|byte| matches!(byte, b';' | b'\t'));
            let hint = if other { "; columns must be separated by commas" } else { "" };
            let names = known.join(", ");
            let required = known.iter().take(required).copied().collect::<Vec<_>>().join(" and ");
            let detail = "the first line must name columns, each once";
            Problem::invalid(format!("{detail}, including {required}: {names}{hint}"))
        })?;
        Ok(file)
    }

    /// Opens the next part of a file that is read in parts, each of whole lines.
    pub fn open_part(body: &'a [u8], position: &Position) -> Self {
        let Position { columns, number } = position.clone();
        Self { columns, rest: body, number, reader: Reader::new() }
    }

    /// Returns where the next part of the file begins, once this part is read.
    pub fn position(&self) -> Position {
        Position { columns: self.columns.clone(), number: self.number }
    }

    /// Returns the next line that is not blank, or a report if it is invalid.
    pub fn next_line(&mut self) -> Option<Result<Line<'_>, LineReport>> {
        loop {
            let line = self.take_line()?;
            let number = self.number;
            let Some(cells) = self.reader.cells(line) else {
                return Some(Err(invalid(number, UNREADABLE)));
            };
            if cells.is_empty() {
                continue;
            }
            if cells.len() > self.columns.len() {
                return Some(Err(invalid(number, "has more cells than the first line")));
            }
            return Some(Ok(Line { columns: &self.columns, cells, number }));
        }
    }

    /// Returns the next line without its line end (LF, CR or CRLF).
    fn take_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = match rest {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => rest,
        };
        self.number += 1;
        Some(line)
    }
}

/// Returns the schema of a file with these columns in order, of which the first is required.
pub fn schema(doc: &[&str], columns: &[&str]) -> Value {
    let (first, others) = columns.split_first().map_or(("", &[][..]), |(first, others)| (*first, others));
    let others = others.iter().fold(String::new(), |others, column| others + "(," + column + ")?");
    let doc = doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let doc = format!("{doc} The first line names columns, in any order: {}", columns.join(", "));
    let text = schema::pattern(&format!(r"^{first}{others}(\r?\n[\s\S]*)?$"));
    schema::with(text, json!({"description": doc}))
}

/// Declares a CSV file: its columns and its description in the API document.
#[macro_export]
macro_rules! csv_file {
    ($(#[doc = $doc:literal])* $vis:vis struct $file:ident: $columns:expr;) => {
        $(#[doc = $doc])*
        $vis struct $file;

        impl $file {
            /// The allowed columns; the first is required.
            $vis const COLUMNS: &'static [&'static str] = &$columns;
        }

        impl utoipa::PartialSchema for $file {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::inline($crate::csv::schema(&[$($doc),*], Self::COLUMNS))
            }
        }

        impl utoipa::ToSchema for $file {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($file).into()
            }
        }
    };
}

/// Returns the columns that a header names; None if one is unknown or repeated, or the required one is
/// missing.
fn columns(header: &[String], known: &[&'static str], required: usize) -> Option<Vec<&'static str>> {
    let named = |name: &String| known.iter().copied().find(|known| known.eq_ignore_ascii_case(&plain(name)));
    let columns: Vec<_> = header.iter().take(known.len() + 1).map(named).collect::<Option<_>>()?;
    let each_once = columns.iter().enumerate().all(|(at, name)| !columns.iter().take(at).any(|n| n == name));
    let has_required = known.iter().take(required).all(|required| columns.contains(required));
    (each_once && has_required).then_some(columns)
}
