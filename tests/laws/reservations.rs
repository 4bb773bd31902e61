//! The reservation of credit for a spend, step by step, on slices without a table.

use domain::budget::spend::{SliceView, Spend, SpendStep, first_slice};
use domain::cause::Cause;
use domain::money::Money;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

fn money(units: u64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

fn units(amount: Money) -> u64 {
    u64::try_from(amount.value()).unwrap()
}

/// A spend, with the amount that it reserves.
struct RunningSpend {
    provision: u64,
    cause: Cause,
    spend: Spend,
}

/// Slices without a table, and the spends that reserve from them.
struct Counter {
    available: Vec<u64>,
    running: Vec<RunningSpend>,
    spent: u64,
}

impl Counter {
    fn new(slices: &[u64], wishes: &[u64]) -> Self {
        let count = u8::try_from(slices.len()).unwrap();
        let running = wishes.iter().enumerate().map(|(n, provision)| {
            let cause = Cause::stored(format!("redemption:{n}"));
            RunningSpend { provision: *provision, spend: Spend::new(money(*provision), &cause, count), cause }
        });
        Self { available: slices.to_vec(), running: running.collect(), spent: 0 }
    }

    fn held(&self) -> u64 {
        self.running.iter().flat_map(|w| w.spend.held().values()).map(|m| units(*m)).sum()
    }

    /// Returns what the other spends hold of each slice.
    fn held_by_others(&self, at: usize) -> Vec<u64> {
        let others = || self.running.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, w)| w);
        let of = |slice: usize| {
            let slice = u8::try_from(slice).unwrap();
            others().filter_map(|w| w.spend.held().get(&slice)).map(|m| units(*m)).sum()
        };
        (0..self.available.len()).map(of).collect()
    }

    fn seen(&self, undecided: &[u64]) -> Vec<SliceView> {
        let each = self.available.iter().zip(undecided).enumerate();
        each.map(|(n, (available, undecided))| SliceView {
            slice: u8::try_from(n).unwrap(),
            available: money(*available),
            undecided: money(*undecided),
            full: false,
        })
        .collect()
    }

    fn give_back(&mut self, at: usize) {
        for (slice, amount) in self.running[at].spend.take_held() {
            self.available[usize::from(slice)] += units(amount);
        }
    }

    /// Takes one step of a spend; a spend that has ended is removed.
    fn turn(&mut self, at: usize) -> Result<(), TestCaseError> {
        let undecided = self.held_by_others(at);
        let provision = self.running[at].provision;
        match self.running[at].spend.next().clone() {
            SpendStep::Reserve { slice, amount } => {
                let there = &mut self.available[usize::from(slice)];
                if *there >= units(amount) {
                    *there -= units(amount);
                    self.running[at].spend.reserved(slice, amount);
                } else {
                    self.running[at].spend.refused();
                }
            }
            SpendStep::Survey => {
                let seen = self.seen(&undecided);
                self.running[at].spend.surveyed(&seen);
            }
            SpendStep::Covered => {
                let held: Money = self.running[at].spend.held().values().copied().sum();
                prop_assert_eq!(held, money(provision));
                self.spent += provision;
                self.running.remove(at);
            }
            SpendStep::Wait => {
                self.give_back(at);
                let count = u8::try_from(self.available.len()).unwrap();
                let running_spend = &mut self.running[at];
                running_spend.spend = Spend::new(money(provision), &running_spend.cause, count);
            }
            SpendStep::Short { .. } => {
                self.give_back(at);
                // What the other spends held would not have sufficed either.
                let reach = self.available.iter().sum::<u64>() + undecided.iter().sum::<u64>();
                prop_assert!(reach < provision, "{} < {}", reach, provision);
                self.running.remove(at);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credit_is_set_aside_whole_or_not_at_all_and_refused_only_when_all_slices_are_short(
        slices in prop::collection::vec(0..60_u64, 1..9),
        wishes in prop::collection::vec(1..80_u64, 1..6),
        turns in prop::collection::vec(0..6_usize, 0..200),
    ) {
        let total: u64 = slices.iter().sum();
        let mut counter = Counter::new(&slices, &wishes);
        // First turns at random, then every spend in turn until all have ended.
        for turn in turns.into_iter().chain((0..4_000).map(|n| n % 6)) {
            if counter.running.is_empty() {
                break;
            }
            counter.turn(turn % counter.running.len())?;
            prop_assert_eq!(counter.available.iter().sum::<u64>() + counter.held() + counter.spent, total);
        }
        prop_assert!(counter.running.is_empty(), "every spend ends");
    }
}

fn view(slice: u8, available: u64) -> SliceView {
    SliceView { slice, available: money(available), undecided: Money::ZERO, full: false }
}

/// Returns a cause that begins on this slice of eight.
fn beginning_at(slice: u8) -> Cause {
    let mut causes = (0..).map(|n| Cause::stored(format!("redemption:{n}")));
    causes.find(|cause| first_slice(cause, 8) == slice).unwrap()
}

/// Returns a spend that was refused on its first slice, the third of eight.
fn refused(amount: u64) -> Spend {
    let mut spend = Spend::new(money(amount), &beginning_at(2), 8);
    assert_eq!(*spend.next(), SpendStep::Reserve { slice: 2, amount: money(amount) });
    spend.refused();
    assert_eq!(*spend.next(), SpendStep::Survey);
    spend
}

fn reserves(slice: u8, amount: u64) -> SpendStep {
    SpendStep::Reserve { slice, amount: money(amount) }
}

#[test]
fn causes_begin_on_every_slice_and_the_only_slice_is_the_first() {
    let causes: Vec<Cause> = (0..200).map(|n| Cause::stored(format!("redemption:{n}"))).collect();
    let mut found: Vec<u8> = causes.iter().map(|cause| first_slice(cause, 8)).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, (0..8).collect::<Vec<_>>());
    assert!(causes.iter().all(|cause| first_slice(cause, 1) == 0 && first_slice(cause, 0) == 0));
    assert_eq!(*Spend::new(money(5), &causes[0], 0).next(), reserves(0, 5));
}

#[test]
fn one_slice_with_enough_is_taken_the_next_after_the_first_whatever_others_have() {
    let mut spend = refused(10);
    spend.surveyed(&[view(0, 90), view(1, 10), view(2, 9), view(5, 10), view(7, 50)]);
    assert_eq!(*spend.next(), reserves(5, 10));
    spend.reserved(5, money(10));
    assert_eq!((spend.next(), spend.missing()), (&SpendStep::Covered, Money::ZERO));
    assert_eq!(spend.take_held(), BTreeMap::from([(5, money(10))]));
    assert_eq!((spend.held().len(), spend.missing()), (0, money(10)));
}

#[test]
fn several_slices_are_gathered_the_fullest_first_and_no_more_than_is_missing() {
    let mut spend = refused(10);
    let full = SliceView { full: true, ..view(6, 100) };
    spend.surveyed(&[view(0, 3), view(1, 0), view(2, 5), view(4, 4), full]);
    assert_eq!(*spend.next(), reserves(2, 5));
    spend.reserved(2, money(5));
    assert_eq!((spend.next(), spend.missing()), (&reserves(4, 4), money(5)));
    spend.reserved(4, money(4));
    assert_eq!(*spend.next(), reserves(0, 1));
    spend.reserved(0, money(1));
    assert_eq!(*spend.next(), SpendStep::Covered);
    let held = BTreeMap::from([(0, money(1)), (2, money(5)), (4, money(4))]);
    assert_eq!(*spend.held(), held);
}

#[test]
fn a_slice_that_holds_a_part_already_is_not_used_again_and_a_refusal_ends_the_plan() {
    let mut spend = refused(10);
    spend.surveyed(&[view(2, 6), view(3, 5)]);
    spend.reserved(2, money(6));
    assert_eq!(*spend.next(), reserves(3, 4));
    spend.refused();
    // What others have released meanwhile on the slice that holds a part is not used.
    spend.surveyed(&[view(2, 9), view(3, 3), view(4, 2)]);
    assert_eq!(*spend.next(), reserves(3, 3));
    spend.reserved(3, money(3));
    assert_eq!(*spend.next(), reserves(4, 1));
}

#[test]
fn what_others_hold_is_waited_for_and_otherwise_the_spend_is_short_of_all_there_is() {
    let held_by_others = |undecided: u64| SliceView { undecided: money(undecided), ..view(3, 2) };
    for (undecided, step) in
        [(5, SpendStep::Wait), (4, SpendStep::Wait), (3, SpendStep::Short { available: money(6) })]
    {
        let mut spend = refused(10);
        spend.surveyed(&[view(2, 4), held_by_others(undecided)]);
        assert_eq!(*spend.next(), step, "{undecided}");
    }
    // What the spend itself holds counts as available.
    let mut spend = refused(10);
    spend.surveyed(&[view(2, 6), view(3, 4)]);
    spend.reserved(2, money(6));
    spend.refused();
    spend.surveyed(&[view(2, 0), view(3, 1)]);
    assert_eq!(*spend.next(), SpendStep::Short { available: money(7) });
    // Credit on a slice with too many attempts is there, but cannot be used now.
    let mut spend = refused(10);
    spend.surveyed(&[SliceView { full: true, ..view(3, 10) }]);
    assert_eq!(*spend.next(), SpendStep::Wait);
}

#[test]
fn after_six_surveys_the_spend_waits_for_others() {
    let mut spend = refused(10);
    for _ in 0..6 {
        spend.surveyed(&[view(3, 10)]);
        assert_eq!(*spend.next(), reserves(3, 10));
        spend.refused();
    }
    spend.surveyed(&[view(3, 10)]);
    assert_eq!(*spend.next(), SpendStep::Wait);
}
