//! The types of issuing a card: the request, its context, the outcome of a try, and the entry that pays
//! for the card.
//!
//! **Invariant:** an entry is a function of its redemption, so it is the same whichever process finishes
//! an order.

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

/// A request for a card.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// The campaign whose budget pays.
    pub campaign: AccountId,
    /// The requested brand.
    pub brand: BrandId,
    /// The requested face value, in major units of the brand's currency.
    pub denomination: Amount,
    /// The keyed digest of campaign and redemption code.
    pub redemption: RedemptionId,
    /// The recipient, who may read the card again.
    pub recipient: Option<RecipientId>,
    /// The delivery method and address; None if the card is not sent.
    pub delivery: Option<(Method, String)>,
    /// The caller's IP address and `User-Agent`, if known.
    pub origin: (Option<String>, Option<String>),
    /// How long the caller waits for a supplier; None: until it answers. The order continues after that.
    pub wait: Option<Duration>,
}

/// The outcome of a successful request.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The redemption, issued or pending.
    pub redemption: Redemption,
    /// None while the supplier has not reported the outcome of its order.
    pub card: Option<PlainCard>,
    /// True if an earlier request made the redemption.
    pub replayed: bool,
    /// Number of retries.
    pub retries: u32,
}

/// Everything that one try to issue a card needs to know.
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

/// The outcome of one try.
pub(crate) enum TryOutcome {
    Done(Box<Issued>),
    Rejected(Rejection),
    /// The supplier rejected the order, which is final.
    Refused(Rejection),
    /// Nothing is reserved any more; retry.
    Again(String),
}

/// Returns the budget entry that pays for a redemption.
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
