//! The refund of a bought voucher.
//!
//! **Invariant:** the points come back once, to the lots that paid; the code stays void.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, RequestId, VoucherId, VoucherPurchaseId};
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision};
use crate::ledger::entry::EntryType;
use crate::ledger::lot::Lot;
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::plus_days;
use crate::vouchers::bought::{PurchaseStatus, VoucherRefund};
use crate::vouchers::purchase::Bought;
use crate::vouchers::state::{VoucherNeeds, VoucherState, VoucherWrite};

/// Gives back the points of a bought voucher.
#[derive(Clone, Debug)]
pub struct RefundVoucher {
    /// The purchase.
    pub id: VoucherPurchaseId,
    /// Who bought it.
    pub user: CustomerId,
    /// The voucher.
    pub voucher: VoucherId,
    /// Why.
    pub reason: FreeText,
}

impl Cause {
    /// Returns the cause of the refund of a bought voucher.
    pub fn voucher_refund(purchase: &VoucherPurchaseId) -> Self {
        Self::composed(format!("voucher:{purchase}:refund"))
    }
}

impl Command for RefundVoucher {
    type State = VoucherState;
    type Outcome = Bought;
    type Write = VoucherWrite;

    fn needs(&self) -> VoucherNeeds {
        let (user, voucher) = (self.user.clone(), self.voucher.clone());
        VoucherNeeds { user, voucher, hint: None, purchase: Some(self.id.clone()) }
    }

    fn key(&self, _: &VoucherState) -> Option<CauseKey> {
        Some(CauseKey::new(Cause::voucher_refund(&self.id), Fingerprint::of(&[])))
    }

    fn decide(&self, state: &VoucherState, context: &Context) -> Decided<Bought, VoucherWrite> {
        const MISSING: Rejection = Rejection::Inconsistent("a bought voucher or its entry is missing");
        let purchase = state.purchase.as_ref().ok_or(MISSING)?;
        if let Some(refund) = &purchase.refund {
            let request = Some(RequestId::new(refund.request.as_str()));
            let (id, purchase) = (self.id.clone(), Some(Box::new(purchase.clone())));
            return Ok(Decision::Already(Bought { id, purchase, request }));
        }
        let burnt = state.burnt.as_ref().ok_or(MISSING)?;
        let setting = Setting::of(&state.loyalty, context)?;
        let mut member = Member::begin(state.loyalty.points.as_ref(), &self.user, &setting)?;
        let today = member.posting.today();
        let graced = plus_days(today, member.program()?.rules.refund_grace_days);
        let lots: Vec<Lot> = burnt.lots.iter().map(|lot| lot.clone().returned(today, graced)).collect();
        let key = CauseKey::new(Cause::voucher_refund(&self.id), Fingerprint::of(&[]));
        let mut back = draft(key, EntryType::Refund, lots, Some(&self.reason), &setting.context);
        back.points.worth = burnt.points.as_ref().and_then(|points| points.worth);
        back.points.voucher_purchase_id = Some(self.id.clone());
        let (entry, _) = member.post(back, TierEvent::None)?;
        let was = purchase.version;
        let mut purchase = Box::new(purchase.clone());
        (purchase.status, purchase.version) = (PurchaseStatus::Refunded, was + 1);
        let (reason, request) = (self.reason.clone(), context.request.to_string());
        let was_sent = state.purchase.as_ref().is_some_and(|was| was.status == PurchaseStatus::Delivered);
        purchase.refund = Some(VoucherRefund { at: entry.at, reason, request, was_sent });
        let mut writes: Vec<VoucherWrite> =
            member.into_writes()?.into_iter().map(VoucherWrite::from).collect();
        writes.push(VoucherWrite::Purchase { purchase: purchase.clone(), was });
        if let Some(delivery) = &purchase.delivery {
            let (purchase, method) = (self.id.clone(), delivery.method);
            writes.push(VoucherWrite::DropMessage { purchase, method });
        }
        // A limit that has begun since counts only what was not given back.
        if let (Some(count), Some(voucher)) = (state.count.filter(|count| count.was > 0), &state.voucher) {
            writes.push(VoucherWrite::Count {
                user: self.user.clone(),
                voucher: self.voucher.clone(),
                limit_number: voucher.limit_number,
                bought: count.bought.saturating_sub(1),
                was: count.was,
            });
        }
        let request = Some(context.request.clone());
        let outcome = Bought { id: self.id.clone(), purchase: Some(purchase), request };
        Ok(Decision::Commit { outcome, writes })
    }
}
