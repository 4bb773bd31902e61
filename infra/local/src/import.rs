//! `import`: imports a file of gift cards into a pool, part by part.
//!
//! **Invariant:** only one part of the file is in memory. Importing the same file again adds
//! nothing, so an interrupted import is simply run again.
//! **Invariant:** nothing of a line is printed or reported, except its number.
//! **Invariant:** the only file that is changed is the report, and only if there is something to
//! report.

use crate::Failure;
use crate::data::DataDir;
use crate::keys::Keys;
use crate::token::Grant;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Size of the part of the file that one call sends, in bytes.
const PART: usize = 128 * 1024;

/// Longest line that can be valid, in bytes: four parts of 500 characters, each quoted, and a date.
const LONGEST_LINE: usize = 8 * 1024;

/// Timeout of a call: a part can take several thousand transactions.
const LONGEST: Duration = Duration::from_mins(2);

/// Result of the import of a part.
#[derive(Deserialize)]
struct Imported {
    accepted: u64,
    duplicates: u64,
    invalid: u64,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    line: u64,
    status: String,
    detail: String,
}

/// Reads a file in parts of some lines, each preceded by the first line of the file.
struct FileParts {
    file: BufReader<File>,
    header: Vec<u8>,
    /// Number of lines read.
    read: u64,
    /// Number of bytes read.
    bytes: u64,
}

impl FileParts {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (mut file, mut header) = (BufReader::new(file), Vec::new());
        let bytes = read_line(&mut file, &mut header)?;
        Ok(Self { file, header, read: 1, bytes })
    }

    /// Returns the next part, and the number of the last line before it; `None` at the end of the
    /// file.
    fn next(&mut self) -> Result<Option<(Vec<u8>, u64)>, Failure> {
        let (mut part, before) = (self.header.clone(), self.read);
        let empty = part.len();
        while part.len() < PART {
            let bytes = read_line(&mut self.file, &mut part)?;
            if bytes == 0 {
                break;
            }
            self.bytes += bytes;
            self.read += 1;
        }
        Ok((part.len() > empty).then_some((part, before)))
    }
}

/// Reads a line unchanged, except that it always ends with a line feed. A longer line than
/// [`LONGEST_LINE`] is cut to that length, with which it is still refused. Returns the number of
/// bytes read; 0 at the end of the file.
fn read_line(file: &mut BufReader<File>, line: &mut Vec<u8>) -> Result<u64, Failure> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (mut read, mut left, mut ended) = (0, LONGEST_LINE, None);
    while ended.is_none() {
        let some = file.fill_buf()?;
        if some.is_empty() {
            break;
        }
        let end = some.iter().position(is_end);
        let text = end.unwrap_or(some.len());
        let kept = text.min(left);
        line.extend_from_slice(some.get(..kept).unwrap_or_default());
        left -= kept;
        ended = end.and_then(|end| some.get(end)).copied();
        let used = text + usize::from(ended.is_some());
        file.consume(used);
        read += used;
    }
    if ended == Some(b'\r') && file.fill_buf()?.first() == Some(&b'\n') {
        file.consume(1);
        read += 1;
    }
    if read > 0 {
        line.push(b'\n');
    }
    Ok(u64::try_from(read)?)
}

/// Report of the lines that were not accepted; a temporary file next to the report until the import
/// ends.
struct Report<'a> {
    place: &'a Path,
    beside: PathBuf,
    lines: csv::Writer<File>,
    count: u64,
}

impl<'a> Report<'a> {
    /// Creates the temporary file; returns an error if the report would overwrite the imported
    /// file.
    fn begin(place: &'a Path, file: &Path) -> Result<Self, Failure> {
        let mut beside = place.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        let is_file =
            |path: &Path| file.canonicalize().is_ok_and(|file| path.canonicalize().is_ok_and(|p| p == file));
        if is_file(place) || is_file(&beside) {
            return Err("--report is the imported file itself; name another file".into());
        }
        let lines =
            csv::Writer::from_path(&beside).map_err(|error| format!("{}: {error}", beside.display()))?;
        let mut report = Self { place, beside, lines, count: 0 };
        report.lines.write_record(["line", "status", "detail"])?;
        Ok(report)
    }

