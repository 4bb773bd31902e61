//! Beginning to pay in through a gateway.
//!
//! **Invariant:** the intent is stored before the gateway is asked, under an id that a repetition of the request
//! mints again; so whatever happens in between, there is one gateway order for it.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, EventId, Gateway, Handle, TopUpId};
use crate::ledger::command::{Command, Key, exact};
use crate::ledger::decision::{Decided, Decision};
use crate::money::Amount;
use crate::payments::limits;
use crate::payments::state::{Abandoned, Listing, Needs, State, TopUpOutcome, Write};
use crate::payments::topup::{LIFE_SECONDS, Placed, TopUp};
use crate::payments::webhook_event::{Lead, LeadTo};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Begin a top-up.
#[derive(Clone, Debug)]
pub struct InitiateTopUp {
    /// Into whose wallet.
    pub customer: CustomerId,
    /// How much.
    pub amount: Amount,
    /// Through which gateway.
    pub gateway: Gateway,
    /// Where the customer goes afterwards.
    pub return_url: Option<String>,
    /// Why.
    pub cause: Cause,
}

impl InitiateTopUp {
    /// The top-up that this request makes, or made.
    pub fn id(&self) -> TopUpId {
        TopUpId::mint(&self.customer, &self.cause)
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&[
            ("op", Some("topup".to_owned())),
            ("amount", Some(self.amount.to_string())),
            ("gateway", Some(self.gateway.as_str().to_owned())),
            ("return_url", self.return_url.clone()),
        ])
    }
}

impl Command for InitiateTopUp {
    type State = State;
    type Outcome = TopUpOutcome;
    type Write = Write;

    fn needs(&self) -> Needs {
        let id = self.id();
        Needs {
            leads: vec![Handle::topup(&id)],
            topup: Some(id),
            customer: Some(self.customer.clone()),
            ..Needs::default()
        }
    }

    /// The top-up's own key is the guard; the stored intent answers repetitions.
    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<TopUpOutcome, Write> {
        let id = self.id();
        let handle = Handle::topup(&id);
        let lead = state.leads.get(&handle);
        if let Some(topup) = &state.topup {
            if topup.fingerprint != self.fingerprint() {
                return Err(Rejection::KeyReused.into());
            }
            let waiting = lead.map(waiting).unwrap_or_default();
            return Ok(Decision::Already(TopUpOutcome { topup: topup.clone(), waiting }));
        }
        let account = state.account.as_ref().map(|loaded| &loaded.account);
        let account = account.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        let amount = exact(self.amount, account)?;
        let currency = account.currency()?;
        limits::check(self.gateway, amount, currency)?;
        let overflow = Rejection::Inconsistent("a top-up would end past the year 9999");
        let expires_at = context.now.plus_seconds(LIFE_SECONDS).ok_or(overflow)?;
        let topup = TopUp {
            id: id.clone(),
            amount,
            currency,
            gateway: self.gateway,
            return_url: self.return_url.clone(),
            fingerprint: self.fingerprint(),
            request: context.request.clone(),
            placed: None,
            failed: false,
            credited: None,
            transactions: vec![],
            events: vec![],
            reversals: BTreeMap::new(),
            created_at: context.now,
            expires_at,
            visit: Some(first_look(expires_at)),
            seq: 0,
            wallet_version: 0,
            version: 1,
        };
        let mut writes = vec![
            Write::OpenTopUp(topup.clone()),
            Write::List(Listing::TopUp { id: id.clone(), at: context.now }),
        ];
        // Written even if nothing waits, so that a report that has just not found the top-up cannot come to wait here.
        let waiting = lead.map(waiting).unwrap_or_default();
        writes.push(led(lead, &handle, LeadTo::TopUp(id)));
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting }, writes })
    }
}

/// When the gateway is asked first: ten minutes before the top-up expires.
fn first_look(expires_at: Timestamp) -> Timestamp {
    expires_at.minus_minutes(10)
}

/// Keep what the gateway made of an intent.
#[derive(Clone, Debug)]
pub struct PlaceTopUp {
    /// Which.
    pub topup: TopUpId,
    /// Through which gateway.
    pub gateway: Gateway,
    /// What the gateway made of it.
    pub placed: Placed,
}

impl Command for PlaceTopUp {
    type State = State;
    type Outcome = TopUpOutcome;
    type Write = Write;

