//! The parts that all operations of the OpenAPI document share.
//!
//! **Invariant:** every operation lists every problem that the API's conventions allow for it.

use crate::field_errors::FieldError;
use crate::problem::ProblemBody;
use crate::schema;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::openapi::Required;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, PathItem, Ref, RefOr};
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Scrip",
        description = "Stored value for businesses: wallets whose every balance can be proved from its entries.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, FieldError)),
    tags(
        (name = "wallet", description = "Customers' money wallets"),
        (name = "payments", description = "Top-ups, orders and refunds"),
        (name = "budgets", description = "Prepaid budgets: platform, agency, client, campaign"),
        (name = "gift cards", description = "Brands, pools, redemption codes and the cards issued for them"),
        (name = "alerts", description = "Conditions that need an operator's attention"),
        (name = "webhooks", description = "Gateways' and suppliers' webhooks; the signature is the authentication")
    )
)]
struct Common;

/// Merges the documents of several functions and adds the shared parts.
pub fn document(functions: impl IntoIterator<Item = Document>) -> Document {
    let mut document = Common::openapi();
    for function in functions {
        document.merge(function);
    }
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("Claims: sub, role (customer, staff, admin, agency, client, service), scope"))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    answers_are_whole(&mut components.schemas);
    for (status, name, description) in PROBLEMS {
        components.responses.insert((*name).to_owned(), problem(status, description).into());
    }
    for (path, item) in &mut document.paths.paths {
        for (writes, method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            for (status, name, _) in
                PROBLEMS.iter().filter(|(status, ..)| writes || !ONLY_WRITES.contains(status))
            {
                let response = RefOr::Ref(Ref::from_response_name(*name));
                operation.responses.responses.entry((*status).to_owned()).or_insert(response);
            }
            let moves = !path.contains(WEBHOOKS) && !STATUSES.iter().any(|status| path.ends_with(status));
            if writes && moves {
                if !NATURAL.iter().any(|cause| path.ends_with(cause)) {
                    takes_a_key(operation, path.ends_with(KEYED));
                }
                repeats_answers(operation);
            }
        }
    }
    crate::links::write(&mut document);
    document
}

/// Returns a unique operation id, made of the method and the path.
fn operation_id(method: &str, path: &str) -> String {
    let words =
        path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "api");
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Webhook paths; they take no key, because each report has its own id.
const WEBHOOKS: &str = "/webhook/";

/// Ends of the paths of writes that move no value, and are idempotent by nature.
const STATUSES: [&str; 13] = [
    "/freeze",
    "/unfreeze",
    "/suspend",
    "/acknowledge",
    "/accounts/{account_id}",
    "/reveal",
    "/cards",
    "/vouchers/{voucher_id}/codes",
    "/vouchers/{voucher_id}",
    "/simulate",
    "/stop",
    "/jobs/{job_id}/cancel",
    "/jobs/{job_id}/resume",
];

/// Ends of the paths of writes whose cause is natural: a key is not looked at.
const NATURAL: [&str; 5] =
    ["/earn", "/rewards/apply", "/referral/apply", "/reverse", "/voucher-purchases/{purchase_id}/refund"];

const ONLY_WRITES: [&str; 6] = ["402", "409", "413", "415", "422", "429"];

