//! Which tier is held: the numbers that the contract gives, and what can go wrong.

use super::customer::{BRONZE, Customer, GOLD, SILVER, version};
use super::{at, date, money, noon, points, program};
use domain::ledger::spend::{SpendMap, falls_off, window_from};
use domain::loyalty::program::{LoyaltyTiers, Program, TierName};
use domain::loyalty::tiers::{Facts, Grant, Reason};
use domain::money::Money;

fn customer() -> Customer {
    Customer::new(vec![program("INR", |_| {})], date("2026-01-01"))
}

#[test]
fn a_purchase_counts_through_the_day_before_its_anniversary() {
    for (bought, last) in [
        ("2026-03-10", "2027-03-09"),
        ("2027-03-01", "2028-02-29"),
        ("2028-02-29", "2029-02-28"),
        ("2027-02-28", "2028-02-27"),
    ] {
        let mut spend = SpendMap::default();
        spend.add(date(bought), money("5")).unwrap();
        let after = date(last).succ_opt().unwrap();
        assert_eq!(
            (spend.trailing(date(last)), spend.trailing(after)),
            (money("5"), Money::ZERO),
            "{bought}"
        );
        assert_eq!((falls_off(date(bought)), spend.next_fall(date(last))), (after, Some(after)), "{bought}");
        assert!(window_from(date(last)) <= date(bought) && window_from(after) > date(bought), "{bought}");
        assert_eq!(spend.trailing(date(bought).pred_opt().unwrap()), Money::ZERO, "not before it was bought");
        spend.forget(date(last));
        assert_eq!(spend.dates().count(), 1);
        spend.forget(after);
        assert_eq!(spend.dates().count(), 0);
    }
    assert_eq!(window_from(date("2028-02-29")), date("2027-03-01"));
}

#[test]
fn a_tier_is_held_for_its_grace_and_lost_at_the_start_of_the_day_after() {
    let mut customer = customer();
    customer.buy(date("2026-03-10"), "50000");
    assert_eq!(customer.tier("2027-04-08"), "SILVER");
    assert_eq!(customer.tier("2027-04-09"), "BRONZE");
    let expected = [
        (Reason::Upgrade, "2026-03-10"),
        (Reason::GraceStarted, "2027-03-10"),
        (Reason::Ageing, "2027-04-09"),
    ];
    assert_eq!(customer.reasons(), expected.map(|(reason, at)| (reason, at.to_owned())));
    assert_eq!(customer.history[2].at, at("2027-04-09T00:00:00Z"));
}

#[test]
fn a_tier_that_is_reached_again_within_its_grace_stays() {
    let mut customer = customer();
    customer.buy(date("2026-03-10"), "50000");
    customer.buy(date("2027-04-08"), "50000");
    assert_eq!(customer.tier("2027-12-31"), "SILVER");
    assert_eq!(customer.reasons().last().unwrap().0, Reason::GraceEnded);
    assert_eq!(customer.standing.grace, None);
}

#[test]
fn a_refund_takes_at_once_every_tier_that_was_risen_to_since_its_purchase() {
    let mut customer = customer();
    customer.buy(date("2026-03-10"), "50000");
    let large = customer.buy(date("2026-04-10"), "150000");
    assert_eq!(customer.tier("2026-04-11"), "GOLD");
    customer.refund(date("2026-04-12"), (date("2026-04-10"), "150000"), large);
    assert_eq!((customer.standing.tier.as_str(), customer.standing.grace), ("SILVER", None));
    assert_eq!(customer.reasons().last().unwrap(), &(Reason::Refund, "2026-04-12".to_owned()));
}