    fn needs(&self) -> Needs {
        let order = Handle::order(self.gateway, &self.placed.order);
        Needs { topup: Some(self.topup.clone()), leads: vec![order], ..Needs::default() }
    }

    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<TopUpOutcome, Write> {
        let mut topup = state.topup.clone().ok_or(Rejection::TopUpNotFound)?;
        let order = Handle::order(self.gateway, &self.placed.order);
        let lead = state.leads.get(&order);
        let waiting = lead.map(waiting).unwrap_or_default();
        if topup.placed.is_some() {
            return Ok(Decision::Already(TopUpOutcome { topup, waiting }));
        }
        topup.placed = Some(self.placed.clone());
        // One that was given up before it was placed is looked at again.
        if topup.visit.is_none() && topup.credited.is_none() {
            topup.visit = context.now.plus_seconds(LIFE_SECONDS);
        }
        let was = topup.version;
        topup.version += 1;
        let writes = vec![
            Write::TopUp { topup: topup.clone(), was },
            led(lead, &order, LeadTo::TopUp(self.topup.clone())),
        ];
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting }, writes })
    }
}

/// Take back an intent that its gateway has refused for good: nothing is left of it, and its cause is free.
#[derive(Clone, Debug)]
pub struct AbandonTopUp {
    /// The intent that was refused.
    pub refused: TopUp,
}

impl Command for AbandonTopUp {
    type State = State;
    type Outcome = Abandoned;
    type Write = Write;

    fn needs(&self) -> Needs {
        let id = self.refused.id.clone();
        Needs { leads: vec![Handle::topup(&id)], topup: Some(id), ..Needs::default() }
    }

    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, _: &Context) -> Decided<Abandoned, Write> {
        let Some(topup) = &state.topup else { return Ok(Decision::Already(Abandoned::Gone)) };
        // Another intent of the same cause, or one that the gateway has taken after all, stays.
        let same = (&topup.fingerprint, &topup.request) == (&self.refused.fingerprint, &self.refused.request);
        if !same || topup.placed.is_some() || topup.credited.is_some() {
            return Ok(Decision::Already(Abandoned::Kept(Box::new(topup.clone()))));
        }
        let mut writes = vec![
            Write::DropTopUp { id: topup.id.clone(), was: topup.version },
            Write::Unlist(Listing::TopUp { id: topup.id.clone(), at: topup.created_at }),
        ];
        let handle = Handle::topup(&topup.id);
        if let Some(lead) = state.leads.get(&handle) {
            writes.push(Write::DropLead { handle, was: lead.version });
        }
        Ok(Decision::Commit { outcome: Abandoned::Gone, writes })
    }
}

/// Note that the gateway was asked once more.
#[derive(Clone, Debug)]
pub struct CloseTopUp {
    /// Which.
    pub topup: TopUpId,
}

impl Command for CloseTopUp {
    type State = State;
    type Outcome = TopUpOutcome;
    type Write = Write;

    fn needs(&self) -> Needs {
        Needs { topup: Some(self.topup.clone()), ..Needs::default() }
    }

    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<TopUpOutcome, Write> {
        let mut topup = state.topup.clone().ok_or(Rejection::TopUpNotFound)?;
        if topup.visit.is_none() {
            return Ok(Decision::Already(TopUpOutcome { topup, waiting: vec![] }));
        }
        // Before it expires, and when it has: nothing that was paid at the last moment is missed.
        topup.visit = (context.now < topup.expires_at).then_some(topup.expires_at);
        let was = topup.version;
        topup.version += 1;
        let writes = vec![Write::TopUp { topup: topup.clone(), was }];
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting: vec![] }, writes })
    }
}

/// The reports that wait under a lead.
pub(crate) fn waiting(lead: &Lead) -> Vec<EventId> {
    match &lead.to {
        LeadTo::Waiting(events) => events.clone(),
        LeadTo::Stray(_) | LeadTo::TopUp(_) => vec![],
    }
}

/// The write of a lead that leads elsewhere now.
pub(crate) fn led(lead: Option<&Lead>, handle: &Handle, to: LeadTo) -> Write {
    let was = lead.map_or(0, |lead| lead.version);
    Write::Lead { lead: Lead { handle: handle.clone(), to, version: was + 1 }, was }
}
