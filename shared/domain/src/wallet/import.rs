//! Opening a wallet with the balance that it had in another system.
//!
//! **Invariant:** one transaction opens the wallet, credits its lots and records its status; a repetition under the same
//! cause finds it opened.
//! **Invariant:** a wallet that is there is never changed: it is as the row says, or the row is rejected.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{AccountRef, CustomerId, ReferralCode, RequestId};
use crate::ledger;
use crate::ledger::account::{Account, AccountStatus, NewAccount, Opening, StatusChange};
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::EntryType;
use crate::ledger::lot::{CreditSource, Lot, Lots};
use crate::ledger::posting::Posting;
use crate::money::Money;
use crate::rejection::{ImportRejection, Rejection};
use crate::text::{FreeText, Metadata};
use crate::time::Date;
use crate::unit::Unit;
use crate::wallet::profile::{LoadedWallet, Profile, Wallet};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite};
use serde::{Deserialize, Serialize};

/// The reason of the entries that an import posts, and of the status that it sets.
pub const OPENING_BALANCE: &str = "Opening balance";

/// The name under which the instant is kept at which a wallet was opened in another system.
pub const ORIGINAL_CREATED_AT: &str = "original_created_at";

/// The most lots of a row.
pub const MAX_IMPORTED_LOTS: usize = 90;

/// Credit that an imported wallet has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedLot {
    /// In the wallet's currency, above zero.
    #[serde(rename = "a")]
    pub amount: Money,
    /// The last date on which it can be spent; `None` if it never expires.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
    /// The source of the credit.
    #[serde(rename = "s")]
    pub source: CreditSource,
}

impl ImportedLot {
    /// Returns true if its date has passed.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires_on.is_some_and(|date| date < today)
    }

    /// Returns it as credit of an account.
    pub fn lot(&self) -> Lot {
        Lot {
            expires_on: self.expires_on,
            class: self.source.class(),
            source: self.source,
            amount: self.amount,
        }
    }
}

/// Opens a wallet with the balance that it had in another system.
#[derive(Clone, Debug)]
pub struct ImportWallet {
    /// The owner of the wallet.
    pub customer: CustomerId,
    /// The currency of the wallet.
    pub currency: Currency,
    /// Its credit.
    pub lots: Vec<ImportedLot>,
    /// Its status.
    pub status: AccountStatus,
    /// Its referral code; one is minted if it has none.
    pub referral_code: Option<ReferralCode>,
    /// The number of customers referred in the other system.
    pub referral_count: u64,
    /// Pairs that are stored with the wallet.
    pub metadata: Metadata,
    /// True if credit that has expired is left out.
    pub skip_expired: bool,
    /// The cause of the row.
    pub cause: Cause,
}

/// What an import has done for a row.
#[derive(Clone, Debug)]
pub struct ImportedWallet {
    /// The wallet.
    pub wallet: Wallet,
    /// True if it was there before, as the row says.
    pub existed: bool,
}

impl Outcome for ImportedWallet {
    fn request(&self) -> Option<&RequestId> {
        self.wallet.request()
    }
}

impl ImportWallet {
    /// Returns the credit that is imported on this day.
    pub fn imported(&self, today: Date) -> Result<Vec<Lot>, Rejection> {
        let expired = self.lots.iter().any(|lot| lot.is_expired(today));
        if expired && !self.skip_expired {
            return Err(Rejection::Import(ImportRejection::LotExpired));
        }
        Ok(self.lots.iter().filter(|lot| !lot.is_expired(today)).map(ImportedLot::lot).collect())
    }

    /// Answers for a customer who has a wallet.
    fn existing(&self, wallet: &LoadedWallet, context: &Context) -> Result<ImportedWallet, Rejection> {
        let was = &wallet.loaded.account;
        let found = wallet.settled(context.now.max(was.updated_at))?;
        if was.opening.cause == self.cause {
            return Ok(ImportedWallet { wallet: found, existed: false });
        }
        let account = &found.account;
        let lots = Lots::new(self.imported(context.now.date())?);
        let code = self.referral_code.as_ref();
        let is_same = account.unit == self.currency
            && lots.is_some_and(|lots| account.lots == lots)
            && account.holds.is_empty()
            && account.status == self.status
            && code.is_none_or(|code| *code == found.profile.referral_code)
            && self.has_metadata_of(&found);
        if is_same {
            Ok(ImportedWallet { wallet: found, existed: true })
        } else {
            Err(Rejection::Import(ImportRejection::ExistsDifferently))
        }
    }

