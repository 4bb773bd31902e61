//! Links of the OpenAPI document: which response contains parameters or bodies of other operations.
//!
//! **Invariant:** a link names an existing operation and supplies every parameter of its path.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::response::Response;
use utoipa::openapi::{OpenApi as Document, PathItem, RefOr};

/// An operation, and where its request or response contains parameters of other operations.
struct IdFields {
    operation: &'static str,
    names: &'static [(&'static str, &'static str)],
}

const fn naming(operation: &'static str, names: &'static [(&'static str, &'static str)]) -> IdFields {
    IdFields { operation, names }
}

const OWN_ENTRY: &[(&str, &str)] =
    &[("customer_id", "$request.path.customer_id"), ("transaction_id", "$response.body#/id")];

const BUDGET_ENTRY: &[(&str, &str)] = &[
    ("account_id", "$response.body#/out_transaction/account_id"),
    ("transaction_id", "$response.body#/out_transaction/id"),
];

const NAMINGS: [IdFields; 16] = [
    naming("post_wallet_create", &[("customer_id", "$response.body#/customer_id")]),
    naming("post_wallet_customer_id_add_credits", OWN_ENTRY),
    naming("post_wallet_customer_id_deduct_credits", OWN_ENTRY),
    naming("post_wallet_customer_id_refund", OWN_ENTRY),
    naming(
        "post_wallet_customer_id_transfer",
        &[
            ("customer_id", "$request.path.customer_id"),
            ("transaction_id", "$response.body#/out_transaction/id"),
        ],
    ),
    naming("post_wallet_customer_id_holds", &[("hold_id", "$response.body#/hold_id")]),
    naming("post_integration_order", &[("order_id", "$response.body#/order_id")]),
    naming("post_integration_wallet_topup_initiate", &[("topup_id", "$response.body#/topup_id")]),
    naming("get_integration_webhook_events", &[("event_id", "$response.body#/events/0/event_id")]),
    naming(
        "post_credit_accounts",
        &[("account_id", "$response.body#/account_id"), ("campaign_id", "$response.body#/account_id")],
    ),
    naming("post_credit_allocate", BUDGET_ENTRY),
    naming("post_credit_reclaim", BUDGET_ENTRY),
    naming("post_gift_cards_pools", &[("pool_id", "$response.body#/pool_id")]),
    naming("post_gift_cards_provision", &[("redemption_id", "$response.body#/redemption/redemption_id")]),
    naming("get_alerts", &[("alert_id", "$response.body#/alerts/0/alert_id")]),
    naming("get_integration_status_customer_id", &[("order_id", "$response.body#/orders/0/order_id")]),
];

/// Operations whose request body can be built from a response: from, to, body.
fn bodies() -> [(&'static str, &'static str, Value); 3] {
    [
        (
            "post_integration_order",
            "post_integration_order_pay_with_wallet",
            json!({
                "order_id": "$response.body#/order_id",
                "customer_id": "$response.body#/customer_id",
                "amount": "$response.body#/total",
            }),
        ),
        (
            "post_integration_order_pay_with_wallet",
            "post_integration_order_refund_to_wallet",
            json!({
                "order_id": "$response.body#/order/order_id",
                "customer_id": "$response.body#/order/customer_id",
                "amount": "$response.body#/transaction/amount",
            }),
        ),
        (
            "post_gift_cards_brands",
            "post_gift_cards_pools",
            json!({
                "brand_id": "$response.body#/brand_id",
                "denomination": "$response.body#/denominations/0",
                "pool_type": "csv",
                "cost_per_card": "$response.body#/denominations/0",
                "low_stock_threshold": 0,
            }),
        ),
    ]
}

/// The path parameters of an operation, and whether it is a paged list.
struct Taking {
    path: Vec<String>,
    pages: bool,
}

/// Adds the links to the document.
pub(crate) fn write(document: &mut Document) {
    let mut takes = BTreeMap::new();
    for operation in operations(document) {
        let parameters = || operation.parameters.iter().flatten().filter_map(as_parameter);
        let path = parameters().filter(|parameter| parameter.parameter_in == ParameterIn::Path);
        let path = path.map(|parameter| parameter.name.clone()).collect();
        let pages = parameters().any(|parameter| parameter.name == "cursor");
        takes.insert(operation.operation_id.clone().unwrap_or_default(), Taking { path, pages });
    }
    let bodies = bodies();
    for operation in operations(document) {
        let id = operation.operation_id.clone().unwrap_or_default();
        let mut links = Vec::new();
        for naming in NAMINGS.iter().filter(|naming| naming.operation == id) {
            let given = |name: &String| naming.names.iter().find(|(given, _)| given == name);
            for (to, taking) in takes.iter().filter(|(to, taking)| **to != id && !taking.path.is_empty()) {
                let values: Option<Vec<_>> = taking.path.iter().map(given).collect();
                if let Some(values) = values {
                    links.push((to.clone(), to_operation(to, values.into_iter().copied())));
                }
            }
        }
        if let Some(taking) = takes.get(&id).filter(|taking| taking.pages) {
            let path = taking.path.iter().map(|name| (name.clone(), format!("$request.path.{name}")));
            let mut link = LinkBuilder::new().operation_id(&id).description("The next page");
            for (name, value) in path {
                link = link.parameter(name, value);
            }
            let link = link.parameter("cursor", "$response.body#/next_cursor").build();
            links.push(("next_page".to_owned(), link));
        }
        for (_, to, body) in bodies.iter().filter(|(from, ..)| *from == id) {
            let link = LinkBuilder::new().operation_id(*to).request_body(Some(body.clone())).build();
            links.push(((*to).to_owned(), link));
        }
        for (status, response) in &mut operation.responses.responses {
            if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
                add(response, &links);
            }
        }
    }
}

fn to_operation<'a>(to: &str, values: impl Iterator<Item = (&'a str, &'a str)>) -> Link {
    let link = LinkBuilder::new().operation_id(to);
    values.fold(link, |link, (name, value)| link.parameter(name, value)).build()
}

fn add(response: &mut Response, links: &[(String, Link)]) {
    for (name, link) in links {
        response.links.insert(name.clone(), link.clone().into());
    }
}

fn as_parameter(
    parameter: &RefOr<utoipa::openapi::path::Parameter>,
) -> Option<&utoipa::openapi::path::Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

fn operations(document: &mut Document) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, post, patch, put, delete, .. } = item;
        [get, post, patch, put, delete].into_iter().filter_map(Option::as_mut)
    })
}
