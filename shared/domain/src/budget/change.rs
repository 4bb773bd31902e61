//! Opens and changes budget accounts.
//!
//! **Invariant:** an account's parent, kind and currency never change.
//! **Invariant:** a change of status increments the status version. A slice with a higher version
//! has a newer status, in whatever order copies arrive.

use super::allocate::SlicedAccount;
use super::permit::BudgetAction;
use super::slice::{Slice, Stop};
use super::{
    BudgetAccount, BudgetOpening, BudgetStatus, ChildCount, MAX_OPEN_CHILDREN, MAX_OWN_SLICES, MAX_SLICES,
    Mode,
};
use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::budget::{AccountId, BrandId, BudgetKind};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Seconds that a lifted stop stays on the client's slices: longer than any late copy of it can be
/// in transit.
const LIFTED_SECONDS: u32 = 3_600;

/// Seconds that an active stop stays there: longer than any process lives that was suspended with
/// older data cached.
const HOLDING_SECONDS: u32 = 7 * 86_400;

keyed_request! {
    /// Opens an account.
    #[derive(Clone, Debug)]
    pub struct OpenAccount {
        /// Agency, client or campaign.
        pub kind: BudgetKind => "kind",
        /// Account that its credit comes from.
        pub parent: AccountId => "parent",
        /// Display name.
        pub name: FreeText => "name",
        /// Available credit below which an alert is raised.
        pub low_credit_threshold: Option<Amount> => "threshold",
        /// Which account's credit a campaign spends; None means shared.
        pub mode: Option<Mode> => "mode",
        /// Number of slices, 1 to 64.
        pub slices: u8 => "slices",
        /// Brands that an agency may use; None means all.
        pub brands: Option<BTreeSet<BrandId>> => "brands",
        /// Idempotency cause.
        pub cause: Cause => _,
    }
}

impl OpenAccount {
    /// Returns the id of the account that this request creates.
    pub fn id(&self) -> AccountId {
        AccountId::mint(self.kind, &self.parent, &self.cause)
    }

    /// Returns what the caller needs to be permitted in addition to [`BudgetAction::Open`].
    pub fn requires(&self) -> Vec<BudgetAction> {
        let brands = self.brands.as_ref().map(|_| BudgetAction::GrantBrands);
        [brands, many_slices(Some(self.slices))].into_iter().flatten().collect()
    }

    /// Decides the new account.
    pub fn decide(&self, above: &SlicedAccount, context: &Context) -> Result<BudgetAccount, Rejection> {
        let parent = &above.account;
        if self.kind.parent() != Some(parent.kind()) {
            return Err(Rejection::WrongParent);
        }
        if !parent.status().is_open() {
            return Err(Rejection::BudgetPaused);
        }
        if parent.children.is_some_and(|children| children.open >= MAX_OPEN_CHILDREN) {
            return Err(Rejection::TooManyOpen { what: "children of an account", most: MAX_OPEN_CHILDREN });
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
            auto_slices: true,
            low_credit_threshold: threshold,
            brands: self.brands.clone(),
            card_price: None,
            created_at: context.now,
            updated_at: context.now,
            opened,
            version: 1,
            copied_status_version: 1,
            children: Some(ChildCount::default()),
            first: Slice::new(0),
        })
    }
}

fn exact(amount: Option<Amount>, currency: crate::currency::Currency) -> Result<Option<Money>, Rejection> {
    let exact =
        |amount: Amount| amount.in_currency(currency).ok_or(Rejection::TooPrecise { unit: currency.into() });
    amount.map(exact).transpose()
}

/// Changes an account; a field that is None stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ChangeAccount {
    /// New display name.
    pub name: Option<FreeText>,
    /// New alert threshold; `Some(None)` removes it.
    pub low_credit_threshold: Option<Option<Amount>>,
    /// New status.
    pub status: Option<BudgetStatus>,
    /// New mode; campaigns only.
    pub mode: Option<Mode>,
    /// New number of slices, up to 64; never fewer than before.
    pub slices: Option<u8>,
    /// Whether the monitor may raise the number of slices.
    pub auto_slices: Option<bool>,
    /// New brands that an agency may use; `Some(None)` allows all.
    pub brands: Option<Option<BTreeSet<BrandId>>>,
}

/// Facts outside an account that its change depends on.
#[derive(Clone, Copy, Debug)]
pub struct ChangePreconditions {
    /// True if the account has undecided attempts; those of a shared campaign are on its client's
    /// slices.
    pub reserved: bool,
    /// True if an account below it is not closed.
    pub children: bool,
}

/// Returns the permission that so many slices need.
fn many_slices(slices: Option<u8>) -> Option<BudgetAction> {
    slices.filter(|slices| *slices > MAX_OWN_SLICES).map(|_| BudgetAction::GrantSlices)
}

impl ChangeAccount {
    /// Returns what the caller needs to be permitted in addition to [`BudgetAction::Change`].
    pub fn requires(&self) -> Vec<BudgetAction> {
        let slices = self.slices.is_some() || self.auto_slices.is_some();
        let controls = self.status.is_some() || self.mode.is_some() || slices;
        let control = controls.then_some(BudgetAction::Control);
        let brands = self.brands.as_ref().map(|_| BudgetAction::GrantBrands);
        [control, brands, many_slices(self.slices)].into_iter().flatten().collect()
    }

    /// Returns the changed account; the caller adds slices and copies the status to all of them.
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
            return Err(Rejection::NotAnAgency);
        }
        if self.mode.is_some() && account.kind() != BudgetKind::Campaign {
            return Err(Rejection::NotACampaign);
        }
        if let Some(brands) = &self.brands {
            account.brands.clone_from(brands);
        }
        if let Some(slices) = self.slices {
            if slices < account.slices || slices > MAX_SLICES {
                return Err(Rejection::InvalidSliceCount);
            }
            account.slices = slices;
        }
        account.auto_slices = self.auto_slices.unwrap_or(account.auto_slices);
        if let Some(mode) = self.mode.filter(|mode| *mode != account.mode) {
            if !sliced.available().is_zero() || preconditions.reserved {
                return Err(Rejection::AccountNotEmpty);
            }
            account.mode = mode;
            account.was_shared |= mode == Mode::Shared;
            // Processes that cached the old mode must learn of the change: a campaign with its own
            // credit is stopped on its client's slices.
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

/// Returns the stop of a campaign, as stored on its client's slices.
pub fn stop_of(campaign: &BudgetAccount, now: Timestamp) -> Stop {
    let on = campaign.status() != BudgetStatus::Active || !campaign.is_shared();
    Stop { version: campaign.first.status_version, on, at: now }
}

/// Returns when a stop may be dropped: every process knows of it by then.
pub fn dropped_at(stop: &Stop) -> Timestamp {
    let seconds = if stop.on { HOLDING_SECONDS } else { LIFTED_SECONDS };
    stop.at.plus_seconds(seconds).unwrap_or(stop.at)
}

/// Returns a slice to add to an account: empty, with the status and stops of the first slice.
pub fn added(account: &BudgetAccount, number: u8) -> Slice {
    Slice {
        status: account.first.status,
        status_version: account.first.status_version,
        stops: account.first.stops.clone(),
        ..Slice::new(number)
    }
}

/// Changes the status if that is allowed.
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
