//! What points pay.

use super::{at, money, points, program, tier};
use domain::currency::Currency;
use domain::loyalty::numbers::{PointValue, Points, Share};
use domain::loyalty::program::{LoyaltyTiers, Program};
use domain::loyalty::redemption::{Charge, Limit, point_value};
use domain::money::Money;
use proptest::prelude::*;

fn charge<'a>(program: &'a Program, name: &str, amount: &str) -> Charge<'a> {
    let point_value = program.rules.point_value;
    Charge { program, tier: tier(program, name), point_value, amount: money(amount) }
}

fn worth(value: &str) -> impl FnOnce(&mut domain::loyalty::program::ProgramRules) {
    let value = PointValue::parse(value).unwrap();
    move |rules| rules.point_value = value
}

#[test]
fn points_pay_the_share_of_the_tier_and_not_a_point_more() {
    let program = program("INR", |_| {});
    let whole = charge(&program, "SILVER", "1000");
    assert_eq!(whole.most(points(10_000)), (points(300), vec![Limit::MaxShare]));
    assert_eq!((whole.check(points(300)), whole.value(points(300))), (Ok(points(300)), money("300")));
    assert_eq!(whole.check(points(301)), Err((Limit::MaxShare, points(300))));
    let odd = charge(&program, "SILVER", "999.99");
    assert_eq!((odd.share(), odd.most(points(10_000)).0), (money("299.99"), points(299)));
    assert_eq!(whole.most(points(20)), (points(20), vec![Limit::Balance]));
    let large = charge(&program, "SILVER", "100000");
    assert_eq!(large.most(points(10_000)), (points(2_500), vec![Limit::MaxPointsPerBooking]));
    assert_eq!(large.check(points(2_501)), Err((Limit::MaxPointsPerBooking, points(2_500))));
    assert_eq!(charge(&program, "SILVER", "5").check(points(6)), Err((Limit::MaxShare, points(1))));
}

#[test]
fn a_value_is_rounded_down_and_takes_the_fewest_points() {
    let rupee = program("INR", worth("0.25"));
    assert_eq!(charge(&rupee, "GOLD", "100").value(points(7)), money("1.75"));
    let yen = program("JPY", worth("0.5"));
    let half = charge(&yen, "GOLD", "100");
    assert_eq!((half.value(points(7)), half.check(points(7))), (money("3"), Ok(points(6))));
    assert_eq!((half.step(), half.check(points(1))), (points(2), Err((Limit::MinPoints, points(2)))));
    assert_eq!(half.most(points(1)), (Points::ZERO, vec![Limit::Balance, Limit::MinPoints]));
}

#[test]
fn the_highest_point_value_of_program_and_campaigns_holds() {
    let program = program("INR", |_| {});
    let campaign = |id: &str, value: &str, min_amount: Money| {
        super::campaign(id, |terms| {
            terms.point_value = Some(PointValue::parse(value).unwrap());
            terms.min_amount = min_amount;
        })
    };
    let campaigns = [
        campaign("cmp_1", "1.5", Money::ZERO),
        campaign("cmp_2", "2", money("500")),
        campaign("cmp_3", "0.5", Money::ZERO),
    ];
    let found = |amount: &str, when: &str| {
        let (value, by) =
            point_value(&program, &campaigns, tier(&program, "BRONZE"), money(amount), at(when));
        (value.to_string(), by.map(|campaign| campaign.id.clone()))
    };
    let during = "2026-06-01T00:00:00Z";
    assert_eq!(found("499.99", during), ("1.5".to_owned(), Some(super::named("cmp_1"))));
    assert_eq!(found("500", during), ("2".to_owned(), Some(super::named("cmp_2"))));
    assert_eq!(found("500", "2027-01-01T00:00:00Z"), ("1".to_owned(), None));
}

proptest! {
    #[test]
    fn the_most_points_pass_the_check_and_more_value_does_not(
        minor in 1..10_000_000_i64,
        millionths in 1..3_000_000_i64,
        available in 0..100_000_u64,
        min_points in 1..50_u64,
        share in 0..10_001_i64,
        digits in prop::sample::select(vec!["JPY", "INR", "BHD"]),
    ) {
        let value = rust_decimal::Decimal::new(millionths, 6);
        let program = program(digits, |rules| {
            worth(&value.to_string())(rules);
            rules.redemption.min_points = points(min_points);
            let mut tiers = rules.tiers.all().to_vec();
            tiers[2].max_share = Share::parse(&rust_decimal::Decimal::new(share, 4).to_string()).unwrap();
            rules.tiers = LoyaltyTiers::try_new(tiers).unwrap();
        });
        let scale = Currency::parse(digits).unwrap().digits();
        let amount = Money::try_new(rust_decimal::Decimal::new(minor, scale)).unwrap();
        let charge = Charge { amount, ..charge(&program, "GOLD", "1") };
        let (most, by) = charge.most(points(available));
        prop_assert!(!by.is_empty() && most.get() <= available);
        let least = match charge.check(Points::of(1)) {
            Err((Limit::MinPoints, least)) => least,
            Ok(least) => least,
            Err(_) => Points::of(u64::MAX),
        };
        prop_assert!(least.get() >= min_points && most.is_zero() || least <= most, "{least:?} {most:?}");
        if !most.is_zero() {
            prop_assert_eq!(charge.check(most), Ok(most), "the fewest of its value");
            prop_assert!(charge.value(most) <= charge.share());
            let fewer = charge.value(points(most.get() - 1));
            prop_assert!(fewer < charge.value(most), "a point less is worth less");
        }
        let next = points(most.get() + charge.step().get());
        if !by.contains(&Limit::Balance) && !by.contains(&Limit::MinPoints) {
            prop_assert!(charge.check(next).is_err(), "{:?} more than {:?}", next, most);
        }
    }
}
