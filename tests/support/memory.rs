//! The ledger in memory: the same decisions and conditions as in the store, without a table.
//!
//! **Invariant:** a commit applies all of its writes or none, and each only if its condition holds.

use domain::alert::Alert;
use domain::audit::WalletBooks;
use domain::cause::Cause;
use domain::context::Context;
use domain::currency::Currency;
use domain::ids::{
    AccountKind, AccountRef, AlertId, CustomerId, EventId, GatewayKey, HoldId, OrderId, TopUpId,
};
use domain::ledger::account::{Account, StatusChange};
use domain::ledger::audit::Books;
use domain::ledger::command::{Command, State};
use domain::ledger::decision::{Conditional, Decision, NoDecision, Outcome, Write};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::ledger::owed::OwedChange;
use domain::ledger::points::PointValues;
use domain::ledger::posting::LoadedAccount;
use domain::ledger::statistics::MonthFigures;
use domain::payments;
use domain::payments::audit::PaymentBooks;
use domain::payments::state::Listing;
use domain::payments::topup::TopUp;
use domain::payments::unpaid::UnpaidTopUps;
use domain::payments::webhook_event::{GatewayRef, RefTarget, WebhookEvent};
use domain::rejection::Rejection;
use domain::time::{Date, Timestamp};
use domain::wallet;
use domain::wallet::profile::{LoadedWallet, Profile};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The stored items of one property test.
#[derive(Default)]
pub struct Memory {
    /// Accounts by reference.
    pub accounts: BTreeMap<AccountRef, Account>,
    /// Wallet profiles by customer.
    pub profiles: BTreeMap<CustomerId, Profile>,
    /// Entries by account and cause.
    pub entries: BTreeMap<(AccountRef, Cause), Entry>,
    /// Holds by id.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Orders by id.
    pub orders: BTreeMap<OrderId, Order>,
    /// Top-ups by id.
    pub topups: BTreeMap<TopUpId, TopUp>,
    /// Gateway references by key.
    pub refs: BTreeMap<GatewayKey, GatewayRef>,
    /// Figures of months that have ended, by account.
    pub months: BTreeMap<AccountRef, Vec<MonthFigures>>,
    /// Unpaid top-ups by customer.
    pub unpaid: BTreeMap<CustomerId, UnpaidTopUps>,
    /// Webhook events by id.
    pub events: BTreeMap<EventId, WebhookEvent>,
    /// Open alerts by id.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// Items in the lists of payments.
    pub lists: Vec<Listing>,
    /// Changes of the owed amount, each with the account version that it produced.
    pub owed: BTreeMap<AccountRef, Vec<(u64, OwedChange)>>,
    /// Status changes, each with the account version that it produced.
    pub statuses: BTreeMap<AccountRef, Vec<(u64, StatusChange)>>,
}

/// A state that can be read from memory.
pub trait InMemory: State {
    /// Reads the items that the needs name.
    fn read(memory: &Memory, needs: &Self::Needs) -> Self;
}

/// A write that can be applied to memory.
pub trait Apply: Conditional + Clone {
    /// Returns true if the write's condition holds.
    fn may_apply(&self, memory: &Memory) -> bool;
    /// Applies the write.
    fn apply(self, memory: &mut Memory);
}

/// A command of any area.
pub trait AnyCommand {
    /// Executes the command; returns its entry, if it posted one, and whether it is a replay.
    fn run(&self, memory: &mut Memory, context: &Context) -> Result<(Option<Entry>, bool), Rejection>;
}

impl<C> AnyCommand for C
where
    C: Command,
    C::State: InMemory,
    C::Write: Apply,
    C::Outcome: 'static,
{
    fn run(&self, memory: &mut Memory, context: &Context) -> Result<(Option<Entry>, bool), Rejection> {
        let (outcome, again) = memory.execute(self, context)?;
        Ok(((&outcome as &dyn Any).downcast_ref::<Entry>().cloned(), again))
    }
}

