//! Imports cards from files.
//!
//! **Invariant:** a card that is already known in any pool or redemption is not stocked again, so
//! importing the same file twice adds nothing.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::giftcard::Pool;
use domain::giftcard::card::{Card, PlainCard, read_card};
use domain::ids::budget::CardId;
use domain::rejection::Rejection;
use domain::time::Date;
use edge::csv::{File, Line, LineReport, LineReports, refused};
use edge::paths::PoolPath;
use edge::{ApiRequest, Problem, csv_file, reply};
use serde::Serialize;
use std::collections::BTreeMap;
use store::StoreError;
use utoipa::ToSchema;

/// Result of importing a file.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    /// Lines that were accepted.
    pub(crate) accepted: u64,
    /// Lines whose card or code is already known.
    pub(crate) duplicates: u64,
    /// Lines that are invalid.
    pub(crate) invalid: u64,
    /// The lines that were not accepted, by line number; at most 30,000.
    pub(crate) lines: Vec<LineReport>,
}

impl Imported {
    pub(crate) fn of(accepted: u64, reports: LineReports) -> Self {
        let (duplicates, invalid) = (reports.duplicates, reports.invalid);
        Self { accepted, duplicates, invalid, lines: reports.into_lines() }
    }
}

csv_file! {
    /// Cards of a pool.
    pub(crate) struct CardsFile: ["code", "number", "pin", "url", "expires_on"];
}

/// Imports the cards of a CSV file into a pool.
///
/// The columns are `code,number,pin,url,expires_on`; only `code` is required.
#[utoipa::path(post, path = "/api/gift-cards/pools/{pool_id}/cards", tag = "gift cards",
    params(PoolPath),
    request_body(content = CardsFile, content_type = "text/csv"), responses((status = 200, body = Imported)))]
pub(crate) async fn import(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let id = request.segment::<PoolPath>()?;
    request.params().finish()?;
    request.key()?;
    let body = request.csv()?;
    permit_catalogue(&request)?;
    let pool = services.app.store.gift_cards().pool(&id).await?.ok_or(Rejection::PoolNotFound)?;
    let now = services.app.clock.now();
    // All is read before anything is stocked: a file that is refused leaves nothing behind.
    let reports = invalid_lines(body, now.date())?;
    let mut import = CardImport { pool, cards: vec![], at: BTreeMap::new(), accepted: 0, reports };
    let mut file = File::open(body, CardsFile::COLUMNS)?;
    while let Some(line) = file.next_line() {
        let Ok((number, plain)) = line.and_then(|line| read(&line, now.date())) else { continue };
        import.add(&services, number, &plain)?;
        if import.cards.len() >= CARDS_PER_BATCH {
            import.stock_batch(&services).await?;
        }
    }
    import.stock_batch(&services).await?;
    reply::ok(&Imported::of(import.accepted, import.reports))
}

/// Reads a card, with the number of its line.
fn read(line: &Line<'_>, today: Date) -> Result<(u64, PlainCard), LineReport> {
    let card = read_card(|name| line.cell(name), today).map_err(|error| refused(line.number, &error))?;
    Ok((line.number, card))
}

/// Reads a file without taking anything of it: the invalid lines, or why the file is refused.
fn invalid_lines(body: &[u8], today: Date) -> Result<LineReports, Problem> {
    let mut reports = LineReports::default();
    let mut file = File::open(body, CardsFile::COLUMNS)?;
    while let Some(line) = file.next_line() {
        if let Err(report) = line.and_then(|line| read(&line, today)) {
            reports.add_invalid(report)?;
        }
    }
    Ok(reports)
}

/// Number of cards that are held in memory at once; a file may have 200,000.
const CARDS_PER_BATCH: usize = 1_000;

/// Progress of an import, which stocks cards in batches.
struct CardImport {
    pool: Pool,
    cards: Vec<Card>,
    at: BTreeMap<CardId, u64>,
    accepted: u64,
    reports: LineReports,
}

impl CardImport {
    fn add(&mut self, services: &Services, number: u64, plain: &PlainCard) -> Result<(), Problem> {
        let (pool, now) = (&self.pool, services.app.clock.now());
        let sealed = services.tools.vault.seal_card(plain, &pool.brand, pool.denomination, pool.source, now);
        let mut card = sealed.ok_or_else(Problem::internal)?;
        card.pool = Some(pool.id.clone());
        if self.at.contains_key(&card.id) {
            self.reports.add_duplicate(number, "appears earlier in this file");
        } else {
            self.at.insert(card.id.clone(), number);
            self.cards.push(card);
        }
        Ok(())
    }

    async fn stock_batch(&mut self, services: &Services) -> Result<(), Problem> {
        let cards = std::mem::take(&mut self.cards);
        // Batches before this one, and parts of this one, are stocked.
        let import = services.app.store.gift_cards().stock(&self.pool, &cards).await;
        let import = import.map_err(StoreError::after_effect)?;
        self.accepted += import.accepted;
        self.pool.stocked += import.accepted;
        for (card, holder) in &import.known {
            let here = holder.as_ref() == Some(&self.pool.id);
            let detail = if here { "is already in this pool" } else { "is already known" };
            self.reports.add_duplicate(self.at.get(card).copied().unwrap_or(0), detail);
        }
        Ok(())
    }
}
