//! Load, decide, commit: takes an operation to one certain outcome.
//!
//! **Invariant:** a cause takes effect once; a repeated request with the same cause receives the
//! outcome of the first.
//! **Invariant:** a replay takes precedence over every rule: a rejection is returned only after it
//! is confirmed that the cause has no entry in the very state on which the rejection was decided.
//! **Invariant:** after a send with an unknown outcome, a rejection or "nothing was applied" is
//! returned only once the account has moved past the version that the send required, so that the
//! send can no longer be applied.

use crate::engine::error::StoreError;
use crate::engine::retry::Retry;
use crate::engine::table::Table;
use crate::ledger::load::{Load, MAX_TORN, load_consistent, versions_and_entry};
use crate::ledger::persist::{Committed, Persist, send};
use domain::cause::Cause;
use domain::context::Context;
use domain::ledger::command::{CauseKey, Command, State};
use domain::ledger::decision::{Decision, FailedCondition, NoDecision, Outcome};
use domain::ledger::entry::Entry;
use domain::rejection::Rejection;

/// Result of a completed operation.
#[derive(Clone, Debug)]
pub struct Done<O> {
    /// Outcome from which the response is built.
    pub outcome: O,
    /// True if an earlier request performed the operation.
    pub replayed: bool,
    /// Number of retries.
    pub retries: u32,
    /// Number of entries written, including those that had fallen due.
    pub entries: u32,
}

impl<O> Done<O> {
    /// Returns the same result with its outcome converted.
    pub fn map<P>(self, outcome: impl FnOnce(O) -> P) -> Done<P> {
        let Self { replayed, retries, entries, .. } = self;
        Done { outcome: outcome(self.outcome), replayed, retries, entries }
    }
}

/// Executes a command: exactly once for its cause, or not at all.
pub(crate) async fn execute<C>(
    table: &Table,
    command: &C,
    context: &Context,
) -> Result<Done<C::Outcome>, StoreError>
where
    C: Command,
    C::State: Load,
    C::Write: Persist,
{
    let mut execution = Execution {
        table,
        command,
        context,
        retry: table.retry(),
        unconfirmed_version: None,
        last_error: String::new(),
        last_failure: LastFailure::Conflict,
        partly: false,
        names_taken: 0,
        entries: 0,
        torn: 0,
        taken: None,
    };
    loop {
        if let Some(done) = execution.once().await? {
            return Ok(done);
        }
        if !execution.backoff().await {
            return Err(execution.give_up());
        }
    }
}

/// Says whether a command would be applied to what is stored now; writes nothing. Returns false if more has fallen due
/// than fits into its transaction: that must be written first.
pub(crate) async fn try_out<C>(table: &Table, command: &C, context: &Context) -> Result<bool, StoreError>
where
    C: Command,
    C::State: Load,
{
    let state: C::State = load_consistent(table, &command.needs(), context.now).await?;
    match command.decide(&state, context) {
        Ok(_) => Ok(true),
        Err(NoDecision::SettleFirst(_)) => Ok(false),
        Err(NoDecision::Rejected(rejection)) => Err(rejection.into()),
    }
}

/// Returns the outcome that a command would have; `None` if more has fallen due than fits into its transaction. Writes
/// nothing.
pub(crate) async fn outcome_of<C>(
    table: &Table,
    command: &C,
    context: &Context,
) -> Result<Option<C::Outcome>, StoreError>
where
    C: Command,
    C::State: Load,
{
    let state: C::State = load_consistent(table, &command.needs(), context.now).await?;
    match command.decide(&state, context) {
        Ok(Decision::Commit { outcome, .. } | Decision::Already(outcome)) => Ok(Some(outcome)),
        Ok(Decision::Partly(_)) | Err(NoDecision::SettleFirst(_)) => Ok(None),
        Err(NoDecision::Rejected(rejection)) => Err(rejection.into()),
    }
}