#[test]
fn a_refund_of_an_older_purchase_leaves_the_tier_for_its_grace() {
    let mut customer = customer();
    let first = customer.buy(date("2026-03-10"), "50000");
    let second = customer.buy(date("2026-04-10"), "150000");
    // The first lifted to SILVER, the second to GOLD: without the first, neither of them would have.
    customer.refund(date("2026-05-01"), (date("2026-03-10"), "50000"), first);
    assert_eq!(customer.standing.tier.as_str(), "SILVER", "GOLD was risen to since, SILVER is reached");
    customer.buy(date("2026-05-02"), "50000");
    assert_eq!(customer.standing.tier.as_str(), "GOLD");
    let third = customer.buy(date("2026-05-03"), "10");
    assert!(third > second);
    customer.refund(date("2026-05-04"), (date("2026-05-03"), "10"), third);
    assert_eq!((customer.standing.tier.as_str(), customer.standing.grace), ("GOLD", None));
    // Something bought after the rise is refunded by more than it was: GOLD is held, in grace.
    customer.refund(date("2026-06-01"), (date("2026-05-02"), "10"), third);
    assert_eq!(customer.standing.tier.as_str(), "GOLD");
    assert_eq!(customer.tier("2026-06-30"), "GOLD");
    assert_eq!(customer.tier("2026-07-01"), "SILVER");
    assert_eq!(customer.reasons().last().unwrap(), &(Reason::Refund, "2026-07-01".to_owned()));
}

#[test]
fn a_granted_tier_is_reached_through_its_last_date() {
    let mut customer = customer();
    let gold = TierName::parse("GOLD").unwrap();
    let grant = Grant { tier: gold, until: date("2026-06-30") };
    customer.change(|standing, facts| standing.grant(facts, at("2026-01-05T12:00:00Z"), Some(grant.clone())));
    assert_eq!(customer.tier("2026-07-30"), "GOLD");
    assert_eq!(customer.tier("2026-07-31"), "BRONZE");
    let expected = [
        (Reason::Granted, "2026-01-05"),
        (Reason::GraceStarted, "2026-07-01"),
        (Reason::GrantEnded, "2026-07-31"),
    ];
    assert_eq!(customer.reasons(), expected.map(|(reason, at)| (reason, at.to_owned())));
    customer.change(|standing, facts| standing.grant(facts, at("2026-08-01T12:00:00Z"), Some(grant)));
    assert_eq!(customer.standing.tier.as_str(), "BRONZE", "a grant of the past gives nothing");
}

#[test]
fn another_version_of_the_program_lifts_at_once_and_lowers_after_its_grace() {
    let first = program("INR", |_| {});
    let with_silver_at = |version, from: &str, spend: &str, grace: u32| {
        let mut changed = Program { version, valid_from: at(from), ..first.clone() };
        let mut tiers = changed.rules.tiers.all().to_vec();
        tiers[1].spend_12m = Some(money(spend));
        changed.rules.tiers = LoyaltyTiers::try_new(tiers).unwrap();
        changed.rules.downgrade_grace_days = grace;
        changed
    };
    let mut without_silver = Program { version: 4, valid_from: at("2026-12-01T09:30:00Z"), ..first.clone() };
    let tiers = first.rules.tiers.all();
    without_silver.rules.tiers = LoyaltyTiers::try_new(vec![tiers[0].clone(), tiers[2].clone()]).unwrap();
    let lower = with_silver_at(2, "2026-05-01T09:30:00Z", "100", 30);
    let higher = with_silver_at(3, "2026-07-01T00:00:00Z", "60000", 0);
    let mut customer = Customer::new(vec![first, lower, higher, without_silver], date("2026-01-01"));
    customer.buy(date("2026-03-10"), "100");
    customer.pass(at("2026-05-01T09:29:59.999Z"));
    assert_eq!(customer.standing.tier.as_str(), "BRONZE");
    assert_eq!(customer.tier("2026-05-01"), "SILVER");
    assert_eq!(customer.tier("2026-07-01"), "BRONZE", "without grace at once");
    customer.buy(date("2026-08-01"), "60000");
    assert_eq!(customer.tier("2026-11-30"), "SILVER");
    assert_eq!(customer.tier("2026-12-01"), "BRONZE", "it is there no longer");
    let reasons: Vec<_> = customer.history.iter().map(|change| change.reason).collect();
    assert_eq!(reasons, [Reason::Program, Reason::Program, Reason::Upgrade, Reason::Program]);
}

