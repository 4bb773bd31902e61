//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every field that is wrong is reported at once.

use domain::budget::change::{ChangeAccount, OpenAccount};
use domain::budget::{BudgetStatus, Mode};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::budget::{BrandId, BudgetKind};
use domain::money::Amount;
use domain::parse::ParseError;
use domain::rejection::Rejection;
use edge::input::{List, NumberInput, RelatedAccountId, Said, Slices, Text};
use edge::request::Clearable;
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Brands that an agency may use.
type Brands = List<BrandId, 0, 1_000>;

/// What an account of a kind is.
fn kind_of(kind: BudgetKind, parent: &str) -> Value {
    let absent = schema::absent();
    let brands = if kind == BudgetKind::Agency { json!({}) } else { absent.clone() };
    let mode = if kind == BudgetKind::Campaign { json!({}) } else { absent };
    let parent = schema::pattern(&format!("^{parent}$"));
    json!({"properties": {"kind": {"const": kind.as_str()}, "parent_id": parent, "brands": brands, "budget_mode": mode}})
}

request! {
    /// Open an account.
    pub(crate) struct OpenAccountRequest {
        /// What it is.
        kind: BudgetKind,
        /// Below which account: an agency below `platform`, a client below an agency, a campaign below a client.
        parent_id: RelatedAccountId,
        /// What people call it.
        name: Said,
        /// Below this, an alert is raised.
        low_credit_threshold: Option<Amount>,
        /// Of a campaign: shared (default) spends its client's credit, isolated its own.
        budget_mode: Option<Mode>,
        /// Over how many items the credit is spread: more take more spends at once. 1, if left out.
        slices: Option<NumberInput<Slices>>,
        /// Of an agency: the brands it may use; all, if left out. For admins.
        brands: Option<Brands>,
    }
    check(fields, currency: Currency) {
        if let Ok(kind) = kind {
            if budget_mode.is_some() && kind != BudgetKind::Campaign {
                fields.offend("budget_mode", "is for campaigns");
            }
            if brands.is_some() && kind != BudgetKind::Agency {
                fields.offend("brands", "is for agencies");
            }
        }
        if low_credit_threshold.is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("low_credit_threshold", "has more digits than the currency");
        }
    }
    rules [json!({"oneOf": [
        kind_of(BudgetKind::Agency, "platform"),
        kind_of(BudgetKind::Client, "acct_a[0-9a-f]{20}"),
        kind_of(BudgetKind::Campaign, "acct_c[0-9a-f]{20}"),
    ]})]
}

/// A status that a caller may give.
pub(crate) struct WantedStatus(BudgetStatus);

impl Text for WantedStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match BudgetStatus::parse(text)? {
            BudgetStatus::Closed => Err(ParseError("must be one of active, paused, closing")),
            status @ (BudgetStatus::Active | BudgetStatus::Paused | BudgetStatus::Closing) => {
                Ok(Self(status))
            }
        }
    }

    fn schema() -> Value {
        schema::words(["active", "paused", "closing"])
    }
}

request! {
    /// Change an account; what is left out stays.
    pub(crate) struct ChangeAccountRequest {
        /// What people call it.
        name: Option<Said>,
        /// Below this, an alert is raised; null takes it away.
        low_credit_threshold: Clearable<Amount>,
        /// Whether credit may leave it; closing hands what is left to its parent.
        status: Option<WantedStatus>,
        /// Of a campaign, while it has nothing available or reserved.
        budget_mode: Option<Mode>,
        /// No fewer than before.
        slices: Option<NumberInput<Slices>>,
        /// Of an agency: null lets it use all brands again. For admins.
        brands: Clearable<Brands>,
    }
    check(fields, currency: Currency) {
        if low_credit_threshold.0.flatten().is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("low_credit_threshold", "has more digits than the currency");
        }
    }
}

pub(crate) fn open(request: &ApiRequest, currency: Currency) -> Result<OpenAccount, Problem> {
    let sent = OpenAccountRequest::read(request.fields()?, currency)?;
    Ok(OpenAccount {
        kind: sent.kind,
        parent: sent.parent_id.0,
        name: sent.name.0,
        low_credit_threshold: sent.low_credit_threshold,
        mode: sent.budget_mode,
        slices: sent.slices.map_or(1, |NumberInput(slices)| slices.0),
        brands: sent.brands.map(|brands| BTreeSet::from_iter(brands.0)),
        cause: Cause::of_request(Operation::OpenAccount, request.key()?.as_ref(), request.id()),
    })
}

pub(crate) fn change(request: &ApiRequest, currency: Currency) -> Result<ChangeAccount, Problem> {
    let sent = ChangeAccountRequest::read(request.some_fields()?, currency)?;
    request.key()?;
    Ok(ChangeAccount {
        name: sent.name.map(|name| name.0),
        low_credit_threshold: sent.low_credit_threshold.0,
        status: sent.status.map(|status| status.0),
        mode: sent.budget_mode,
        slices: sent.slices.map(|NumberInput(slices)| slices.0),
        brands: sent.brands.0.map(|brands| brands.map(|brands| BTreeSet::from_iter(brands.0))),
    })
}

/// Brands that are named must be there.
pub(crate) async fn known_brands(app: &App, brands: Option<&BTreeSet<BrandId>>) -> Result<(), Problem> {
    for brand in brands.into_iter().flatten() {
        if app.store.gift_cards().brand(brand).await?.is_none() {
            return Err(Problem::from(Rejection::BrandNotFound).at("/brands"));
        }
    }
    Ok(())
}
