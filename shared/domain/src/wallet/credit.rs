//! Adding credit, manually or by a trusted service.
//!
//! **Invariant:** new credit can be spent at least until the end of tomorrow (UTC), and its default
//! lifetime is that of the wallet's tier before the credit.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::{Fingerprinted, keyed_request};
use crate::ids::{CustomerId, OrderId};
use crate::ledger::command::{CauseKey, Command, draft, exact, finish, may_receive};
use crate::ledger::decision::Decided;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};
use crate::time::{Date, plus_days};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

/// How long new credit can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The default lifetime of the wallet's tier before the credit.
    ByTier,
    /// This number of days from today.
    Days(u32),
    /// Until the end of this date.
    On(Date),
}

impl Fingerprinted for Expiry {
    fn fingerprint_text(&self) -> Option<String> {
        match self {
            Self::ByTier => None,
            Self::Days(days) => Some(format!("days {days}")),
            Self::On(date) => Some(format!("on {date}")),
        }
    }
}

keyed_request! {
    /// Adds credit to a wallet.
    #[derive(Clone, Debug)]
    pub struct AddCredits ("add-credits") {
        /// The owner of the wallet.
        pub customer: CustomerId => _,
        /// More than zero, in the wallet's currency.
        pub amount: Amount => "amount",
        /// Shown in the wallet's history.
        pub reason: Option<FreeText> => "reason",
        /// The source of the credit; `topup` is rejected.
        pub source: CreditSource => "source",
        /// How long the credit can be spent.
        pub expiry: Expiry => "expiry",
        /// Stored with the entry; the order is not checked.
        pub order_id: Option<OrderId> => "order",
        /// Pairs of the caller, stored with the entry.
        pub metadata: Metadata => "metadata",
        /// The idempotency cause.
        pub cause: Cause => _,
        /// The currency that the wallet must have; any if not given.
        pub currency: Option<Currency> => _,
    }
}

impl Command for AddCredits {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds::wallet(&self.customer)
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        if self.source == CreditSource::Topup {
            return Err(Rejection::SourceReserved.into());
        }
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        if self.currency.is_some_and(|currency| posting.account.unit != currency) {
            return Err(Rejection::CurrencyMismatch.into());
        }
        let amount = exact(self.amount, &posting.account)?;
        let today = posting.today();
        let expires_on = match self.expiry {
            Expiry::ByTier => context.policy.default_expiry(posting.account.balance(), today),
            Expiry::Days(days) => Some(plus_days(today, days).ok_or(Rejection::ExpiryNotInFuture)?),
            Expiry::On(date) => Some(date),
        };
        if expires_on.is_some_and(|date| date <= today) {
            return Err(Rejection::ExpiryNotInFuture.into());
        }
        may_receive(&posting.account)?;
        let lot = Lot { expires_on, class: self.source.class(), source: self.source, amount };
        let key = self.key(state).ok_or(Rejection::Inconsistent("a credit has no cause"))?;
        let mut credit = draft(key, EntryType::Credit, vec![lot], self.reason.as_ref(), context);
        credit.source = Some(self.source);
        credit.order_id = self.order_id.clone();
        credit.expires_on = expires_on;
        credit.metadata = self.metadata.clone();
        let entry = posting.post(credit)?;
        finish(posting, entry, vec![])
    }
}
