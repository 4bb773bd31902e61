//! The item of an alert.

use crate::attr::{Attributes, Item};
use crate::keys;
use domain::event::Alert;

/// What an alert is stored as; a closed one takes the place of the open one.
pub(crate) fn to_item(alert: &Alert) -> Item {
    let mut item = Attributes::default()
        .text("alert_id", &alert.id)
        .text("kind", alert.kind)
        .text("severity", alert.severity)
        .text("subject", &alert.subject)
        .text("detail", alert.detail)
        .text("opened_at", alert.opened_at)
        .text("updated_at", alert.closed_at.unwrap_or(alert.opened_at))
        .maybe("closed_at", alert.closed_at)
        .number("count", 1)
        .0;
    item.extend(keys::alert(&alert.id).attributes());
    item
}
