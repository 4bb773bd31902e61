//! Lots: burn order, merging, and conservation of amounts.

use domain::ledger::lot::{CreditSource, Lot, Lots, MAX_LOTS, split, without_front};
use domain::money::Money;
use domain::time::{Date, parse_date, plus_days};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn lot(days: Option<u32>, source: CreditSource, paise: i64) -> Lot {
    let start = parse_date("2026-01-15").unwrap();
    let expires_on = days.map(|days| plus_days(start, days).unwrap());
    Lot { expires_on, class: source.class(), source, amount: Money::try_new(Decimal::new(paise, 2)).unwrap() }
}

fn any_lot() -> impl Strategy<Value = Lot> {
    let days = prop::option::weighted(0.9, 0..400_u32);
    (days, 0..6_usize, 1..100_000_i64)
        .prop_map(|(days, source, paise)| lot(days, CreditSource::ALL[source], paise))
}

/// Returns what could be spent on a date if nothing else happened.
fn alive(lots: &[Lot], date: Date) -> Money {
    lots.iter().filter(|lot| !lot.is_expired(date)).map(|lot| lot.amount).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_keeps_every_paisa_and_never_shortens_a_life(lots in prop::collection::vec(any_lot(), 1..260)) {
        let held = Lots::new(lots.clone()).unwrap();
        prop_assert!(held.len() <= MAX_LOTS);
        prop_assert_eq!(held.total(), lots.iter().map(|lot| lot.amount).sum::<Money>());
        let kept: Vec<Lot> = held.iter().cloned().collect();
        for lot in &lots {
            let date = lot.expires_on.unwrap_or(Date::MAX);
            prop_assert!(alive(&kept, date) >= alive(&lots, date), "merging leaves less to spend on {date}");
        }
        let never = |lots: &[Lot]| -> Money { lots.iter().filter(|l| l.expires_on.is_none()).map(|l| l.amount).sum() };
        prop_assert_eq!(never(&kept), never(&lots), "credit gained or lost its expiry date");
    }

    #[test]
    fn a_burn_takes_the_soonest_date_first_and_exactly_the_amount(
        lots in prop::collection::vec(any_lot(), 1..60), share in 1..100_u32,
    ) {
        let mut held = Lots::new(lots).unwrap();
        let total = held.total();
        let amount = Money::try_new((total.value() * Decimal::from(share) / Decimal::ONE_HUNDRED).round_dp(2)).unwrap();
        let before: Vec<Lot> = held.iter().cloned().collect();
        let burned = held.burn(amount).unwrap();
        prop_assert_eq!(burned.iter().map(|lot| lot.amount).sum::<Money>(), amount);
        // All lots but the last are burned whole, in burn order.
        for (burned, held) in burned.iter().zip(&before).take(burned.len().saturating_sub(1)) {
            prop_assert_eq!(burned, held);
        }
        for lot in &burned {
            held.remove(lot).unwrap();
        }
        prop_assert_eq!(held.total(), total.checked_sub(amount).unwrap());
        prop_assert_eq!(held.burn(total), if amount.is_zero() { Some(before) } else { None });
    }

    #[test]
    fn what_is_split_off_and_what_remains_are_the_whole(
        lots in prop::collection::vec(any_lot(), 0..20), paise in 0..500_000_i64,
    ) {
        let amount = Money::try_new(Decimal::new(paise, 2)).unwrap();
        let (front, missing) = split(&lots, amount);
        let rest = without_front(&lots, amount);
        let sum = |lots: &[Lot]| lots.iter().map(|lot| lot.amount).sum::<Money>();
        prop_assert_eq!([sum(&front), sum(&rest)].into_iter().sum::<Money>(), sum(&lots));
        prop_assert_eq!(sum(&front).checked_add(missing).unwrap(), amount);
    }
}

#[test]
fn within_a_date_promotional_burns_before_refund_before_paid_and_undying_last() {
    let sources = [CreditSource::Manual, CreditSource::Refund, CreditSource::Promotion];
    let lots = sources.map(|source| lot(Some(5), source, 100)).into_iter().chain([lot(
        None,
        CreditSource::Promotion,
        100,
    )]);
    let held = Lots::new(lots).unwrap();
    let order: Vec<_> = held.iter().map(|lot| (lot.source, lot.expires_on.is_some())).collect();
    let dated =
        [CreditSource::Promotion, CreditSource::Refund, CreditSource::Manual].map(|source| (source, true));
    assert_eq!(order, [&dated[..], &[(CreditSource::Promotion, false)]].concat());
}

