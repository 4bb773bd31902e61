//! What falls due, by the sparse index `due`.
//!
//! **Invariant:** the index only names candidates; what is due is decided on the item itself.
//! **Invariant:** an item that keeps failing is pushed forward, so it cannot block those behind it.

use crate::Store;
use crate::attr::text;
use crate::error::StoreError;
use crate::keys;
use crate::load::unread;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::CustomerId;
use domain::time::Timestamp;

impl Store {
    /// Up to `limit` wallets of a shard whose visit was appointed for `until` or earlier, soonest first, each with
    /// its place in the index; those at `from` and after.
    pub async fn due_wallets(
        &self,
        shard: u8,
        (from, until): (&str, Timestamp),
        limit: u16,
    ) -> Result<Vec<(CustomerId, String)>, StoreError> {
        self.patiently(|| async {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(keys::DUE)
                .key_condition_expression("dpk = :shard AND dsk BETWEEN :from AND :until")
                .expression_attribute_values(":shard", text(keys::due_shard(keys::DueKind::Wallets, shard)))
                .expression_attribute_values(":from", text(from))
                // `~` sorts after every key, so that what is due at `until` itself is included.
                .expression_attribute_values(":until", text(keys::due(until, "~")))
                .limit(i32::from(limit));
            let output = request.send().await.map_err(|error| unread(&error))?;
            let place = |item: &crate::attr::Item| {
                let customer = keys::wallet_customer(item.get(keys::PK)?.as_s().ok()?)?;
                Some((customer, item.get(keys::DUE_SK)?.as_s().ok()?.clone()))
            };
            Ok(output.items.unwrap_or_default().iter().filter_map(place).collect())
        })
        .await
    }

    /// Appoints another visit for a wallet that could not be settled.
    pub async fn postpone(&self, customer: &CustomerId, until: Timestamp) -> Result<(), StoreError> {
        let pk = keys::wallet_partition(customer);
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::wallet(customer).attributes()))
            .update_expression("SET dsk = :due")
            .condition_expression("attribute_exists(dsk)")
            .expression_attribute_values(":due", AttributeValue::S(keys::due(until, &pk)));
        match request.send().await {
            Ok(_) => Ok(()),
            // It was settled meanwhile.
            Err(e)
                if e.as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(unread(&error)),
        }
    }
}
