//! Item of an alert.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use domain::alert::Alert;
use domain::ids::AlertId;
use domain::time::Timestamp;

/// Converts an alert to its item; a closed alert has the same key as the open one.
pub(crate) fn to_item(alert: &Alert) -> Item {
    let acknowledged = alert.acknowledged.as_ref();
    let mut item = Attributes::default()
        .text("alert_id", &alert.id)
        .text("kind", &alert.kind)
        .text("severity", &alert.severity)
        .text("subject", &alert.subject)
        .text("detail", &alert.detail)
        .text("opened_at", alert.opened_at)
        .text("updated_at", alert.updated_at)
        .maybe("over_at", alert.over_at)
        .maybe("closed_at", alert.closed_at)
        .maybe("acknowledged_by", acknowledged.map(|(who, _)| who))
        .maybe("acknowledged_at", acknowledged.map(|(_, at)| at))
        .number("count", alert.count)
        .0;
    item.extend(keys::alert(&alert.id).attributes());
    item
}

/// Reads an alert from its item.
pub(crate) fn from_item(item: &Item) -> Result<Alert, StoreError> {
    let reader = Reader::new(item, "alert");
    let at = reader.maybe("acknowledged_at", Timestamp::parse)?;
    let by = reader.maybe_text("acknowledged_by")?;
    Ok(Alert {
        id: AlertId::stored(reader.text("alert_id")?),
        kind: reader.text("kind")?.to_owned(),
        severity: reader.text("severity")?.to_owned(),
        subject: reader.text("subject")?.to_owned(),
        detail: reader.text("detail")?.to_owned(),
        opened_at: reader.instant("opened_at")?,
        updated_at: reader.instant("updated_at")?,
        over_at: reader.maybe("over_at", Timestamp::parse)?,
        closed_at: reader.maybe("closed_at", Timestamp::parse)?,
        acknowledged: by.map(str::to_owned).zip(at),
        count: reader.count("count")?,
    })
}
