//! What refunds leave of a purchase, whatever their number and order.

use super::{campaign, line, money, multiplier, paise, points, program, purchase, rate, tier};
use domain::loyalty::earning::{Basis, Kept, earn, kept};
use domain::loyalty::exact;
use domain::loyalty::numbers::{Points, Rounding};
use domain::loyalty::program::{ProductRule, Program, Stacking};
use domain::loyalty::purchase::{Line, LineKind, Products, Purchase};
use domain::loyalty::refunds::{RefundReport, Refunds};
use domain::money::Money;
use proptest::prelude::*;

fn refund(amount: Money) -> RefundReport {
    RefundReport { amount, ..RefundReport::default() }
}

fn refunds(amounts: &[&str]) -> Refunds {
    let by_id =
        amounts.iter().enumerate().map(|(at, amount)| (format!("r{at}"), refund(money(amount)))).collect();
    Refunds { by_id, amount_kept: None }
}

fn kept_of(program: &Program, purchase: &Purchase, refunds: &Refunds) -> Kept {
    let basis = Basis { program, tier: tier(program, "BRONZE"), campaigns: &[], day_left: None };
    let earned = earn(&basis, purchase).unwrap();
    let basis = Basis { campaigns: &earned.campaigns, ..basis };
    kept(&basis, purchase, &refunds.left_of(purchase)).unwrap()
}

#[test]
fn refunds_are_reversed_cumulatively_and_not_each_by_itself() {
    let program = program("INR", |rules| rules.rate = rate(1, "10"));
    let bought = purchase("INR", vec![Line::goods(money("21.90"))]);
    let amounts = ["5", "5", "5", "6.90"];
    let kept: Vec<_> =
        (1..=4).map(|n| kept_of(&program, &bought, &refunds(&amounts[..n])).points.get()).collect();
    assert_eq!(kept, [1, 1, 0, 0]);
}

#[test]
fn amounts_that_name_a_line_come_off_it_first_and_the_others_off_all_in_proportion() {
    let program = program("INR", |_| {});
    let lines = vec![line("goods", LineKind::Goods, "900"), line("delivery", LineKind::Shipping, "100")];
    let bought = purchase("INR", lines);
    let of_line = |id: &str, amount: &str| {
        let lines = vec![(id.to_owned(), money(amount))];
        RefundReport { amount: money(amount), lines, ..RefundReport::default() }
    };
    let kept = |reports: Vec<RefundReport>| {
        let by_id = reports.into_iter().enumerate().map(|(at, report)| (at.to_string(), report)).collect();
        kept_of(&program, &bought, &Refunds { by_id, amount_kept: None })
    };
    assert_eq!(kept(vec![]), Kept { points: points(9), spend: money("900") });
    assert_eq!(kept(vec![of_line("delivery", "100")]).points, points(9));
    assert_eq!(kept(vec![of_line("goods", "450")]), Kept { points: points(4), spend: money("450") });
    assert_eq!(kept(vec![refund(money("450"))]), Kept { points: points(4), spend: money("495") });
    assert_eq!(
        kept(vec![of_line("goods", "450"), refund(money("275"))]),
        Kept { points: points(2), spend: money("225") }
    );
    let beyond_its_line = RefundReport { amount: money("550"), ..of_line("delivery", "550") };
    assert_eq!(kept(vec![beyond_its_line]), Kept { points: points(4), spend: money("450") });
}

#[test]
fn a_limit_is_applied_to_what_is_left() {
    let program = program("INR", |rules| rules.max_points_per_purchase = Some(points(1_000)));
    let bought = purchase("INR", vec![Line::goods(money("150000"))]);
    assert_eq!(kept_of(&program, &bought, &refunds(&["30000"])).points, points(1_000));
    assert_eq!(kept_of(&program, &bought, &refunds(&["75000"])).points, points(750));
}

#[test]
fn points_that_paid_come_back_in_proportion_and_sum_to_what_was_confirmed() {
    let charge_after = money("700");
    let back = |amounts: &[&str]| refunds(amounts).points_back(points(300), charge_after, true).get();
    let parts = [back(&["233.33"]), back(&["233.33", "233.33"]), back(&["233.33", "233.33", "233.34"])];
    assert_eq!(parts, [99, 199, 300]);
    assert_eq!(refunds(&["700"]).points_back(points(300), charge_after, false), Points::ZERO);
    let total = RefundReport {
        refunded_total: money("350"),
        points_back: Some(Points::ZERO),
        ..RefundReport::default()
    };
    let total = Refunds { by_id: [("a".to_owned(), total)].into(), amount_kept: None };
    assert_eq!(total.points_back(points(300), charge_after, true), Points::ZERO, "it named how many");
    let named = RefundReport { points_back: Some(points(250)), ..refund(money("350")) };
    let other = refund(money("350"));
    let both =
        Refunds { by_id: [("a".to_owned(), named), ("b".to_owned(), other)].into(), amount_kept: None };
    assert_eq!(both.points_back(points(300), charge_after, true), points(300), "never more than confirmed");
    let cancelled = Refunds { amount_kept: Some(Money::ZERO), ..Refunds::default() };
    assert_eq!(cancelled.points_back(points(300), Money::ZERO, true), points(300), "points paid all of it");
    assert_eq!(Refunds::default().points_back(points(300), Money::ZERO, true), Points::ZERO);
}

