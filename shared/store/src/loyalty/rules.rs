//! The rules of loyalty: read by their number, and changed with it.
//!
//! **Invariant:** every change of a rule raises the number in its transaction, so a process that reads the number knows
//! whether the rules that it has are those of now.

use crate::engine::attr::{Attributes, Item, Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::loyalty::Loyalty;
use crate::loyalty::items::rules as items;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::ids::{LoyaltyCampaignId, RequestId};
use domain::loyalty::campaigns::Campaign;
use domain::loyalty::rules::{CampaignHistory, StoredRules};
use domain::loyalty::versions::{ProgramVersion, RulesError};
use domain::time::Timestamp;
use std::sync::Arc;

/// Name of the rules in the cache.
const RULES: &str = "rules";

/// A change of the rules.
#[derive(Clone, Debug)]
pub enum RulesChange {
    /// A version of the program, new or withdrawn.
    Program(Box<ProgramVersion>),
    /// A version of a campaign; `created_at` is that of its first version.
    Campaign {
        /// The version.
        campaign: Box<Campaign>,
        /// When the campaign was made.
        created_at: Timestamp,
    },
}

/// Returns the rules that have the number in this item.
pub(crate) async fn of_head(table: &Table, head: Option<&Item>) -> Result<Arc<StoredRules>, StoreError> {
    let Some(head) = head else { return Ok(Arc::default()) };
    let reader = Reader::new(head, "number of the rules");
    let (count, changed_at) = (reader.count("number")?, reader.instant("changed_at")?);
    if let Some(known) = table.numbered.get::<StoredRules>(RULES, count) {
        return Ok(known);
    }
    let rules = Arc::new(read_all(table, count, changed_at).await?);
    table.numbered.put(RULES, count, rules.clone());
    Ok(rules)
}

async fn read_all(table: &Table, count: u64, changed_at: Timestamp) -> Result<StoredRules, StoreError> {
    let programs = table.partition(keys::PROGRAM, "").await?;
    let programs = programs.iter().map(items::program_from_item).collect::<Result<_, _>>()?;
    let listed = table.partition(keys::CAMPAIGNS, "").await?;
    let mut wanted: Vec<Key> = Vec::new();
    for item in &listed {
        let reader = Reader::new(item, "campaign in the list");
        // Also those that have ended: a refund of years later is judged by the campaigns of its purchase.
        let id = reader.parse("campaign_id", LoyaltyCampaignId::parse)?;
        let versions = u32::try_from(reader.count("versions")?).unwrap_or(u32::MAX);
        wanted.extend((1..=versions).map(|version| keys::campaign_version(&id, version)));
    }
    let found = table.with_retry(|| table.batch(&wanted)).await?;
    let campaigns = found.values().map(items::campaign_from_item).collect::<Result<Vec<_>, _>>()?;
    Ok(StoredRules {
        number: count,
        changed_at: Some(changed_at),
        programs,
        campaigns: by_campaign(campaigns),
    })
}

fn by_campaign(versions: Vec<Campaign>) -> Vec<CampaignHistory> {
    let mut by_id = std::collections::BTreeMap::<LoyaltyCampaignId, Vec<Campaign>>::new();
    for campaign in versions {
        by_id.entry(campaign.id.clone()).or_default().push(campaign);
    }
    let mut histories: Vec<CampaignHistory> = by_id.into_values().filter_map(CampaignHistory::new).collect();
    histories.sort_by_key(|history| history.first().map(|first| (first.since, first.id.clone())));
    histories
}

impl Loyalty {
    /// Reads the rules of now.
    pub async fn rules(&self) -> Result<Arc<StoredRules>, StoreError> {
        let head = self.table.with_retry(|| self.table.get(keys::rules_head())).await?;
        of_head(&self.table, head.as_ref()).await
    }

    /// Reads all versions of a campaign, however old it is.
    pub async fn campaign(&self, id: &LoyaltyCampaignId) -> Result<Option<CampaignHistory>, StoreError> {
        let first = keys::campaign_version(id, 1);
        let found = self.table.partition(&first.pk, "").await?;
        let versions = found.iter().map(items::campaign_from_item).collect::<Result<Vec<_>, _>>()?;
        Ok(CampaignHistory::new(versions))
    }

    /// Reads the newest versions of all campaigns, that made first first.
    pub async fn campaigns(&self) -> Result<Vec<(Timestamp, Campaign)>, StoreError> {
        let listed = self.table.partition(keys::CAMPAIGNS, "").await?;
        let mut places = Vec::new();
        for item in &listed {
            let reader = Reader::new(item, "campaign in the list");
            let id = reader.parse("campaign_id", LoyaltyCampaignId::parse)?;
            let version = u32::try_from(reader.count("versions")?).unwrap_or(u32::MAX);
            let created =
                reader.text(keys::SK)?.split_once('#').and_then(|(at, _)| Timestamp::parse(at).ok());
            places.push((
                created.ok_or_else(|| reader.corrupt(keys::SK))?,
                keys::campaign_version(&id, version),
            ));
        }
        let wanted: Vec<Key> = places.iter().map(|(_, key)| key.clone()).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let read = |(at, key): (Timestamp, Key)| {
            found.get(&key).map(|item| Ok((at, items::campaign_from_item(item)?)))
        };
        places.into_iter().filter_map(read).collect()
    }

    /// Changes the rules: `decide` makes a change of those of now as of an instant, or refuses. The instant is after
    /// `now` and after their last change, so no decision of the same instant has followed the rules before.
    pub async fn change_rules(
        &self,
        (now, request): (Timestamp, &RequestId),
        decide: impl Fn(&StoredRules, Timestamp) -> Result<RulesChange, RulesError>,
    ) -> Result<Result<RulesChange, RulesError>, StoreError> {
        let mut retry = self.table.retry();
        let mut sent: Option<RulesChange> = None;
        loop {
            let rules = self.rules().await?;
            if let Some(change) = &sent
                && self.was_written(change, request).await?
            {
                return Ok(Ok(change.clone()));
            }
            // Later than any decision that has followed the rules before.
            let after = |at: Timestamp| Timestamp::from_millis(at.millis() + 1).unwrap_or(at);
            let now = after(rules.changed_at.map_or(now, |changed| now.max(changed)));
            let change = match decide(&rules, now) {
                Ok(change) => change,
                Err(refused) => return Ok(Err(refused)),
            };
            let items = self.items(&change, rules.number, now, request)?;
            sent = Some(change.clone());
            match retry.settled(self.table.transact(items).await?).await? {
                Some(Certain::Done(_)) => return Ok(Ok(change)),
                // Others have changed the rules: decide on those.
                Some(Certain::Refused(_)) if retry.backoff().await => {}
                Some(Certain::Refused(_)) => {
                    return Err(retry.certain(StoreError::Contention("the rules keep changing".to_owned())));
                }
                None => {}
            }
        }
    }

    /// Returns true if this invocation's change was written, although its outcome was unknown.
    async fn was_written(&self, change: &RulesChange, request: &RequestId) -> Result<bool, StoreError> {
        let key = key_of(change);
        let item = self.table.with_retry(|| self.table.get(key.clone())).await?;
        let Some(item) = item else { return Ok(false) };
        let reader = Reader::new(&item, "rule");
        let by = if is_withdrawal(change) {
            reader.maybe_text("withdrawn_by")?
        } else {
            Some(reader.text("request")?)
        };
        Ok(by == Some(request.as_str()))
    }

    fn items(
        &self,
        change: &RulesChange,
        count: u64,
        now: Timestamp,
        request: &RequestId,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let table = &self.table;
        let mut head = Attributes::default().number("number", count + 1).text("changed_at", now).0;
        head.extend(keys::rules_head().attributes());
        let head =
            if count == 0 { table.new_put(head)? } else { table.guarded_put(head, "number", count)? };
        let mut writes = vec![head];
        match change {
            RulesChange::Program(version) if version.is_withdrawn => {
                let document = crate::engine::document::document(&**version)?;
                let update = Update::builder()
                    .table_name(&table.name)
                    .set_key(Some(keys::program_version(version.program.version).attributes()))
                    .update_expression("SET #document = :document, withdrawn_by = :request")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_names("#document", "document")
                    .expression_attribute_values(":document", text(document))
                    .expression_attribute_values(":request", text(request));
                writes.push(crate::engine::write::change(update.build().map_err(StoreError::built)?));
            }
            RulesChange::Program(version) => {
                writes.push(table.new_put(items::program_to_item(version, request.as_str())?)?);
            }
            RulesChange::Campaign { campaign, created_at } => {
                writes.push(table.new_put(items::campaign_to_item(campaign, request.as_str())?)?);
                writes.push(table.any_put(items::listed_to_item(campaign, *created_at))?);
            }
        }
        Ok(writes)
    }
}

fn is_withdrawal(change: &RulesChange) -> bool {
    matches!(change, RulesChange::Program(version) if version.is_withdrawn)
}

fn key_of(change: &RulesChange) -> Key {
    match change {
        RulesChange::Program(version) => keys::program_version(version.program.version),
        RulesChange::Campaign { campaign, .. } => keys::campaign_version(&campaign.id, campaign.version),
    }
}

impl Table {
    /// Returns the write of an item that replaces one whose attribute still has this value.
    pub(crate) fn guarded_put(
        &self,
        item: Item,
        attribute: &str,
        was: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = aws_sdk_dynamodb::types::Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("#guard = :was")
            .expression_attribute_names("#guard", attribute)
            .expression_attribute_values(":was", number(was));
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// Returns the write of an item that replaces one that still has this version.
    pub(crate) fn versioned_put(&self, item: Item, was: u64) -> Result<TransactWriteItem, StoreError> {
        self.guarded_put(item, "version", was)
    }
}
