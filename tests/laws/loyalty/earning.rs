//! What a purchase earns.

use super::{campaign, line, money, multiplier, noon, points, program, purchase, rate, tier};
use domain::loyalty::campaigns::{Campaign, CampaignStatus, CampaignTerms, in_force};
use domain::loyalty::earning::{Basis, EarnError, Earned, earn};
use domain::loyalty::exact::six_digits;
use domain::loyalty::explanation::StepKind;
use domain::loyalty::numbers::{ExchangeRate, PointValue, Points, Rounding};
use domain::loyalty::program::{Expiry, ProductRule, Program, Stacking};
use domain::loyalty::purchase::{Line, LineKind, Products, Purchase};
use domain::loyalty::versions::RulesError;
use domain::money::Money;
use domain::time::parse_date;

fn earned_by(program: &Program, name: &str, campaigns: &[Campaign], purchase: &Purchase) -> Earned {
    earn(&Basis { program, tier: tier(program, name), campaigns, day_left: None }, purchase).unwrap()
}

fn of_product(product: &str, amount: &str) -> Line {
    Line { product_id: Some(product.to_owned()), ..line(product, LineKind::Goods, amount) }
}

fn products(ids: &[&str]) -> Products {
    Products { product_ids: ids.iter().map(|&id| id.to_owned()).collect(), ..Products::default() }
}

#[test]
fn the_seed_rate_of_one_point_for_a_thousand_rounds_as_the_program_says() {
    let bought = purchase("VND", vec![Line::goods(money("10999"))]);
    for (rounding, expected) in [(Rounding::Floor, 10), (Rounding::Nearest, 11), (Rounding::Ceil, 11)] {
        let program = program("VND", |rules| {
            rules.rate = rate(1, "1000");
            rules.rounding = rounding;
        });
        let earned = earned_by(&program, "BRONZE", &[], &bought);
        assert_eq!((earned.points, six_digits(&earned.raw).as_str()), (points(expected), "10.999"));
    }
}

#[test]
fn a_purchase_is_rounded_once_and_not_by_line() {
    let double =
        ProductRule { id: "double".to_owned(), products: products(&["p"]), multiplier: multiplier("2") };
    let program = program("INR", |rules| rules.product_rules = vec![double]);
    let lines = vec![
        of_product("p", "999.99"),
        line("other", LineKind::Goods, "460.01"),
        line("delivery", LineKind::Shipping, "40.00"),
    ];
    let earned = earned_by(&program, "SILVER", &[], &purchase("INR", lines));
    assert_eq!(six_digits(&earned.raw), "30.749875");
    assert_eq!((earned.points, earned.eligible), (points(30), money("1460")));
    let applied: Vec<_> = earned
        .steps
        .iter()
        .filter(|step| step.is_applied)
        .map(|step| (step.kind, step.points.as_str()))
        .collect();
    let expected = [
        (StepKind::Exclude, "0"),
        (StepKind::Base, "14.6"),
        (StepKind::Tier, "3.65"),
        (StepKind::Product, "12.499875"),
        (StepKind::Round, "-0.749875"),
    ];
    assert_eq!(applied, expected, "the parts sum to the points");
}

#[test]
fn currencies_with_three_digits_and_with_none_earn_exactly() {
    let dinar = program("BHD", |rules| rules.rate = rate(1, "0.005"));
    assert_eq!(
        earned_by(&dinar, "BRONZE", &[], &purchase("BHD", vec![Line::goods(money("12.345"))])).points,
        points(2_469)
    );
    let yen = program("JPY", |_| {});
    assert_eq!(
        earned_by(&yen, "BRONZE", &[], &purchase("JPY", vec![Line::goods(money("1999"))])).points,
        points(19)
    );
}

#[test]
fn another_currency_earns_at_its_rate_and_without_one_not_at_all() {
    let program = program("INR", |rules| {
        rules.fx.insert("USD".to_owned(), ExchangeRate::parse("83.123457").unwrap());
    });
    let dollars = purchase("USD", vec![Line::goods(money("19.99"))]);
    let earned = earned_by(&program, "BRONZE", &[], &dollars);
    assert_eq!((six_digits(&earned.raw).as_str(), earned.eligible), ("16.616379", money("1661.63")));
    let euros = purchase("EUR", vec![Line::goods(money("19.99"))]);
    let basis = Basis { program: &program, tier: tier(&program, "BRONZE"), campaigns: &[], day_left: None };
    assert_eq!(earn(&basis, &euros), Err(EarnError::NoRate));
}

#[test]
fn a_product_that_earns_nothing_counts_as_spend_and_a_coupon_can_exclude_all() {
    let nothing =
        ProductRule { id: "none".to_owned(), products: products(&["p"]), multiplier: multiplier("0") };
    let program = program("INR", |rules| {
        rules.product_rules = vec![nothing];
        rules.redemption.earn_with_coupons = false;
    });
    let bought = purchase("INR", vec![of_product("p", "500")]);
    let earned = earned_by(&program, "GOLD", &[], &bought);
    assert_eq!((earned.points, earned.eligible), (Points::ZERO, money("500")));
    let mut with_coupon = bought;
    with_coupon.coupon_discount = money("1");
    assert_eq!(earned_by(&program, "GOLD", &[], &with_coupon).eligible, Money::ZERO);
}

