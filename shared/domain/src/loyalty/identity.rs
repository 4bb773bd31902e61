//! One purchase under several ids: a booking, and the payments that are named with it.
//!
//! **Invariant:** whichever of its ids comes again finds the purchase, and what was known by one of them counts for
//! all.
//! **Invariant:** a payment belongs to one booking, and a purchase that has earned is never joined to another that has.

use crate::ids::PurchaseId;
use crate::loyalty::record::{PurchaseRecord, PurchaseStep};
use crate::loyalty::state::LoyaltyWrite;
use crate::rejection::{LoyaltyRejection, Rejection};
use std::collections::BTreeMap;

/// The record of a purchase, and what is to be written so that all its ids lead to it.
#[derive(Debug)]
pub struct Identified {
    /// The purchase, with what was known by its other ids.
    pub record: PurchaseRecord,
    /// The ids that do not lead to it yet.
    pub aliases: Vec<LoyaltyWrite>,
    /// True if refunds or a cancellation were known by another id.
    pub has_more_reports: bool,
}

/// Finds the purchase that has these ids, the one by which a new purchase is known first.
pub fn identify(
    ids: &[PurchaseId],
    stored: &BTreeMap<PurchaseId, PurchaseRecord>,
) -> Result<Identified, Rejection> {
    const NAMELESS: Rejection = Rejection::Inconsistent("a purchase has no id");
    const ANOTHER: Rejection = Rejection::Loyalty(LoyaltyRejection::PurchaseExists);
    let mut known: Vec<&PurchaseRecord> = Vec::new();
    for record in ids.iter().filter_map(|id| stored.get(id)) {
        if !known.iter().any(|other| other.id == record.id) {
            known.push(record);
        }
    }
    let named = ids.iter().find_map(|id| match id {
        PurchaseId::Booking(booking) => Some(booking),
        PurchaseId::Payment(_) => None,
    });
    let is_of_another = |record: &&PurchaseRecord| {
        named.is_some() && record.booking_id.as_ref().is_some_and(|id| Some(id) != named)
    };
    let earned = known.iter().filter(|record| record.booked.is_some()).count();
    if earned > 1 || known.iter().any(is_of_another) {
        return Err(ANOTHER);
    }
    // What has earned keeps its name, because the causes of its entries contain it.
    let main = known.iter().find(|record| record.booked.is_some()).or(known.first());
    let mut record = match main {
        Some(record) => (*record).clone(),
        None => PurchaseRecord::new(ids.first().cloned().ok_or(NAMELESS)?),
    };
    let (id, reports) = (record.id.clone(), record.refunds.clone());
    for other in known.iter().filter(|other| other.id != id) {
        record.join(other);
    }
    record.booking_id = record.booking_id.or(named.cloned());
    let alias = |id: &PurchaseId| {
        let known = stored.get(id);
        let leads_here = known.is_some_and(|known| known.id == record.id);
        let was = known.filter(|known| known.id == *id).map_or(0, |known| known.version);
        let (id, leads_to) = (id.clone(), record.id.clone());
        (id != leads_to && !leads_here).then_some(LoyaltyWrite::Alias { id, leads_to, was })
    };
    let aliases = ids.iter().filter_map(alias).collect();
    let has_more_reports = record.refunds != reports;
    Ok(Identified { record, aliases, has_more_reports })
}

impl PurchaseRecord {
    /// Adds what is known of the same purchase by another id, by which nothing has earned.
    fn join(&mut self, other: &Self) {
        for (id, report) in &other.refunds.by_id {
            self.refunds.by_id.entry(id.clone()).or_default().join(report);
        }
        self.refunds.amount_kept = self.refunds.amount_kept.or(other.refunds.amount_kept);
        self.redemption = self.redemption.clone().or(other.redemption.clone());
        self.charge_after = self.charge_after.or(other.charge_after);
        self.user = self.user.clone().or(other.user.clone());
        if let Some(last) = other.steps.last() {
            // Its changes become one, so that the numbers of this purchase's own stay as they are.
            self.steps.push(PurchaseStep {
                refunded: self.refunds.refunded(self.amount()),
                kept: self.kept(),
                spend: self.spend(),
                back: other.back(),
                back_value: other.steps.iter().map(|step| step.back_value).sum(),
                entries: other.steps.iter().flat_map(|step| step.entries.clone()).collect(),
                redemption: other.steps.iter().rev().find_map(|step| step.redemption.clone()),
                at: last.at,
                ..PurchaseStep::default()
            });
        }
    }
}
