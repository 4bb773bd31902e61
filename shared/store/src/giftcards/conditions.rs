//! Conditional writes of redemptions and free cards, for use in a transaction.
//!
//! **Invariant:** a free card is taken by deleting its free item, under the condition that the item
//! exists.

use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::giftcards::GiftCards;
use crate::giftcards::items::redemption;
use crate::keys;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::giftcard::card::FreeCard;
use domain::giftcard::redemption::Redemption;

impl GiftCards {
    /// Returns the write of a redemption; any existing one must have failed, or be pending for the
    /// same attempt.
    pub(crate) fn redemption_put(&self, written: &Redemption) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(redemption::to_item(written)))
            .condition_expression(
                "attribute_not_exists(pk) OR #status = :failed OR (#status = :pending AND attempt = :attempt)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":failed", text("FAILED"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(&written.attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// Returns the deletion of a free card; its item must still exist.
    pub(crate) fn card_delete(&self, card: &FreeCard) -> Result<TransactWriteItem, StoreError> {
        self.table.existing_delete(&keys::free_card(card))
    }
}