#[test]
fn of_campaigns_the_best_wins_for_each_line_or_all_add_up_to_a_hundred() {
    let bought = purchase("INR", vec![of_product("p", "1000"), of_product("q", "1000")]);
    let twice = campaign("cmp_1", |campaign| campaign.multiplier = Some(multiplier("2")));
    let thrice = campaign("cmp_2", |campaign| {
        campaign.multiplier = Some(multiplier("3"));
        campaign.products = products(&["p"]);
    });
    let again = campaign("cmp_3", |campaign| campaign.multiplier = Some(multiplier("2")));
    let best = program("INR", |_| {});
    let earned = earned_by(&best, "BRONZE", &[twice.clone(), thrice.clone(), again.clone()], &bought);
    assert_eq!(earned.points, points(10 + 10 + 20 + 10), "thrice for p, twice for q");
    let named = super::named;
    let by = |id: &str| {
        earned.steps.iter().find(|step| step.rule == named(id).as_str()).map(|step| step.points.as_str())
    };
    assert_eq!(
        (by("cmp_1"), by("cmp_2"), by("cmp_3")),
        (Some("10"), Some("20"), Some("0")),
        "the first of equals"
    );
    let add = program("INR", |rules| rules.campaign_stacking = Stacking::Add);
    assert_eq!(earned_by(&add, "BRONZE", &[twice, thrice], &bought).points, points(20 + 10 + 20 + 10));
    let most = campaign("cmp_4", |campaign| campaign.multiplier = Some(multiplier("90")));
    assert_eq!(
        earned_by(&add, "BRONZE", &[most.clone(), most], &bought).points,
        points(2_000),
        "100 times at most"
    );
}

#[test]
fn a_campaign_applies_to_its_tiers_products_and_amounts_and_its_bonus_counts_once() {
    let program = program("INR", |_| {});
    let bought = purchase("INR", vec![of_product("p", "100"), of_product("p2", "100")]);
    let bonus_with = |change: &dyn Fn(&mut CampaignTerms)| {
        campaign("cmp_1", |terms| {
            terms.bonus_points = Some(points(50));
            change(terms);
        })
    };
    let bonus = bonus_with(&|_| {});
    assert_eq!(earned_by(&program, "BRONZE", std::slice::from_ref(&bonus), &bought).points, points(52));
    let refused = [
        bonus_with(&|terms| terms.tiers = [tier(&program, "GOLD").name.clone()].into()),
        bonus_with(&|terms| terms.min_amount = money("200.01")),
        bonus_with(&|terms| terms.products = products(&["q"])),
    ];
    let earned = earned_by(&program, "BRONZE", &refused, &bought);
    assert_eq!((earned.points, earned.campaigns.len()), (points(2), 0));
    let why: Vec<_> = earned
        .steps
        .iter()
        .filter(|step| !step.is_applied && step.rule == super::named("cmp_1").as_str())
        .collect();
    assert_eq!(why.len(), 3, "each says why: {why:?}");
    let met = bonus_with(&|terms| terms.min_amount = money("200"));
    assert_eq!(earned_by(&program, "BRONZE", &[met], &bought).points, points(52));
    let limited = campaign("cmp_2", |campaign| {
        campaign.multiplier = Some(multiplier("100"));
        campaign.max_points_per_purchase = Some(points(7));
    });
    assert_eq!(earned_by(&program, "BRONZE", &[limited], &bought).points, points(9));
}

#[test]
fn the_limits_of_a_purchase_and_of_a_day_cut_off_what_is_above_them() {
    let program = program("INR", |rules| rules.max_points_per_purchase = Some(points(1_000)));
    let bought = purchase("INR", vec![Line::goods(money("150000"))]);
    let earned = |day_left| {
        earn(&Basis { program: &program, tier: tier(&program, "BRONZE"), campaigns: &[], day_left }, &bought)
            .unwrap()
    };
    assert_eq!(earned(None).points, points(1_000));
    assert_eq!(earned(Some(points(1_200))).points, points(1_000));
    assert_eq!(earned(Some(points(300))).points, points(300));
    let parts: i64 =
        earned(Some(points(300))).steps.iter().map(|step| step.points.parse::<i64>().unwrap()).sum();
    assert_eq!(parts, 300, "the parts sum to the points");
}

#[test]
fn an_explanation_lists_three_hundred_rules_at_most_those_that_applied_first() {
    let rule = |n: usize| ProductRule {
        id: format!("r{n}"),
        products: products(&["x"]),
        multiplier: multiplier("2"),
    };
    let program = program("INR", |rules| rules.product_rules = (0..100).map(rule).collect());
    let campaigns: Vec<_> = (0..250)
        .map(|n| {
            campaign(&format!("cmp_{n}"), |c| {
                c.bonus_points = (n % 2 == 0).then_some(points(1)).or(Some(points(2)))
            })
        })
        .collect();
    let earned = earned_by(&program, "BRONZE", &campaigns, &purchase("INR", vec![Line::goods(money("100"))]));
    assert_eq!(earned.steps.len(), 300);
    assert!(earned.steps.is_sorted_by_key(|step| !step.is_applied));
}

