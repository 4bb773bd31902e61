//! Cards: brought in by files.
//!
//! **Invariant:** a card that is known anywhere is never put in again, so the same file twice adds nothing.

use crate::{Desk, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::budget::ids::{CardId, PoolId};
use domain::giftcard::card::{Card, read_card};
use domain::rejection::Rejection;
use edge::csv::{LineReport, lines};
use edge::{Ask, Problem, reply};
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
    /// The lines that were not taken.
    pub(crate) lines: Vec<LineReport>,
}

impl Imported {
    pub(crate) fn of(accepted: u64, mut lines: Vec<LineReport>) -> Self {
        lines.sort_by_key(|line| line.line);
        let count =
            |status| u64::try_from(lines.iter().filter(|line| line.status == status).count()).unwrap_or(0);
        Self { accepted, duplicates: count("duplicate"), invalid: count("invalid"), lines }
    }
}

/// Puts the cards of a file into a pool: `code,number,pin,url,expires_on`, of which only `code` must be there.
#[utoipa::path(post, path = "/api/gift-cards/pools/{pool_id}/cards", tag = "gift cards",
    params(("pool_id" = String, Path)),
    request_body(content = String, content_type = "text/csv"), responses((status = 200, body = Imported)))]
pub(crate) async fn import(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let id = ask.path("pool_id", PoolId::parse)?;
    ask.params().finish()?;
    ask.key()?;
    let body = ask.csv()?;
    permit_catalogue(&ask)?;
    let pool = desk.app.store.pool(&id).await?.ok_or(Rejection::PoolNotFound)?;
    let now = desk.app.clock.now();
    let mut cards: Vec<Card> = Vec::new();
    let mut at: BTreeMap<CardId, u64> = BTreeMap::new();
    let mut twice = Vec::new();
    let mut broken = false;
    let columns = ["code", "number", "pin", "url", "expires_on"];
    let mut reports = lines(body, &columns, |line| {
        let plain = read_card(|name| line.cell(name), now.date())?;
        let sealed = desk.vault.seal_card(&plain, (&pool.brand, pool.denomination), pool.source, now);
        let Some(mut card) = sealed else {
            broken = true;
            return Ok(());
        };
        card.pool = Some(pool.id.clone());
        if at.contains_key(&card.id) {
            twice.push(duplicate(line.number, "stands in this file before"));
        } else {
            at.insert(card.id.clone(), line.number);
            cards.push(card);
        }
        Ok(())
    })?;
    if broken {
        return Err(Problem::internal());
    }
    let import = desk.app.store.stock(&pool, &cards).await?;
    for (card, holder) in &import.known {
        let detail =
            if holder.as_ref() == Some(&pool.id) { "is in this pool already" } else { "is known already" };
        twice.push(duplicate(at.get(card).copied().unwrap_or(0), detail));
    }
    reports.extend(twice);
    reply::ok(&Imported::of(import.accepted, reports))
}

pub(crate) fn duplicate(line: u64, detail: &str) -> LineReport {
    LineReport { line, status: "duplicate", detail: detail.to_owned() }
}
