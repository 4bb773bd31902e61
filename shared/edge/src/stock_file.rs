//! Files of codes that are put into stock: cards of a pool, and codes of a voucher.
//!
//! **Invariant:** all of a file is read before anything of it is stocked: a file that is refused leaves nothing behind.
//! **Invariant:** a code that is already known is reported by its line, so importing a file twice adds nothing.

use crate::csv::{File, Line, LineReport, LineReports, refused};
use crate::problem::Problem;
use domain::giftcard::card::{PlainCard, read_card};
use domain::ids::budget::CardId;
use domain::time::Date;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use store::{Import, StoreError};
use utoipa::ToSchema;

/// Result of importing a file.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    /// Lines that were accepted.
    pub accepted: u64,
    /// Lines whose card or code is already known.
    pub duplicates: u64,
    /// Lines that are invalid.
    pub invalid: u64,
    /// The lines that were not accepted, by line number; at most 30,000.
    pub lines: Vec<LineReport>,
}

impl Imported {
    /// Renders the result of an import.
    pub fn of(accepted: u64, reports: LineReports) -> Self {
        let (duplicates, invalid) = (reports.duplicates, reports.invalid);
        Self { accepted, duplicates, invalid, lines: reports.into_lines() }
    }
}

/// Number of codes that are held in memory at once; a file may have 200,000.
const CODES_PER_BATCH: usize = 1_000;

/// Reads a code, with the number of its line.
fn read(line: &Line<'_>, today: Date) -> Result<(u64, PlainCard), LineReport> {
    let card = read_card(|name| line.cell(name), today).map_err(|error| refused(line.number, &error))?;
    Ok((line.number, card))
}

/// A file of codes whose lines have been checked, and which is put into stock batch by batch.
pub struct StockFile<'a> {
    file: File<'a>,
    today: Date,
    at: BTreeMap<CardId, u64>,
    accepted: u64,
    reports: LineReports,
}

impl<'a> StockFile<'a> {
    /// Reads a file without taking anything of it: collects the invalid lines, or says why the file is refused.
    pub fn open(body: &'a [u8], columns: &'static [&'static str], today: Date) -> Result<Self, Problem> {
        let mut reports = LineReports::default();
        let mut file = File::open(body, columns)?;
        while let Some(line) = file.next_line() {
            if let Err(report) = line.and_then(|line| read(&line, today)) {
                reports.add_invalid(report)?;
            }
        }
        let file = File::open(body, columns)?;
        Ok(Self { file, today, at: BTreeMap::new(), accepted: 0, reports })
    }

    /// Returns the next codes that are to be stocked; none at the end of the file. `seal` returns a code with its id.
    pub fn next_batch<T>(
        &mut self,
        seal: impl Fn(&PlainCard) -> Option<(CardId, T)>,
    ) -> Result<Vec<T>, Problem> {
        let mut batch = vec![];
        while batch.len() < CODES_PER_BATCH {
            let Some(line) = self.file.next_line() else { break };
            let Ok((number, plain)) = line.and_then(|line| read(&line, self.today)) else { continue };
            let (id, sealed) = seal(&plain).ok_or_else(Problem::internal)?;
            match self.at.entry(id) {
                Entry::Occupied(_) => self.reports.add_duplicate(number, "appears earlier in this file"),
                Entry::Vacant(place) => {
                    place.insert(number);
                    batch.push(sealed);
                }
            }
        }
        Ok(batch)
    }

    /// Adds the result of a batch; `holder` is the pool or voucher for which it was, and `here` says that it has a code
    /// already. Returns the number of codes that were stocked.
    pub fn add(
        &mut self,
        import: Result<Import, StoreError>,
        (holder, here): (&str, &'static str),
    ) -> Result<u64, Problem> {
        // Batches before this one, and parts of this one, are stocked.
        let import = import.map_err(StoreError::after_effect)?;
        self.accepted += import.accepted;
        for (card, known) in &import.known {
            let detail = if known.as_deref() == Some(holder) { here } else { "is already known" };
            self.reports.add_duplicate(self.at.get(card).copied().unwrap_or(0), detail);
        }
        Ok(import.accepted)
    }

    /// Renders the result.
    pub fn finish(self) -> Imported {
        Imported::of(self.accepted, self.reports)
    }
}
