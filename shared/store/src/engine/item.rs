//! How each domain value stands in an item, one module each.
//!
//! **Invariant:** an existing item is changed by an update that names only the attributes this version knows,
//! so attributes written by another version stay.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::time::Timestamp;

/// The place of an item in the index of what falls due.
pub(crate) fn due(set: Attributes, kind: keys::DueKind, at: Timestamp, pk: &str) -> Attributes {
    set.text(keys::DUE_PK, keys::due_partition(kind, pk)).text(keys::DUE_SK, keys::due(at, pk))
}

/// When an item is looked at next.
pub(crate) fn next_check_at(reader: &Reader<'_>) -> Result<Option<Timestamp>, StoreError> {
    let due = reader.maybe_text(keys::DUE_SK)?.and_then(|due| due.split_once('#'));
    Ok(due.and_then(|(at, _)| Timestamp::parse(at).ok()))
}

#[derive(Clone, Copy)]
/// The attribute by which an item is known to be as it was read, and its value then.
pub(crate) struct Guard {
    pub(crate) attribute: &'static str,
    pub(crate) value: u64,
}

/// Sets these attributes of an existing item, if the guard still holds, and removes those named.
pub(crate) fn update(
    table: &str,
    key: &keys::Key,
    guard: Guard,
    set: Item,
    remove: &[&str],
) -> Result<Update, StoreError> {
    let mut names: Vec<(String, AttributeValue)> = set.into_iter().collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    let mut assignments = Vec::new();
    let mut builder: UpdateBuilder = Update::builder().table_name(table).set_key(Some(key.attributes()));
    for (at, (name, value)) in names.into_iter().enumerate() {
        assignments.push(format!("#s{at} = :s{at}"));
        builder = builder
            .expression_attribute_names(format!("#s{at}"), name)
            .expression_attribute_values(format!(":s{at}"), value);
    }
    let mut expression = format!("SET {}", assignments.join(", "));
    for (at, name) in remove.iter().enumerate() {
        expression.push_str(if at == 0 { " REMOVE " } else { ", " });
        expression.push_str("#r");
        expression.push_str(&at.to_string());
        builder = builder.expression_attribute_names(format!("#r{at}"), *name);
    }
    builder
        .update_expression(expression)
        .condition_expression("#guard = :guard")
        .expression_attribute_names("#guard", guard.attribute)
        .expression_attribute_values(":guard", AttributeValue::N(guard.value.to_string()))
        .build()
        .map_err(StoreError::built)
}
