//! Reading CSV bodies: a header that names the columns, and a report of every line that was not taken.
//!
//! Files come as spreadsheets leave them: with a byte order mark, with CRLF, CR or LF at the ends of lines, with quotes, hard
//! spaces and trailing empty columns. A line of separators alone is blank.
//!
//! **Invariant:** a line is told by its number in the file; reading takes time in proportion to the file's length.
//! **Invariant:** no report repeats anything of a line.

use crate::problem::Problem;
use crate::schema;
use domain::giftcard::card::CellError;
use domain::giftcard::code::plain;
use serde::Serialize;
use serde_json::{Value, json};
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
const UNREADABLE: &str = "is not UTF-8, or its quotes are not closed";

/// A file, line by line.
pub struct File<'a> {
    columns: Vec<&'static str>,
    rest: &'a [u8],
    number: u64,
    reader: Reader,
}

/// A line of a file.
pub struct Line<'a> {
    columns: &'a [&'static str],
    cells: Vec<String>,
    /// Its number in the file.
    pub number: u64,
}

impl Line<'_> {
    /// The text of a column, if the file has it.
    pub fn cell(&self, name: &'static str) -> Option<String> {
        let at = self.columns.iter().position(|column| *column == name)?;
        self.cells.get(at).cloned()
    }
}

/// What is told of a line that cannot be taken.
pub fn invalid(line: u64, detail: String) -> LineReport {
    LineReport { line, status: "invalid", detail }
}

/// What is told of a column of a line that cannot be taken.
pub fn refused(line: u64, error: &CellError) -> LineReport {
    invalid(line, error.to_string())
}

/// Copies a line whose quoted cells begin and end with their quotes: spaces before and behind are no part of them, and would
/// make a reader take the quotes for a part of the text.
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

/// Reads one line after another, each for itself: no cell goes on in the next line.
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

    /// The cells of a line, trailing empty ones aside; none if it is not UTF-8, or its quotes are not closed.
    fn cells(&mut self, line: &[u8]) -> Option<Vec<String>> {
        without_spaces_around_quotes(line, &mut self.line);
        let count = |wanted: u8| self.line.split(|byte| *byte == wanted).count() - 1;
        let (quotes, commas) = (count(b'"'), count(b','));
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
            cells.push(plain(std::str::from_utf8(self.text.get(from..*to)?).ok()?));
            from = *to;
        }
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        Some(cells)
    }
}

impl<'a> File<'a> {
    /// Reads the first line; `known` are the columns that the file may have, the first of which it must have.
    pub fn open(body: &'a [u8], known: &[&'static str]) -> Result<Self, Problem> {
        if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
            return Err(Problem::invalid("the file is UTF-16: save it as CSV in UTF-8"));
        }
        let rest = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut file = Self { columns: vec![], rest, number: 0, reader: Reader::new() };
        let (header, cells) = loop {
            let header = file.take_line().ok_or_else(|| Problem::invalid("the file is empty"))?;
            let cells = file.reader.cells(header);
            let cells = cells.ok_or_else(|| Problem::invalid(format!("the first line {UNREADABLE}")))?;
            // Blank lines before the first one say nothing.
            if !cells.is_empty() {
                break (header, cells);
            }
        };
        file.columns = columns(&cells, known).ok_or_else(|| {
            let other = !header.contains(&b',') && header.iter().any(|byte| matches!(byte, b';' | b'\t'));
            let hint = if other { "; columns must be separated by commas" } else { "" };
            let (names, required) = (known.join(", "), known.first().copied().unwrap_or_default());
            let detail = "the first line must name columns, each once";
            Problem::invalid(format!("{detail}, {required} among them: {names}{hint}"))
        })?;
        Ok(file)
    }

    /// The next line that is not blank, or what is wrong with it.
    pub fn next_line(&mut self) -> Option<Result<Line<'_>, LineReport>> {
        loop {
            let line = self.take_line()?;
            let number = self.number;
            let Some(cells) = self.reader.cells(line) else {
                return Some(Err(invalid(number, UNREADABLE.to_owned())));
            };
            if cells.is_empty() {
                continue;
            }
            if cells.len() > self.columns.len() {
                return Some(Err(invalid(number, "has more cells than the first line names".to_owned())));
            }
            return Some(Ok(Line { columns: &self.columns, cells, number }));
        }
    }

    /// The next line, without its end: a line feed, a carriage return, or both.
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

/// The schema of a file of these columns, as one writes them in order; the first must be there.
pub fn schema(doc: &[&str], columns: &[&str]) -> Value {
    let (first, others) = columns.split_first().map_or(("", &[][..]), |(first, others)| (*first, others));
    let others = others.iter().fold(String::new(), |others, column| others + "(," + column + ")?");
    let doc = doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let doc = format!("{doc} The first line names columns, in any order: {}", columns.join(", "));
    let text = schema::pattern(&format!(r"^{first}{others}(\r?\n[\s\S]*)?$"));
    schema::with(text, json!({"description": doc}))
}

/// Declares a file: its columns, and what the API document says of it.
#[macro_export]
macro_rules! csv_file {
    ($(#[doc = $doc:literal])* $vis:vis struct $file:ident: $columns:expr;) => {
        $(#[doc = $doc])*
        $vis struct $file;

        impl $file {
            /// Its columns; the first must be there.
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

/// The columns that a first line names, each of them known and named once.
fn columns(header: &[String], known: &[&'static str]) -> Option<Vec<&'static str>> {
    let named = |name: &String| known.iter().copied().find(|known| known.eq_ignore_ascii_case(name));
    let columns: Vec<_> = header.iter().take(known.len() + 1).map(named).collect::<Option<_>>()?;
    let each_once = columns.iter().enumerate().all(|(at, name)| !columns.iter().take(at).any(|n| n == name));
    let required = known.first()?;
    (each_once && columns.contains(required)).then_some(columns)
}
