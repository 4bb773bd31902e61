//! The purchase of a voucher with points.
//!
//! **Invariant:** points are burnt, the code is sold, the purchase is kept and its delivery is queued in one transaction.
//! **Invariant:** a repetition gets the same code.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::giftcard::Sealed;
use crate::ids::{CustomerId, RequestId, VoucherId, VoucherPurchaseId};
use crate::ledger::account::AccountStatus;
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::{Entry, EntryType};
use crate::loyalty::adjust::too_few;
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::vouchers::bought::{PurchaseStatus, VoucherDelivery, VoucherPurchase};
use crate::vouchers::state::{VoucherHint, VoucherNeeds, VoucherState, VoucherWrite};
use crate::vouchers::voucher::Voucher;

/// Where the code of a purchase is to be sent.
#[derive(Clone, Debug)]
pub struct SendTo {
    /// How, and the masked address.
    pub delivery: VoucherDelivery,
    /// The address.
    pub address: Sealed,
}

/// A purchase, or its refund.
#[derive(Clone, Debug)]
pub struct Bought {
    /// The purchase.
    pub id: VoucherPurchaseId,
    /// The purchase, if this invocation has decided it; a replay reads it.
    pub purchase: Option<Box<VoucherPurchase>>,
    pub(super) request: Option<RequestId>,
}

impl Outcome for Bought {
    fn of_entry(entry: Entry) -> Option<Self> {
        let id = entry.points.as_ref()?.voucher_purchase_id.clone()?;
        Some(Self { id, purchase: None, request: entry.request })
    }

    fn request(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}

keyed_request! {
    /// Buys a voucher.
    #[derive(Clone, Debug)]
    pub struct BuyVoucher ("buy-voucher") {
        /// Who buys it.
        pub user: CustomerId => _,
        /// The voucher.
        pub voucher: VoucherId => "voucher",
        /// The price that the customer was shown.
        pub expected_price: Option<Points> => "expected_price",
        /// How the code is sent, and a keyed digest of the address.
        pub delivery: Option<String> => "delivery",
        /// Where the code is sent.
        pub send_to: Option<SendTo> => _,
        /// What makes it happen once.
        pub cause: Cause => _,
        /// What is expected of the voucher.
        pub hint: Option<VoucherHint> => _,
    }
}

impl BuyVoucher {
    fn key(&self) -> CauseKey {
        CauseKey::new(self.cause.clone(), self.fingerprint())
    }

    /// Returns the voucher, if this customer may buy it now.
    fn permitted<'a>(&self, member: &Member, state: &'a VoucherState) -> Result<&'a Voucher, Rejection> {
        let rejected = |why: LoyaltyRejection| Rejection::Loyalty(why);
        let voucher = state.voucher.as_ref().ok_or(rejected(LoyaltyRejection::VoucherNotFound))?;
        let is_expected = self.expected_price.is_none_or(|price| price == voucher.terms.price);
        if !voucher.is_for_sale(member.posting.now) || !is_expected {
            return Err(rejected(LoyaltyRejection::VoucherUnavailable));
        }
        if member.posting.account.status != AccountStatus::Active {
            return Err(Rejection::AccountFrozen(self.user.clone()));
        }
        if !voucher.is_for(&member.tier()?.name) {
            let required = voucher.required_tier(&member.program()?.rules.tiers);
            let tier = required.map(|tier| tier.as_str().to_owned()).unwrap_or_default();
            return Err(rejected(LoyaltyRejection::TierRequired { tier }));
        }
        let bought = state.count.map_or(0, |count| count.bought);
        if voucher.terms.per_user_limit.is_some_and(|most| bought >= most) {
            return Err(rejected(LoyaltyRejection::VoucherLimitReached));
        }
        Ok(voucher)
    }
}

impl Command for BuyVoucher {
    type State = VoucherState;
    type Outcome = Bought;
    type Write = VoucherWrite;

    fn needs(&self) -> VoucherNeeds {
        let (user, voucher) = (self.user.clone(), self.voucher.clone());
        VoucherNeeds { user, voucher, hint: self.hint, purchase: None }
    }

    fn key(&self, _: &VoucherState) -> Option<CauseKey> {
        Some(self.key())
    }

    fn precedes_replay(&self, rejection: &Rejection) -> bool {
        *rejection == Rejection::Loyalty(LoyaltyRejection::VoucherNotFound)
    }

    fn decide(&self, state: &VoucherState, context: &Context) -> Decided<Bought, VoucherWrite> {
        let setting = Setting::of(&state.loyalty, context)?;
        let mut member = Member::begin(state.loyalty.points.as_ref(), &self.user, &setting)?;
        let voucher = self.permitted(&member, state)?;
        let price = voucher.terms.price;
        let Some(lots) = member.posting.account.lots.burn(price.money()) else {
            return Err(too_few(&member, price.money())?.into());
        };
        let free = state.free.clone().ok_or(Rejection::OutOfStock)?;
        let id = VoucherPurchaseId::of(&self.user, &self.cause);
        let name = &voucher.terms.name;
        let mut burn = draft(self.key(), EntryType::Burn, lots, Some(name), &setting.context);
        burn.points.voucher_purchase_id = Some(id.clone());
        let (entry, _) = member.post(burn, TierEvent::None)?;
        let worth = entry.points.as_ref().and_then(|points| points.worth);
        let worth = worth.ok_or(Rejection::Inconsistent("points have no value"))?;
        let purchase = Box::new(VoucherPurchase {
            id: id.clone(),
            voucher: voucher.id.clone(),
            name: name.clone(),
            user: self.user.clone(),
            card: free.card.clone(),
            points: price,
            points_value: worth.of(price.money()),
            currency: worth.currency,
            status: PurchaseStatus::Issued,
            delivery: self.send_to.as_ref().map(|to| to.delivery.clone()),
            cause: entry.cause.to_string(),
            transaction: entry.id().to_string(),
            created_at: entry.at,
            refund: None,
            version: 1,
        });
        let mut writes: Vec<VoucherWrite> =
            member.into_writes()?.into_iter().map(VoucherWrite::from).collect();
        writes.push(VoucherWrite::Sell { free, purchase: id.clone() });
        writes.push(VoucherWrite::Purchase { purchase: purchase.clone(), was: 0 });
        if let Some(count) = state.count {
            writes.push(VoucherWrite::Count {
                user: self.user.clone(),
                voucher: voucher.id.clone(),
                limit_number: voucher.limit_number,
                bought: count.bought.saturating_add(1),
                was: count.was,
            });
        }
        if let Some(to) = &self.send_to {
            let (purchase, address) = (purchase.clone(), to.address.clone());
            writes.push(VoucherWrite::Deliver { purchase, address });
        }
        let request = Some(context.request.clone());
        Ok(Decision::Commit { outcome: Bought { id, purchase: Some(purchase), request }, writes })
    }
}