#[test]
fn points_expire_after_their_days_or_on_a_day_of_the_year() {
    let date = |text| parse_date(text).unwrap();
    let booked = date("2027-03-10");
    assert_eq!(Expiry::Off.expires_on(booked, 0), None);
    assert_eq!(Expiry::Rolling { days: 365 }.expires_on(booked, 0), Some(date("2028-03-09")));
    let fixed = |month, day, years| Expiry::Fixed { month, day, years }.expires_on(booked, 0);
    assert_eq!(fixed(12, 31, 1), Some(date("2028-12-31")));
    assert_eq!((fixed(2, 29, 1), fixed(2, 29, 2)), (Some(date("2028-02-29")), Some(date("2029-02-28"))));
    let new_year = Expiry::Fixed { month: 1, day: 1, years: 1 };
    assert_eq!(
        new_year.expires_on(date("2026-12-31"), 1),
        Some(date("2027-01-01")),
        "the day on which they come"
    );
    assert_eq!(
        new_year.expires_on(date("2026-12-31"), 2),
        Some(date("2028-01-01")),
        "never before they come"
    );
}

#[test]
fn a_campaign_is_in_force_from_its_start_until_its_end_unless_it_is_stopped() {
    let campaign = campaign("cmp_1", |campaign| campaign.bonus_points = Some(points(1)));
    let holds = |text: &str| campaign.is_in_force(super::at(text));
    assert!(holds("2026-01-01T00:00:00Z") && holds("2026-12-31T23:59:59.999Z"));
    assert!(!holds("2025-12-31T23:59:59.999Z") && !holds("2027-01-01T00:00:00Z"));
    let stopped = campaign.stop(noon(parse_date("2026-06-01").unwrap()), super::admin()).unwrap();
    let versions = [campaign, stopped];
    let counts = |text: &str| in_force(&versions, super::at(text)).is_some();
    assert!(counts("2026-06-01T11:59:59.999Z"), "what happened before it was stopped counts");
    assert!(!counts("2026-06-01T12:00:00Z") && !counts("2025-12-31T23:59:59.999Z"));
    assert_eq!(versions[1].stop(versions[1].since, super::admin()), None, "once");
}

#[test]
fn a_campaign_gives_something_that_it_can_give_for_a_time_that_is_not_over() {
    let now = super::at("2026-06-01T00:00:00Z");
    let made = |change: &dyn Fn(&mut CampaignTerms)| {
        let mut terms = campaign("cmp_1", |terms| terms.bonus_points = Some(points(1))).terms;
        change(&mut terms);
        Campaign::create(super::named("cmp_2"), terms, now, super::admin())
    };
    let refused = |field: &str, change: &dyn Fn(&mut CampaignTerms)| {
        let made = made(change);
        assert!(matches!(&made, Err(RulesError::Invalid(named, _)) if *named == field), "{field} {made:?}");
    };
    refused("multiplier", &|terms| terms.multiplier = Some(multiplier("1")));
    refused("multiplier", &|terms| terms.bonus_points = None);
    refused("valid_until", &|terms| terms.period.until = terms.period.from);
    refused("valid_until", &|terms| terms.period.until = now);
    refused("point_value", &|terms| {
        terms.point_value = Some(PointValue::ONE);
        terms.products = products(&["p"]);
    });
    let first = made(&|_| {}).unwrap();
    assert_eq!((first.version, first.status(now)), (1, CampaignStatus::Active));
    assert_eq!(first.status(super::at("2025-12-31T00:00:00Z")), CampaignStatus::Scheduled);
    assert_eq!(first.status(super::at("2027-01-01T00:00:00Z")), CampaignStatus::Ended);
    let later = noon(parse_date("2026-07-01").unwrap());
    let second = first.change(1, first.terms.clone(), later, super::admin()).unwrap();
    assert_eq!((second.version, second.since), (2, later));
    assert_eq!(
        second.change(1, first.terms.clone(), later, super::admin()),
        Err(RulesError::VersionConflict)
    );
    assert_eq!(in_force(&[first.clone(), second], later.minus_minutes(1)), Some(&first));
}

#[test]
fn a_purchase_of_more_points_than_can_be_kept_is_refused() {
    let program = program("INR", |rules| rules.rate = rate(1_000_000, "0.01"));
    let basis = Basis { program: &program, tier: tier(&program, "BRONZE"), campaigns: &[], day_left: None };
    let bought =
        |amount| earn(&basis, &purchase("INR", vec![Line::goods(money(amount))])).map(|earned| earned.points);
    assert_eq!(bought("10000000"), Ok(points(1_000_000_000_000_000)));
    assert_eq!(bought("10000000.01"), Err(EarnError::TooLarge));
}
