//! The scheduled check of the credit of all accounts.
//!
//! **Invariant:** a run has a deadline, and the next one goes on where it ended. Within a run, each
//! agency's accounts get an equal share before any agency's get more.
//! **Invariant:** one account that cannot be read does not keep the others from being checked.

use crate::checked::{AccountBounds, Checked, WatchSummary, failed};
use crate::{Issuer, alerts};
use domain::budget::allocate::SlicedAccount;
use domain::budget::rounds::{AgencyPlace, RoundPlace};
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::context::Context;
use domain::ids::budget::{AccountId, BudgetKind};
use domain::money::Money;
use futures::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::time::Instant;
use store::{PageRange, StoreError, keys};

/// Accounts that are read at once.
const ACCOUNTS_PER_READ: u16 = 100;

/// The place before every campaign of a client.
const BEFORE_ALL: &str = "!";

/// Accounts whose alerts are read and written concurrently.
const CONCURRENT_CHECKS: usize = 16;

impl Issuer {
    /// Checks accounts until all are checked or a bound is reached.
    pub(crate) async fn watch_accounts(
        &self,
        bounds: AccountBounds,
        context: &Context,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        let stored = self.store.budgets().round_place().await?;
        let mut place = stored.clone();
        let end = Instant::now() + bounds.time;
        let mut round =
            Round { issuer: self, context, summary, share: bounds.share, left: bounds.limit, end };
        let shared = round.first_shares(&mut place).await;
        if !matches!(shared, Ok(false)) {
            round.further_shares(&mut place).await;
        }
        if place != stored {
            self.store.budgets().keep_round_place(&place).await?;
        }
        shared.map(|_| ())
    }
}

/// A run over the accounts.
struct Round<'a> {
    issuer: &'a Issuer,
    context: &'a Context,
    summary: &'a mut WatchSummary,
    share: usize,
    /// Accounts that may still be checked.
    left: usize,
    end: Instant,
}

