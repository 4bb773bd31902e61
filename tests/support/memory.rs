//! The ledger in memory: the same decisions and conditions as the store's, without a table.
//!
//! **Invariant:** writes apply all or none, and each only under its condition.

use domain::alert::Alert;
use domain::cause::Cause;
use domain::context::Context;
use domain::ids::{AlertId, CustomerId, EventId, Handle, HoldId, OrderId, TopUpId};
use domain::ledger::account::{Account, StatusChange};
use domain::ledger::audit::{Books, prove};
use domain::ledger::command::{Command, State};
use domain::ledger::decision::{Decision, Listing, Outcome, Write};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::ledger::owed::OwedChange;
use domain::ledger::posting::Party;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::{Event, Lead, LeadTo};
use domain::rejection::Rejection;
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// All wallets of one property test.
#[derive(Default)]
pub struct Memory {
    /// By customer.
    pub accounts: BTreeMap<CustomerId, Account>,
    /// By customer and cause.
    pub entries: BTreeMap<(CustomerId, Cause), Entry>,
    /// By id.
    pub holds: BTreeMap<HoldId, Hold>,
    /// By id.
    pub orders: BTreeMap<OrderId, Order>,
    /// By id.
    pub topups: BTreeMap<TopUpId, TopUp>,
    /// By what they are known under.
    pub leads: BTreeMap<Handle, Lead>,
    /// By id.
    pub events: BTreeMap<EventId, Event>,
    /// The open alerts.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// The places in lists.
    pub lists: Vec<Listing>,
    /// By customer, with the version that each made.
    pub owed: BTreeMap<CustomerId, Vec<(u64, OwedChange)>>,
    /// By customer, with the version that each made.
    pub statuses: BTreeMap<CustomerId, Vec<(u64, StatusChange)>>,
}

impl Memory {
    fn party(&self, customer: &CustomerId) -> Option<Party> {
        let account = self.accounts.get(customer)?.clone();
        let due_holds = account.holds.keys().filter_map(|id| self.holds.get(id)).cloned().collect();
        Some(Party { account, due_holds })
    }

    fn load(&self, command: &dyn Command) -> State {
        let needs = command.needs();
        let hold = needs.hold.and_then(|id| self.holds.get(&id)).cloned();
        let order = needs.order.or_else(|| hold.as_ref().and_then(|hold| hold.view.order_id.clone()));
        let topup = needs.topup.and_then(|id| self.topups.get(&id)).cloned();
        let leads: BTreeMap<Handle, Lead> =
            needs.leads.iter().filter_map(|at| Some((at.clone(), self.leads.get(at)?.clone()))).collect();
        let strays = leads.values().filter_map(|lead| match &lead.to {
            LeadTo::Stray(stray) => Some((stray.event.clone(), self.events.get(&stray.event)?.clone())),
            _ => None,
        });
        let credited = topup.as_ref().and_then(|topup| Some((topup.id.customer(), topup.credited.as_ref()?)));
        let caused = |prefix: String| {
            let (customer, _) = credited.unwrap();
            let mine =
                |entry: &&Entry| entry.customer == *customer && entry.cause.as_str().starts_with(&prefix);
            let mut found: Vec<Entry> = self.entries.values().filter(mine).cloned().collect();
            found.sort_by_key(|entry| entry.seq);
            found
        };
        let (moved, expired) = match (&needs.reversal, credited) {
            (Some(id), Some((_, credited))) => (
                topup
                    .as_ref()
                    .unwrap()
                    .moves_with(id)
                    .iter()
                    .flat_map(|id| caused(Cause::of_reversal(id)))
                    .collect(),
                credited.expires_on.map_or(vec![], |date| caused(Cause::of_expiry(date, credited.class))),
            ),
            _ => (vec![], vec![]),
        };
        State {
            quarantined: strays.collect(),
            event: needs.event.and_then(|id| self.events.get(&id)).cloned(),
            topup,
            moved,
            expired,
            party: needs.customer.and_then(|id| self.party(&id)),
            counterparty: needs.counterparty.and_then(|id| self.party(&id)),
            order: order.and_then(|id| self.orders.get(&id)).cloned(),
            hold,
            leads,
            codes_taken: 0,
        }
    }

    /// Carries out a command; true if it was done before.
    pub fn execute(
        &mut self,
        command: &dyn Command,
        context: &Context,
    ) -> Result<(Outcome, bool), Rejection> {
        loop {
            let state = self.load(command);
            match command.decide(&state, context) {
                Ok(Decision::SettleFirst(writes)) => assert!(self.commit(&writes), "settling is refused"),
                Ok(Decision::Already(outcome)) => return Ok((outcome, true)),
                Ok(Decision::Commit { outcome, writes }) => {
                    if self.commit(&writes) {
                        return Ok((outcome, false));
                    }
                    return self.replay(command, &state).unwrap_or_else(|| panic!("refused without a cause"));
                }
                Err(rejection) => return self.replay(command, &state).unwrap_or(Err(rejection)),
            }
        }
    }

    fn replay(&self, command: &dyn Command, state: &State) -> Option<Result<(Outcome, bool), Rejection>> {
        let key = command.key(state)?;
        let entry = self.entries.get(&(command.needs().customer?, key.cause.clone()))?;
        Some(key.answers(entry).map(|()| (Outcome::Entry(Box::new(entry.clone())), true)))
    }