#[test]
fn a_refund_that_failed_counts_for_nothing() {
    let failed = RefundReport { has_failed: true, points_back: Some(points(5)), ..refund(money("50")) };
    let known = Refunds { by_id: [("a".to_owned(), failed)].into(), amount_kept: None };
    assert_eq!(known.refunded(money("100")), Money::ZERO);
    assert_eq!(known.points_back(points(10), money("100"), true), Points::ZERO);
}

#[test]
fn what_is_refunded_is_the_largest_of_sum_total_and_cancellation() {
    let total = RefundReport { refunded_total: money("70"), ..RefundReport::default() };
    let mut known = refunds(&["20", "30"]);
    assert_eq!(known.refunded(money("100")), money("50"));
    known.by_id.insert("total".to_owned(), total);
    assert_eq!(known.refunded(money("100")), money("70"));
    known.amount_kept = Some(money("10"));
    assert_eq!(known.refunded(money("100")), money("90"));
    assert_eq!(known.refunded(money("60")), money("60"), "at most the amount");
}

#[test]
fn a_bonus_shrinks_with_the_eligible_amount_and_a_minimum_is_not_asked_again() {
    let program = program("INR", |_| {});
    let of_product = |product: &str, amount: &str| Line {
        product_id: Some(product.to_owned()),
        ..line(product, LineKind::Goods, amount)
    };
    let bought = purchase("INR", vec![of_product("p", "100"), of_product("q", "9900")]);
    let bonus = campaign("cmp_1", |terms| {
        terms.bonus_points = Some(points(500));
        terms.products.product_ids = ["p".to_owned()].into();
        terms.min_amount = money("10000");
    });
    let basis =
        Basis { program: &program, tier: tier(&program, "BRONZE"), campaigns: &[bonus], day_left: None };
    let earned = earn(&basis, &bought).unwrap();
    assert_eq!(earned.points, points(600));
    let basis = Basis { campaigns: &earned.campaigns, ..basis };
    let without = |id: &str, amount: &str| {
        let report = RefundReport { lines: vec![(id.to_owned(), money(amount))], ..refund(money(amount)) };
        let known = Refunds { by_id: [("r".to_owned(), report)].into(), amount_kept: None };
        kept(&basis, &bought, &known.left_of(&bought)).unwrap().points.get()
    };
    assert_eq!((without("p", "100"), without("q", "9900"), without("p", "50")), (594, 6, 597));
}

#[derive(Clone, Debug)]
struct Story {
    lines: Vec<(u8, i64)>,
    rate_per: i64,
    parts: Vec<(usize, u32)>,
    rounding: Rounding,
    limits: (Option<u64>, Option<u64>),
    stacking: Stacking,
}

fn story() -> impl Strategy<Value = Story> {
    let lines = prop::collection::vec((0..6_u8, 0..200_000_i64), 1..6);
    let parts = prop::collection::vec((0..8_usize, 1..60_u32), 1..8);
    let limit = || prop::option::of(1..3_000_u64);
    let rounding = prop::sample::select(Rounding::ALL.to_vec());
    let stacking = prop::sample::select(vec![Stacking::Best, Stacking::Add]);
    let made = |(lines, rate_per, parts, rounding, limits, stacking)| Story {
        lines,
        rate_per,
        parts,
        rounding,
        limits,
        stacking,
    };
    (lines, 1..20_000_i64, parts, rounding, (limit(), limit()), stacking).prop_map(made)
}

impl Story {
    fn purchase(&self) -> Purchase {
        let made = self.lines.iter().enumerate().map(|(at, (what, paise))| {
            let kind = if *what < 4 { LineKind::Goods } else { LineKind::Shipping };
            let product_id = (*what % 2 == 0).then(|| "p".to_owned());
            Line { line_id: Some(format!("l{at}")), product_id, kind, ..Line::goods(super::paise(*paise)) }
        });
        purchase("INR", made.collect())
    }