impl Round<'_> {
    fn is_over(&self) -> bool {
        self.left == 0 || Instant::now() >= self.end
    }

    /// Gives each agency a share: those after the place, then those before it. Returns false if the run
    /// is over.
    async fn first_shares(&mut self, place: &mut RoundPlace) -> Result<bool, StoreError> {
        let platform = AccountId::platform();
        let begin = place.after.take();
        let (mut after, mut wrapped) = (begin.clone(), begin.is_none());
        loop {
            let page = self.page(&platform, after.as_deref()).await?;
            for agency in &page.accounts {
                let at = place_of(&platform, agency);
                if wrapped && begin.as_ref().is_some_and(|begin| at > *begin) {
                    place.after = None;
                    return Ok(true);
                }
                if self.is_over() {
                    return Ok(false);
                }
                self.check(std::slice::from_ref(agency), None).await;
                self.below(&agency.id, place).await;
                place.after = Some(at);
            }
            after = page.next;
            if after.is_none() && std::mem::replace(&mut wrapped, true) {
                place.after = None;
                return Ok(true);
            }
        }
    }

    /// Gives the agencies with unchecked accounts further shares.
    async fn further_shares(&mut self, place: &mut RoundPlace) {
        while !place.within.is_empty() {
            for agency in place.within.keys().cloned().collect::<Vec<_>>() {
                if self.is_over() {
                    return;
                }
                self.below(&agency, place).await;
            }
        }
    }

    /// Checks one share of the clients and campaigns of an agency, from its place on. An agency whose
    /// accounts cannot be listed begins anew in the next run.
    async fn below(&mut self, agency: &AccountId, place: &mut RoundPlace) {
        let at = place.within.remove(agency).unwrap_or_default();
        match self.share(agency, at).await {
            Ok(Some(at)) => {
                place.within.insert(agency.clone(), at);
            }
            Ok(None) => {}
            Err(error) => failed(Err(error), agency.as_str(), self.summary),
        }
    }

    /// Checks one share; returns where to go on, if not all were checked.
    async fn share(
        &mut self,
        agency: &AccountId,
        mut at: AgencyPlace,
    ) -> Result<Option<AgencyPlace>, StoreError> {
        let mut share = self.share;
        loop {
            if self.is_over() {
                return Ok(Some(at));
            }
            let page = self.page(agency, at.client.as_deref()).await?;
            for client in &page.accounts {
                match self.client(client, &mut at, &mut share).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(Some(at)),
                    // The other clients do not wait for this one.
                    Err(error) => failed(Err(error), client.id.as_str(), self.summary),
                }
                at = AgencyPlace { client: Some(place_of(agency, client)), campaign: None };
            }
            if page.next.is_none() {
                return Ok(None);
            }
            at = AgencyPlace { client: page.next, campaign: None };
        }
    }

    /// Checks a client and its campaigns from the place on; returns false if the share is used up, or the
    /// run is over, before all were checked.
    async fn client(
        &mut self,
        client: &BudgetAccount,
        at: &mut AgencyPlace,
        share: &mut usize,
    ) -> Result<bool, StoreError> {
        if *share == 0 || self.is_over() {
            return Ok(false);
        }
        let client_left = if at.campaign.is_some() {
            let client = self.issuer.store.budgets().load_sliced(&client.id).await?;
            client.map(|client| client.available())
        } else {
            at.campaign = Some(BEFORE_ALL.to_owned());
            *share -= 1;
            self.check(std::slice::from_ref(client), None).await
        };
        loop {
            let page = self.page(&client.id, at.campaign.as_deref()).await?;
            let most = (*share).min(self.left).min(page.accounts.len());
            let some = page.accounts.get(..most).unwrap_or_default();
            self.check(some, client_left).await;
            *share -= most;
            if let Some(last) = some.last() {
                at.campaign = Some(place_of(&client.id, last));
            }
            let is_cut = most < page.accounts.len();
            if !is_cut {
                let Some(next) = page.next else { return Ok(true) };
                at.campaign = Some(next);
            }
            if is_cut || *share == 0 || self.is_over() {
                return Ok(false);
            }
        }
    }

    async fn page(
        &mut self,
        parent: &AccountId,
        after: Option<&str>,
    ) -> Result<store::ChildPage, StoreError> {
        let range = PageRange { skip: 0, limit: ACCOUNTS_PER_READ };
        let mut page = self.issuer.store.budgets().children(parent, after, range).await?;
        for error in page.unreadable.drain(..) {
            failed(Err(error), parent.as_str(), self.summary);
        }
        Ok(page)
    }

    /// Checks accounts; `parent_left` is the available credit of their parent, if it is known and they can
    /// spend it. Returns the sum of their own available credit; None if one of them cannot be read.
    async fn check(&mut self, accounts: &[BudgetAccount], parent_left: Option<Money>) -> Option<Money> {
        self.left = self.left.saturating_sub(accounts.len());
        // If one account cannot be read, the others are read one by one.
        let sliced_accounts = match self.issuer.store.budgets().sliced_accounts(accounts.to_vec()).await {
            Ok(sliced_accounts) => sliced_accounts,
            Err(_) => self.one_by_one(accounts).await,
        };
        let mut checks = Vec::new();
        for sliced in sliced_accounts.values() {
            checks.push(self.issuer.check_account(sliced, parent_left, self.context));
        }
        let checked: Vec<_> = stream::iter(checks).buffered(CONCURRENT_CHECKS).collect().await;
        for (result, id) in checked.into_iter().zip(sliced_accounts.keys()) {
            let result = result.map(|checked| self.summary.add(checked));
            failed(result, id.as_str(), self.summary);
        }
        let is_complete = sliced_accounts.len() == accounts.len();
        is_complete.then(|| sliced_accounts.values().map(SlicedAccount::available).sum())
    }

    async fn one_by_one(&mut self, accounts: &[BudgetAccount]) -> BTreeMap<AccountId, SlicedAccount> {
        let mut sliced_accounts = BTreeMap::new();
        for account in accounts {
            match self.issuer.store.budgets().sliced_accounts(vec![account.clone()]).await {
                Ok(sliced) => sliced_accounts.extend(sliced),
                Err(error) => failed(Err(error), account.id.as_str(), self.summary),
            }
        }
        sliced_accounts
    }
}

impl Issuer {
    async fn check_account(
        &self,
        sliced: &SlicedAccount,
        parent_left: Option<Money>,
        context: &Context,
    ) -> Result<Checked, StoreError> {
        let account: &BudgetAccount = &sliced.account;
        let open = account.status().is_open();
        let mut checked = Checked::default();
        // What the account can spend; a shared campaign spends its client's credit.
        let left = if account.is_shared() { parent_left } else { Some(sliced.available()) };
        let Some(left) = left else { return Ok(checked) };
        if let Some(threshold) = account.low_credit_threshold {
            let low = open && left < threshold;
            match account.kind() {
                BudgetKind::Agency => checked.agencies += u32::from(low),
                BudgetKind::Client => checked.clients += u32::from(low),
                BudgetKind::Campaign | BudgetKind::Platform => {}
            }
            let new_alert = alerts::low_credit(account, left);
            checked.opened.extend(self.record_state(low, &new_alert, context).await?);
        }
        if account.kind() == BudgetKind::Campaign {
            // A campaign counts as depleted if it cannot pay for another card, and only once it has
            // issued one.
            let short = account.card_price.is_some_and(|price| left.is_zero() || left < price);
            let depleted = account.status() == BudgetStatus::Active && short;
            checked.campaigns += u32::from(depleted);
            let new_alert = alerts::depleted(&account.id, left, account.currency);
            checked.opened.extend(self.record_state(depleted, &new_alert, context).await?);
        }
        Ok(checked)
    }
}

/// Returns the place of a child in its parent's list.
fn place_of(parent: &AccountId, child: &BudgetAccount) -> String {
    keys::listed_child(parent, child.created_at, &child.id).sk
}