impl Memory {
    /// Returns an account with all its open holds.
    pub fn loaded(&self, id: &AccountRef) -> Option<LoadedAccount> {
        let account = self.accounts.get(id)?.clone();
        let due_holds = account.holds.keys().filter_map(|id| self.holds.get(id)).cloned().collect();
        let values = (id.kind == AccountKind::Points).then(|| {
            let currency = Currency::parse("INR").unwrap();
            Arc::new(PointValues { currency, from: vec![(Timestamp::start_of(Date::MIN), 1.into())] })
        });
        Some(LoadedAccount { account, due_holds, values })
    }

    fn wallet(&self, customer: &CustomerId) -> Option<LoadedWallet> {
        let loaded = self.loaded(&AccountRef::wallet(customer))?;
        Some(LoadedWallet { loaded, profile: self.profiles[customer].clone() })
    }

    /// Executes a command; the flag is true for a replay.
    pub fn execute<C>(&mut self, command: &C, context: &Context) -> Result<(C::Outcome, bool), Rejection>
    where
        C: Command,
        C::State: InMemory,
        C::Write: Apply,
    {
        loop {
            let state = C::State::read(self, &command.needs());
            match command.decide(&state, context) {
                Err(NoDecision::SettleFirst(writes)) => {
                    assert!(self.commit(&writes), "the writes of a settlement are refused");
                }
                Ok(Decision::Partly(writes)) => assert!(self.commit(&writes), "a partial commit is refused"),
                Ok(Decision::Already(outcome)) => return Ok((outcome, true)),
                Ok(Decision::Commit { outcome, writes }) => {
                    if self.commit(&writes) {
                        return Ok((outcome, false));
                    }
                    return self.replay(command, &state).unwrap_or_else(|| panic!("no entry has its cause"));
                }
                Err(NoDecision::Rejected(rejection)) => {
                    return self.replay(command, &state).unwrap_or(Err(rejection));
                }
            }
        }
    }

    fn replay<C>(&self, command: &C, state: &C::State) -> Option<Result<(C::Outcome, bool), Rejection>>
    where
        C: Command,
        C::State: InMemory,
    {
        let key = command.key(state)?;
        let account = C::State::accounts(&command.needs()).into_iter().next()?;
        let entry = self.entries.get(&(account, key.cause.clone()))?;
        let outcome = C::Outcome::of_entry(entry.clone()).expect("an entry of another kind");
        Some(key.answers(entry).map(|()| (outcome, true)))
    }

    fn commit<W: Apply>(&mut self, writes: &[W]) -> bool {
        assert!(writes.len() <= 100, "{} writes exceed the limit of a transaction", writes.len());
        if !writes.iter().all(|write| write.may_apply(self)) {
            return false;
        }
        for write in writes {
            write.clone().apply(self);
        }
        true
    }

    /// Returns the account as settled at an instant.
    pub fn settled(&self, id: &AccountRef, now: Timestamp) -> Option<Account> {
        Some(self.loaded(id)?.settled(now).unwrap().account)
    }

    /// Returns everything stored about an account.
    pub fn books(&self, id: &AccountRef) -> Books {
        let last = self.accounts[id].seq;
        let own = |order: &&Order| id.wallet_customer() == Some(&order.customer);
        Books {
            id: id.clone(),
            named: true,
            account: self.accounts.get(id).cloned(),
            statuses: self.statuses.get(id).cloned().unwrap_or_default(),
            seen: last,
            account_seq: last,
            holds: self.holds.values().filter(|hold| hold.id.account() == id).cloned().collect(),
            orders: self.orders.values().filter(own).cloned().collect(),
            owed: self.owed.get(id).cloned().unwrap_or_default(),
            months: self.months.get(id).cloned().unwrap_or_default(),
            entries: self.entries.values().filter(|entry| entry.account == *id).cloned().collect(),
        }
    }

    /// Returns everything stored about a wallet.
    pub fn wallet_books(&self, customer: &CustomerId) -> WalletBooks {
        let own = |topup: &&TopUp| topup.id.customer() == customer;
        WalletBooks {
            ledger: self.books(&AccountRef::wallet(customer)),
            profile: Some(self.profiles[customer].clone()),
            referred: None,
            referral: Some(self.profiles[customer].referral_code.clone()),
            payments: PaymentBooks {
                topups: self.topups.values().filter(own).cloned().collect(),
                resolved: self.topups.keys().cloned().collect(),
            },
        }
    }
}

