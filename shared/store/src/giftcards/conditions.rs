//! The conditions of redemptions and cards, as writes of a transaction.
//!
//! **Invariant:** a free card is taken by its deletion, under the condition that it is there.

use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::giftcards::GiftCards;
use crate::giftcards::items::redemption;
use crate::keys;
use aws_sdk_dynamodb::types::{Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::giftcard::card::FreeCard;
use domain::giftcard::redemption::Redemption;

impl GiftCards {
    /// A redemption: there must be none, or one that failed, or one that is pending for the same attempt.
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

    /// A free card is taken; it must still be there.
    pub(crate) fn card_delete(&self, card: &FreeCard) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::free_card(card).attributes()))
            .condition_expression("attribute_exists(pk)");
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }
}
