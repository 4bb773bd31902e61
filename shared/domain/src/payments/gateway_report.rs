//! Payment gateways, and what each of their reports says once it is read into our terms.
//!
//! **Invariant:** only [`PaymentFact::Captured`] is money in, and only [`PaymentFact::Reversed`] and [`PaymentFact::Refund`] money out; an approval, an
//! authorisation or a client's word is neither.

use crate::currency::Currency;
use crate::ids::{Gateway, GatewayId, GatewayKey, ReversalId, TopUpId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Timestamp;

/// How far a refund or dispute has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalState {
    /// The gateway has taken this much in all.
    Taken,
    /// It is lost; counts if no withdrawal is ever reported.
    Lost,
    /// It has come to nothing: won, reinstated, or the refund failed.
    Returned,
}

impl ReversalState {
    /// Reads a stored phase.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        [Self::Taken, Self::Lost, Self::Returned]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or(ParseError("is not a phase of a reversal"))
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Lost => "lost",
            Self::Returned => "returned",
        }
    }
}

/// What a report says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFact {
    /// The payment is captured: this is money.
    Captured {
        /// How much, as the gateway says.
        amount: Money,
        /// In which currency, as the gateway says.
        currency: Currency,
    },
    /// A payment has failed; another may follow.
    Failed,
    /// A refund or dispute has come this far.
    Reversed {
        /// Which.
        id: ReversalId,
        /// How far.
        phase: ReversalState,
        /// How much of the payment, in all.
        amount: Money,
        /// In which currency.
        currency: Currency,
    },
    /// One refund of a payment whose gateway also reports how much has been refunded in all (Stripe).
    Refund {
        /// What the payment's refunds are kept under.
        of: ReversalId,
        /// The refund's own id.
        refund: GatewayId,
        /// It has failed or was cancelled.
        failed: bool,
        /// How much.
        amount: Money,
        /// In which currency.
        currency: Currency,
    },
    /// Nothing that moves value.
    Nothing,
}

/// A gateway's report in our terms: what it is about, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayReport {
    /// Who says it.
    pub gateway: Gateway,
    /// The top-up of ours that it names, in its notes, metadata or custom_id.
    pub topup: Option<TopUpId>,
    /// The gateway's order (checkout session).
    pub order: Option<GatewayId>,
    /// The gateway's payment (payment intent, capture).
    pub payment: Option<GatewayId>,
    /// The gateway's charge, where that is another thing than the payment.
    pub charge: Option<GatewayId>,
    /// How the customer paid, where that is said apart (`google_pay`).
    pub method: Option<String>,
    /// The fee that the customer has paid on top, as part of what was captured.
    pub customer_fee: Option<Money>,
    /// When, as the gateway says.
    pub at: Option<Timestamp>,
    /// What happened.
    pub fact: PaymentFact,
}

impl GatewayReport {
    /// A report that moves no value and names nothing.
    pub fn nothing(gateway: Gateway) -> Self {
        let (topup, order, payment, charge) = (None, None, None, None);
        let (method, customer_fee, at) = (None, None, None);
        Self { gateway, topup, order, payment, charge, method, customer_fee, at, fact: PaymentFact::Nothing }
    }

    /// What it can be found by, the payment first.
    pub fn keys(&self) -> Vec<GatewayKey> {
        let paid = [&self.payment, &self.charge].into_iter().flatten();
        let paid = paid.map(|id| GatewayKey::of(self.gateway, id));
        paid.chain(self.order.iter().map(|id| GatewayKey::order(self.gateway, id))).collect()
    }

    /// What its payment is known by: itself, else its charge.
    pub fn payment_key(&self) -> Option<GatewayKey> {
        self.payment.as_ref().or(self.charge.as_ref()).map(|id| GatewayKey::of(self.gateway, id))
    }
}
