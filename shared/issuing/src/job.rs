//! What issuing a card is about: what is asked for, what it is done by, and the entry that pays for it.
//!
//! **Invariant:** an entry is a function of its redemption, so whoever finishes an order writes the same one.

use domain::budget::BudgetAccount;
use domain::budget::entry::{BudgetEntry, MoveType, Paid};
use domain::cause::Cause;
use domain::context::Context;
use domain::currency::Currency;
use domain::giftcard::card::PlainCard;
use domain::giftcard::redemption::{Method, Redemption};
use domain::giftcard::{Brand, CardSource};
use domain::hash::Hash;
use domain::ids::RecipientId;
use domain::ids::budget::{AccountId, BrandId, RedemptionId};
use domain::money::{Amount, Money};
use domain::rejection::Rejection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is wished for.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// On whose budget.
    pub campaign: AccountId,
    /// Of which brand.
    pub brand: BrandId,
    /// Of which face value.
    pub denomination: Amount,
    /// What the code comes to: its keyed digest.
    pub redemption: RedemptionId,
    /// Whom it is for.
    pub recipient: Option<RecipientId>,
    /// How and where it is sent.
    pub delivery: Option<(Method, String)>,
    /// From which address it was asked for, and with which program.
    pub origin: (Option<String>, Option<String>),
    /// How long the caller waits for a supplier; the order goes on without.
    pub wait: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The redemption.
    pub redemption: Redemption,
    /// The card; none while a supplier has not said what became of its order.
    pub card: Option<PlainCard>,
    /// True if an earlier request did it.
    pub replayed: bool,
    /// How often it had to be tried again.
    pub retries: u32,
}

/// All that a provision is done by.
pub(crate) struct IssueContext<'a> {
    pub(crate) issue: &'a IssueRequest,
    pub(crate) context: &'a Context,
    pub(crate) campaign: Arc<BudgetAccount>,
    pub(crate) charged: AccountId,
    pub(crate) brand: Arc<Brand>,
    pub(crate) denomination: Money,
    pub(crate) price: Money,
    pub(crate) currency: Currency,
    pub(crate) cause: Cause,
}

/// One try.
pub(crate) enum TryOutcome {
    Done(Box<Issued>),
    Rejected(Rejection),
    /// The supplier has said no: that is final.
    Refused(Rejection),
    /// Nothing is set aside; try again.
    Again(String),
}

/// The entry of a redemption.
pub(crate) fn entry_of(
    redemption: &Redemption,
    source: CardSource,
    cost: Money,
    cause: Cause,
    context: &Context,
) -> BudgetEntry {
    let paid = Paid {
        campaign: redemption.campaign.clone(),
        redemption: redemption.id.clone(),
        brand: redemption.brand.clone(),
        denomination: redemption.denomination,
        source,
        cost,
    };
    let entry = BudgetEntry {
        account: redemption.charged.clone(),
        cause,
        attempt: redemption.attempt.clone(),
        kind: MoveType::Redemption,
        amount: redemption.amount,
        currency: redemption.currency,
        takes: redemption.takes.clone(),
        puts: BTreeMap::new(),
        balance_after: redemption.credit_remaining,
        at: context.now,
        by: redemption.by.clone(),
        request: redemption.request.clone(),
        fingerprint: None,
        notes: None,
        other: None,
        paid: Some(paid),
        hash: Hash::GENESIS,
    };
    entry.sealed()
}
