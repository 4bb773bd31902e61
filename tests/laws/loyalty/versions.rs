//! Changes of the program.

use super::{admin, at, date, rate};
use domain::currency::Currency;
use domain::loyalty::numbers::{Multiplier, Points};
use domain::loyalty::program::{Expiry, ProductRule};
use domain::loyalty::purchase::Products;
use domain::loyalty::versions::{ProgramChange, ProgramHistory, ProgramVersion, RulesError};
use domain::time::{Timestamp, plus_days};
use proptest::prelude::*;

fn standard() -> ProgramHistory {
    ProgramHistory::standard(Currency::parse("INR").unwrap()).unwrap()
}

/// A change of the rate that builds on a version.
fn change(builds_on: u32, points: u32) -> ProgramChange {
    ProgramChange { builds_on, rate: Some(rate(points, "100")), ..ProgramChange::default() }
}

fn from(change: ProgramChange, valid_from: &str) -> ProgramChange {
    ProgramChange { valid_from: Some(at(valid_from)), ..change }
}

fn made(history: &ProgramHistory, change: ProgramChange, now: &str) -> Result<ProgramVersion, RulesError> {
    history.change(change, at(now), admin())
}

fn rate_at(history: &ProgramHistory, when: Timestamp) -> String {
    history.in_force(when).unwrap().rules.rate.to_string()
}

#[test]
fn a_change_replaces_the_fields_that_it_names_and_leaves_the_others() {
    let history = standard();
    let now = "2026-06-01T00:00:00Z";
    let limited = ProgramChange { max_points_per_day: Some(Some(Points::of(5))), ..change(1, 2) };
    let second = made(&history, limited, now).unwrap();
    assert_eq!((second.program.version, second.made.clone()), (2, Some((at(now), admin()))));
    let history = history.and(second);
    let third = made(&history, change(2, 3), now).unwrap();
    assert_eq!(third.program.rules.max_points_per_day, Some(Points::of(5)));
    let unlimited = ProgramChange { max_points_per_day: Some(None), ..change(2, 3) };
    let third = made(&history, unlimited, now).unwrap();
    let expected = ProgramChange { rate: Some(rate(3, "100")), ..ProgramChange::default() };
    let default = standard().change(ProgramChange { builds_on: 1, ..expected }, at(now), admin()).unwrap();
    assert_eq!(third.program.rules, default.program.rules);
    assert_eq!(rate_at(&history, at("2026-05-31T23:59:59.999Z")), "1/100");
    assert_eq!(rate_at(&history, at(now)), "2/100");
}

#[test]
fn a_change_builds_on_the_latest_version_and_begins_not_before_one_that_is_scheduled() {
    let (now, later) = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z");
    let history = standard();
    let scheduled = made(&history, from(change(1, 2), later), now).unwrap();
    let history = history.and(scheduled);
    assert_eq!(made(&history, change(1, 3), now), Err(RulesError::VersionConflict), "not the latest");
    assert_eq!(
        made(&history, change(2, 3), now),
        Err(RulesError::VersionConflict),
        "before the scheduled one"
    );
    assert_eq!(made(&history, from(change(2, 3), later), now).unwrap().program.version, 3);
    let past = made(&history, from(change(2, 3), "2026-05-31T23:59:59.999Z"), now);
    assert!(matches!(past, Err(RulesError::Invalid("valid_from", _))), "{past:?}");
    let history = history.clone().and(history.withdraw(2, at(now)).unwrap());
    assert_eq!(rate_at(&history, at(later)), "1/100");
    let corrected = made(&history, change(1, 3), now).unwrap();
    assert_eq!(corrected.program.version, 3, "a number is never given twice");
    assert_eq!(history.withdraw(2, at(now)), Err(RulesError::VersionConflict), "once");
}

#[test]
fn a_version_can_be_withdrawn_until_five_minutes_before_it_begins() {
    let history = standard();
    let scheduled =
        made(&history, from(change(1, 2), "2026-06-01T00:05:00Z"), "2026-05-01T00:00:00Z").unwrap();
    let history = history.and(scheduled);
    assert_eq!(history.withdraw(2, at("2026-06-01T00:00:00Z")), Err(RulesError::VersionConflict));
    assert!(history.withdraw(2, at("2026-05-31T23:59:59.999Z")).unwrap().is_withdrawn);
    assert_eq!(history.withdraw(1, at("2026-05-01T00:00:00Z")), Err(RulesError::VersionConflict));
    assert_eq!(history.withdraw(3, at("2026-05-01T00:00:00Z")), Err(RulesError::VersionConflict));
}

