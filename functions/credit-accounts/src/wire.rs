//! Parses requests into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::budget::change::{ChangeAccount, OpenAccount};
use domain::budget::{BudgetStatus, Mode};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::budget::{BrandId, BudgetKind};
use domain::money::Amount;
use domain::parse::ParseError;
use domain::rejection::Rejection;
use edge::input::{List, NonBlankText, NumberInput, RelatedAccountId, Slices, Text};
use edge::request::Clearable;
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Brands that an agency may use; at most 1000.
type Brands = List<BrandId, 0, 1_000>;

/// Returns the rule for opening an account of a kind: the pattern of its parent's id and the
/// optional fields allowed.
fn kind_of(kind: BudgetKind, parent: &str) -> Value {
    let absent = schema::absent();
    let brands = if kind == BudgetKind::Agency { json!({}) } else { absent.clone() };
    let mode = if kind == BudgetKind::Campaign { json!({}) } else { absent };
    let parent = schema::pattern(&format!("^{parent}$"));
    json!({"properties": {"kind": {"const": kind.as_str()}, "parent_id": parent, "brands": brands, "budget_mode": mode}})
}

request! {
    /// A new budget account.
    pub(crate) struct OpenAccountRequest {
        /// Kind of the account.
        kind: BudgetKind,
        /// The parent: `platform` for an agency, an agency for a client, a client for a campaign.
        parent_id: RelatedAccountId,
        /// Display name; must not be blank.
        name: NonBlankText,
        /// Available credit below which an alert is raised.
        low_credit_threshold: Option<Amount>,
        /// For campaigns only: shared (default) spends the client's credit, isolated spends its
        /// own.
        budget_mode: Option<Mode>,
        /// Number of items over which the credit is spread; more slices allow more concurrent
        /// spends. Defaults to 1.
        slices: Option<NumberInput<Slices>>,
        /// For agencies only: the brands that the agency may use; defaults to all. Only admins may
        /// set it.
        brands: Option<Brands>,
    }
    check(fields, currency: Currency) {
        if let Ok(kind) = kind {
            if budget_mode.is_some() && kind != BudgetKind::Campaign {
                fields.offend("budget_mode", "is allowed for campaigns only");
            }
            if brands.is_some() && kind != BudgetKind::Agency {
                fields.offend("brands", "is allowed for agencies only");
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

/// Status that a caller may set.
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
    /// Changes to an account; omitted fields stay unchanged.
    pub(crate) struct ChangeAccountRequest {
        /// Display name; must not be blank.
        name: Option<NonBlankText>,
        /// Available credit below which an alert is raised; null removes the threshold.
        low_credit_threshold: Clearable<Amount>,
        /// New status: paused stops spending and allocation, closing returns what is left to the
        /// parent.
        status: Option<WantedStatus>,
        /// For campaigns only, while nothing is available or reserved.
        budget_mode: Option<Mode>,
        /// Number of slices; must not be lower than before.
        slices: Option<NumberInput<Slices>>,
        /// Whether the monitor may raise the number of slices while many spend at once; true unless it was set.
        auto_slices: Option<bool>,
        /// For agencies only: the brands that the agency may use; null allows all. Only admins may
        /// set it.
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
        auto_slices: sent.auto_slices,
        brands: sent.brands.0.map(|brands| brands.map(|brands| BTreeSet::from_iter(brands.0))),
    })
}

/// Checks that the brands exist.
pub(crate) async fn check_brands(app: &App, brands: Option<&BTreeSet<BrandId>>) -> Result<(), Problem> {
    for brand in brands.into_iter().flatten() {
        if app.store.gift_cards().brand(brand).await?.is_none() {
            return Err(Problem::from(Rejection::BrandNotFound).at("/brands"));
        }
    }
    Ok(())
}
