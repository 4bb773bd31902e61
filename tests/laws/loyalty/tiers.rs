//! Which tier is held: against a model that looks at every day, and the numbers that the contract gives.

use super::{at, date, money, noon, points, program};
use domain::loyalty::numbers::Points;
use domain::loyalty::program::{LoyaltyTiers, Program, TierName};
use domain::loyalty::spend::{SpendMap, falls_off, window_from};
use domain::loyalty::tiers::{Facts, Grant, Reason, Standing, TierChange};
use domain::money::Money;
use domain::time::{Date, Timestamp, plus_days};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A customer and what their tier follows from.
struct Customer {
    programs: Vec<Program>,
    spend: SpendMap,
    lifetime: Points,
    seq: u64,
    standing: Standing,
    history: Vec<TierChange>,
}

impl Customer {
    fn new(programs: Vec<Program>, since: Date) -> Self {
        let standing = Standing::new(&programs, Timestamp::start_of(since)).unwrap();
        let (spend, lifetime) = (SpendMap::default(), Points::ZERO);
        Self { programs, spend, lifetime, seq: 0, standing, history: vec![] }
    }

    fn change(&mut self, how: impl FnOnce(&mut Standing, Facts<'_>) -> Vec<TierChange>) {
        let facts =
            Facts { programs: &self.programs, spend: &self.spend, lifetime: self.lifetime, seq: self.seq };
        self.history.extend(how(&mut self.standing, facts));
    }

    fn pass(&mut self, to: Timestamp) {
        self.change(|standing, facts| standing.advance(facts, to));
    }

    /// Buys on a date; returns the number of the entry.
    fn buy(&mut self, on: Date, amount: &str) -> u64 {
        self.pass(noon(on));
        self.spend.add(on, money(amount)).unwrap();
        self.seq += 1;
        self.change(|standing, facts| standing.raised(facts, noon(on), Reason::Upgrade));
        self.seq
    }

    fn refund(&mut self, on: Date, (bought, amount): (Date, &str), booked: u64) {
        self.pass(noon(on));
        self.spend.take(bought, money(amount));
        self.seq += 1;
        self.change(|standing, facts| standing.refunded(facts, noon(on), booked));
    }

    fn tier(&mut self, on: &str) -> &str {
        self.pass(noon(date(on)));
        self.standing.tier.as_str()
    }

    fn reasons(&self) -> Vec<(Reason, String)> {
        self.history.iter().map(|change| (change.reason, change.at.date().to_string())).collect()
    }
}

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

/// The model: every day at midnight, from the purchases alone.
struct Model {
    bought: BTreeMap<Date, u64>,
    held: usize,
    grace_from: Option<Date>,
}

impl Model {
    const THRESHOLDS: [u64; 3] = [0, 50_000, 200_000];

    fn reached(&self, on: Date) -> usize {
        use chrono::Datelike;
        // The same day a year before; 28 February for the 29th.
        let before = Date::from_ymd_opt(on.year() - 1, on.month(), on.day());
        let before = before.unwrap_or_else(|| Date::from_ymd_opt(on.year() - 1, 2, 28).unwrap());
        let spent: u64 =
            self.bought.iter().filter(|(date, _)| before < **date && **date <= on).map(|(_, a)| a).sum();
        (0..3).rev().find(|tier| spent >= Self::THRESHOLDS[*tier]).unwrap()
    }

    fn look(&mut self, on: Date, grace: u32) {
        let reached = self.reached(on);
        if reached >= self.held {
            self.held = reached;
            self.grace_from = None;
            return;
        }
        let from = *self.grace_from.get_or_insert(on);
        if plus_days(from, grace).unwrap() <= on {
            self.held = reached;
            self.grace_from = None;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Four years with a leap day, looked at rarely, as often as something is bought, against a look every day.
    #[test]
    fn three_years_of_purchases_hold_the_tier_that_a_look_every_day_finds(
        purchases in prop::collection::vec((0..1_200_u32, 1..120_000_u64), 0..12),
        looks in prop::collection::vec(0..1_460_u32, 0..6),
        grace in 0..90_u32,
    ) {
        let start = date("2026-06-01");
        let day = |n: u32| plus_days(start, n).unwrap();
        let programs = vec![program("INR", |rules| rules.downgrade_grace_days = grace)];
        let mut customer = Customer::new(programs, start);
        let mut model = Model { bought: BTreeMap::new(), held: 0, grace_from: None };
        let names = ["BRONZE", "SILVER", "GOLD"];
        for n in 0..1_460 {
            model.look(day(n), grace);
            if looks.contains(&n) {
                customer.pass(Timestamp::start_of(day(n)));
                prop_assert_eq!(customer.standing.tier.as_str(), names[model.held], "day {}", day(n));
            }
            for (_, amount) in purchases.iter().filter(|(at, _)| *at == n) {
                *model.bought.entry(day(n)).or_default() += amount;
                model.look(day(n), grace);
                customer.buy(day(n), &amount.to_string());
                prop_assert_eq!(customer.standing.tier.as_str(), names[model.held], "bought on {}", day(n));
            }
        }
        customer.pass(Timestamp::start_of(day(1_459)));
        prop_assert_eq!(customer.standing.tier.as_str(), names[model.held]);
        prop_assert_eq!(customer.standing.grace.map(|grace| grace.from), model.grace_from);
        let dated = customer.history.is_sorted_by_key(|change| change.at);
        prop_assert!(dated, "{:?}", customer.history);
    }
}