#[test]
fn fields_beyond_their_limits_are_named() {
    let history = standard();
    let products = Products { product_ids: ["p".to_owned()].into(), ..Products::default() };
    let rule = |id: &str, products: &Products| ProductRule {
        id: id.to_owned(),
        products: products.clone(),
        multiplier: Multiplier::parse("2").unwrap(),
    };
    let mut late = standard().in_force(at("2026-01-01T00:00:00Z")).unwrap().rules.delivery_reward;
    late.expiry_days = 0;
    let none = ProgramChange { builds_on: 1, ..ProgramChange::default() };
    let cases = [
        (
            ProgramChange { expiry: Some(Expiry::Fixed { month: 2, day: 30, years: 1 }), ..none.clone() },
            "expiry",
        ),
        (ProgramChange { builds_on: 7, pending_days: Some(91), ..none.clone() }, "pending_days"),
        (ProgramChange { pending_days: Some(91), ..none.clone() }, "pending_days"),
        (
            ProgramChange {
                pending_days: Some(30),
                expiry: Some(Expiry::Rolling { days: 30 }),
                ..none.clone()
            },
            "expiry",
        ),
        (ProgramChange { expiry: Some(Expiry::Rolling { days: 3_651 }), ..none.clone() }, "expiry"),
        (
            ProgramChange { expiry: Some(Expiry::Fixed { month: 1, day: 1, years: 11 }), ..none.clone() },
            "expiry",
        ),
        (ProgramChange { refund_grace_days: Some(3_651), ..none.clone() }, "refund_grace_days"),
        (ProgramChange { downgrade_grace_days: Some(366), ..none.clone() }, "downgrade_grace_days"),
        (ProgramChange { delivery_reward: Some(late), ..none.clone() }, "delivery_reward"),
        (
            ProgramChange { product_rules: Some(vec![rule("a", &products); 2]), ..none.clone() },
            "product_rules",
        ),
        (
            ProgramChange { product_rules: Some(vec![rule("a", &Products::default())]), ..none.clone() },
            "product_rules",
        ),
    ];
    for (change, field) in cases {
        let refused = made(&history, change, "2026-06-01T00:00:00Z");
        assert!(
            matches!(&refused, Err(RulesError::Invalid(named, _)) if *named == field),
            "{field} {refused:?}"
        );
    }
    let many = (0..101).map(|n| rule(&n.to_string(), &products)).collect();
    assert!(
        made(&history, ProgramChange { product_rules: Some(many), ..none.clone() }, "2026-06-01T00:00:00Z")
            .is_err()
    );
    let fine = ProgramChange { pending_days: Some(90), expiry: Some(Expiry::Rolling { days: 91 }), ..none };
    assert!(made(&history, fine, "2026-06-01T00:00:00Z").is_ok());
}

proptest! {
    #[test]
    fn whatever_is_changed_or_withdrawn_the_rules_of_the_past_stay(
        steps in prop::collection::vec((0..30_u32, 1..1_000_u32, -20..60_i64, any::<bool>()), 1..30),
    ) {
        let mut history = standard();
        let mut today = date("2026-01-01");
        for (days, points, ahead, withdraws) in steps {
            today = plus_days(today, days).unwrap();
            let now = Timestamp::start_of(today);
            let latest = history.standing().last().unwrap().version;
            let next = if withdraws {
                history.withdraw(latest, now)
            } else {
                let valid_from = Some(Timestamp::start_of(today + chrono::TimeDelta::days(ahead)));
                history.change(ProgramChange { valid_from, ..change(latest, points) }, now, admin())
            };
            let Ok(next) = next else { continue };
            let changed = history.clone().and(next);
            let begins = changed.standing().iter().map(|program| program.valid_from);
            prop_assert!(begins.is_sorted(), "versions begin in the order of their numbers");
            for before in 1..=200 {
                let then = Timestamp::start_of(today - chrono::Days::new(before));
                prop_assert_eq!(rate_at(&changed, then), rate_at(&history, then));
            }
            history = changed;
        }
    }
}
