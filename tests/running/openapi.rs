//! The API document describes the API as it is.

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tests::process::root;
use tests::{World, admin};

fn document() -> Value {
    serde_json::to_value(scrip::docs::document()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let committed = std::fs::read_to_string(root().join("infra/openapi.json")).unwrap_or_default();
    assert!(committed == scrip::docs::text().unwrap(), "run: cargo run -- openapi infra/openapi.json");
}

#[test]
fn every_operation_lists_its_problems_and_every_write_takes_a_key() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.values().map(|path| path.as_object().unwrap().len()).sum::<usize>(), 135);
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is used twice");
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "404", "503"] {
                assert!(
                    responses.contains_key(status) || path.ends_with("/health"),
                    "{method} {path} {status}"
                );
            }
            let moves_nothing = [
                "/freeze",
                "/unfreeze",
                "/suspend",
                "/acknowledge",
                "/reveal",
                "/cards",
                "/codes",
                "/simulate",
                "/stop",
                "/jobs/{job_id}/cancel",
                "/jobs/{job_id}/resume",
            ];
            let sets_status = moves_nothing.iter().any(|status| path.ends_with(status));
            // The cause of these is natural: a key is not looked at.
            let is_natural = [
                "/earn",
                "/rewards/apply",
                "/referral/apply",
                "/reverse",
                "/voucher-purchases/{purchase_id}/refund",
            ];
            let is_natural = is_natural.iter().any(|cause| path.ends_with(cause));
            if method == "post" && !sets_status && !path.contains("/webhook/") {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let is_key = |p: &Value| p["name"] == "Idempotency-Key" && p["in"] == "header";
                assert_eq!(parameters.iter().any(is_key), !is_natural, "{path}");
                let made = responses.get("201").or(responses.get("202"));
                let success = made.or(responses.get("200")).unwrap();
                assert!(success["headers"]["Idempotent-Replayed"].is_object(), "{path}");
                assert_eq!(success["headers"]["Location"].is_object(), made.is_some(), "{path}");
            }
        }
    }
    let schemas = &document["components"]["schemas"];
    let required = |schema: &str, member: &str| {
        schemas[schema]["required"].as_array().unwrap().iter().any(|name| name == member)
    };
    assert!(required("BudgetAccount", "available") && !required("BudgetAccount", "issued"));
    assert!(required("RedemptionBody", "amount_charged") && !required("RedemptionBody", "cost_basis"));
    assert_eq!(
        document["security"],
        json!([{"bearer": []}]),
        "a token is required unless an operation says otherwise"
    );
    assert_eq!(paths["/api/wallet/health"]["get"]["security"], json!([{}]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

/// Fields that are lists of rows.
const ROWS: [&str; 2] = ["adjustments", "credits"];

/// Returns the properties of a request's schema.
fn properties(document: &Value, operation: &Value) -> Vec<String> {
    let reference =
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn the_fields_it_describes_are_the_fields_that_are_read() {
    let (world, document) = (World::new().await, document());
    world.open_wallet("a", "100").await;
    let hold = world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":5}"#).await.text("/hold_id");
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let operation = &methods["post"];
        // A gateway defines the body of its webhooks.
        if operation["requestBody"].is_null() || path.contains("/webhook/") {
            continue;
        }
        // The first line of a file names its columns.
        if operation["requestBody"]["content"]["application/json"].is_null() {
            continue;
        }
        let path = path.replace("{customer_id}", "a").replace("{hold_id}", &hold);
        let campaign = if path.contains("loyalty") { "cmp_" } else { "acct_m" };
        let path = path.replace("{campaign_id}", &format!("{campaign}00000000000000000000"));
        let path = path.replace("{user_id}", "a").replace("{booking_id}", "b").replace("{refund_id}", "r");
        let path = path.replace("{token}", "lock_YQ.00000000000000000000");
        let fields = properties(&document, operation);
        // Every field has a value that no field accepts: each must be reported, and none as unknown.
        // The elements of some lists are reported one by one; an empty list is not accepted.
        let value = |name: &str| if ROWS.contains(&name) { json!([]) } else { json!([[]]) };
        let body: serde_json::Map<String, Value> =
            fields.iter().map(|name| (name.clone(), value(name))).collect();
        let request =
            tests::world::request(Method::POST, &path, &Value::Object(body).to_string(), HeaderMap::new());
        let answer = world.send(Some(&admin()), request).await.expect_problem(400, "invalid_request");
        let mut reported = answer.offending();
        reported.sort();
        reported.dedup();
        assert_eq!(reported, fields.iter().map(|name| format!("/{name}")).collect::<Vec<_>>(), "{path}");
        assert!(!answer.body.contains("is not a field"), "{path} {}", answer.body);
        checked += 1;
    }
    assert_eq!(checked, 51);
}

#[test]
fn every_link_names_an_operation_and_gives_it_its_path_and_its_fields() {
    let document = document();
    let operations: Vec<(&String, &Value)> =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap()).collect();
    let of = |id: &str| operations.iter().find(|(_, operation)| operation["operationId"] == id).unwrap().1;
    let (mut links, mut pages) = (0, 0);
    for (_, operation) in &operations {
        let answers = operation["responses"].as_object().unwrap().values();
        for link in answers.filter_map(|answer| answer["links"].as_object()).flat_map(|links| links.values())
        {
            let to = of(link["operationId"].as_str().unwrap());
            let parameters = to["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "path") {
                assert!(
                    link["parameters"][parameter["name"].as_str().unwrap()].is_string(),
                    "{link} {parameter}"
                );
            }
            for name in link["requestBody"].as_object().into_iter().flat_map(|body| body.keys()) {
                assert!(properties(&document, to).contains(name), "{link}");
            }
            links += 1;
            pages += usize::from(link["parameters"]["cursor"].is_string());
        }
        let lists = operation["parameters"].to_string().contains("\"cursor\"");
        assert_eq!(
            lists,
            operation["responses"].to_string().contains("next_page"),
            "{}",
            operation["operationId"]
        );
    }
    assert!(links > 100 && pages > 5, "{links} {pages}");
}

/// Returns every schema of what callers send, with its place.
fn sent(document: &Value) -> Vec<(String, Value)> {
    let mut sent = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                sent.push((format!("{method} {path} {}", parameter["name"]), parameter["schema"].clone()));
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if let (Some(name), false) = (body["$ref"].as_str(), path.contains("/webhook/")) {
                let schema = document.pointer(name.trim_start_matches('#')).unwrap();
                assert_eq!(schema["additionalProperties"], false, "{name}");
                for (field, schema) in schema["properties"].as_object().unwrap() {
                    sent.push((format!("{method} {path} {field}"), schema.clone()));
                }
            }
        }
    }
    sent
}

