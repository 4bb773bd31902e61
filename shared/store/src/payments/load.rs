//! Reads what a decision about a payment needs.
//!
//! **Invariant:** a report that names its top-up costs one batch read. A report that is matched by
//! a gateway's id, a refund or a dispute costs more reads.

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::ledger::load::{Found, Load, due_holds, entries_caused};
use crate::payments::items::{gateway_ref, topup, unpaid, webhook_event};
use domain::cause::Cause;
use domain::ids::{AccountRef, TopUpId};
use domain::payments::state::{PaymentNeeds, PaymentState};
use domain::payments::unpaid::UnpaidTopUps;
use domain::payments::webhook_event::RefTarget;
use domain::time::Timestamp;
use std::collections::BTreeSet;

impl Load for PaymentState {
    async fn load(table: &Table, needs: &PaymentNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let id = needs.customer.as_ref().map(AccountRef::wallet);
        let mut wanted: Vec<Key> = id.iter().map(keys::account).collect();
        wanted.extend(needs.topup.iter().map(keys::topup));
        wanted.extend(needs.refs.iter().map(keys::gateway_ref));
        wanted.extend(needs.event.iter().map(keys::event));
        wanted.extend(needs.unpaid.iter().map(keys::unpaid));
        let mut found = Found::read(table, &wanted).await?;
        let account = id.map(|id| found.account(&id)).transpose()?.flatten();
        let now = account.as_ref().map_or(now, |account| now.max(account.updated_at));
        let due = account.iter().flat_map(|account| due_holds(account, now));
        let mut more: Vec<Key> = due.map(|id| keys::hold(&id)).collect();
        more.extend(quarantined(&found, needs)?);
        let unpaid = read_unpaid(&found, needs)?;
        more.extend(
            unpaid
                .iter()
                .filter(|unpaid| unpaid.is_full())
                .flat_map(|all| all.topups.keys())
                .map(keys::topup),
        );
        found.read_more(table, more).await?;
        let account = account.map(|account| found.loaded(account, now)).transpose()?;
        let topup = needs.topup.as_ref().and_then(|id| found.item(&keys::topup(id)));
        let event = needs.event.as_ref().and_then(|id| found.item(&keys::event(id)));
        let mut state = Self {
            account,
            topup: topup.map(topup::from_item).transpose()?,
            event: event.map(webhook_event::from_item).transpose()?,
            ..Self::default()
        };
        state.ended = ended(&found, unpaid.as_ref())?;
        state.unpaid = unpaid;
        read_gateway_refs(&mut state, &found, needs)?;
        // Boxed, because most operations concern no reversal, and their futures should not carry
        // its size.
        Box::pin(read_reversal(table, state, needs)).await
    }
}

fn read_unpaid(found: &Found, needs: &PaymentNeeds) -> Result<Option<UnpaidTopUps>, StoreError> {
    let Some(customer) = &needs.unpaid else { return Ok(None) };
    found.item(&keys::unpaid(customer)).map(|item| unpaid::from_item(customer, item)).transpose()
}

/// Returns those of the unpaid top-ups that are credited or gone, if there is no place for a further
/// one.
fn ended(found: &Found, unpaid: Option<&UnpaidTopUps>) -> Result<BTreeSet<TopUpId>, StoreError> {
    let mut ended = BTreeSet::new();
    for id in unpaid.filter(|unpaid| unpaid.is_full()).iter().flat_map(|unpaid| unpaid.topups.keys()) {
        let topup = found.item(&keys::topup(id)).map(topup::from_item).transpose()?;
        if topup.is_none_or(|topup| topup.credited.is_some()) {
            ended.insert(id.clone());
        }
    }
    Ok(ended)
}

/// Returns the keys of the quarantined reports to which gateway references lead.
fn quarantined(found: &Found, needs: &PaymentNeeds) -> Result<Vec<Key>, StoreError> {
    let mut more = Vec::new();
    for item in needs.refs.iter().filter_map(|key| found.item(&keys::gateway_ref(key))) {
        if let RefTarget::UnmatchedPayment(unmatched) = gateway_ref::from_item(item)?.to {
            more.push(keys::event(&unmatched.event));
        }
    }
    Ok(more)
}

fn read_gateway_refs(
    state: &mut PaymentState,
    found: &Found,
    needs: &PaymentNeeds,
) -> Result<(), StoreError> {
    for key in &needs.refs {
        let item = found.item(&keys::gateway_ref(key));
        let Some(gateway_ref) = item.map(gateway_ref::from_item).transpose()? else { continue };
        if let RefTarget::UnmatchedPayment(unmatched) = &gateway_ref.to
            && let Some(item) = found.item(&keys::event(&unmatched.event))
        {
            let quarantined = webhook_event::from_item(item)?;
            state.quarantined.insert(quarantined.id.clone(), quarantined);
        }
        state.refs.insert(key.clone(), gateway_ref);
    }
    Ok(())
}

/// Reads the movements of the refund or dispute, and the expiries of the credit that it takes back.
async fn read_reversal(
    table: &Table,
    state: PaymentState,
    needs: &PaymentNeeds,
) -> Result<PaymentState, StoreError> {
    let (Some(reversal), Some(topup)) = (&needs.reversal, &state.topup) else { return Ok(state) };
    let (Some(credited), customer) = (&topup.credited, topup.id.customer()) else { return Ok(state) };
    let account = AccountRef::wallet(customer);
    let mut moved = Vec::new();
    for id in topup.moves_with(reversal) {
        moved.extend(entries_caused(table, &account, &Cause::of_reversal(&id)).await?);
    }
    moved.sort_by_key(|entry| entry.seq);
    let expired = match credited.expires_on {
        Some(date) => entries_caused(table, &account, &Cause::of_expiry(date, credited.class)).await?,
        None => vec![],
    };
    Ok(PaymentState { moved, expired, ..state })
}
