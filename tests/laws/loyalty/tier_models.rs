//! The tier held, against a model that looks at every day, and looked at more or less often.

use super::customer::{BRONZE, Customer, GOLD, SILVER, version};
use super::{date, noon, program};
use domain::loyalty::program::TierName;
use domain::loyalty::tiers::Grant;
use domain::time::{Date, Timestamp, plus_days};
use proptest::prelude::*;
use std::collections::BTreeMap;

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

    /// Purchases, refunds, grants and versions: looking every day and looking only when something happens end alike.
    #[test]
    fn how_often_it_is_looked_at_makes_no_difference(
        steps in prop::collection::vec((0..900_u32, 0..5_u8, 1..150_000_u32, 0..60_u32), 1..15),
        grace in 0..60_u32,
    ) {
        let start = date("2026-06-01");
        let day = |n: u32| plus_days(start, n).unwrap();
        let end = |looks_daily: bool| {
            let second = version(2, "2027-02-01T00:00:00Z", &[BRONZE, ("SILVER", Some("30000")), GOLD]);
            let third = version(3, "2027-09-01T06:00:00Z", &[BRONZE, SILVER, ("PLATINUM", Some("90000")), GOLD]);
            let mut programs = vec![program("INR", |_| {}), second, third];
            programs.iter_mut().for_each(|program| program.rules.downgrade_grace_days = grace);
            let mut customer = Customer::new(programs, start);
            let mut bought: Vec<(Date, u32, u64)> = vec![];
            for n in 0..1_000 {
                if looks_daily {
                    customer.pass(Timestamp::start_of(day(n)));
                }
                for (_, what, amount, other) in steps.iter().filter(|(at, ..)| *at == n) {
                    match what {
                        0 | 1 => {
                            let entry = customer.buy(day(n), &amount.to_string());
                            bought.push((day(n), *amount, entry));
                        }
                        2 => {
                            let at = usize::try_from(*other).unwrap() % bought.len().max(1);
                            if let Some((date, amount, entry)) = bought.get_mut(at) {
                                let part = amount.div_ceil(2);
                                *amount -= part;
                                let (date, entry) = (*date, *entry);
                                customer.refund(day(n), (date, &part.to_string()), entry);
                            }
                        }
                        _ => {
                            customer.pass(noon(day(n)));
                            let tier = if amount % 2 == 0 { "GOLD" } else { "SILVER" };
                            let grant = Grant { tier: TierName::parse(tier).unwrap(), until: day(n + other) };
                            let grant = (*what == 3).then_some(grant);
                            customer.change(|standing, facts| standing.grant(facts, noon(day(n)), grant));
                        }
                    }
                }
            }
            customer.pass(Timestamp::start_of(day(1_000)));
            (customer.standing, customer.history)
        };
        prop_assert_eq!(end(true), end(false));
    }
}