    fn holds_true(&self, write: &Write) -> bool {
        match write {
            Write::OpenAccount(account) => !self.accounts.contains_key(&account.customer),
            Write::Account { account, was } => self.accounts[&account.customer].version == *was,
            Write::Entry(entry) => !self.entries.contains_key(&(entry.customer.clone(), entry.cause.clone())),
            Write::PlaceHold(hold) => !self.holds.contains_key(&hold.id),
            Write::Hold { hold, was } => self.holds[&hold.id].seq == *was,
            Write::OpenOrder(order) => !self.orders.contains_key(&order.id),
            Write::Order { order, was } => self.orders[&order.id].version == *was,
            Write::OpenTopUp(topup) => !self.topups.contains_key(&topup.id),
            Write::TopUp { topup, was } => self.topups[&topup.id].version == *was,
            Write::DropTopUp { id, was } => self.topups.get(id).is_some_and(|topup| topup.version == *was),
            Write::DropLead { handle, was } => {
                self.leads.get(handle).is_some_and(|lead| lead.version == *was)
            }
            Write::Event { event, was, .. } => self.events.get(&event.id).map_or(0, |e| e.version) == *was,
            Write::Lead { lead, was } => self.leads.get(&lead.handle).map_or(0, |l| l.version) == *was,
            Write::ListOrder { .. }
            | Write::ReferralCode { .. }
            | Write::StatusRecord { .. }
            | Write::OwedRecord { .. }
            | Write::Alert(_)
            | Write::List(_)
            | Write::Unlist(_) => true,
        }
    }

    fn commit(&mut self, writes: &[Write]) -> bool {
        assert!(writes.len() <= 100, "{} writes do not fit a transaction", writes.len());
        if !writes.iter().all(|write| self.holds_true(write)) {
            return false;
        }
        for write in writes {
            match write.clone() {
                Write::OpenAccount(account) | Write::Account { account, .. } => {
                    self.accounts.insert(account.customer.clone(), account);
                }
                Write::Entry(entry) => {
                    self.entries.insert((entry.customer.clone(), entry.cause.clone()), *entry);
                }
                Write::PlaceHold(hold) | Write::Hold { hold, .. } => {
                    self.holds.insert(hold.id.clone(), hold);
                }
                Write::OpenOrder(order) | Write::Order { order, .. } => {
                    self.orders.insert(order.id.clone(), order);
                }
                Write::StatusRecord { customer, version, change } => {
                    self.statuses.entry(customer).or_default().push((version, change));
                }
                Write::OwedRecord { customer, version, change, .. } => {
                    self.owed.entry(customer).or_default().push((version, change));
                }
                Write::OpenTopUp(topup) | Write::TopUp { topup, .. } => {
                    self.topups.insert(topup.id.clone(), topup);
                }
                Write::DropTopUp { id, .. } => {
                    self.topups.remove(&id);
                }
                Write::DropLead { handle, .. } => {
                    self.leads.remove(&handle);
                }
                Write::Event { event, .. } => {
                    self.events.insert(event.id.clone(), event);
                }
                Write::Lead { lead, .. } => {
                    self.leads.insert(lead.handle.clone(), lead);
                }
                Write::Alert(alert) if alert.closed_at.is_none() => {
                    self.alerts.insert(alert.id.clone(), alert);
                }
                Write::Alert(alert) => {
                    self.alerts.remove(&alert.id).expect("an alert is closed that is not open");
                }
                Write::List(listing) => self.lists.push(listing),
                Write::Unlist(listing) => {
                    let at = self.lists.iter().position(|had| *had == listing).expect("not listed");
                    self.lists.remove(at);
                }
                Write::ListOrder { .. } | Write::ReferralCode { .. } => {}
            }
        }
        true
    }

    /// The wallet as it stands at an instant.
    pub fn settled(&self, customer: &CustomerId, now: Timestamp) -> Option<Account> {
        Some(self.party(customer)?.settled(now).unwrap().account)
    }

    /// Proves every wallet.
    pub fn prove(&self) {
        for customer in self.accounts.keys() {
            let last = self.accounts[customer].seq;
            let books = Books {
                customer: customer.clone(),
                referral: Some(self.accounts[customer].referral_code.clone()),
                seen: last,
                reached: last,
                owed: self.owed.get(customer).cloned().unwrap_or_default(),
                led: self.topups.keys().cloned().collect(),
                topups: self
                    .topups
                    .values()
                    .filter(|topup| topup.id.customer() == customer)
                    .cloned()
                    .collect(),
                statuses: self.statuses.get(customer).cloned().unwrap_or_default(),
                account: self.accounts.get(customer).cloned(),
                holds: self.holds.values().filter(|hold| hold.customer() == customer).cloned().collect(),
                orders: self.orders.values().filter(|order| order.customer == *customer).cloned().collect(),
                entries: self.entries.values().filter(|entry| entry.customer == *customer).cloned().collect(),
            };
            let proof = prove(&books);
            assert!(proof.differences.is_empty(), "{:?}", proof.differences);
        }
    }
}
