//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::budget::change::{ChangeAccount, OpenAccount};
use domain::budget::ids::{AccountId, BrandId};
use domain::budget::{Kind, Mode, Status};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::text::FreeText;
use edge::json::amount_schema;
use edge::{App, Ask, Problem, json};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};

/// Open an account.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `open` reads
pub(crate) struct OpenAccountRequest {
    /// agency, client or campaign
    #[schema(examples("agency"))]
    kind: String,
    /// Below which account: `platform`, an agency, a client.
    #[schema(examples("platform"))]
    parent_id: String,
    #[schema(min_length = 1, max_length = 500)]
    name: String,
    /// Below this, an alert is raised.
    #[schema(schema_with = amount_schema)]
    low_credit_threshold: Option<String>,
    /// Of a campaign: shared (default) spends its client's credit, isolated its own.
    #[schema(examples("shared"))]
    budget_mode: Option<String>,
    /// Over how many items the credit is spread: more take more spends at once. 1 (default) to 64.
    #[schema(minimum = 1, maximum = 64)]
    slices: Option<u8>,
    /// Of an agency: the brands it may use; all, if left out. For admins.
    brands: Option<Vec<String>>,
}

fn removable_amount_schema() -> Schema {
    OneOfBuilder::new()
        .item(amount_schema())
        .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)))
        .description(Some("Below this, an alert is raised; null takes it away"))
        .build()
        .into()
}

/// Change an account; what is left out stays.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `change` reads
pub(crate) struct ChangeAccountRequest {
    #[schema(min_length = 1, max_length = 500)]
    name: Option<String>,
    /// Below this, an alert is raised; null takes it away.
    #[schema(schema_with = removable_amount_schema)]
    low_credit_threshold: Option<String>,
    /// active, paused or closing
    #[schema(examples("paused"))]
    status: Option<String>,
    /// Of a campaign, while it has nothing available or reserved.
    #[schema(examples("isolated"))]
    budget_mode: Option<String>,
    /// No fewer than before, up to 64.
    #[schema(minimum = 1, maximum = 64)]
    slices: Option<u8>,
    /// Of an agency: null lets it use all brands again. For admins.
    brands: Option<Vec<String>>,
}

fn name(text: &str) -> Result<FreeText, ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError("must not be empty"));
    }
    FreeText::parse(text)
}

fn wished(text: &str) -> Result<Status, ParseError> {
    let status = Status::parse(text)?;
    if status == Status::Closed {
        Err(ParseError("must be one of active, paused, closing"))
    } else {
        Ok(status)
    }
}

const SLICES: &str = "must be a whole number from 1 to 64";

/// An amount that the one currency of budgets can hold.
fn threshold(currency: Currency) -> impl Fn(json::Raw<'_>) -> Result<Amount, ParseError> {
    move |raw| {
        let amount = json::amount(raw)?;
        let exact = amount.in_currency(currency).is_some();
        if exact { Ok(amount) } else { Err(ParseError("has more digits than the currency")) }
    }
}

pub(crate) fn open(ask: &Ask, currency: Currency) -> Result<OpenAccount, Problem> {
    let mut fields = ask.fields()?;
    let kind = fields.required("kind", json::of(Kind::parse));
    let parent = fields.required("parent_id", json::of(AccountId::parse));
    let name = fields.required("name", json::of(name));
    let low_credit_threshold = fields.optional("low_credit_threshold", threshold(currency));
    let mode = fields.optional("budget_mode", json::of(Mode::parse));
    let slices = fields.optional("slices", json::whole(1, 64, SLICES));
    let brands = fields.optional("brands", json::list(json::of(BrandId::parse)));
    if let Ok(kind) = kind {
        if mode.is_some() && kind != Kind::Campaign {
            fields.offend("budget_mode", "is for campaigns");
        }
        if brands.is_some() && kind != Kind::Agency {
            fields.offend("brands", "is for agencies");
        }
    }
    fields.finish()?;
    let cause = Cause::of_request(Operation::OpenAccount, ask.key()?.as_ref(), ask.request());
    let slices = slices.and_then(|slices| u8::try_from(slices).ok()).unwrap_or(1);
    let brands = brands.map(BTreeSet::from_iter);
    Ok(OpenAccount {
        kind: kind?,
        parent: parent?,
        name: name?,
        low_credit_threshold,
        mode,
        slices,
        brands,
        cause,
    })
}

pub(crate) fn change(ask: &Ask, currency: Currency) -> Result<ChangeAccount, Problem> {
    let mut fields = ask.fields()?;
    let change = ChangeAccount {
        name: fields.optional("name", json::of(name)),
        low_credit_threshold: fields.nullable("low_credit_threshold", threshold(currency)),
        status: fields.optional("status", json::of(wished)),
        mode: fields.optional("budget_mode", json::of(Mode::parse)),
        slices: fields
            .optional("slices", json::whole(1, 64, SLICES))
            .and_then(|slices| u8::try_from(slices).ok()),
        brands: fields
            .nullable("brands", json::list(json::of(BrandId::parse)))
            .map(|brands| brands.map(BTreeSet::from_iter)),
    };
    fields.finish()?;
    ask.key()?;
    Ok(change)
}

/// Brands that are named must be there.
pub(crate) async fn known_brands(app: &App, brands: Option<&BTreeSet<BrandId>>) -> Result<(), Problem> {
    for brand in brands.into_iter().flatten() {
        if app.store.brand(brand).await?.is_none() {
            return Err(Problem::field("/brands", "names a brand that there is not"));
        }
    }
    Ok(())
}
