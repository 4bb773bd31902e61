//! Load, decide, commit: an operation carried through to one certain outcome.
//!
//! **Invariant:** a cause is served once; whoever comes again with it gets what the first got.
//! **Invariant:** a replay beats every rule: a refusal is only believed when the cause is known to have no
//! entry at the very state that was refused on.
//! **Invariant:** after a send of unknown outcome, a refusal or "nothing was applied" is only answered once
//! the account has moved past the version that the send demanded, so it can no longer be applied.

use crate::Store;
use crate::engine::error::StoreError;
use crate::engine::retry::Effort;
use crate::wallet::commit::Sent;
use crate::wallet::load::MAX_TORN;
use domain::context::Context;
use domain::ids::EventId;
use domain::ledger::account::Account;
use domain::ledger::command::{Command, Key, State};
use domain::ledger::decision::{Decision, Outcome, Refused, Write};
use domain::ledger::entry::Entry;
use domain::ledger::order::Order;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::Event;
use domain::rejection::Rejection;

/// An operation that is done.
#[derive(Debug)]
pub struct Done {
    /// What to answer from.
    pub outcome: Outcome,
    /// True if an earlier request did it.
    pub replayed: bool,
    /// How often it had to be tried again.
    pub retries: u32,
    /// How many entries were written, those that had fallen due included.
    pub entries: u32,
}

impl Done {
    /// The entry of an operation that is a movement.
    pub fn entry(&self) -> Option<&Entry> {
        if let Outcome::Entry(entry) = &self.outcome { Some(entry) } else { None }
    }

    /// The wallet that an operation left that is no movement.
    pub fn account(&self) -> Option<&Account> {
        if let Outcome::Account(account) = &self.outcome { Some(account) } else { None }
    }

    /// The order that was registered.
    pub fn order(&self) -> Option<&Order> {
        if let Outcome::Order(order) = &self.outcome { Some(order) } else { None }
    }

    /// The top-up as it was left, and the reports that had waited for it.
    pub fn topup(&self) -> Option<(&TopUp, &[EventId])> {
        if let Outcome::TopUp(topup, waiting) = &self.outcome { Some((topup, waiting)) } else { None }
    }

    /// What became of a report.
    pub fn event(&self) -> Option<&Event> {
        if let Outcome::Event(event, _) = &self.outcome { Some(event) } else { None }
    }
}

/// One operation under way.
struct Attempt<'a> {
    store: &'a Store,
    command: &'a dyn Command,
    context: &'a Context,
    effort: Effort,
    /// The version that a send of unknown outcome demanded (zero: that there be no account).
    unsure: Option<u64>,
    /// What went wrong last.
    trouble: String,
    /// True if the last trouble was silence, not others.
    silent: bool,
    codes_taken: u32,
    /// Entries written so far.
    entries: u32,
    /// How often the items read contradicted each other.
    torn: u32,
}

impl Store {
    /// Carries out a command: exactly once for its cause, or not at all.
    pub async fn execute(&self, command: &dyn Command, context: &Context) -> Result<Done, StoreError> {
        let mut attempt = Attempt {
            store: self,
            command,
            context,
            effort: Effort::new(self.patience),
            unsure: None,
            trouble: String::new(),
            silent: false,
            codes_taken: 0,
            entries: 0,
            torn: 0,
        };
        loop {
            if let Some(done) = attempt.once().await? {
                return Ok(done);
            }
            if !attempt.effort.again().await {
                return Err(attempt.give_up());
            }
        }
    }
}

/// Nothing came of this try; try again.
const AGAIN: Option<Done> = None;

