//! Updates of existing items, and the attributes of the index `due`.
//!
//! **Invariant:** an update of an existing item sets only the attributes that this version of the
//! code knows, so attributes written by another version are kept.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::time::Timestamp;

/// Adds the attributes that put an item into the index `due`.
pub(crate) fn due(set: Attributes, kind: keys::DueKind, at: Timestamp, pk: &str) -> Attributes {
    set.text(keys::DUE_PK, keys::due_partition(kind, pk)).text(keys::DUE_SK, keys::due(at, pk))
}

/// Reads the time at which an item is due; None if it is not in the index.
pub(crate) fn next_check_at(reader: &Reader<'_>) -> Result<Option<Timestamp>, StoreError> {
    let due = reader.maybe_text(keys::DUE_SK)?.and_then(|due| due.split_once('#'));
    Ok(due.and_then(|(at, _)| Timestamp::parse(at).ok()))
}

#[derive(Clone, Copy)]
/// Attribute that proves that an item has not changed since it was read, and its value at that
/// time.
pub(crate) struct Guard {
    pub(crate) attribute: &'static str,
    pub(crate) value: u64,
}

/// Builds an update that sets the attributes of `set` and removes those of `remove`, under the
/// condition that the guard still holds.
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
