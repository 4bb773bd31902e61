//! Opening a wallet, with or without an initial balance.
//!
//! **Invariant:** a customer has one wallet, and its referral code belongs to no other customer; a
//! repetition of the request that opened the wallet gets the first answer, whatever has happened to
//! the wallet since.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::keyed_request;
use crate::ids::{AccountRef, CustomerId, ReferralCode};
use crate::ledger;
use crate::ledger::account::{Account, NewAccount, Opening};
use crate::ledger::command::{CauseKey, Command, draft, exact};
use crate::ledger::decision::{Decided, Decision};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::posting::Posting;
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::Metadata;
use crate::unit::Unit;
use crate::wallet::profile::{LoadedWallet, Profile, Wallet};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite};

keyed_request! {
    /// Opens a wallet.
    #[derive(Clone, Debug)]
    pub struct CreateWallet ("create") {
        /// The owner of the new wallet.
        pub customer: CustomerId => _,
        /// Credited with the source `manual`; `None` opens an empty wallet.
        pub initial_balance: Option<Amount> => "initial",
        /// The currency of the wallet.
        pub currency: Currency => "currency",
        /// Pairs of the caller, stored with the wallet.
        pub metadata: Metadata => "metadata",
        /// The idempotency cause; stored in the account's opening.
        pub cause: Cause => _,
    }
}

impl Command for CreateWallet {
    type State = WalletState;
    type Outcome = Wallet;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds::wallet(&self.customer)
    }

    /// Returns `None`: the key of the account item is the guard, and the account's opening answers
    /// repetitions.
    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Wallet, WalletWrite> {
        if let Some(wallet) = &state.wallet {
            return self.repeated(wallet, context);
        }
        let opening = Opening {
            cause: self.cause.clone(),
            fingerprint: self.fingerprint(),
            request: context.request.clone(),
            initial: Money::ZERO,
            by: context.actor.signature(),
        };
        let id = AccountRef::wallet(&self.customer);
        let unit = Unit::Currency(self.currency);
        let mut account = Account::open(NewAccount { id, unit, opening, at: context.now });
        if let Some(amount) = self.initial_balance {
            account.opening.initial = exact(amount, &account)?;
        }
        let posting = first_credit(account, context)?;
        let code = ReferralCode::mint(&self.customer, state.codes_taken);
        let mut writes =
            vec![WalletWrite::ReferralCode { code: code.clone(), customer: self.customer.clone() }];
        let entry =
            |entry: &Entry| WalletWrite::Ledger(ledger::decision::Write::Entry(Box::new(entry.clone())));
        writes.extend(posting.entries.iter().map(entry));
        let mut account = posting.account;
        account.version = 1;
        account.schedule_check(posting.now);
        let profile = Profile::new(code, self.metadata.clone());
        let wallet = Wallet { account, profile };
        writes.push(WalletWrite::Open(Box::new(wallet.clone())));
        Ok(Decision::Commit { outcome: wallet, writes })
    }
}

impl CreateWallet {
    /// Answers for a customer who has a wallet: as at its opening if this is the same request,
    /// otherwise with a rejection.
    fn repeated(&self, wallet: &LoadedWallet, context: &Context) -> Decided<Wallet, WalletWrite> {
        let account = &wallet.loaded.account;
        if account.opening.cause != self.cause {
            return Err(Rejection::WalletExists.into());
        }
        if account.opening.fingerprint != self.fingerprint() {
            return Err(Rejection::KeyReused.into());
        }
        let account = first_credit(account.at_opening(), context)?.account;
        let before = wallet.profile.clone();
        let profile = Profile::new(before.referral_code, before.metadata);
        Ok(Decision::Already(Wallet { account, profile }))
    }
}

/// Posts the opening's initial balance: a CREDIT with the source `manual` and the default lifetime
/// of the lowest tier.
fn first_credit(account: Account, context: &Context) -> Result<Posting, Rejection> {
    let opening = account.opening.clone();
    let mut posting = Posting::from_new(account);
    if !opening.initial.is_zero() {
        let expires_on = context.policy.default_expiry(Money::ZERO, posting.today());
        let source = CreditSource::Manual;
        let lot = Lot { expires_on, class: source.class(), source, amount: opening.initial };
        let key = CauseKey::new(opening.cause, opening.fingerprint);
        let mut credit = draft(key, EntryType::Credit, vec![lot], None, context);
        credit.by = opening.by;
        credit.request = Some(opening.request);
        credit.source = Some(source);
        credit.expires_on = expires_on;
        posting.post(credit)?;
    }
    Ok(posting)
}