impl Attempt<'_> {
    async fn once(&mut self) -> Result<Option<Done>, StoreError> {
        let needs = self.command.needs();
        let mut state = match self.store.load(&needs, self.context.now).await {
            Ok(state) => state,
            Err(error) => return self.hindered(error),
        };
        state.codes_taken = self.codes_taken;
        let version = version_of(&state);
        if self.unsure.is_some_and(|unsure| version > unsure) {
            // The account has moved: by that send, or so that it can no longer be applied. Its cause tells.
            if let (Some(key), Some(customer)) = (self.command.key(&state), &needs.customer) {
                match self.store.together(&[customer], (customer, &key.cause)).await {
                    Ok((_, Some(entry))) => return self.answer(&key, entry).map(Some),
                    Ok((_, None)) => {}
                    Err(error) => return self.hindered(error),
                }
            }
            self.unsure = None;
        }
        match self.command.decide(&state, self.context) {
            Ok(Decision::Already(outcome)) => {
                let replayed = match &outcome {
                    Outcome::Account(account) => account.opening.request != self.context.request,
                    Outcome::Entry(entry) => !self.is_mine(entry),
                    Outcome::Order(order) => order.request != self.context.request,
                    Outcome::TopUp(topup, _) => topup.request != self.context.request,
                    Outcome::Event(event, _) => event.request != self.context.request,
                    Outcome::Nothing | Outcome::Elsewhere(_) => false,
                };
                Ok(Some(self.done(outcome, replayed)))
            }
            Ok(Decision::SettleFirst(writes)) => self.settle(&writes).await,
            Ok(Decision::Commit { outcome, writes }) => self.commit(&state, outcome, &writes).await,
            // Items read at different moments may contradict each other; what is stored does not.
            Err(Rejection::Inconsistent(what)) if self.torn < MAX_TORN => {
                self.torn += 1;
                self.troubled(what.to_owned(), true);
                Ok(AGAIN)
            }
            Err(rejection) => self.doubt(&state, rejection).await,
        }
    }

    /// What is due is written down; it is true whatever becomes of the operation.
    async fn settle(&mut self, writes: &[Write]) -> Result<Option<Done>, StoreError> {
        match self.store.send(writes).await? {
            Sent::Committed => self.entries += count_entries(writes),
            Sent::Busy(what) | Sent::Unknown(what) => self.troubled(what, false),
            Sent::Refused(..) => {}
        }
        Ok(AGAIN)
    }

    async fn commit(
        &mut self,
        state: &State,
        outcome: Outcome,
        writes: &[Write],
    ) -> Result<Option<Done>, StoreError> {
        match self.store.send(writes).await? {
            Sent::Committed => {
                self.entries += count_entries(writes);
                Ok(Some(self.done(outcome, false)))
            }
            Sent::Refused(Refused::Caused, Some(found)) => {
                match self.command.key(state).filter(|key| key.cause == found.cause) {
                    Some(key) => self.answer(&key, *found).map(Some),
                    // Another's writing down of what was due came first.
                    None => Ok(AGAIN),
                }
            }
            Sent::Refused(Refused::CodeTaken, _) => {
                self.codes_taken += 1;
                Ok(AGAIN)
            }
            Sent::Refused(Refused::Caused | Refused::Opened | Refused::Stale, _) => {
                self.troubled("the state moved".to_owned(), false);
                Ok(AGAIN)
            }
            Sent::Busy(what) => {
                self.troubled(what, false);
                Ok(AGAIN)
            }
            Sent::Unknown(what) => {
                tracing::warn!(what, "outcome of a transaction is unknown");
                self.unsure = Some(version_of(state));
                self.troubled(what, true);
                Ok(AGAIN)
            }
        }
    }

    /// A refusal: true, or is the request one that was served before?
    async fn doubt(&mut self, state: &State, rejection: Rejection) -> Result<Option<Done>, StoreError> {
        let needs = self.command.needs();
        let (Some(key), Some(customer)) = (self.command.key(state), &needs.customer) else {
            return if self.unsure.is_some() { Ok(AGAIN) } else { Err(rejection.into()) };
        };
        let mut parties = vec![customer];
        parties.extend(&needs.counterparty);
        let (accounts, entry) = match self.store.together(&parties, (customer, &key.cause)).await {
            Ok(read) => read,
            Err(error) => return self.hindered(error),
        };
        if let Some(entry) = entry {
            return self.answer(&key, entry).map(Some);
        }
        let decided = [&state.party, &state.counterparty];
        let decided = decided.into_iter().map(|party| party.as_ref().map(|party| party.account.version));
        let current = accounts.iter().map(|account| account.as_ref().map(|account| account.version));
        if self.unsure.is_some() || current.zip(decided).any(|(now, then)| now != then) {
            self.troubled("the state moved".to_owned(), self.unsure.is_some());
            return Ok(AGAIN);
        }
        Err(rejection.into())
    }

    fn answer(&self, key: &Key, entry: Entry) -> Result<Done, StoreError> {
        key.answers(&entry)?;
        let replayed = !self.is_mine(&entry);
        Ok(self.done(Outcome::Entry(Box::new(entry)), replayed))
    }

    fn is_mine(&self, entry: &Entry) -> bool {
        entry.request.as_ref() == Some(&self.context.request)
    }

    fn done(&self, outcome: Outcome, replayed: bool) -> Done {
        Done { outcome, replayed, retries: self.effort.tries(), entries: self.entries }
    }

    fn hindered(&mut self, error: StoreError) -> Result<Option<Done>, StoreError> {
        match error {
            StoreError::Contention(what) => self.troubled(what, false),
            StoreError::Unavailable(what) => self.troubled(what, true),
            error @ (StoreError::Rejected(_) | StoreError::Corrupt(_)) => return Err(error),
        }
        Ok(AGAIN)
    }

    fn troubled(&mut self, what: String, silent: bool) {
        self.trouble = what;
        self.silent = silent;
    }

    fn give_up(self) -> StoreError {
        if self.unsure.is_some() || self.silent {
            StoreError::Unavailable(self.trouble)
        } else {
            StoreError::Contention(self.trouble)
        }
    }
}

fn count_entries(writes: &[Write]) -> u32 {
    let entries = writes.iter().filter(|write| matches!(write, Write::Entry(_))).count();
    u32::try_from(entries).unwrap_or(u32::MAX)
}

/// The version of the wallet acted on; zero if there is none.
fn version_of(state: &State) -> u64 {
    state.party.as_ref().map_or(0, |party| party.account.version)
}
