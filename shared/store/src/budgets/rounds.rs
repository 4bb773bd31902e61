//! Stores where the scheduled check of all accounts goes on.
//!
//! **Invariant:** the place only saves time: a lost or outdated one checks accounts twice, or later.

use super::Budgets;
use crate::engine::attr::{Attributes, Reader};
use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::keys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::budget::rounds::{AgencyPlace, RoundPlace};
use domain::ids::budget::AccountId;

impl Budgets {
    /// Returns where the check goes on; at the beginning if nothing is stored.
    pub async fn round_place(&self) -> Result<RoundPlace, StoreError> {
        let Some(item) = self.table.with_retry(|| self.table.get(keys::round_place())).await? else {
            return Ok(RoundPlace::default());
        };
        let reader = Reader::new(&item, "place of the check");
        let text = |reader: &Reader<'_>, name: &str| -> Result<Option<String>, StoreError> {
            reader.has(name).then(|| reader.text(name).map(str::to_owned)).transpose()
        };
        let within = reader.maps("within")?.into_iter().map(|(id, map)| {
            let agency = AccountId::parse(id).map_err(|_| reader.corrupt("within"))?;
            let place = AgencyPlace { client: text(&map, "client")?, campaign: text(&map, "campaign")? };
            Ok((agency, place))
        });
        Ok(RoundPlace { after: text(&reader, "after")?, within: within.collect::<Result<_, StoreError>>()? })
    }

    /// Stores where the check goes on; if this fails, the next run begins where this one did.
    pub async fn keep_round_place(&self, place: &RoundPlace) -> Result<(), StoreError> {
        let within = place.within.iter().map(|(agency, place)| {
            let map = Attributes::default()
                .maybe("client", place.client.as_ref())
                .maybe("campaign", place.campaign.as_ref());
            (agency.to_string(), AttributeValue::M(map.0))
        });
        let mut item = Attributes::default()
            .maybe("after", place.after.as_ref())
            .with("within", AttributeValue::M(within.collect()))
            .0;
        item.extend(keys::round_place().attributes());
        let sent = self.table.transact(vec![self.table.any_put(item)?]).await?;
        if let Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why) = sent {
            tracing::debug!(why, "the place of the check is not stored");
        }
        Ok(())
    }
}