    /// Says whether a wallet has these pairs, and was opened when the row says, here or in the other system.
    fn has_metadata_of(&self, found: &Wallet) -> bool {
        let split = |metadata: &Metadata| {
            let mut pairs = metadata.pairs().clone();
            let original = pairs.remove(ORIGINAL_CREATED_AT);
            (pairs, original)
        };
        let (wanted, has) = (split(&self.metadata), split(&found.profile.metadata));
        let own = found.account.created_at.to_string();
        wanted.0 == has.0 && (wanted.1 == has.1 || wanted.1 == Some(own))
    }

    fn credited(&self, context: &Context) -> Result<Posting, Rejection> {
        let opening = Opening {
            cause: self.cause.clone(),
            fingerprint: Fingerprint::of(&[("op", Some("import".to_owned()))]),
            request: context.request.clone(),
            initial: Money::ZERO,
            by: context.actor.signature(),
        };
        let fingerprint = opening.fingerprint.clone();
        let (id, unit) = (AccountRef::wallet(&self.customer), Unit::Currency(self.currency));
        let mut posting = Posting::from_new(Account::open(NewAccount { id, unit, opening, at: context.now }));
        let reason = FreeText::parse_stored(OPENING_BALANCE).ok();
        for (at, lot) in self.imported(posting.today())?.into_iter().enumerate() {
            let key = CauseKey::new(self.cause.numbered(at + 1), fingerprint.clone());
            let (source, expires_on) = (lot.source, lot.expires_on);
            let mut credit = draft(key, EntryType::Credit, vec![lot], reason.as_ref(), context);
            (credit.source, credit.expires_on) = (Some(source), expires_on);
            posting.post(credit)?;
        }
        Ok(posting)
    }
}

impl Command for ImportWallet {
    type State = WalletState;
    type Outcome = ImportedWallet;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds::wallet(&self.customer)
    }

    /// Returns `None`: the key of the account item is the guard, and the account's opening names the cause.
    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<ImportedWallet, WalletWrite> {
        if let Some(wallet) = &state.wallet {
            return Ok(Decision::Already(self.existing(wallet, context)?));
        }
        let code = match &self.referral_code {
            Some(_) if state.codes_taken > 0 => {
                return Err(Rejection::Import(ImportRejection::ReferralCodeTaken).into());
            }
            Some(code) => code.clone(),
            None => ReferralCode::mint(&self.customer, state.codes_taken),
        };
        let posting = self.credited(context)?;
        let customer = self.customer.clone();
        let mut writes = vec![WalletWrite::ReferralCode { code: code.clone(), customer }];
        let entries = posting.entries.iter().cloned().map(Box::new);
        writes.extend(entries.map(ledger::decision::Write::Entry).map(WalletWrite::Ledger));
        let (now, mut account) = (posting.now, posting.account);
        account.version = 1;
        account.schedule_check(now);
        if self.status != account.status {
            let change = StatusChange {
                from: account.status,
                to: self.status,
                reason: FreeText::parse_stored(OPENING_BALANCE)
                    .map_err(|_| Rejection::Inconsistent("a reason cannot be read"))?,
                by: context.actor.signature(),
                at: now,
            };
            account.status = self.status;
            let (id, version) = (account.id.clone(), account.version);
            let record = ledger::decision::Write::StatusRecord { account: id, version, change };
            writes.push(WalletWrite::Ledger(record));
        }
        let mut profile = Profile::new(code, self.metadata.clone());
        (profile.referral_count, profile.imported_referrals) = (self.referral_count, self.referral_count);
        let wallet = Wallet { account, profile };
        writes.push(WalletWrite::Open(Box::new(wallet.clone())));
        Ok(Decision::Commit { outcome: ImportedWallet { wallet, existed: false }, writes })
    }
}