/// Returns true if a schema bounds its values.
fn bounds(schema: &Value) -> bool {
    let alternatives =
        |keyword: &str| schema[keyword].as_array().is_some_and(|schemas| schemas.iter().all(bounds));
    ["pattern", "enum", "const", "maximum", "maxItems", "maxLength", "propertyNames"]
        .iter()
        .any(|keyword| !schema[keyword].is_null())
        || matches!(schema["type"].as_str(), Some("boolean" | "null"))
        || schema["type"] == json!(["boolean", "null"])
        || alternatives("oneOf")
        || alternatives("anyOf")
        || (schema["additionalProperties"] == json!(false)
            && schema["properties"].as_object().is_some_and(|all| all.values().all(bounds)))
        || schema["format"].as_str().is_some_and(|format| format.starts_with("date"))
}

#[test]
fn every_parameter_and_field_says_what_it_takes() {
    // The public redemption endpoint answers any text alike, so that it reveals nothing about the format of
    // codes.
    let open = |place: &String| place.ends_with("/redeem redemption_code");
    let sent = sent(&document());
    let loose: Vec<_> = sent.iter().filter(|(place, schema)| !open(place) && !bounds(schema)).collect();
    assert!(loose.is_empty() && sent.len() > 150, "{} {loose:#?}", sent.len());
}

#[test]
fn no_two_functions_describe_different_things_by_one_name() {
    let mut known = std::collections::BTreeMap::<String, Value>::new();
    for document in scrip::docs::documents() {
        let schemas = serde_json::to_value(document).unwrap()["components"]["schemas"].clone();
        for (name, schema) in schemas.as_object().unwrap() {
            let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(first, schema, "{name}");
        }
    }
}
