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
use edge::csv::{File, LineReport, refused};
use edge::paths::PoolPath;
use edge::{ApiRequest, Problem, csv_file, reply};
use serde::Serialize;
use std::collections::BTreeMap;
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

/// Maximum number of lines in a response: Lambda's limit for a response is 6 MB.
const MAX_REPORTED_LINES: usize = 30_000;

impl Imported {
    pub(crate) fn of(accepted: u64, mut lines: Vec<LineReport>) -> Self {
        lines.sort_by_key(|line| line.line);
        let count =
            |status| u64::try_from(lines.iter().filter(|line| line.status == status).count()).unwrap_or(0);
        let (duplicates, invalid) = (count("duplicate"), count("invalid"));
        lines.truncate(MAX_REPORTED_LINES);
        Self { accepted, duplicates, invalid, lines }
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
    let mut file = File::open(body, CardsFile::COLUMNS)?;
    let mut taking = CardImport { pool, cards: vec![], at: BTreeMap::new(), accepted: 0, reports: vec![] };
    while let Some(line) = file.next_line() {
        let read = line.and_then(|line| {
            let number = line.number;
            let plain =
                read_card(|name| line.cell(name), now.date()).map_err(|error| refused(number, &error))?;
            Ok((number, plain))
        });
        match read {
            Ok((number, plain)) => taking.add(&services, number, &plain)?,
            Err(report) => taking.reports.push(report),
        }
        if taking.cards.len() >= CARDS_PER_BATCH {
            taking.stock_batch(&services).await?;
        }
    }
    taking.stock_batch(&services).await?;
    reply::ok(&Imported::of(taking.accepted, taking.reports))
}

/// Number of cards that are held in memory at once; a file may have 200,000.
const CARDS_PER_BATCH: usize = 1_000;

/// Progress of an import, which stocks cards in batches.
struct CardImport {
    pool: Pool,
    cards: Vec<Card>,
    at: BTreeMap<CardId, u64>,
    accepted: u64,
    reports: Vec<LineReport>,
}

impl CardImport {
    fn add(&mut self, services: &Services, number: u64, plain: &PlainCard) -> Result<(), Problem> {
        let (pool, now) = (&self.pool, services.app.clock.now());
        let sealed = services.tools.vault.seal_card(plain, &pool.brand, pool.denomination, pool.source, now);
        let mut card = sealed.ok_or_else(Problem::internal)?;
        card.pool = Some(pool.id.clone());
        if self.at.contains_key(&card.id) {
            self.reports.push(duplicate(number, "appears earlier in this file"));
        } else {
            self.at.insert(card.id.clone(), number);
            self.cards.push(card);
        }
        Ok(())
    }

    async fn stock_batch(&mut self, services: &Services) -> Result<(), Problem> {
        let cards = std::mem::take(&mut self.cards);
        let import = services.app.store.gift_cards().stock(&self.pool, &cards).await?;
        self.accepted += import.accepted;
        self.pool.stocked += import.accepted;
        for (card, holder) in &import.known {
            let here = holder.as_ref() == Some(&self.pool.id);
            let detail = if here { "is already in this pool" } else { "is already known" };
            self.reports.push(duplicate(self.at.get(card).copied().unwrap_or(0), detail));
        }
        Ok(())
    }
}

pub(crate) fn duplicate(line: u64, detail: &str) -> LineReport {
    LineReport { line, status: "duplicate", detail: detail.to_owned() }
}