const PROBLEMS: [(&str, &str, &str); 12] = [
    (
        "400",
        "Invalid",
        "invalid_request, currency_mismatch, invalid_cursor, self_transfer, self_referral, not_a_child, control_mismatch or invalid_file; `errors` lists fields",
    ),
    ("401", "Unauthenticated", "unauthenticated: no valid bearer token, or signature of a webhook"),
    (
        "402",
        "InsufficientFunds",
        "insufficient_funds or insufficient_points, with `available`, `required` and `currency`",
    ),
    ("403", "Forbidden", "forbidden: the role or scope does not allow this"),
    (
        "404",
        "NotFound",
        "wallet_not_found, hold_not_found, order_not_found, topup_not_found, event_not_found, account_not_found, \
         brand_not_found, denomination_not_found, payment_not_found, pool_not_found, redemption_not_found, code_not_found, alert_not_found, transaction_not_found, \
         purchase_not_found, campaign_not_found, voucher_not_found, reward_not_found, referral_not_found, job_not_found; \
         also for resources that the caller may not know of",
    ),
    (
        "409",
        "Conflict",
        "wallet_exists, account_frozen, account_suspended, refund_exceeds_payment, order_already_paid, \
         payment_exceeds_due, order_exists, hold_closed, hold_expired, capture_exceeds_hold, too_many_holds, too_many_open, \
         budget_paused, account_not_empty, already_redeemed, out_of_stock, supplier_rejected, \
         gateway_rejected, card_not_issued, not_a_campaign, not_an_agency, too_few_slices, \
         purchase_exists, booking_cancelled, booking_has_redemption, redemption_closed, redemption_expired, \
         redemption_policy, confirm_exceeds_redemption, not_combinable, rules_changed, version_conflict, refund_exists, \
         too_many_refunds, reward_not_active, reward_not_applicable, reward_exhausted, reward_already_claimed, \
         referral_already_applied, referral_cycle, referral_limit_reached, tier_required (with `required_tier`), \
         voucher_unavailable, voucher_limit_reached, job_finished or job_repeated (with `job_id`)",
    ),
    ("405", "MethodNotAllowed", "method_not_allowed: the path does not support this method"),
    ("413", "TooLarge", "The body is over 256 KiB (CSV and bulk jobs: 4 MiB), as sent or decompressed"),
    ("415", "UnsupportedMediaType", "The Content-Type or Content-Encoding of the body is not supported"),
    ("422", "KeyReused", "idempotency_key_reused: the key was used for a different request"),
    ("429", "RateLimited", "rate_limited: too many attempts"),
    (
        "503",
        "Unavailable",
        "contention (nothing was applied) or unavailable (outcome unknown: repeat the request with the same key to learn it)",
    ),
];

fn problem(status: &str, description: &str) -> Response {
    let schema = Ref::from_schema_name(ProblemBody::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response =
        ResponseBuilder::new().description(description).content("application/problem+json", content);
    if matches!(status, "429" | "503") {
        let seconds = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).build();
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait")).build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

/// Response fields that are omitted where they do not apply, or where the caller may not see them.
const LEFT_OUT: [(&str, &str); 12] = [
    ("ExpiryView", "days"),
    ("ExpiryView", "month_day"),
    ("ExpiryView", "years"),
    ("BudgetAccount", "issued"),
    ("BudgetAccount", "estimated_redemptions_remaining"),
    ("RedemptionBody", "cost_basis"),
    ("RedemptionBody", "profit"),
    ("Voucher", "stock"),
    ("Voucher", "health"),
    ("Voucher", "in_stock"),
    ("Voucher", "purchasable"),
    ("Voucher", "reason"),
];

/// Marks all other fields of response schemas as required: they are always present, possibly null.
fn answers_are_whole(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    for (name, schema) in schemas {
        if let (false, RefOr::T(Schema::Object(object))) =
            (name.ends_with("Request") || name == "Problem", schema)
        {
            let left_out = |property: &String| LEFT_OUT.contains(&(name.as_str(), property.as_str()));
            object.required = object.properties.keys().filter(|name| !left_out(name)).cloned().collect();
        }
    }
}

/// The end of the paths at which a key is required.
const KEYED: &str = "/vouchers/{voucher_id}/purchase";

/// Adds the `Idempotency-Key` parameter to a write.
fn takes_a_key(operation: &mut Operation, is_required: bool) {
    // A header's value has no spaces at its ends, and quotes around it are not part of the key.
    let key = json!({"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$", "not": {"const": "\"\""}});
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(if is_required { Required::True } else { Required::False })
        .description(Some(
            "1 to 255 printable ASCII characters: a repeated request with the same key returns the first response",
        ))
        .schema(Some(schema::inline(key)))
        .build();
    operation.parameters.get_or_insert_default().push(key.into());
}

/// Adds to the responses of a write the headers about replays and locations.
fn repeats_answers(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    for (status, response) in &mut operation.responses.responses {
        let (true, RefOr::T(response)) = (status.starts_with('2'), response) else { continue };
        let header =
            |description| HeaderBuilder::new().schema(Some(text().build())).description(Some(description));
        let replayed = header("true: this response repeats an earlier one").build();
        response.headers.insert("Idempotent-Replayed".to_owned(), replayed.into());
        if status == "201" || status == "202" {
            response.headers.insert("Location".to_owned(), header("path of the new resource").build().into());
        }
    }
}

/// Returns the operations of a path, each with whether it writes and its method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &'static str, &mut Operation)> {
    let all = [
        (true, "post", &mut item.post),
        (true, "put", &mut item.put),
        (true, "patch", &mut item.patch),
        (true, "delete", &mut item.delete),
        (false, "get", &mut item.get),
        (false, "head", &mut item.head),
    ];
    all.into_iter().filter_map(|(writes, method, operation)| Some((writes, method, operation.as_mut()?)))
}