    fn program(&self) -> Program {
        let products = Products { product_ids: ["p".to_owned()].into(), ..Products::default() };
        program("INR", |rules| {
            rules.rate = rate(3, &paise(self.rate_per).to_string());
            rules.rounding = self.rounding;
            rules.max_points_per_purchase = self.limits.0.map(points);
            rules.campaign_stacking = self.stacking;
            rules.product_rules =
                vec![ProductRule { id: "r".into(), products, multiplier: multiplier("1.5") }];
        })
    }

    /// What is kept of the purchase, with campaigns for some of its lines.
    fn kept(&self, program: &Program, purchase: &Purchase, refunds: &Refunds) -> Kept {
        let campaigns = [
            campaign("cmp_1", |terms| {
                terms.multiplier = Some(multiplier("2"));
                terms.products.product_ids = ["p".to_owned()].into();
            }),
            campaign("cmp_2", |terms| {
                (terms.multiplier, terms.bonus_points) = (Some(multiplier("1.5")), Some(points(40)));
                (terms.min_amount, terms.max_points_per_purchase) = (money("500"), Some(points(300)));
            }),
        ];
        let day_left = self.limits.1.map(points);
        let basis = Basis { program, tier: tier(program, "SILVER"), campaigns: &campaigns, day_left };
        let earned = earn(&basis, purchase).unwrap();
        let basis = Basis { campaigns: &earned.campaigns, ..basis };
        let all = kept(&basis, purchase, &Refunds::default().left_of(purchase)).unwrap();
        assert_eq!(
            all,
            Kept { points: earned.points, spend: earned.eligible },
            "all is kept of what is not refunded"
        );
        kept(&basis, purchase, &refunds.left_of(purchase)).unwrap()
    }

    /// Refunds of shares of what was paid; those of an existing line name it.
    fn reports(&self, purchase: &Purchase, by_line: bool) -> Vec<(String, RefundReport)> {
        let whole = purchase.amount.value();
        let report = |(at, (line, percent)): (usize, &(usize, u32))| {
            let lines = purchase.lines();
            let of = lines.get(*line).filter(|_| by_line);
            let base = of.map_or(whole, |line| line.amount.value());
            let part = (base * rust_decimal::Decimal::new(i64::from(*percent), 2)).trunc_with_scale(2);
            let amount = Money::try_new(part).unwrap();
            let lines = of.map(|line| (line.line_id.clone().unwrap(), amount)).into_iter().collect();
            (format!("r{at}"), RefundReport { amount, lines, ..RefundReport::default() })
        };
        self.parts.iter().enumerate().map(report).collect()
    }
}

proptest! {
    #[test]
    fn what_is_kept_never_rises_with_refunds_and_is_never_above_what_was_earned(story in story(), by_line: bool) {
        let (program, bought) = (story.program(), story.purchase());
        let earned = story.kept(&program, &bought, &Refunds::default());
        let mut known = Refunds::default();
        let mut before = earned;
        for (id, report) in story.reports(&bought, by_line) {
            known.by_id.insert(id, report);
            let now = story.kept(&program, &bought, &known);
            prop_assert!(now.points <= before.points && now.spend <= before.spend, "{now:?} after {before:?}");
            before = now;
        }
        known.amount_kept = Some(Money::ZERO);
        let nothing = Kept { points: Points::ZERO, spend: Money::ZERO };
        prop_assert_eq!(story.kept(&program, &bought, &known), nothing);
    }

    #[test]
    fn any_order_of_reports_and_failures_ends_alike(
        story in story(),
        failed in prop::collection::vec(any::<bool>(), 8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let (program, bought) = (story.program(), story.purchase());
        let mut reports = story.reports(&bought, true);
        for ((_, report), failed) in reports.iter_mut().zip(&failed) {
            report.has_failed = *failed;
        }
        let all = Refunds { by_id: reports.iter().cloned().collect(), amount_kept: None };
        let expected = story.kept(&program, &bought, &all);
        let standing = reports.iter().filter(|(_, report)| !report.has_failed).cloned();
        let without_failed = Refunds { by_id: standing.collect(), amount_kept: None };
        prop_assert_eq!(story.kept(&program, &bought, &without_failed), expected);
        for at in 0..reports.len() {
            let other = order[at % order.len()].index(reports.len());
            reports.swap(at, other);
        }
        let mut shuffled = Refunds::default();
        for (id, report) in reports.iter().chain(&reports) {
            shuffled.by_id.insert(id.clone(), report.clone());
        }
        prop_assert_eq!(story.kept(&program, &bought, &shuffled), expected);
        let left = all.left_of(&bought).iter().sum::<exact::Exact>();
        let stays = bought.amount.saturating_sub(all.refunded(bought.amount));
        prop_assert!(left == exact::money(stays), "what is left of the lines sums to what stays");
    }
}