/// State of one operation across its tries.
struct Execution<'a, C> {
    table: &'a Table,
    command: &'a C,
    context: &'a Context,
    retry: Retry,
    /// Version that a send with an unknown outcome required (zero: that the account does not
    /// exist).
    unconfirmed_version: Option<u64>,
    last_error: String,
    last_failure: LastFailure,
    /// True if a part of the operation was written, or may have been.
    partly: bool,
    names_taken: u32,
    /// Number of entries written so far.
    entries: u32,
    /// Number of times that the items read contradicted each other.
    torn: u32,
    /// Cause of an entry that stood in the way, and the version of the account on which that was decided.
    taken: Option<(Cause, u64)>,
}

/// Why the last try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastFailure {
    /// Another request won, or the table throttles.
    Conflict,
    /// There was no response.
    NoResponse,
    /// There was no connection.
    Unsent,
}

/// Result of one try; None: try again.
type Attempted<O> = Result<Option<Done<O>>, StoreError>;

impl<C> Execution<'_, C>
where
    C: Command,
    C::State: Load,
    C::Write: Persist,
{
    async fn once(&mut self) -> Attempted<C::Outcome> {
        self.last_failure = LastFailure::Conflict;
        let needs = self.command.needs();
        let mut state = match C::State::load(self.table, &needs, self.context.now).await {
            Ok(state) => state,
            Err(error) => return self.retry_after(error),
        };
        state.set_names_taken(self.names_taken);
        let version = state.version();
        if self.unconfirmed_version.is_some_and(|unconfirmed| version > unconfirmed) {
            // The account has moved, either by that send or so that the send can no longer be
            // applied. The cause shows which.
            let accounts = C::State::accounts(&needs);
            if let (Some(key), false) = (self.command.key(&state), accounts.is_empty()) {
                match versions_and_entry(self.table, &accounts, &key.cause).await {
                    Ok((_, Some(entry))) => return self.answer(&key, &entry).map(Some),
                    Ok((_, None)) => {}
                    Err(error) => return self.retry_after(error),
                }
            }
            self.unconfirmed_version = None;
        }
        match self.command.decide(&state, self.context) {
            Ok(Decision::Already(outcome)) => {
                let replayed = outcome.request().is_some_and(|request| *request != self.context.request);
                Ok(Some(self.done(outcome, replayed)))
            }
            Ok(Decision::Partly(writes)) => {
                self.partly = true;
                self.write_first(&writes).await
            }
            Ok(Decision::Commit { outcome, writes }) => self.commit(&state, outcome, &writes).await,
            Err(NoDecision::SettleFirst(writes)) => self.write_first(&writes).await,
            // Items read at different moments may contradict each other even though the stored
            // state is consistent.
            Err(NoDecision::Rejected(Rejection::Inconsistent(what))) if self.torn < MAX_TORN => {
                self.torn += 1;
                self.record_failure(what.to_owned(), LastFailure::NoResponse);
                Ok(None)
            }
            Err(NoDecision::Rejected(rejection)) => self.confirm(&state, rejection).await,
        }
    }

    /// Sends writes that must precede the operation; they are valid whatever its outcome is.
    async fn write_first<W: Persist>(&mut self, writes: &[W]) -> Attempted<C::Outcome> {
        match send(self.table, writes).await? {
            Committed::Applied => self.entries += count_entries(writes),
            Committed::Busy(what) | Committed::Unknown(what) => {
                self.record_failure(what, LastFailure::Conflict);
            }
            Committed::Unsent(what) => self.record_failure(what, LastFailure::Unsent),
            Committed::Refused(..) => {}
        }
        Ok(None)
    }

    async fn commit(
        &mut self,
        state: &C::State,
        outcome: C::Outcome,
        writes: &[C::Write],
    ) -> Attempted<C::Outcome> {
        match send(self.table, writes).await? {
            Committed::Applied => {
                self.entries += count_entries(writes);
                return Ok(Some(self.done(outcome, false)));
            }
            Committed::Refused(FailedCondition::Caused, Some(found)) => {
                // Another cause: another request has posted the due entries first.
                if let Some(key) = self.command.key(state).filter(|key| key.cause == found.cause) {
                    return self.answer(&key, &found).map(Some);
                }
                // The same again on the same state: the entry will always stand in the way.
                let taken = (found.cause.clone(), state.version());
                if self.taken.replace(taken.clone()) == Some(taken) {
                    return Err(Rejection::Inconsistent("an entry with this cause exists").into());
                }
            }
            Committed::Refused(FailedCondition::NameTaken, _) => self.names_taken += 1,
            Committed::Refused(
                FailedCondition::Caused | FailedCondition::Opened | FailedCondition::Stale,
                _,
            ) => self.record_failure("the state moved".to_owned(), LastFailure::Conflict),
            Committed::Busy(what) => self.record_failure(what, LastFailure::Conflict),
            Committed::Unsent(what) => self.record_failure(what, LastFailure::Unsent),
            Committed::Unknown(what) => {
                tracing::warn!(what, "outcome of a transaction is unknown");
                self.unconfirmed_version = Some(state.version());
                self.record_failure(what, LastFailure::NoResponse);
            }
        }
        Ok(None)
    }

    /// Confirms a rejection: checks that the state has not moved and that the request was not
    /// served earlier.
    async fn confirm(&mut self, state: &C::State, rejection: Rejection) -> Attempted<C::Outcome> {
        let accounts = C::State::accounts(&self.command.needs());
        let (Some(key), false) = (self.command.key(state), accounts.is_empty()) else {
            return if self.unconfirmed_version.is_some() { Ok(None) } else { Err(rejection.into()) };
        };
        let (current, entry) = match versions_and_entry(self.table, &accounts, &key.cause).await {
            Ok(read) => read,
            Err(error) => return self.retry_after(error),
        };
        if let Some(entry) = entry {
            if self.command.precedes_replay(&rejection) {
                return Err(rejection.into());
            }
            return self.answer(&key, &entry).map(Some);
        }
        let decided = state.loaded().into_iter().map(|loaded| loaded.map(|loaded| loaded.account.version));
        if self.unconfirmed_version.is_some()
            || current.into_iter().zip(decided).any(|(now, then)| now != then)
        {
            // If a send is unconfirmed, so is the outcome, whatever is recorded here.
            self.record_failure("the state moved".to_owned(), LastFailure::Conflict);
            return Ok(None);
        }
        Err(rejection.into())
    }

    fn answer(&self, key: &CauseKey, entry: &Entry) -> Result<Done<C::Outcome>, StoreError> {
        key.answers(entry)?;
        let replayed = entry.request.as_ref() != Some(&self.context.request);
        let unanswerable = || StoreError::Corrupt(format!("{} is of another request kind", entry.cause));
        let outcome = C::Outcome::of_entry(entry.clone()).ok_or_else(unanswerable)?;
        Ok(self.done(outcome, replayed))
    }

    fn done(&self, outcome: C::Outcome, replayed: bool) -> Done<C::Outcome> {
        Done { outcome, replayed, retries: self.retry.tries(), entries: self.entries }
    }

    fn retry_after(&mut self, error: StoreError) -> Attempted<C::Outcome> {
        match error {
            StoreError::Contention(what) => self.record_failure(what, LastFailure::Conflict),
            StoreError::Unreachable(what) => self.record_failure(what, LastFailure::Unsent),
            StoreError::Unavailable(what) => self.record_failure(what, LastFailure::NoResponse),
            error @ (StoreError::Rejected(_) | StoreError::Corrupt(_)) => return Err(error),
        }
        Ok(None)
    }

    fn record_failure(&mut self, what: String, failure: LastFailure) {
        self.last_error = what;
        self.last_failure = failure;
    }

    async fn backoff(&mut self) -> bool {
        if self.last_failure == LastFailure::Unsent && !self.may_be_applied() {
            self.retry.backoff_unsent().await
        } else {
            self.retry.backoff().await
        }
    }

    /// Returns true if the operation, or a part of it, may have been written.
    fn may_be_applied(&self) -> bool {
        self.unconfirmed_version.is_some() || self.partly
    }

    fn give_up(self) -> StoreError {
        match self.last_failure {
            _ if self.may_be_applied() => StoreError::Unavailable(self.last_error),
            LastFailure::NoResponse => StoreError::Unavailable(self.last_error),
            LastFailure::Unsent => StoreError::Unreachable(self.last_error),
            LastFailure::Conflict => StoreError::Contention(self.last_error),
        }
    }
}

fn count_entries<W: Persist>(writes: &[W]) -> u32 {
    u32::try_from(writes.iter().filter(|write| write.entry().is_some()).count()).unwrap_or(u32::MAX)
}
