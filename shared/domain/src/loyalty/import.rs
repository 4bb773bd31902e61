//! Opening an account of points with what it had in another system.
//!
//! **Invariant:** one transaction opens the account, adds its lots, grants its tier and records its status; a repetition
//! finds it opened.
//! **Invariant:** an account that is there is never changed: it is as the row says, or the row is rejected.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, RequestId};
use crate::ledger::account::AccountStatus;
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::EntryType;
use crate::ledger::lot::{CreditSource, Lot, LotClass, Lots};
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::program::TierName;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite, PointsAfter};
use crate::loyalty::tiers::Reason;
use crate::rejection::{ImportRejection, Rejection};
use crate::text::FreeText;
use crate::time::Date;
use serde::{Deserialize, Serialize};

/// The reason of the entries that an import posts, and of the status and tier that it sets.
pub const OPENING_BALANCE: &str = "Opening balance";

/// Points that an imported account has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedPoints {
    /// How many, above zero.
    #[serde(rename = "p")]
    pub points: Points,
    /// The last date on which they can be spent; `None` if they never expire.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
}

impl ImportedPoints {
    /// Returns true if their date has passed.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires_on.is_some_and(|date| date < today)
    }

    /// Returns them as a lot of an account.
    pub fn lot(&self) -> Lot {
        Lot {
            expires_on: self.expires_on,
            class: LotClass::Promotional,
            source: CreditSource::Promotion,
            amount: self.points.money(),
        }
    }
}

/// Opens an account of points with what it had in another system.
#[derive(Clone, Debug)]
pub struct ImportPoints {
    /// The customer.
    pub user: CustomerId,
    /// The points.
    pub lots: Vec<ImportedPoints>,
    /// True if they count for tiers.
    pub qualifying: bool,
    /// The tier that was granted, and its last date.
    pub grant: Option<(TierName, Date)>,
    /// ACTIVE or FROZEN.
    pub status: AccountStatus,
    /// True if points that have expired are left out.
    pub skip_expired: bool,
    /// The cause of the row.
    pub cause: Cause,
}

/// What an import has done for a row.
#[derive(Clone, Debug)]
pub struct ImportedAccount {
    /// The points and the tier.
    pub after: PointsAfter,
    /// True if the account was there before, as the row says.
    pub existed: bool,
}

impl Outcome for ImportedAccount {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}

impl ImportPoints {
    /// Returns the points that are imported on this day.
    pub fn imported(&self, today: Date) -> Result<Vec<Lot>, Rejection> {
        let expired = self.lots.iter().any(|lot| lot.is_expired(today));
        if expired && !self.skip_expired {
            return Err(Rejection::Import(ImportRejection::LotExpired));
        }
        Ok(self.lots.iter().filter(|lot| !lot.is_expired(today)).map(ImportedPoints::lot).collect())
    }

    /// Answers for a customer who has points.
    fn existing(&self, member: &Member, today: Date) -> Result<ImportedAccount, Rejection> {
        let account = &member.posting.account;
        let after = member.after();
        if account.opening.cause == self.cause {
            return Ok(ImportedAccount { after, existed: false });
        }
        let lots = Lots::new(self.imported(today)?);
        let is_same = lots.is_some_and(|lots| account.lots == lots)
            && account.holds.is_empty()
            && account.pending().is_zero()
            && account.status == self.status
            && (self.grant.is_none() || member.standing.granted == member.granted(self.grant.as_ref())?);
        if !is_same {
            return Err(Rejection::Import(ImportRejection::ExistsDifferently));
        }
        Ok(ImportedAccount { after, existed: true })
    }

    fn reason() -> Result<FreeText, Rejection> {
        FreeText::parse_stored(OPENING_BALANCE)
            .map_err(|_| Rejection::Inconsistent("a reason cannot be read"))
    }

    fn open(&self, member: &mut Member, context: &Context) -> Result<Vec<LoyaltyWrite>, Rejection> {
        member.posting.account.opening.cause = self.cause.clone();
        let reason = Self::reason()?;
        let fingerprint = Fingerprint::of(&[("op", Some("import".to_owned()))]);
        for (at, lot) in self.imported(member.posting.today())?.into_iter().enumerate() {
            let key = CauseKey::new(self.cause.numbered(at + 1), fingerprint.clone());
            let (amount, expires_on) = (lot.amount, lot.expires_on);
            let mut entry = draft(key, EntryType::AdjustIn, vec![lot], Some(&reason), context);
            entry.expires_on = expires_on;
            if self.qualifying {
                entry.points.lifetime = amount;
            }
            member.post(entry, TierEvent::Raised(Reason::Adjustment))?;
        }
        let by = context.actor.signature();
        if let Some(grant) = member.granted(self.grant.as_ref())? {
            member.grant(Some(grant), &reason, &by);
        }
        Ok(member.set_status(self.status, &reason, &by).into_iter().collect())
    }
}

impl Command for ImportPoints {
    type State = LoyaltyState;
    type Outcome = ImportedAccount;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds::points(&self.user)
    }

    /// Returns `None`: the account's opening names the cause.
    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<ImportedAccount, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        if state.points.is_some() {
            return Ok(Decision::Already(self.existing(&member, setting.context.now.date())?));
        }
        let more = self.open(&mut member, &setting.context)?;
        let after = member.after();
        member.finish(ImportedAccount { after, existed: false }, more)
    }
}
