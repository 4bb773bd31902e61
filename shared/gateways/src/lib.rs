//! Payment gateways and suppliers of gift cards: verifies and reads their webhooks, and calls their
//! APIs.
//!
//! **Invariant:** every signature is verified over the raw bytes as received; HMACs are compared in
//! constant time.
//! **Invariant:** verification takes the time from its caller's clock; secrets are kept in types
//! that do not print.
//! **Invariant:** every call can be repeated without further effect (it has an idempotency header
//! or a unique receipt, or only reads), so a call with an unknown outcome is repeated.

mod certificates;
mod config;
mod delivery;
mod error;
mod google_pay;
mod http_client;
mod mac;
mod minor;
mod paypal;
mod razorpay;
mod read;
mod stripe;
pub mod suppliers;

pub use config::{Gateways, SetupError};
pub use delivery::{Endpoint, VerifiedWebhook, WebhookDelivery};
pub use error::{Forged, GatewayError, Reason, VerifyError};
pub use http_client::client;

use domain::ids::{EventId, Gateway, GatewayId};
use domain::payments::gateway_report::{GatewayReport, PaymentFact};
use domain::payments::process::ProcessReport;
use domain::payments::topup::{GatewayOrder, TopUp};

/// Returns the idempotency key with which a gateway places one order for an intent, however often
/// it is requested. It contains part of the fingerprint, because a refused intent may be followed
/// by a different one with the same cause.
pub(crate) fn request_id(topup: &TopUp) -> String {
    let fingerprint = topup.fingerprint.as_str();
    format!("{}-{}", topup.id.short(), fingerprint.get(..12).unwrap_or(fingerprint))
}

impl PolledReport {
    /// Turns the answer into a report about a top-up, to be processed like a webhook. The report is
    /// recorded, sealed, only if its processing fails.
    ///
    /// Returns `None` if it moves no value, or cannot be sealed.
    pub fn report(
        self,
        topup: &TopUp,
        seal: impl Fn(&str, &[u8]) -> Option<Vec<u8>>,
    ) -> Option<ProcessReport> {
        let fact_key = match &self.report.fact {
            PaymentFact::Nothing => return None,
            // A gateway may use one id for what it reports of several payments.
            PaymentFact::Reversed { id, .. } => {
                format!("{}-{}", id.as_str().replace(':', "-"), topup.id.short())
            }
            PaymentFact::Refund { refund, failed, .. } => {
                format!("{refund}-{}-{}", topup.id.short(), if *failed { "failed" } else { "made" })
            }
            PaymentFact::Captured { .. } => self.report.payment.as_ref()?.to_string(),
            PaymentFact::Failed => format!("{}-failed", self.report.payment.as_ref()?),
        };
        let id = EventId::of(topup.gateway.as_str(), &format!("asked-{fact_key}"));
        let body = seal(id.as_str(), self.body.as_bytes())?;
        let report = Some(GatewayReport { topup: Some(topup.id.clone()), ..self.report });
        Some(ProcessReport {
            id,
            kind: "asked".to_owned(),
            body,
            report,
            topup: None,
            record_only_failures: true,
            is_refused: false,
        })
    }
}

/// A gateway's answer when it is polled about a payment.
#[derive(Clone, Debug)]
pub struct PolledReport {
    /// What the answer reports.
    pub report: GatewayReport,
    /// Body of the answer; recorded if the report cannot be processed.
    pub body: String,
}

impl Gateways {
    /// Returns true if the gateway is configured.
    pub fn has(&self, gateway: Gateway) -> bool {
        match gateway {
            Gateway::Razorpay => self.razorpay.is_some(),
            Gateway::Stripe => self.stripe.is_some(),
            Gateway::PayPal => self.paypal.is_some(),
        }
    }

    /// Places the gateway's order for an intent; a repeated call for the same intent returns the
    /// same order.
    pub async fn place(&self, topup: &TopUp) -> Result<GatewayOrder, GatewayError> {
        match topup.gateway {
            Gateway::Razorpay => self.razorpay()?.place(topup).await,
            Gateway::Stripe => self.stripe()?.place(topup).await,
            Gateway::PayPal => self.paypal()?.place(topup).await,
        }
    }

    /// Polls the gateway about a top-up; captures a PayPal order that its customer has approved.
    ///
    /// Returns a report of every payment that the gateway knows for the top-up, and of its refunds.
    /// A payment that moved no money has [`PaymentFact::Nothing`]. Returns no reports if the order
    /// was not placed, or the gateway does not know it (any more).
    pub async fn poll(&self, topup: &TopUp) -> Result<Vec<PolledReport>, GatewayError> {
        let Some(placed) = &topup.placed else { return Ok(vec![]) };
        let answers = match topup.gateway {
            Gateway::Razorpay => self.razorpay()?.payments_of(&placed.order).await,
            Gateway::Stripe => self.stripe()?.payment(&placed.order).await,
            Gateway::PayPal => self.paypal()?.settle(topup, &placed.order).await,
        };
        match answers {
            Err(GatewayError::Refused { status: 400 | 404 | 410, .. }) => Ok(vec![]),
            answers => answers,
        }
    }

