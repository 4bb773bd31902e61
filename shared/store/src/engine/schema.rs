//! Definition of the table: the local platform creates it, and the template must declare the same.
//!
//! **Invariant:** this is the only place that defines the keys and indexes of the table.

use crate::engine::error::StoreError;
use crate::engine::retry::{Retry, RetryPolicy};
use crate::keys;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus,
};
use std::time::Duration;

/// Index: its name, hash key, range key, and whether it projects whole items.
pub type Index = (&'static str, &'static str, &'static str, bool);

/// All indexes of the table.
pub const INDEXES: [Index; 2] =
    [(keys::BY_ACCOUNT, keys::PK, keys::HISTORY_SK, true), (keys::DUE, keys::DUE_PK, keys::DUE_SK, false)];

/// Creates the table unless it exists, and waits until it is active.
pub async fn create(client: &Client, name: &str) -> Result<(), StoreError> {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema(keys::PK, keys::SK)?));
    for attribute in [keys::PK, keys::SK, keys::HISTORY_SK, keys::DUE_PK, keys::DUE_SK] {
        request = request.attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name(attribute)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .map_err(StoreError::built)?,
        );
    }
    for (index, hash, range, whole) in INDEXES {
        let kind = if whole { ProjectionType::All } else { ProjectionType::KeysOnly };
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(Some(schema(hash, range)?))
            .projection(Projection::builder().projection_type(kind).build())
            .build()
            .map_err(StoreError::built)?;
        request = request.global_secondary_indexes(index);
    }
    match request.send().await {
        Ok(_) => {}
        Err(error)
            if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {}
        Err(error) => {
            return Err(StoreError::Unavailable(format!("create table: {:?}", error.into_source())));
        }
    }
    // AWS takes some seconds to create a table.
    let mut retry = Retry::new(RetryPolicy { budget: Duration::from_mins(1), ..RetryPolicy::default() });
    loop {
        let described = client.describe_table().table_name(name).send().await;
        let status =
            described.ok().and_then(|described| described.table).and_then(|table| table.table_status);
        if status == Some(TableStatus::Active) {
            return Ok(());
        }
        if !retry.backoff().await {
            return Err(StoreError::Unavailable(format!("table {name} does not become active")));
        }
    }
}

fn schema(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, StoreError> {
    [(hash, KeyType::Hash), (range, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(StoreError::built)
        })
        .collect()
}
