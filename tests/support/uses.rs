//! What each function asks of the table, recorded if `SCRIP_TEST_USES` names a file, so that the rights of the
//! deployed functions can be compared with it (`infra/checks/rights.py`).
//!
//! **Invariant:** a request is recorded as the item actions that IAM checks: action, resource, the prefix of
//! the leading key, and the transaction that encloses it.

use edge::wiring::optional;
use regex_lite::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

tokio::task_local! {
    static FUNCTION: &'static str;
}

/// Does work in the name of a function.
pub async fn by<F: Future>(function: &'static str, work: F) -> F::Output {
    FUNCTION.scope(function, work).await
}

/// Records a request, unless no function is at work.
pub(crate) fn note(operation: &str, body: &Value) {
    static FILE: LazyLock<Option<String>> = LazyLock::new(|| optional("SCRIP_TEST_USES"));
    static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let (Some(path), Ok(function)) = (&*FILE, FUNCTION.try_with(|function| *function)) else { return };
    for (action, resource, prefix, enclosing) in uses(operation, body) {
        let line =
            json!([function, format!("dynamodb:{action}"), resource, prefix, enclosing]).to_string() + "\n";
        // Under the lock and in one write: lines of tests that run at once must not mix.
        let mut known = KNOWN.lock().unwrap();
        if known.insert(line.clone()) {
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
    }
}

type Use = (String, String, String, String);

fn uses(operation: &str, body: &Value) -> Vec<Use> {
    let one = |action: &str, key: &Value, enclosing: &str| {
        let key = key.pointer("/pk/S").and_then(Value::as_str).unwrap();
        (action.to_owned(), "table".to_owned(), prefix(key), enclosing.to_owned())
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let items = list(&body["TransactItems"]);
            let item = |item: &Value| {
                let (kind, request) = item.as_object().unwrap().iter().next().unwrap();
                let action =
                    if kind == "ConditionCheck" { kind.clone() + "Item" } else { format!("{kind}Item") };
                one(&action, request.get("Item").unwrap_or(&request["Key"]), operation)
            };
            items.iter().map(item).collect()
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().cloned().unwrap_or_default();
            let keys = tables.values().flat_map(|request| list(&request["Keys"]));
            keys.map(|key| one(operation, &key, "")).collect()
        }
        "Query" => {
            let values = body["ExpressionAttributeValues"].as_object().unwrap();
            let condition = body["KeyConditionExpression"].as_str().unwrap();
            let name = condition.split('=').nth(1).unwrap().split_whitespace().next().unwrap();
            let index = body["IndexName"].as_str();
            let resource = index.map_or_else(|| "table".to_owned(), |index| format!("index/{index}"));
            vec![(operation.to_owned(), resource, prefix(values[name]["S"].as_str().unwrap()), String::new())]
        }
        // It has no key.
        "Scan" => vec![(operation.to_owned(), "table".to_owned(), String::new(), String::new())],
        "PutItem" => vec![one(operation, &body["Item"], "")],
        "GetItem" | "UpdateItem" | "DeleteItem" => vec![one(operation, &body["Key"], "")],
        _ => vec![],
    }
}

/// Returns the part of a leading key that its kind has: `A#w:` of a wallet.
fn prefix(key: &str) -> String {
    static KIND: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "^(?:[AE]#[a-z]:|L#[a-z]+:?|D#[a-z]?|F#rwd_|F#vch_|I#[a-z]+|RU#referral|U#job_|U#[ux]:|[A-Z]{1,2}#)",
        )
        .unwrap()
    });
    KIND.find(key).unwrap_or_else(|| panic!("{key}")).as_str().to_owned()
}