    /// Polls the gateway about the payment that a client says it has made.
    pub async fn poll_payment(
        &self,
        topup: &TopUp,
        payment: &GatewayId,
    ) -> Result<Vec<PolledReport>, GatewayError> {
        match topup.gateway {
            Gateway::Razorpay => self.razorpay()?.payment(payment).await,
            Gateway::Stripe => self.stripe()?.payment(payment).await,
            // A payment that the client names is ignored: PayPal is polled about the top-up's
            // order.
            Gateway::PayPal => self.poll(topup).await,
        }
    }

    /// Verifies the signature that the client received from Razorpay's checkout, over the order id
    /// that we stored.
    pub fn checkout_signature(
        &self,
        order: &GatewayId,
        payment: &GatewayId,
        signature: &str,
    ) -> Result<(), VerifyError> {
        let razorpay = self.razorpay.as_ref().ok_or(VerifyError::NotConfigured)?;
        razorpay.checkout_signature(order, payment, signature)
    }

    /// Captures a PayPal order that its customer has approved; does nothing for other gateways.
    pub async fn capture(&self, topup: &TopUp) -> Result<Vec<PolledReport>, GatewayError> {
        match (topup.gateway, &topup.placed) {
            (Gateway::PayPal, Some(placed)) => self.paypal()?.settle(topup, &placed.order).await,
            (Gateway::Razorpay | Gateway::Stripe | Gateway::PayPal, _) => Ok(vec![]),
        }
    }

    /// Verifies a delivery and reads it.
    pub async fn verify(
        &self,
        endpoint: Endpoint,
        delivery: &WebhookDelivery<'_>,
    ) -> Result<VerifiedWebhook, VerifyError> {
        match endpoint {
            Endpoint::Razorpay => {
                self.razorpay.as_ref().ok_or(VerifyError::NotConfigured)?.verify(endpoint, delivery)
            }
            Endpoint::Stripe => {
                self.stripe.as_ref().ok_or(VerifyError::NotConfigured)?.verify(endpoint, delivery)
            }
            Endpoint::PayPal => {
                self.paypal.as_ref().ok_or(VerifyError::NotConfigured)?.verify(delivery).await
            }
            Endpoint::GooglePay => self.verify_google_pay(delivery),
        }
    }

    /// Reads a body that was verified when it was received: what the event with this id is about.
    pub fn read(&self, id: &EventId, kind: &str, body: &[u8]) -> Option<GatewayReport> {
        match Endpoint::of(id)? {
            Endpoint::Razorpay => razorpay::read(kind, body),
            Endpoint::Stripe => stripe::read(kind, body),
            Endpoint::PayPal => paypal::read_again(id, kind, body),
            Endpoint::GooglePay => {
                let report = if self.psp == Gateway::Stripe {
                    stripe::read(kind, body)
                } else {
                    razorpay::read(kind, body)
                };
                report.map(|report| GatewayReport { method: Some("google_pay".to_owned()), ..report })
            }
        }
    }

    fn verify_google_pay(&self, delivery: &WebhookDelivery<'_>) -> Result<VerifiedWebhook, VerifyError> {
        if let Some(tokens) = &self.google_pay
            && google_pay::is_envelope(delivery.body)
        {
            return tokens.verify(delivery, self.psp);
        }
        let endpoint = Endpoint::GooglePay;
        let mut report = match self.psp {
            Gateway::Razorpay => {
                self.razorpay.as_ref().ok_or(VerifyError::NotConfigured)?.verify(endpoint, delivery)
            }
            Gateway::Stripe => {
                self.stripe.as_ref().ok_or(VerifyError::NotConfigured)?.verify(endpoint, delivery)
            }
            Gateway::PayPal => Err(VerifyError::NotConfigured),
        }?;
        if let Some(report) = &mut report.report {
            report.method = Some("google_pay".to_owned());
        }
        Ok(report)
    }

    fn razorpay(&self) -> Result<&razorpay::Razorpay, GatewayError> {
        self.razorpay.as_ref().ok_or(GatewayError::NotConfigured)
    }

    fn stripe(&self) -> Result<&stripe::Stripe, GatewayError> {
        self.stripe.as_ref().ok_or(GatewayError::NotConfigured)
    }

    fn paypal(&self) -> Result<&paypal::PayPal, GatewayError> {
        self.paypal.as_ref().ok_or(GatewayError::NotConfigured)
    }
}
