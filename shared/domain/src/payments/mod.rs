//! Payments into wallets: top-ups, what gateways report, credits, refunds and disputes.
//!
//! **Invariant:** only a captured payment of exactly its top-up's amount and currency becomes credit, once.
//!
//! ```text
//! initiate ─ top-up stored ─ gateway's order created ─┐
//! webhook ─ signature verified ─ GatewayReport ───────┼─ ProcessReport ─ credit, clawbacks, owed amounts
//! verify, monitor ─ gateway polled ─ GatewayReport ───┘
//! ```
//!
//! # Top-ups
//!
//! A [top-up](topup) (`P#<topup>`) is an intent for an amount. Its id is a digest of the customer and the
//! request's cause, followed by the customer: a repeated request computes the same id, and a report that
//! names it leads to the wallet. The gateway's order is created under a receipt or idempotency key that is a
//! function of the id, so an interrupted request can be repeated.
//!
//! # Reports
//!
//! Whatever a gateway says, by webhook or when it is polled, is read into a
//! [`GatewayReport`](gateway_report::GatewayReport): which payment it names, and a
//! [`PaymentFact`](gateway_report::PaymentFact): captured, failed, reversed, refunded or nothing. One
//! decision, [`ProcessReport`](process::ProcessReport), turns it into one of five outcomes and writes that
//! with its effect: *processed*, *ignored*, *parked*, *quarantined* or *failed*. Webhooks, verify calls,
//! replays and the monitor all go through it. A payment is credited once because three conditions each allow
//! one credit in the same transaction: the top-up's version, the payment's gateway reference
//! (`G#<gateway>:<id>`) and the key of the entry, whose cause is `topup:<gateway>:<payment>`.
//!
//! A [gateway reference](webhook_event::GatewayRef) records what a gateway's id leads to: a top-up, an
//! unmatched payment (one that is quarantined; its refund ends the quarantine), or reports that wait for it.
//! When the awaited item arrives, the waiting reports are processed, even if they were quarantined for
//! waiting longer than a day. If the process crashes in between, the monitor finds them by the index `due`.
//!
//! At Razorpay the notes of a payment can be set in the browser: there a payment belongs to a top-up only by
//! the order that the gateway created for it. Stripe's metadata and PayPal's `custom_id` can only be set with
//! our keys, so the name is enough.
//!
//! # Refunds and disputes
//!
//! Each is kept at its top-up under its own id, with everything that was reported about it ([`reversal`]).
//! Stripe's `charge.refunded` reports sums, so those are kept by charge, together with single refunds that
//! failed. The effective amount of a reversal is a function of the set of its reports, and the sum of what is
//! allotted to all reversals of a top-up is min(the credit, Σ effective amounts): the order in which reports
//! arrive cannot matter. PayPal withdraws a dispute's money by reversals that do not name the dispute; a
//! dispute that is won returns amounts of those, one that is lost counts only beyond them.
//!
//! What changes is taken from the credit's own lot first, then from others. The rest is **owed**
//! ([`owed`](crate::ledger::owed)), except what had expired. Posting collects owed amounts from everything
//! that raises the available balance, so no operation can forget to. An amount that is returned first cancels
//! what is still owed, then restores the lots that were taken, last taken first, with some days of grace if
//! their date has passed.

pub mod audit;
mod causes;
pub mod gateway_report;
pub mod initiate;
pub mod limits;
pub mod process;
pub mod reversal;
pub mod state;
pub mod topup;
pub mod unpaid;
pub mod webhook_event;