impl InMemory for wallet::state::WalletState {
    fn read(memory: &Memory, needs: &wallet::state::WalletNeeds) -> Self {
        let hold = needs.hold.as_ref().and_then(|id| memory.holds.get(id)).cloned();
        let held = hold.as_ref().and_then(|hold| hold.view.order_id.clone());
        let order = needs.order.clone().or(held);
        Self {
            wallet: memory.wallet(&needs.customer),
            counterparty: needs.counterparty.as_ref().and_then(|id| memory.wallet(id)),
            order: order.and_then(|id| memory.orders.get(&id)).cloned(),
            hold,
            codes_taken: 0,
            reports: None,
        }
    }
}

impl InMemory for payments::state::PaymentState {
    fn read(memory: &Memory, needs: &payments::state::PaymentNeeds) -> Self {
        let topup = needs.topup.as_ref().and_then(|id| memory.topups.get(id)).cloned();
        let known = |at: &GatewayKey| Some((at.clone(), memory.refs.get(at)?.clone()));
        let refs: BTreeMap<GatewayKey, GatewayRef> = needs.refs.iter().filter_map(known).collect();
        let unmatched_payments = refs.values().filter_map(|gateway_ref| match &gateway_ref.to {
            RefTarget::UnmatchedPayment(unmatched) => {
                Some((unmatched.event.clone(), memory.events.get(&unmatched.event)?.clone()))
            }
            _ => None,
        });
        let credited = topup.as_ref().and_then(|topup| Some((topup.id.customer(), topup.credited.as_ref()?)));
        let caused = |prefix: String| {
            let account = AccountRef::wallet(credited.unwrap().0);
            let mine = |entry: &&Entry| entry.account == account && entry.cause.as_str().starts_with(&prefix);
            let mut found: Vec<Entry> = memory.entries.values().filter(mine).cloned().collect();
            found.sort_by_key(|entry| entry.seq);
            found
        };
        let (moved, expired) = match (&needs.reversal, credited) {
            (Some(id), Some((_, credited))) => {
                let linked = topup.as_ref().unwrap().moves_with(id);
                let expired = |date| caused(Cause::of_expiry(date, credited.class));
                let moved = linked.iter().flat_map(|id| caused(Cause::of_reversal(id))).collect();
                (moved, credited.expires_on.map_or(vec![], expired))
            }
            _ => (vec![], vec![]),
        };
        let account = needs.customer.as_ref().map(AccountRef::wallet);
        let unpaid = needs.unpaid.as_ref().and_then(|customer| memory.unpaid.get(customer));
        let ended = |id: &&TopUpId| memory.topups.get(id).is_none_or(|topup| topup.credited.is_some());
        Self {
            account: account.and_then(|id| memory.loaded(&id)),
            quarantined: unmatched_payments.collect(),
            event: needs.event.as_ref().and_then(|id| memory.events.get(id)).cloned(),
            topup,
            moved,
            expired,
            refs,
            ended: match unpaid {
                Some(unpaid) if unpaid.is_full() => unpaid.topups.keys().filter(ended).cloned().collect(),
                _ => BTreeSet::new(),
            },
            unpaid: unpaid.cloned(),
        }
    }
}

impl Apply for Write {
    fn may_apply(&self, memory: &Memory) -> bool {
        match self {
            Self::Account { account, was } => memory.accounts[&account.id].version == *was,
            Self::Entry(entry) => !memory.entries.contains_key(&(entry.account.clone(), entry.cause.clone())),
            Self::PlaceHold(hold) => !memory.holds.contains_key(&hold.id),
            Self::Hold { hold, was } => memory.holds[&hold.id].seq == *was,
            Self::StatusRecord { .. }
            | Self::OwedRecord { .. }
            | Self::Month { .. }
            | Self::ReportDay { .. } => true,
        }
    }

