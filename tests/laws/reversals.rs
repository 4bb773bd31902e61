//! The effective amount of a charge's reversals depends only on the set of its reports, and equals what was
//! truly refunded.

use domain::currency::Currency;
use domain::ids::{Gateway, GatewayId, ReversalId};
use domain::money::Money;
use domain::payments::gateway_report::ReversalState;
use domain::payments::reversal::{Reversal, ReversalReport, ReversalStep};
use domain::time::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn report(step: ReversalStep, amount: i64, at: i64) -> ReversalReport {
    ReversalReport {
        id: ReversalId::refund(Gateway::Stripe, &GatewayId::parse("ch_1").unwrap()),
        step,
        amount: Money::try_new(Decimal::from(amount)).unwrap(),
        currency: Currency::parse("INR").unwrap(),
        at: Timestamp::from_millis(at * 1_000),
    }
}

/// What happens to a charge, in the order of time: a refund is made, or an earlier refund fails.
#[derive(Clone, Debug)]
enum ChargeEvent {
    Made(i64),
    Fails(prop::sample::Index),
}

fn charge_events() -> impl Strategy<Value = Vec<ChargeEvent>> {
    let one = prop_oneof![
        3 => (1..50_i64).prop_map(ChargeEvent::Made),
        2 => any::<prop::sample::Index>().prop_map(ChargeEvent::Fails),
    ];
    prop::collection::vec(one, 1..10)
}

/// Returns every report that Stripe sends, and the amount that is refunded in the end.
fn reports(charge_events: &[ChargeEvent]) -> (Vec<ReversalReport>, i64) {
    let (mut reports, mut refunds, mut at) = (vec![], Vec::<(i64, bool)>::new(), 1_000);
    for happening in charge_events {
        at += 10;
        let name = |n: usize| GatewayId::parse(&format!("re_{n}")).unwrap();
        match happening {
            ChargeEvent::Made(amount) => {
                refunds.push((*amount, false));
                let sum = refunds.iter().filter(|(_, failed)| !failed).map(|(amount, _)| amount).sum();
                reports.push(report(ReversalStep::Total(ReversalState::Taken), sum, at));
            }
            ChargeEvent::Fails(which) => {
                let standing: Vec<usize> = (0..refunds.len()).filter(|n| !refunds[*n].1).collect();
                let Some(n) = (!standing.is_empty()).then(|| *which.get(&standing)) else { continue };
                refunds[n].1 = true;
                reports.push(report(
                    ReversalStep::Refund { refund: name(n), failed: true },
                    refunds[n].0,
                    at,
                ));
            }
        }
    }
    (reports, refunds.iter().filter(|(_, failed)| !failed).map(|(amount, _)| amount).sum())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_and_number_of_reports_amounts_to_what_stands_refunded(
        charge_events in charge_events(),
        order in any::<u64>(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (mut reports, sum) = reports(&charge_events);
        prop_assume!(!reports.is_empty());
        let copies: Vec<_> = again.iter().map(|index| index.get(&reports).clone()).collect();
        reports.extend(copies);
        let mut state = order | 1;
        for at in (1..reports.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            reports.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut reversal = Reversal::default();
        for report in &reports {
            reversal.report(report);
        }
        prop_assert_eq!(reversal.effective_amount().value(), Decimal::from(sum));
        // Only the necessary sums are kept: each later sum is smaller.
        let sums: Vec<_> = reversal.sums.values().collect();
        prop_assert!(sums.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", sums);
    }

    #[test]
    fn single_refunds_alone_amount_to_those_that_did_not_fail(amounts in prop::collection::vec((1..50_i64, any::<bool>()), 1..8)) {
        let mut reversal = Reversal::default();
        for (n, (amount, failed)) in amounts.iter().enumerate() {
            let refund = GatewayId::parse(&format!("re_{n}")).unwrap();
            reversal.report(&report(ReversalStep::Refund { refund: refund.clone(), failed: false }, *amount, 5));
            if *failed {
                reversal.report(&report(ReversalStep::Refund { refund, failed: true }, *amount, 9));
            }
        }
        let sum: i64 = amounts.iter().filter(|(_, failed)| !failed).map(|(amount, _)| amount).sum();
        prop_assert_eq!(reversal.effective_amount().value(), Decimal::from(sum));
    }
}
