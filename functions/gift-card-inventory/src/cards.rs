//! Cards: brought in by files.
//!
//! **Invariant:** a card that is known anywhere is never put in again, so the same file twice adds nothing.

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

/// What became of a file.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    /// How many lines were taken.
    pub(crate) accepted: u64,
    /// How many are known already.
    pub(crate) duplicates: u64,
    /// How many cannot be read.
    pub(crate) invalid: u64,
    /// The lines that were not taken: the first thirty thousand.
    pub(crate) lines: Vec<LineReport>,
}

/// How many lines an answer names: Lambda answers at most 6 MB.
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
    /// Cards.
    pub(crate) struct CardsFile: ["code", "number", "pin", "url", "expires_on"];
}

/// Puts the cards of a file into a pool: `code,number,pin,url,expires_on`, of which only `code` must be there.
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
    let mut taking = Taking { pool, cards: vec![], at: BTreeMap::new(), accepted: 0, reports: vec![] };
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
            taking.put_in(&services).await?;
        }
    }
    taking.put_in(&services).await?;
    reply::ok(&Imported::of(taking.accepted, taking.reports))
}

/// How many cards are held in memory at once: a file may have two hundred thousand.
const CARDS_PER_BATCH: usize = 1_000;

/// A file that is being taken, part by part.
struct Taking {
    pool: Pool,
    cards: Vec<Card>,
    at: BTreeMap<CardId, u64>,
    accepted: u64,
    reports: Vec<LineReport>,
}

impl Taking {
    fn add(&mut self, services: &Services, number: u64, plain: &PlainCard) -> Result<(), Problem> {
        let (pool, now) = (&self.pool, services.app.clock.now());
        let sealed = services.tools.vault.seal_card(plain, &pool.brand, pool.denomination, pool.source, now);
        let mut card = sealed.ok_or_else(Problem::internal)?;
        card.pool = Some(pool.id.clone());
        if self.at.contains_key(&card.id) {
            self.reports.push(duplicate(number, "stands in this file before"));
        } else {
            self.at.insert(card.id.clone(), number);
            self.cards.push(card);
        }
        Ok(())
    }

    async fn put_in(&mut self, services: &Services) -> Result<(), Problem> {
        let cards = std::mem::take(&mut self.cards);
        let import = services.app.store.gift_cards().stock(&self.pool, &cards).await?;
        self.accepted += import.accepted;
        self.pool.stocked += import.accepted;
        for (card, holder) in &import.known {
            let here = holder.as_ref() == Some(&self.pool.id);
            let detail = if here { "is in this pool already" } else { "is known already" };
            self.reports.push(duplicate(self.at.get(card).copied().unwrap_or(0), detail));
        }
        Ok(())
    }
}

pub(crate) fn duplicate(line: u64, detail: &str) -> LineReport {
    LineReport { line, status: "duplicate", detail: detail.to_owned() }
}