    fn apply(self, memory: &mut Memory) {
        match self {
            Self::Account { account, .. } => {
                memory.accounts.insert(account.id.clone(), *account);
            }
            Self::Entry(entry) => {
                memory.entries.insert((entry.account.clone(), entry.cause.clone()), *entry);
            }
            Self::PlaceHold(hold) | Self::Hold { hold, .. } => {
                memory.holds.insert(hold.id.clone(), hold);
            }
            Self::ReportDay { .. } => {}
            Self::StatusRecord { account, version, change } => {
                memory.statuses.entry(account).or_default().push((version, change));
            }
            Self::Month { account, figures } => {
                memory.months.entry(account).or_default().push(figures);
            }
            Self::OwedRecord { account, version, change, .. } => {
                memory.owed.entry(account).or_default().push((version, change));
            }
        }
    }
}

impl Apply for wallet::state::WalletWrite {
    fn may_apply(&self, memory: &Memory) -> bool {
        match self {
            Self::Ledger(write) => write.may_apply(memory),
            Self::Open(wallet) => !memory.accounts.contains_key(&wallet.account.id),
            Self::OpenOrder(order) => !memory.orders.contains_key(&order.id),
            Self::Order { order, was } => memory.orders[&order.id].version == *was,
            Self::ListOrder { .. } | Self::ReferralCode { .. } => true,
        }
    }

    fn apply(self, memory: &mut Memory) {
        match self {
            Self::Ledger(write) => write.apply(memory),
            Self::Open(wallet) => {
                memory.profiles.insert(wallet.customer().clone(), wallet.profile.clone());
                memory.accounts.insert(wallet.account.id.clone(), wallet.account);
            }
            Self::OpenOrder(order) | Self::Order { order, .. } => {
                memory.orders.insert(order.id.clone(), order);
            }
            Self::ListOrder { .. } | Self::ReferralCode { .. } => {}
        }
    }
}

impl Apply for payments::state::PaymentWrite {
    fn may_apply(&self, memory: &Memory) -> bool {
        match self {
            Self::Ledger(write) => write.may_apply(memory),
            Self::OpenTopUp(topup) => !memory.topups.contains_key(&topup.id),
            Self::TopUp { topup, was } => memory.topups[&topup.id].version == *was,
            Self::DropTopUp { id, was } => memory.topups.get(id).is_some_and(|topup| topup.version == *was),
            Self::DropRef { key, was } => {
                memory.refs.get(key).is_some_and(|gateway_ref| gateway_ref.version == *was)
            }
            Self::Event { event, was, .. } => memory.events.get(&event.id).map_or(0, |e| e.version) == *was,
            Self::GatewayRef { gateway_ref, was } => {
                memory.refs.get(&gateway_ref.key).map_or(0, |l| l.version) == *was
            }
            Self::Unpaid { unpaid, was } => {
                memory.unpaid.get(&unpaid.customer).map_or(0, |unpaid| unpaid.version) == *was
            }
            Self::Alert(_) | Self::List(_) | Self::Unlist(_) => true,
        }
    }

    fn apply(self, memory: &mut Memory) {
        match self {
            Self::Ledger(write) => write.apply(memory),
            Self::OpenTopUp(topup) | Self::TopUp { topup, .. } => {
                memory.topups.insert(topup.id.clone(), topup);
            }
            Self::DropTopUp { id, .. } => {
                memory.topups.remove(&id);
            }
            Self::DropRef { key, .. } => {
                memory.refs.remove(&key);
            }
            Self::Unpaid { unpaid, .. } => {
                memory.unpaid.insert(unpaid.customer.clone(), unpaid);
            }
            Self::Event { event, .. } => {
                memory.events.insert(event.id.clone(), event);
            }
            Self::GatewayRef { gateway_ref, .. } => {
                memory.refs.insert(gateway_ref.key.clone(), gateway_ref);
            }
            Self::Alert(alert) if alert.closed_at.is_none() => {
                memory.alerts.insert(alert.id.clone(), alert);
            }
            Self::Alert(alert) => {
                memory.alerts.remove(&alert.id).expect("closed an alert that is not open");
            }
            Self::List(listing) => memory.lists.push(listing),
            Self::Unlist(listing) => {
                let at = memory.lists.iter().position(|had| *had == listing).expect("not listed");
                memory.lists.remove(at);
            }
        }
    }
}