/// Returns the amount of the lot that ends so many days after the start.
fn on(held: &Lots, days: u32) -> Option<String> {
    let date = plus_days(parse_date("2026-01-15").unwrap(), days);
    held.iter().find(|lot| lot.expires_on == date).map(|lot| lot.amount.to_string())
}

fn manual(lots: impl IntoIterator<Item = (u32, i64)>) -> Lots {
    let lots = lots.into_iter().map(|(day, paise)| lot(Some(day), CreditSource::Manual, paise));
    Lots::new(lots.collect::<Vec<_>>()).unwrap()
}

#[test]
fn the_hundred_and_first_lot_merges_the_pair_that_gives_away_the_least_value_times_days() {
    // Equal amounts: the pair of the nearest dates.
    let held = manual((0..100).map(|n| (n * 3, 100)).chain([(31, 100)]));
    assert_eq!((held.len(), on(&held, 30), on(&held, 31)), (100, None, Some("2".to_owned())));
    // A large amount is not moved by a day if a small one can be moved by three.
    let held = manual((0..100).map(|n| (n * 3, if n == 7 { 10 } else { 100 })).chain([(31, 100)]));
    assert_eq!((on(&held, 30), on(&held, 21), on(&held, 24)), (Some("1".into()), None, Some("1.1".into())));
    // 3 × 1.00 and 1 × 3.00 are equal: the earlier pair, wherever the nearer dates are.
    let held = manual((0..100).map(|n| (n * 3, if n == 10 { 300 } else { 100 })).chain([(31, 300)]));
    assert_eq!((on(&held, 0), on(&held, 3), on(&held, 30)), (None, Some("2".into()), Some("3".into())));
}

#[test]
fn of_equal_pairs_of_two_classes_the_one_that_begins_first_is_merged() {
    let lots = (0..100).map(|n| lot(Some(n * 10), CreditSource::Manual, 1_000));
    // The promotional pair begins a day later and ends a day earlier, and would give away as much.
    let pair = [lot(Some(1), CreditSource::Promotion, 1_250), lot(Some(9), CreditSource::Promotion, 1)];
    let held = Lots::new(lots.chain(pair).collect::<Vec<_>>()).unwrap();
    assert_eq!((held.len(), on(&held, 0), on(&held, 1)), (100, None, None));
    let held = Lots::new(
        (0..99)
            .map(|n| lot(Some(n * 10), CreditSource::Manual, 1_000))
            .chain([lot(Some(1), CreditSource::Promotion, 1_250), lot(Some(9), CreditSource::Promotion, 1)]),
    )
    .unwrap();
    assert_eq!((held.len(), on(&held, 0), on(&held, 1)), (100, None, Some("12.5".to_owned())));
}

/// Covers fault 56 of the requirements.
#[test]
fn tiny_lots_beside_a_large_one_do_not_lengthen_its_life() {
    // The large lot ends first; tiny lots of later dates are added one by one, each a day later.
    let mut held = manual([(1, 500_000)]);
    for day in 2..=400 {
        held.add(&lot(Some(day), CreditSource::Manual, 1)).unwrap();
    }
    assert_eq!((held.len(), on(&held, 1)), (MAX_LOTS, Some("5000".to_owned())));
}

#[test]
fn the_next_expiry_is_that_of_all_credit_of_the_first_date() {
    let lots = |lots: Vec<Lot>| Lots::new(lots).unwrap();
    let none = lots(vec![]);
    assert_eq!((none.next_expiry(), none.is_empty(), none.len()), (None, true, 0));
    let undying = lots(vec![lot(None, CreditSource::Manual, 100)]);
    assert_eq!((undying.next_expiry(), undying.is_empty(), undying.len()), (None, false, 1));
    let held = lots(vec![
        lot(Some(9), CreditSource::Manual, 100),
        lot(Some(3), CreditSource::Manual, 20),
        lot(Some(3), CreditSource::Promotion, 5),
        lot(None, CreditSource::Manual, 100),
    ]);
    let first = plus_days(parse_date("2026-01-15").unwrap(), 3).unwrap();
    assert_eq!(held.next_expiry(), Some((first, Money::try_new(Decimal::new(25, 2)).unwrap())));
}
