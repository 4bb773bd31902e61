//! Opening a wallet, with or without a first credit.
//!
//! **Invariant:** a customer has one wallet; its referral code is nobody else's; a repetition of the request
//! that opened it is answered as at first, whatever has happened to the wallet since.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, ReferralCode};
use crate::ledger::account::{Account, Facts, Opening};
use crate::ledger::command::{Command, Key, Needs, State, draft, exact};
use crate::ledger::decision::{Decided, Decision, Outcome, Write};
use crate::ledger::entry::EntryType;
use crate::ledger::lot::{Lot, Source};
use crate::ledger::posting::Posting;
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::Metadata;

/// Open a wallet.
#[derive(Clone, Debug)]
pub struct CreateWallet {
    /// For whom.
    pub customer: CustomerId,
    /// The first credit.
    pub initial_balance: Option<Amount>,
    /// What it will hold.
    pub currency: Currency,
    /// The caller's pairs.
    pub metadata: Metadata,
    /// Why.
    pub cause: Cause,
}

impl CreateWallet {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&[
            ("op", Some("create".to_owned())),
            ("initial", self.initial_balance.map(|amount| amount.to_string())),
            ("currency", Some(self.currency.code().to_owned())),
            ("metadata", Some(self.metadata.canonical())),
        ])
    }
}

impl Command for CreateWallet {
    fn needs(&self) -> Needs {
        Needs::wallet(&self.customer)
    }

    /// The account's own key is the guard; its opening answers repetitions.
    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        if let Some(party) = &state.party {
            return self.repeated(&party.account, context);
        }
        let opening = Opening {
            cause: self.cause.clone(),
            fingerprint: self.fingerprint(),
            request: context.request.clone(),
            initial: Money::ZERO,
            by: context.actor.signature(),
        };
        let mut account = Account::open(Facts {
            customer: self.customer.clone(),
            currency: self.currency,
            metadata: self.metadata.clone(),
            referral_code: ReferralCode::mint(&self.customer, state.codes_taken),
            opening,
            at: context.now,
        });
        if let Some(amount) = self.initial_balance {
            account.opening.initial = exact(amount, &account)?;
        }
        let posting = first_credit(account, context)?;
        let code = posting.account.referral_code.clone();
        let mut writes = vec![Write::ReferralCode { code, customer: self.customer.clone() }];
        writes.extend(posting.entries.iter().map(|entry| Write::Entry(Box::new(entry.clone()))));
        let mut account = posting.account;
        account.version = 1;
        account.appoint(posting.now);
        writes.push(Write::OpenAccount(account.clone()));
        Ok(Decision::Commit { outcome: Outcome::Account(Box::new(account)), writes })
    }
}

impl CreateWallet {
    /// The customer has a wallet: the answer that its opening gave, if this is the same request.
    fn repeated(&self, account: &Account, context: &Context) -> Decided {
        if account.opening.cause != self.cause {
            return Err(Rejection::WalletExists);
        }
        if account.opening.fingerprint != self.fingerprint() {
            return Err(Rejection::KeyReused);
        }
        let opened = Account::open(Facts {
            customer: account.customer.clone(),
            currency: account.currency,
            metadata: account.metadata.clone(),
            referral_code: account.referral_code.clone(),
            opening: account.opening.clone(),
            at: account.created_at,
        });
        let posting = first_credit(opened, context)?;
        Ok(Decision::Already(Outcome::Account(Box::new(posting.account))))
    }
}

/// Posts the opening's initial balance: a CREDIT of source `manual` that lives as the lowest tier's do.
fn first_credit(account: Account, context: &Context) -> Result<Posting, Rejection> {
    let opening = account.opening.clone();
    let mut posting = Posting::of_new(account);
    if !opening.initial.is_zero() {
        let expires_on = context.policy.default_expiry(Money::ZERO, posting.today());
        let source = Source::Manual;
        let lot = Lot { expires_on, class: source.class(), source, amount: opening.initial };
        let key = Key::new(opening.cause, opening.fingerprint);
        let mut credit = draft(key, EntryType::Credit, vec![lot], None, context);
        credit.by = opening.by;
        credit.request = Some(opening.request);
        credit.source = Some(source);
        credit.expires_on = expires_on;
        posting.post(credit)?;
    }
    Ok(posting)
}