#[test]
fn tiers_are_checked_before_they_are_rules() {
    let tiers = program("INR", |_| {}).rules.tiers.all().to_vec();
    let refused = |change: &dyn Fn(&mut Vec<domain::loyalty::program::LoyaltyTier>)| {
        let mut changed = tiers.clone();
        change(&mut changed);
        LoyaltyTiers::try_new(changed).is_err()
    };
    assert!(refused(&|tiers| tiers.clear()));
    assert!(refused(&|tiers| tiers[0].spend_12m = Some(money("1"))), "the lowest has no threshold");
    assert!(refused(&|tiers| tiers[1].spend_12m = None), "the others have one");
    assert!(refused(&|tiers| tiers[2].spend_12m = Some(money("50000"))), "they rise strictly");
    assert!(refused(&|tiers| tiers[1].spend_12m = Some(Money::ZERO)), "above zero");
    assert!(refused(&|tiers| tiers[2].name = tiers[1].name.clone()), "names differ");
    assert!(refused(&|tiers| (0..11).for_each(|_| tiers.push(tiers[2].clone()))));
    assert!(!refused(&|tiers| tiers[2].lifetime_points = Some(points(1))));
    assert!(
        TierName::parse("GOLD_2").is_ok() && TierName::parse("gold").is_err() && TierName::parse("").is_err()
    );
}

#[test]
fn a_version_that_began_before_the_clock_that_last_looked_is_caught_up() {
    let lower = version(2, "2026-05-01T12:00:00Z", &[BRONZE, ("SILVER", Some("100")), GOLD]);
    let mut customer = customer();
    customer.buy(date("2026-04-30"), "100");
    customer.pass(at("2026-05-01T12:03:00Z"));
    customer.programs.push(lower);
    customer.pass(at("2026-05-01T12:03:00Z"));
    assert_eq!(customer.standing.tier.as_str(), "SILVER");
    assert_eq!(customer.reasons(), [(Reason::Program, "2026-05-01".to_owned())]);
    assert_eq!(customer.standing.program_version, 2);
}

#[test]
fn a_tier_that_a_version_inserts_is_lost_with_the_higher_one_that_was_risen_to() {
    let platinum = ("PLATINUM", Some("100000"));
    let mut customer = Customer::new(
        vec![program("INR", |_| {}), version(2, "2026-05-01T00:00:00Z", &[BRONZE, SILVER, platinum, GOLD])],
        date("2026-01-01"),
    );
    let all = customer.buy(date("2026-04-01"), "200000");
    assert_eq!(customer.tier("2026-06-01"), "GOLD");
    customer.refund(date("2026-06-02"), (date("2026-04-01"), "200000"), all);
    assert_eq!((customer.standing.tier.as_str(), customer.standing.grace), ("BRONZE", None));
}

#[test]
fn a_version_that_removes_the_tier_held_leaves_since_when_the_lower_ones_are_held() {
    let mut customer = Customer::new(
        vec![program("INR", |_| {}), version(2, "2026-06-01T00:00:00Z", &[BRONZE, SILVER])],
        date("2026-01-01"),
    );
    customer.buy(date("2026-03-01"), "50000");
    customer.buy(date("2026-04-01"), "150000");
    let small = customer.buy(date("2026-05-01"), "10");
    assert_eq!(customer.tier("2026-06-02"), "SILVER");
    customer.spend.take(date("2026-04-01"), money("150000"));
    customer.refund(date("2026-06-03"), (date("2026-03-01"), "20"), small);
    assert_eq!(customer.standing.tier.as_str(), "SILVER", "it was held before the purchase");
    assert!(customer.standing.grace.is_some());
}