    fn line(&mut self, number: u64, line: Line) -> Result<(), Failure> {
        self.count += 1;
        Ok(self.lines.write_record([number.to_string(), line.status, line.detail])?)
    }

    /// Moves the report to its place, or removes it if it is empty.
    fn end(mut self) -> Result<(), Failure> {
        self.lines.flush()?;
        if self.count == 0 {
            return Ok(std::fs::remove_file(&self.beside)?);
        }
        std::fs::rename(&self.beside, self.place)?;
        println!("lines that were not accepted, with the reason: {}", self.place.display());
        Ok(())
    }
}

/// Totals of the import so far.
#[derive(Default)]
struct Taken {
    accepted: u64,
    duplicates: u64,
    invalid: u64,
}

/// Error because of which a file was not sent completely.
struct Stopped {
    why: Failure,
    /// True if another run with the same file would fail in the same way.
    is_final: bool,
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self { why: error.into(), is_final: false }
    }
}

/// Imports the cards of a file into a pool; writes the lines that are not accepted to `report`.
pub async fn run(data: &DataDir, file: &Path, pool: &str, report: &Path) -> Result<(), Failure> {
    let running = data.running().await.ok_or("no platform is running here; start one with: cargo run")?;
    let pool = domain::ids::budget::PoolId::parse(pool).map_err(|error| format!("--pool {error}"))?;
    let keys = Keys::open(data)?;
    let mut parts = FileParts::open(file)?;
    let (started, size) = (Instant::now(), std::fs::metadata(file).map_or(0, |meta| meta.len()));
    let url = format!("{}/api/gift-cards/pools/{pool}/cards", running.api);
    let (mut report, mut taken) = (Report::begin(report, file)?, Taken::default());
    let sent = send_all(&mut parts, &url, &keys, size, &mut report, &mut taken).await;
    eprintln!();
    let Taken { accepted, duplicates, invalid } = taken;
    if let Err(stopped) = sent {
        report.end()?;
        let next = if stopped.is_final { "" } else { "; run the command again to continue" };
        return Err(format!("{}\n{accepted} cards were accepted{next}", stopped.why).into());
    }
    if parts.read <= 1 {
        report.end()?;
        return Err(format!("{} has no line after its first", file.display()).into());
    }
    let seconds = started.elapsed().as_secs();
    println!("accepted {accepted}, duplicates {duplicates}, invalid {invalid} in {seconds} s");
    report.end()
}

async fn send_all(
    parts: &mut FileParts,
    url: &str,
    keys: &Keys,
    size: u64,
    report: &mut Report<'_>,
    taken: &mut Taken,
) -> Result<(), Stopped> {
    let client = gateways::client()?;
    while let Some((part, before)) = parts.next()? {
        let grant = Grant {
            role: "admin".into(),
            sub: None,
            account: None,
            scope: None,
            ttl: Duration::from_mins(5),
        };
        let request = client.post(url).timeout(LONGEST).header("content-type", "text/csv");
        let reply =
            request.bearer_auth(grant.sign(keys, &edge::wiring::claim_names())?).body(part).send().await?;
        let (status, text) = (reply.status(), reply.text().await?);
        if !status.is_success() {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let detail = problem.get("detail").and_then(serde_json::Value::as_str).unwrap_or(&text);
            // A repeated request would be refused again.
            let is_final = status.is_client_error() && !matches!(status.as_u16(), 401 | 408 | 429);
            return Err(Stopped { why: format!("{status}: {detail}").into(), is_final });
        }
        let answer: Imported = serde_json::from_str(&text)?;
        taken.accepted += answer.accepted;
        taken.duplicates += answer.duplicates;
        taken.invalid += answer.invalid;
        for line in answer.lines {
            // The first line of every part is the first line of the file.
            report.line((line.line + before).saturating_sub(1), line)?;
        }
        let share = parts.bytes.saturating_mul(100).checked_div(size.max(1)).unwrap_or(0).min(100);
        let Taken { accepted, duplicates, invalid } = taken;
        eprint!(
            "\r{share:>3} %  line {}  accepted {accepted}  duplicates {duplicates}  invalid {invalid} ",
            parts.read
        );
        std::io::stderr().flush()?;
    }
    Ok(())
}
