//! How many spends per second a budget sustains, and how a drop of a reward ends, on a simulated DynamoDB in virtual
//! time (the same figures on every machine).

use tests::drop::DropSimulation;
use tests::plan::Plan;
use tests::simulation::{Measured, Setting, Simulation, SpendMethod};

fn measure(plan: Plan, slices: u8, callers: usize, way: SpendMethod) -> Measured {
    Simulation::new(Setting { slices, callers, seconds: 5, way }, plan).run()
}

#[tokio::test]
async fn one_slice_bears_three_hundred_spends_a_second_and_sixteen_bear_five_thousand() {
    let plan = Plan::from_measured_spend().await;
    for (slices, callers, least) in [(1, 16, 300), (16, 200, 5_000)] {
        let found = measure(plan, slices, callers, SpendMethod::Reserved);
        assert!(found.per_second >= least, "{slices} slices: {found:?}");
        assert!(found.rejected_per_mille < 20, "{slices} slices: {found:?}");
        assert!(found.wasted_per_mille < 20 && found.most_pending < 64, "{slices} slices: {found:?}");
    }
}

#[tokio::test]
async fn a_balance_in_the_transaction_would_be_rejected_most_of_the_time() {
    let plan = Plan::from_measured_spend().await;
    let naive = measure(plan, 1, 16, SpendMethod::OneTransaction);
    assert!(naive.per_second < 100 && naive.wasted_per_mille > 500, "{naive:?}");
}

#[tokio::test]
async fn a_drop_of_a_thousand_uses_is_claimed_within_seconds_and_exactly() {
    let found = DropSimulation::new(10_000, 1_000).await.run();
    assert_eq!(found.made, 1_000, "{found:?}");
    assert!(found.per_second >= 1_000 && found.ended_ms < 10_000, "{found:?}");
    assert!(found.wasted_per_mille < 500, "{found:?}");
}
