//! Reads the rows of a job from a CSV file.
//!
//! **Invariant:** a line of the file is one row, known by its number.

use crate::cells::{CHANGED, FORMULA};
use crate::kind::RowKind;
use crate::reader::RowReader;
use domain::giftcard::code::is_scientific;
use domain::jobs::row::Row;
use edge::Problem;
use edge::csv::{File, Line, unquoted};
use http::StatusCode;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Number, Value};

/// Cells that are numbers in a body.
const NUMBERS: [&str; 2] = ["expiry_days", "points"];

/// Cells that are truth values in a body.
const TRUTHS: [&str; 1] = ["qualifying"];

fn invalid_file(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_file", detail)
}

/// Columns with ids, which a spreadsheet may turn into numbers such as `9.19E+11`.
const IDS: [&str; 3] = ["customer_id", "user_id", "order_id"];

/// Columns whose text is kept as it was written.
const TEXTS: [&str; 1] = ["reason"];

/// Returns the value of a cell as it would be in a JSON body; `None` if it is empty.
fn value(column: &str, cell: &str) -> Option<Value> {
    let text = unquoted(cell);
    if text.is_empty() {
        return None;
    }
    let number = || text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    Some(match text {
        "true" | "TRUE" if TRUTHS.contains(&column) => Value::Bool(true),
        "false" | "FALSE" if TRUTHS.contains(&column) => Value::Bool(false),
        _ if NUMBERS.contains(&column) => number()
            .map_or_else(|| Value::String(text.to_owned()), |number| Value::Number(Number::from(number))),
        _ => Value::String(text.to_owned()),
    })
}

fn object(line: &Line<'_>, columns: &[&'static str]) -> Result<Box<RawValue>, Problem> {
    let mut fields = Map::new();
    for column in columns {
        let cell = if TEXTS.contains(column) { line.text(column) } else { line.cell(column) };
        if let Some(value) = cell.as_deref().and_then(|cell| value(column, cell)) {
            fields.insert((*column).to_owned(), value);
        }
    }
    to_raw_value(&fields).map_err(|_| Problem::internal())
}

/// Opens a file of rows of this kind, and reads its first line.
pub fn open(body: &[u8], kind: RowKind) -> Result<File<'_>, Problem> {
    let (columns, required) = kind.columns();
    File::open_with(body, columns, required).map_err(|problem| invalid_file(problem.detail()))
}

/// Returns the problem that a file has no row.
pub fn no_row() -> Problem {
    invalid_file("the file has no row")
}

/// Returns the problem that a file has more than `most` rows.
pub fn too_many_rows(most: u64) -> Problem {
    invalid_file(format!("the file has more than {most} rows"))
}

/// Returns the problem that a line is too long.
pub fn long_line() -> Problem {
    invalid_file("the file has a line that is too long")
}

/// Reads the next row of a file; `None` at its end.
pub fn next_row(file: &mut File<'_>, rows: &mut RowReader) -> Result<Option<Row>, Problem> {
    let (columns, _) = rows.kind().columns();
    Ok(match file.next_line() {
        None => None,
        Some(Err(report)) => {
            Some(rows.unreadable(report.line, &format!("/lines/{}", report.line), &report.detail))
        }
        Some(Ok(line)) if rows.kind().is_accounts() => Some(rows.take_account(&line)),
        Some(Ok(line)) => {
            let is_wrong =
                |name: &&'static str| line.cell(name).is_some_and(|id| is_scientific(unquoted(&id)));
            let is_formula =
                |name: &&'static str| line.text(name).is_some_and(|id| id.trim().starts_with('='));
            let ids = || columns.iter().copied().filter(|name| IDS.contains(name));
            let known: Vec<(&str, &str)> = ids()
                .filter(is_wrong)
                .map(|name| (name, CHANGED))
                .chain(ids().filter(is_formula).map(|name| (name, FORMULA)))
                .collect();
            let raw = object(&line, columns)?;
            Some(rows.take(line.number, &format!("/lines/{}", line.number), &raw, &known))
        }
    })
}
