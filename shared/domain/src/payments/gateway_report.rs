//! Reports of payment gateways, translated into our own terms.
//!
//! **Invariant:** only [`PaymentFact::Captured`] is money in, and only [`PaymentFact::Reversed`]
//! and [`PaymentFact::Refund`] are money out. An approval, an authorization or a statement of the
//! client is neither.

use crate::currency::Currency;
use crate::ids::{Gateway, GatewayId, GatewayKey, ReversalId, TopUpId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Timestamp;

/// State of a refund or dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalState {
    /// The gateway has taken the reported amount, in total.
    Taken,
    /// The dispute is lost. Counts only if no report says that the money was taken.
    Lost,
    /// Without effect: the dispute was won or the money reinstated, or the refund failed.
    Returned,
}

impl ReversalState {
    /// Parses the stored word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        [Self::Taken, Self::Lost, Self::Returned]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or(ParseError("is not a phase of a reversal"))
    }

    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Lost => "lost",
            Self::Returned => "returned",
        }
    }
}

/// What happened, according to a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFact {
    /// A payment was captured: this is money.
    Captured {
        /// Captured amount, as the gateway reports it.
        amount: Money,
        /// Currency of the amount, as the gateway reports it.
        currency: Currency,
    },
    /// A payment failed; another may follow.
    Failed,
    /// A refund or dispute reached a state.
    Reversed {
        /// Refund or dispute that the report is about.
        id: ReversalId,
        /// State that it reached.
        phase: ReversalState,
        /// Total amount of the payment that it concerns.
        amount: Money,
        /// Currency of the amount.
        currency: Currency,
    },
    /// One refund of a payment whose gateway also reports the refunded total (Stripe).
    Refund {
        /// Id under which the payment's refunds are kept.
        of: ReversalId,
        /// Gateway's id of this refund.
        refund: GatewayId,
        /// True if the refund failed or was cancelled.
        failed: bool,
        /// Amount of this refund.
        amount: Money,
        /// Currency of the amount.
        currency: Currency,
    },
    /// Nothing that moves value.
    Nothing,
}

/// A gateway's report: what it is about, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayReport {
    /// Gateway that sent the report.
    pub gateway: Gateway,
    /// Our top-up, if the report names it in its notes, metadata or `custom_id`.
    pub topup: Option<TopUpId>,
    /// Gateway's order (checkout session).
    pub order: Option<GatewayId>,
    /// Gateway's payment (payment intent, capture).
    pub payment: Option<GatewayId>,
    /// Gateway's charge, if that differs from the payment.
    pub charge: Option<GatewayId>,
    /// Payment method, if the report states it separately (`google_pay`).
    pub method: Option<String>,
    /// Gateway fee that the customer paid on top; included in the captured amount.
    pub customer_fee: Option<Money>,
    /// Time of the event, as the gateway reports it.
    pub at: Option<Timestamp>,
    /// What happened.
    pub fact: PaymentFact,
}

impl GatewayReport {
    /// Returns a report that moves no value and names nothing.
    pub fn nothing(gateway: Gateway) -> Self {
        let (topup, order, payment, charge) = (None, None, None, None);
        let (method, customer_fee, at) = (None, None, None);
        Self { gateway, topup, order, payment, charge, method, customer_fee, at, fact: PaymentFact::Nothing }
    }

    /// Returns the keys of the gateway references by which it can be found, the payment's first.
    pub fn keys(&self) -> Vec<GatewayKey> {
        let paid = [&self.payment, &self.charge].into_iter().flatten();
        let paid = paid.map(|id| GatewayKey::of(self.gateway, id));
        paid.chain(self.order.iter().map(|id| GatewayKey::order(self.gateway, id))).collect()
    }

    /// Returns the key of its payment, or else of its charge.
    pub fn payment_key(&self) -> Option<GatewayKey> {
        self.payment.as_ref().or(self.charge.as_ref()).map(|id| GatewayKey::of(self.gateway, id))
    }
}
