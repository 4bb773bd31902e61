//! Items of the program, of campaigns, and of the number of all rules. Their content is a JSON document.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::keys;
use domain::loyalty::campaigns::Campaign;
use domain::loyalty::versions::ProgramVersion;
use domain::time::Timestamp;

/// Converts a version of the program to its item.
pub(crate) fn program_to_item(version: &ProgramVersion, request: &str) -> Result<Item, StoreError> {
    let mut item = Attributes::default().text("document", document(version)?).text("request", request).0;
    item.extend(keys::program_version(version.program.version).attributes());
    Ok(item)
}

/// Reads a version of the program.
pub(crate) fn program_from_item(item: &Item) -> Result<ProgramVersion, StoreError> {
    let reader = Reader::new(item, "version of the program");
    read_document(reader.text("document")?).ok_or_else(|| reader.corrupt("document"))
}

/// Converts a version of a campaign to its item.
pub(crate) fn campaign_to_item(campaign: &Campaign, request: &str) -> Result<Item, StoreError> {
    let mut item = Attributes::default().text("document", document(campaign)?).text("request", request).0;
    item.extend(keys::campaign_version(&campaign.id, campaign.version).attributes());
    Ok(item)
}

/// Reads a version of a campaign.
pub(crate) fn campaign_from_item(item: &Item) -> Result<Campaign, StoreError> {
    let reader = Reader::new(item, "version of a campaign");
    read_document(reader.text("document")?).ok_or_else(|| reader.corrupt("document"))
}

/// Converts a campaign's place in the list of all to its item: how many versions there are, and until when it holds.
pub(crate) fn listed_to_item(campaign: &Campaign, created_at: Timestamp) -> Item {
    let mut item = Attributes::default()
        .text("campaign_id", &campaign.id)
        .number("versions", campaign.version)
        .text("until", campaign.terms.period.until)
        .0;
    item.extend(keys::listed_campaign(&campaign.id, created_at).attributes());
    item
}
