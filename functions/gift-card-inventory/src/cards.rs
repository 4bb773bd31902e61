//! Imports cards from files.
//!
//! **Invariant:** a card that is already known in any pool or redemption is not stocked again, so
//! importing the same file twice adds nothing.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::giftcard::card::{Card, PlainCard};
use domain::rejection::Rejection;
use edge::paths::PoolPath;
use edge::stock_file::{Imported, StockFile};
use edge::{ApiRequest, Problem, csv_file, reply};

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
    let mut pool = services.app.store.gift_cards().pool(&id).await?.ok_or(Rejection::PoolNotFound)?;
    let now = services.app.clock.now();
    let mut file = StockFile::open(body, CardsFile::COLUMNS, now.date())?;
    let of = pool.clone();
    let seal = |plain: &PlainCard| {
        let card = services.tools.vault.seal_card(plain, &of.brand, of.denomination, of.source, now)?;
        Some((card.id.clone(), Card { pool: Some(of.id.clone()), ..card }))
    };
    loop {
        let batch = file.next_batch(seal)?;
        if batch.is_empty() {
            return reply::ok(&file.finish());
        }
        let import = services.app.store.gift_cards().stock(&pool, &batch).await;
        pool.stocked += file.add(import, (pool.id.as_str(), "is already in this pool"))?;
    }
}
