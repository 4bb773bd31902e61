//! The part of the OpenAPI document that describes this function.

use crate::{figures, history, reads, statement};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(
    crate::create,
    crate::add_credits,
    crate::deduct_credits,
    crate::refund,
    crate::transfer,
    crate::place_hold,
    crate::capture,
    crate::release,
    crate::freeze,
    crate::unfreeze,
    crate::suspend,
    reads::wallet,
    reads::balance,
    reads::hold,
    reads::expiring,
    reads::referral_code,
    reads::tier_benefits,
    reads::health,
    history::transactions,
    history::transaction,
    figures::summary,
    figures::statistics,
    statement::statement,
    history::expiries,
))]
struct Wallets;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Wallets::openapi()
}
