//! Loyalty's rules: what a purchase earns and keeps, what points pay, and which tier is held.

mod customer;
mod earning;
mod redemption;
mod refunds;
mod tier_models;
mod tiers;
mod versions;

use domain::actor::{PerformedBy, Role};
use domain::cause::Cause;
use domain::currency::Currency;
use domain::ids::LoyaltyCampaignId;
use domain::loyalty::campaigns::{Campaign, CampaignTerms};
use domain::loyalty::numbers::{EarningRate, Multiplier, Points};
use domain::loyalty::program::{LoyaltyTier, Program, ProgramRules};
use domain::loyalty::purchase::{Line, LineKind, Products, Purchase};
use domain::money::Money;
use domain::text::FreeText;
use domain::time::{Date, Period, Timestamp};

fn money(text: &str) -> Money {
    Money::try_new(text.parse().unwrap()).unwrap()
}

fn paise(paise: i64) -> Money {
    Money::try_new(rust_decimal::Decimal::new(paise, 2)).unwrap()
}

fn rate(points: u32, per: &str) -> EarningRate {
    EarningRate::try_new(points, money(per)).unwrap()
}

fn multiplier(text: &str) -> Multiplier {
    Multiplier::parse(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn noon(date: Date) -> Timestamp {
    Timestamp::start_of(date).plus_seconds(12 * 3_600).unwrap()
}

fn date(text: &str) -> Date {
    domain::time::parse_date(text).unwrap()
}

/// The defaults in a currency, changed.
fn program(currency: &str, change: impl FnOnce(&mut ProgramRules)) -> Program {
    let mut rules = ProgramRules::standard().unwrap();
    change(&mut rules);
    let currency = Currency::parse(currency).unwrap();
    Program { version: 1, valid_from: at("2020-01-01T00:00:00Z"), currency, rules }
}

fn tier<'a>(program: &'a Program, name: &str) -> &'a LoyaltyTier {
    program.rules.tiers.all().iter().find(|tier| tier.name.as_str() == name).unwrap()
}

fn line(id: &str, kind: LineKind, amount: &str) -> Line {
    Line { line_id: Some(id.to_owned()), kind, ..Line::goods(money(amount)) }
}

/// A purchase of these lines in a currency.
fn purchase(currency: &str, lines: Vec<Line>) -> Purchase {
    let amount = Money::checked_sum(lines.iter().map(|line| line.amount)).unwrap();
    let currency = Currency::parse(currency).unwrap();
    Purchase::try_new(amount, currency, lines, Money::ZERO, at("2026-03-10T12:00:00Z")).unwrap()
}

fn points(number: u64) -> Points {
    Points::of(number)
}

fn admin() -> PerformedBy {
    PerformedBy { role: Role::Admin, sub: "ada".to_owned() }
}

/// The id of a campaign that the tests call by a short name.
fn named(id: &str) -> LoyaltyCampaignId {
    LoyaltyCampaignId::mint(&Cause::stored(id))
}

/// A campaign of the year 2026, made before it.
fn campaign(id: &str, change: impl FnOnce(&mut CampaignTerms)) -> Campaign {
    let mut terms = CampaignTerms {
        name: FreeText::parse("Summer").unwrap(),
        description: None,
        multiplier: None,
        bonus_points: None,
        point_value: None,
        period: Period { from: at("2026-01-01T00:00:00Z"), until: at("2027-01-01T00:00:00Z") },
        tiers: [].into(),
        products: Products::default(),
        min_amount: Money::ZERO,
        max_points_per_purchase: None,
    };
    change(&mut terms);
    Campaign::create(named(id), terms, at("2025-06-01T00:00:00Z"), admin()).unwrap()
}
