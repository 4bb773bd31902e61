//! PayPal withdraws the money of a dispute with reversals that do not name it: both together result in the
//! right sum.

use super::webhooks::{payment_key, shop};
use domain::ids::{Gateway, GatewayId, ReversalId};
use domain::payments::gateway_report::{PaymentFact, ReversalState};
use scrip::fakes::state::FakePayment;
use tests::Shop;
use tests::counter::{Counter, ReportReference, money};

#[tokio::test]
async fn paypals_reversal_and_its_dispute_are_one_and_a_second_dispute_is_another() {
    let taken = |shop: &Shop, topup: &str, payment: &FakePayment, event: &str, reversal: &str, units| {
        let mut values = shop.values(topup, payment, event);
        (values.reversal, values.reversed) = (reversal.to_owned(), units);
        values
    };
    for order in [["reversed", "resolved"], ["resolved", "reversed"]] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "100", "paypal").await;
        shop.expect(payment_key("paypal"), &shop.values(&topup, &payment, "WH-1"), "processed").await;
        for what in order {
            let (sample, id) = match what {
                "reversed" => ("paypal.payment_capture_reversed", "REV1"),
                _ => ("paypal.customer_dispute_resolved", "PP-D-1"),
            };
            shop.expect(sample, &taken(&shop, &topup, &payment, what, id, 6_000), "processed").await;
        }
        // 60 were lost and 60 were withdrawn for it: they are taken back once.
        shop.world.expect_available("a", "40.00").await;
        // Another dispute, over 30 of the rest.
        let more = taken(&shop, &topup, &payment, "more", "REV2", 3_000);
        shop.expect("paypal.payment_capture_reversed", &more, "processed").await;
        let lost = taken(&shop, &topup, &payment, "lost", "PP-D-2", 3_000);
        shop.expect("paypal.customer_dispute_resolved", &lost, "processed").await;
        shop.world.expect_available("a", "10.00").await;
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_dispute_with_paypal_that_is_won_gives_back_what_was_reversed_for_it() {
    for order in [["reversed", "won"], ["won", "reversed"]] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "100", "paypal").await;
        shop.expect(payment_key("paypal"), &shop.values(&topup, &payment, "WH-1"), "processed").await;
        for what in order {
            let mut values = shop.values(&topup, &payment, what);
            values.reversal = format!("id-{what}");
            let sample = if what == "won" {
                "paypal.customer_dispute_resolved"
            } else {
                "paypal.payment_capture_reversed"
            };
            let body = Shop::body(sample, &values).replace("RESOLVED_BUYER_FAVOUR", "RESOLVED_SELLER_FAVOUR");
            shop.send("paypal", what, &body, false).await.expect(200);
        }
        shop.world.expect_available("a", "100.00").await;
        assert_eq!(shop.status(&topup).await, "CREDITED");
        shop.world.prove().await;
    }
}

/// Returns a reversal or a dispute, as reported by PayPal.
fn with_paypal(id: &str, dispute: bool, phase: ReversalState, rupees: i64) -> PaymentFact {
    let id = GatewayId::parse(id).unwrap();
    let id = if dispute {
        ReversalId::dispute(Gateway::PayPal, &id)
    } else {
        ReversalId::reversal(Gateway::PayPal, &id)
    };
    let inr = domain::currency::Currency::parse("INR").unwrap();
    PaymentFact::Reversed { id, phase, amount: money(rupees), currency: inr }
}

/// What is given back for one reversal pays what is owed for the other, and is given back again for that one.
#[test]
fn a_dispute_that_covers_two_reversals_of_a_spent_payment_gives_back_all_of_both() {
    let mut counter = Counter::with(Gateway::PayPal);
    counter.initiate(0, 100);
    counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
    counter.debit(69);
    let facts = [
        with_paypal("R1", false, ReversalState::Taken, 40),
        with_paypal("R2", false, ReversalState::Taken, 60),
        with_paypal("A", true, ReversalState::Returned, 100),
    ];
    for (at, fact) in facts.into_iter().enumerate() {
        let report = counter.report(0, "p", ReportReference::Order, fact);
        counter.deliver(&format!("e{at}"), report);
    }
    assert_eq!(counter.balances(), (money(31), money(0)));
    counter.memory.prove();
}

#[test]
fn a_payment_with_paypal_whose_disputes_and_reversals_come_in_any_order_nets_the_same() {
    let report = with_paypal;
    let facts = [
        report("A", true, ReversalState::Returned, 40),
        report("R1", false, ReversalState::Taken, 40),
        report("B", true, ReversalState::Lost, 50),
        report("R2", false, ReversalState::Taken, 30),
    ];
    // 70 were reversed, 40 of them won back; 50 were lost, 30 of which had been reversed.
    let mut orders = vec![];
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| *c != a && *c != b) {
                orders.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    assert_eq!(orders.len(), 24);
    for (order, spent) in orders.into_iter().flat_map(|order| [0, 30, 80, 100].map(|spent| (order, spent))) {
        let mut counter = Counter::with(Gateway::PayPal);
        counter.initiate(0, 100);
        counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
        counter.debit(spent.max(1));
        counter.credit(spent.max(1) - spent + 1);
        for at in order {
            let report = counter.report(0, "p", ReportReference::Order, facts[at].clone());
            counter.deliver(&format!("e{at}"), report);
        }
        // The credits less the debits are 1 - `spent`.
        let (available, owed) = counter.balances();
        let net = available.value() - owed.value();
        assert_eq!(net, rust_decimal::Decimal::from(50 - spent + 1), "{order:?} {spent}");
        counter.memory.prove();
    }
}