#[test]
fn the_order_of_refunds_of_two_purchases_makes_no_difference() {
    let story = |order: [usize; 2]| {
        let mut customer = customer();
        customer.buy(date("2026-03-01"), "60000");
        let second = customer.buy(date("2026-03-02"), "150000");
        let third = customer.buy(date("2026-03-03"), "10000");
        let first = second - 1;
        let refunds = [((date("2026-03-03"), "10000"), third), ((date("2026-03-01"), "20000"), first)];
        for at in order {
            let (part, booked) = refunds[at];
            customer.refund(date("2026-04-01"), part, booked);
        }
        (customer.standing.tier.as_str().to_owned(), customer.standing.grace)
    };
    assert_eq!(story([0, 1]), ("SILVER".to_owned(), None));
    assert_eq!(story([0, 1]), story([1, 0]));
}

#[test]
fn a_fall_says_what_caused_it() {
    // A version that changes nothing about tiers begins just when spend ages.
    let same = version(2, "2027-03-10T00:00:00Z", &[BRONZE, SILVER, GOLD]);
    let mut customer = Customer::new(vec![program("INR", |_| {}), same], date("2026-01-01"));
    customer.buy(date("2026-03-10"), "50000");
    assert_eq!(customer.tier("2027-05-01"), "BRONZE");
    assert_eq!(customer.reasons().last().unwrap().0, Reason::Ageing);
    // A grant that takes the place of a higher one ends that.
    let mut customer = self::customer();
    let grant = |tier: &str| Some(Grant { tier: TierName::parse(tier).unwrap(), until: date("2026-12-31") });
    customer.change(|standing, facts| standing.grant(facts, at("2026-01-05T12:00:00Z"), grant("GOLD")));
    customer.change(|standing, facts| standing.grant(facts, at("2026-02-05T12:00:00Z"), grant("SILVER")));
    assert_eq!(customer.tier("2026-05-01"), "SILVER");
    assert_eq!(customer.reasons().last().unwrap().0, Reason::GrantEnded);
}

#[test]
fn older_rules_judge_by_the_tier_held_or_by_the_one_that_they_say_is_reached() {
    let older = version(7, "2025-01-01T00:00:00Z", &[BRONZE, ("SILVER", Some("10"))]);
    let mut customer = customer();
    customer.buy(date("2026-03-10"), "200000");
    let facts =
        Facts { programs: &customer.programs, spend: &customer.spend, lifetime: customer.lifetime, seq: 1 };
    let under = |program: &Program| {
        customer.standing.tier_under(program, facts, noon(date("2026-03-10"))).unwrap().as_str().to_owned()
    };
    assert_eq!((under(&customer.programs[0]), under(&older)), ("GOLD".to_owned(), "SILVER".to_owned()));
}

#[test]
fn thresholds_that_are_raised_start_the_grace_at_the_instant_of_their_version() {
    let higher = version(2, "2026-07-01T09:30:00Z", &[BRONZE, ("SILVER", Some("60000")), GOLD]);
    let mut customer = Customer::new(vec![program("INR", |_| {}), higher], date("2026-01-01"));
    customer.buy(date("2026-03-10"), "50000");
    customer.pass(at("2026-07-01T09:29:59.999Z"));
    assert_eq!((customer.standing.tier.as_str(), customer.standing.grace), ("SILVER", None));
    // The first read is weeks later; the grace is still that of the version's date.
    assert_eq!(customer.tier("2026-07-30"), "SILVER");
    assert_eq!(customer.tier("2026-07-31"), "BRONZE");
    let expected = [
        (Reason::Upgrade, "2026-03-10"),
        (Reason::GraceStarted, "2026-07-01"),
        (Reason::Program, "2026-07-31"),
    ];
    assert_eq!(customer.reasons(), expected.map(|(reason, at)| (reason, at.to_owned())));
}
