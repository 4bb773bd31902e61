//! Opening accounts and changing what is known of them.
//!
//! **Invariant:** an account's parent, kind and currency never change.
//! **Invariant:** a change of status gets a new status version; whichever slice has the higher version has the newer
//! status, in whatever order they arrive.

use super::allocate::SlicedAccount;
use super::slice::{Slice, Stop};
use super::{BudgetAccount, BudgetOpening, BudgetStatus, MAX_SLICES, Mode};
use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::budget::{AccountId, BrandId, BudgetKind};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// How long a stop that was lifted stays on its client's slices: longer than any late copy of it is on its way.
const LIFTED_SECONDS: u32 = 3_600;

/// How long one that holds does: longer than any process lives that was frozen when it held something else in memory.
const HOLDING_SECONDS: u32 = 7 * 86_400;

keyed_request! {
    /// Open an account.
    #[derive(Clone, Debug)]
    pub struct OpenAccount {
        /// What it stands for.
        pub kind: BudgetKind => "kind",
        /// Where its credit comes from.
        pub parent: AccountId => "parent",
        /// What people call it.
        pub name: FreeText => "name",
        /// Below this, someone is told.
        pub low_credit_threshold: Option<Amount> => "threshold",
        /// Whose credit a campaign spends.
        pub mode: Option<Mode> => "mode",
        /// How many slices it has.
        pub slices: u8 => "slices",
        /// The brands that an agency may use.
        pub brands: Option<BTreeSet<BrandId>> => "brands",
        /// What makes it happen once.
        pub cause: Cause => _,
    }
}

impl OpenAccount {
    /// The account that this makes.
    pub fn id(&self) -> AccountId {
        AccountId::mint(self.kind, &self.parent, &self.cause)
    }

    /// The decision.
    pub fn decide(&self, above: &SlicedAccount, context: &Context) -> Result<BudgetAccount, Rejection> {
        let parent = &above.account;
        if self.kind.parent() != Some(parent.kind()) {
            return Err(Rejection::WrongParent);
        }
        if !parent.status().is_open() {
            return Err(Rejection::BudgetPaused);
        }
        let currency = parent.currency;
        let threshold = exact(self.low_credit_threshold, currency)?;
        let mut ancestors = parent.ancestors.clone();
        if parent.kind() != BudgetKind::Platform {
            ancestors.push(parent.id.clone());
        }
        let mode = self.mode.unwrap_or(Mode::Shared);
        let shared = self.kind == BudgetKind::Campaign && mode == Mode::Shared;
        let opened = BudgetOpening {
            fingerprint: self.fingerprint(),
            request: context.request.clone(),
            name: self.name.clone(),
            low_credit_threshold: threshold,
            mode,
            slices: self.slices,
            brands: self.brands.clone(),
            available: if shared { above.available() } else { Money::ZERO },
        };
        Ok(BudgetAccount {
            id: self.id(),
            parent: Some(parent.id.clone()),
            ancestors,
            name: self.name.clone(),
            currency,
            mode,
            was_shared: shared,
            slices: self.slices,
            low_credit_threshold: threshold,
            brands: self.brands.clone(),
            card_price: None,
            created_at: context.now,
            updated_at: context.now,
            opened,
            version: 1,
            copied_status_version: 1,
            first: Slice::new(0),
        })
    }
}

fn exact(amount: Option<Amount>, currency: crate::currency::Currency) -> Result<Option<Money>, Rejection> {
    let exact =
        |amount: Amount| amount.in_currency(currency).ok_or(Rejection::TooPrecise { unit: currency.into() });
    amount.map(exact).transpose()
}

/// Change an account; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeAccount {
    /// What people call it.
    pub name: Option<FreeText>,
    /// Below this, someone is told; or nobody any more.
    pub low_credit_threshold: Option<Option<Amount>>,
    /// Whether credit may leave it.
    pub status: Option<BudgetStatus>,
    /// Whose credit a campaign spends.
    pub mode: Option<Mode>,
    /// How many slices it has.
    pub slices: Option<u8>,
    /// The brands that an agency may use; or all again.
    pub brands: Option<Option<BTreeSet<BrandId>>>,
}

/// What surrounds an account that is to be changed.
#[derive(Clone, Copy, Debug)]
pub struct ChangePreconditions {
    /// True if attempts of it are undecided: of a shared campaign, on its client's slices.
    pub reserved: bool,
    /// True if an account below it is not closed.
    pub children: bool,
}

impl ChangeAccount {
    /// The account as it is to be known; its slices and version follow.
    pub fn decide(
        &self,
        sliced: &SlicedAccount,
        preconditions: ChangePreconditions,
        now: Timestamp,
    ) -> Result<BudgetAccount, Rejection> {
        let mut account = sliced.account.clone();
        if let Some(name) = &self.name {
            account.name = name.clone();
        }
        if let Some(threshold) = self.low_credit_threshold {
            account.low_credit_threshold = exact(threshold, account.currency)?;
        }
        if self.brands.is_some() && account.kind() != BudgetKind::Agency {
            return Err(Rejection::NoAgency);
        }
        if self.mode.is_some() && account.kind() != BudgetKind::Campaign {
            return Err(Rejection::NoCampaign);
        }
        if let Some(brands) = &self.brands {
            account.brands.clone_from(brands);
        }
        if let Some(slices) = self.slices {
            if slices < account.slices || slices > MAX_SLICES {
                return Err(Rejection::FewerSlices);
            }
            account.slices = slices;
        }
        if let Some(mode) = self.mode.filter(|mode| *mode != account.mode) {
            if !sliced.available().is_zero() || preconditions.reserved {
                return Err(Rejection::AccountNotEmpty);
            }
            account.mode = mode;
            account.was_shared |= mode == Mode::Shared;
            // Whoever knows it by its old mode must learn of the new one: a campaign of its own credit is stopped on its
            // client's slices.
            account.first.status_version += 1;
        }
        if let Some(status) = self.status {
            restate(&mut account, status, preconditions)?;
        }
        account.updated_at = now.max(account.updated_at);
        account.version += 1;
        Ok(account)
    }
}

/// The stop of a shared campaign, as its client's slices are to have it.
pub fn stop_of(campaign: &BudgetAccount, now: Timestamp) -> Stop {
    let on = campaign.status() != BudgetStatus::Active || !campaign.is_shared();
    Stop { version: campaign.first.status_version, on, at: now }
}

/// When a stop may be dropped: every process has learnt of it by then.
pub fn dropped_at(stop: &Stop) -> Timestamp {
    let seconds = if stop.on { HOLDING_SECONDS } else { LIFTED_SECONDS };
    stop.at.plus_seconds(seconds).unwrap_or(stop.at)
}

/// A slice that is added to an account: it starts empty, with the status and stops of the first.
pub fn added(account: &BudgetAccount, number: u8) -> Slice {
    Slice {
        status: account.first.status,
        status_version: account.first.status_version,
        stops: account.first.stops.clone(),
        ..Slice::new(number)
    }
}

/// Changes the status, if that may be.
fn restate(
    account: &mut BudgetAccount,
    to: BudgetStatus,
    preconditions: ChangePreconditions,
) -> Result<(), Rejection> {
    let from = account.status();
    if from == to || from == BudgetStatus::Closed && to == BudgetStatus::Closing {
        return Ok(());
    }
    if account.kind() == BudgetKind::Platform || !from.is_open() {
        return Err(Rejection::BudgetPaused);
    }
    if to == BudgetStatus::Closing && preconditions.children {
        return Err(Rejection::AccountNotEmpty);
    }
    account.first.status = to;
    account.first.status_version += 1;
    Ok(())
}
