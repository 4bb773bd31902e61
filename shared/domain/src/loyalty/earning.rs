//! What a purchase earns, and what it keeps of that when a part of it is refunded: one function.
//!
//! **Invariant:** the result depends on the purchase and the [`Basis`] alone, so what is simulated is what is earned.
//! **Invariant:** [`kept`] is what the rest of the purchase would have earned by the same basis: never more than
//! was earned, and never more after a further refund of an amount.

use crate::loyalty::campaigns::Campaign;
use crate::loyalty::exact::{self, Exact};
use crate::loyalty::explanation::{Explanation, Step, StepKind};
use crate::loyalty::numbers::Points;
use crate::loyalty::program::{LoyaltyTier, Program, Stacking};
use crate::loyalty::purchase::{Line, LineKind, Purchase};
use crate::money::Money;
use num_traits::{One, Zero};

/// The rules by which a purchase is judged.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// The program in force when it happened.
    pub program: &'a Program,
    /// The tier that is held when it is booked.
    pub tier: &'a LoyaltyTier,
    /// The campaigns in force when it happened, in the order in which they were made; for [`kept`], those that
    /// applied.
    pub campaigns: &'a [Campaign],
    /// What the day's limit leaves.
    pub day_left: Option<Points>,
}

/// What a purchase earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The points.
    pub points: Points,
    /// The eligible amount in the program's currency, rounded down: what counts as spend.
    pub eligible: Money,
    /// The points before they were rounded and limited.
    pub raw: Exact,
    /// Campaigns that applied.
    pub campaigns: Vec<Campaign>,
    /// Every rule that was looked at.
    pub steps: Vec<Step>,
}

/// What is left of an earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The points.
    pub points: Points,
    /// The spend.
    pub spend: Money,
}

/// Why a purchase cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EarnError {
    /// The program has no rate for the purchase's currency.
    #[error("the program has no rate for this currency")]
    NoRate,
    /// The amount is too large for the program's currency.
    #[error("the amount is too large")]
    TooLarge,
}

/// The most points of one purchase: 10^15.
const MOST: Points = Points::of(1_000_000_000_000_000);

/// A line and what it earns.
struct Reckoned<'a> {
    line: &'a Line,
    /// In the program's currency.
    amount: Exact,
    /// By the rate alone.
    plain: Exact,
    /// With the tier's multiplier.
    tiered: Exact,
    /// With the product's multiplier too.
    base: Exact,
    /// The product rule that names it.
    rule: Option<usize>,
}

/// Why lines are left out.
fn exclusion(basis: &Basis<'_>, purchase: &Purchase, line: &Line) -> Option<&'static str> {
    let rules = &basis.program.rules;
    if rules.excluded_kinds.contains(&line.kind) {
        return Some("lines of this kind earn nothing");
    }
    let by_coupon = !rules.redemption.earn_with_coupons && !purchase.coupon_discount.is_zero();
    by_coupon.then_some("a purchase with a coupon earns nothing")
}

/// Returns the eligible lines with what each earns, given what is left of each line's amount.
fn lines<'a>(
    basis: &Basis<'_>,
    purchase: &'a Purchase,
    amounts: &[Exact],
) -> Result<Vec<Reckoned<'a>>, EarnError> {
    let rules = &basis.program.rules;
    let exchange = if purchase.currency == basis.program.currency {
        Exact::one()
    } else {
        rules.fx.get(purchase.currency.code()).ok_or(EarnError::NoRate)?.exact()
    };
    let rate = basis.tier.rate.unwrap_or(rules.rate).exact();
    let eligible =
        purchase.lines().iter().zip(amounts).filter(|(line, _)| exclusion(basis, purchase, line).is_none());
    let reckon = |(line, amount): (&'a Line, &Exact)| {
        let rule = rules.product_rules.iter().position(|rule| rule.products.names(line));
        let multiplier = rule.and_then(|at| rules.product_rules.get(at)).map(|rule| rule.multiplier.exact());
        let amount = amount * &exchange;
        let plain = &amount * &rate;
        let tiered = &plain * basis.tier.multiplier.exact();
        let base = multiplier.map_or_else(|| tiered.clone(), |multiplier| &tiered * multiplier);
        Reckoned { line, amount, plain, tiered, base, rule }
    };
    Ok(eligible.map(reckon).collect())
}

/// What a campaign adds to a purchase, or why it does not.
struct CampaignPart<'a> {
    campaign: &'a Campaign,
    outcome: Result<Addition, &'static str>,
}

struct Addition {
    extra: Exact,
    bonus: Exact,
}

/// Returns what each campaign adds. `minimums` says whether their minimum amounts are asked for.
fn campaigns<'a>(basis: &Basis<'a>, lines: &[Reckoned<'_>], minimums: bool) -> Vec<CampaignPart<'a>> {
    let eligible: Exact = lines.iter().map(|line| line.amount.clone()).sum();
    let refusal = |campaign: &Campaign| {
        if !campaign.is_for(&basis.tier.name) {
            Some("it is for other tiers")
        } else if minimums && eligible < exact::money(campaign.terms.min_amount) {
            Some("the eligible amount is below its minimum")
        } else if !lines.iter().any(|line| applies_to(campaign, line.line)) {
            Some("it is for other products")
        } else {
            None
        }
    };
    let earns =
        |campaign: &&Campaign| campaign.terms.multiplier.is_some() || campaign.terms.bonus_points.is_some();
    let candidates: Vec<(&Campaign, Option<&'static str>)> =
        basis.campaigns.iter().filter(earns).map(|campaign| (campaign, refusal(campaign))).collect();
    let mut extras = vec![Exact::zero(); candidates.len()];
    for line in lines {
        let multipliers = candidates.iter().map(|(campaign, refused)| {
            let multiplier =
                campaign.terms.multiplier.filter(|_| refused.is_none() && applies_to(campaign, line.line));
            multiplier.map_or_else(Exact::zero, |multiplier| multiplier.exact() - Exact::one())
        });
        let above_one = shares(multipliers.collect(), basis.program.rules.campaign_stacking);
        for (extra, share) in extras.iter_mut().zip(above_one) {
            *extra += &line.base * share;
        }
    }
    let part = |((campaign, refused), extra): ((&'a Campaign, Option<&'static str>), Exact)| {
        let most = campaign.terms.max_points_per_purchase.map(Points::exact);
        let extra = most.filter(|most| *most < extra).unwrap_or(extra);
        let bonus = campaign.terms.bonus_points.map_or_else(Exact::zero, Points::exact);
        CampaignPart { campaign, outcome: refused.map_or(Ok(Addition { extra, bonus }), Err) }
    };
    candidates.into_iter().zip(extras).map(part).collect()
}

fn applies_to(campaign: &Campaign, line: &Line) -> bool {
    campaign.terms.products.is_empty() || campaign.terms.products.names(line)
}

/// Returns by how much of a line's base each campaign raises it, given the multipliers less one.
fn shares(above_one: Vec<Exact>, stacking: Stacking) -> Vec<Exact> {
    match stacking {
        Stacking::Best => {
            // Of equal multipliers, that of the campaign made first.
            let best = above_one.iter().enumerate().rev().max_by(|(_, a), (_, b)| a.cmp(b)).map(|(at, _)| at);
            let only = |(at, share)| if Some(at) == best { share } else { Exact::zero() };
            above_one.into_iter().enumerate().map(only).collect()
        }
        Stacking::Add => {
            let mut left = Exact::from_integer(99.into());
            let take = |share: Exact| {
                let taken = share.min(left.clone());
                left -= &taken;
                taken
            };
            above_one.into_iter().map(take).collect()
        }
    }
}

/// Returns the points of a sum: rounded, limited for the purchase, and limited for the day.
fn limited(basis: &Basis<'_>, raw: &Exact) -> Result<[Points; 3], EarnError> {
    let rounded = basis.program.rules.rounding.points(raw);
    let of_purchase = basis.program.rules.max_points_per_purchase.map_or(rounded, |most| most.min(rounded));
    let of_day = basis.day_left.map_or(of_purchase, |left| left.min(of_purchase));
    if rounded > MOST { Err(EarnError::TooLarge) } else { Ok([rounded, of_purchase, of_day]) }
}

fn sum_of<'a>(lines: &'a [Reckoned<'_>], part: impl Fn(&'a Reckoned<'_>) -> &'a Exact) -> Exact {
    lines.iter().map(part).fold(Exact::zero(), |sum, part| sum + part)
}

fn full_amounts(purchase: &Purchase) -> Vec<Exact> {
    purchase.lines().iter().map(|line| exact::money(line.amount)).collect()
}

/// Returns what a purchase earns.
pub fn earn(basis: &Basis<'_>, purchase: &Purchase) -> Result<Earned, EarnError> {
    let lines = lines(basis, purchase, &full_amounts(purchase))?;
    let parts = campaigns(basis, &lines, true);
    let added = |part: &CampaignPart<'_>| {
        part.outcome.as_ref().map_or_else(|_| Exact::zero(), |a| &a.extra + &a.bonus)
    };
    let raw = sum_of(&lines, |line| &line.base) + parts.iter().map(added).sum::<Exact>();
    let [rounded, of_purchase, points] = limited(basis, &raw)?;
    let eligible = sum_of(&lines, |line| &line.amount);
    let eligible =
        exact::money_floor(&eligible, basis.program.currency.digits()).ok_or(EarnError::TooLarge)?;
    let mut explanation = Explanation::default();
    explain_lines(&mut explanation, basis, purchase, &lines);
    explain_campaigns(&mut explanation, &parts);
    explain_limits(&mut explanation, basis, &raw, [rounded, of_purchase, points]);
    let gives = |part: &&CampaignPart<'_>| {
        part.outcome.as_ref().is_ok_and(|added| !added.extra.is_zero() || !added.bonus.is_zero())
    };
    let campaigns = parts.iter().filter(gives).map(|part| part.campaign.clone()).collect();
    Ok(Earned { points, eligible, raw, campaigns, steps: explanation.steps() })
}

/// Returns what is left of the points and the spend of a purchase, given what is left of each line.
///
/// `basis` is that of the booking, with the campaigns that gave something; their minimums are not asked for again, and
/// a bonus shrinks with the eligible amount.
pub fn kept(basis: &Basis<'_>, purchase: &Purchase, left: &[Exact]) -> Result<Kept, EarnError> {
    let full = full_amounts(purchase);
    let booked = lines(basis, purchase, &full)?;
    let lines = lines(basis, purchase, left)?;
    let was = sum_of(&booked, |line| &line.amount);
    // A bonus for gifts alone shrinks with what was paid for all lines.
    let bonus_share = if was.is_zero() {
        share(&left.iter().sum(), &full.iter().sum())
    } else {
        share(&sum_of(&lines, |line| &line.amount), &was)
    };
    let added = |part: CampaignPart<'_>| {
        part.outcome.map_or_else(|_| Exact::zero(), |added| added.extra + added.bonus * &bonus_share)
    };
    let raw = sum_of(&lines, |line| &line.base)
        + campaigns(basis, &lines, false).into_iter().map(added).sum::<Exact>();
    let [_, _, points] = limited(basis, &raw)?;
    let eligible = sum_of(&lines, |line| &line.amount);
    let spend = exact::money_floor(&eligible, basis.program.currency.digits()).ok_or(EarnError::TooLarge)?;
    Ok(Kept { points, spend })
}

/// Returns what part is left of a whole; all of nothing.
fn share(left: &Exact, whole: &Exact) -> Exact {
    if whole.is_zero() { Exact::one() } else { left / whole }
}

fn explain_lines(
    explanation: &mut Explanation,
    basis: &Basis<'_>,
    purchase: &Purchase,
    lines: &[Reckoned<'_>],
) {
    let (rules, version) = (&basis.program.rules, basis.program.version);
    for kind in LineKind::ALL {
        let of_kind = purchase.lines().iter().find(|line| line.kind == kind);
        match of_kind.map(|line| exclusion(basis, purchase, line)) {
            Some(Some(why)) => {
                explanation.applied(StepKind::Exclude, (kind.as_str(), version), None, &Exact::zero(), why);
            }
            None if rules.excluded_kinds.contains(&kind) => {
                explanation.passed_over(
                    StepKind::Exclude,
                    (kind.as_str(), version),
                    "no line is of this kind",
                );
            }
            Some(None) | None => {}
        }
    }
    let (plain, tiered) = (sum_of(lines, |line| &line.plain), sum_of(lines, |line| &line.tiered));
    let (rate, of) = match basis.tier.rate {
        Some(rate) => (rate, "the tier's rate"),
        None => (rules.rate, "the program's rate"),
    };
    explanation.applied(StepKind::Base, ("rate", version), Some(rate.to_string()), &plain, of);
    let multiplier = Some(basis.tier.multiplier.to_string());
    let name = basis.tier.name.as_str();
    explanation.applied(
        StepKind::Tier,
        (name, version),
        multiplier,
        &(&tiered - plain),
        "the tier's multiplier",
    );
    for (at, rule) in rules.product_rules.iter().enumerate() {
        let named: Vec<_> = lines.iter().filter(|line| line.rule == Some(at)).collect();
        let added = named.iter().map(|line| &line.base - &line.tiered).sum::<Exact>();
        if named.is_empty() {
            explanation.passed_over(
                StepKind::Product,
                (&rule.id, version),
                "it is the first rule of no line",
            );
        } else {
            let factor = Some(rule.multiplier.to_string());
            explanation.applied(
                StepKind::Product,
                (&rule.id, version),
                factor,
                &added,
                "it is the first rule of a line",
            );
        }
    }
}

fn explain_campaigns(explanation: &mut Explanation, parts: &[CampaignPart<'_>]) {
    for CampaignPart { campaign, outcome } in parts {
        let rule = (campaign.id.as_str(), campaign.version);
        match outcome {
            Err(why) => explanation.passed_over(StepKind::Campaign, rule, why),
            Ok(added) => {
                if let Some(multiplier) = campaign.terms.multiplier {
                    if added.extra.is_zero() {
                        explanation.passed_over(StepKind::Campaign, rule, "no line earns more by it");
                    } else {
                        let factor = Some(multiplier.to_string());
                        explanation.applied(StepKind::Campaign, rule, factor, &added.extra, "its multiplier");
                    }
                }
                if campaign.terms.bonus_points.is_some() {
                    explanation.applied(StepKind::Bonus, rule, None, &added.bonus, "once for the purchase");
                }
            }
        }
    }
}

fn explain_limits(explanation: &mut Explanation, basis: &Basis<'_>, raw: &Exact, points: [Points; 3]) {
    let [rounded, of_purchase, of_day] = points.map(Points::exact);
    let rules = &basis.program.rules;
    let version = basis.program.version;
    explanation.applied(StepKind::Round, (rules.rounding.as_str(), version), None, &(&rounded - raw), "once");
    let mut limit = |rule: &str, is_set: bool, before: &Exact, after: &Exact| {
        if is_set && after < before {
            explanation.applied(
                StepKind::Cap,
                (rule, version),
                None,
                &(after - before),
                "the limit is reached",
            );
        } else if is_set {
            explanation.passed_over(StepKind::Cap, (rule, version), "the limit is not reached");
        }
    };
    let is_limited = rules.max_points_per_purchase.is_some();
    limit("max_points_per_purchase", is_limited, &rounded, &of_purchase);
    limit("max_points_per_day", basis.day_left.is_some(), &of_purchase, &of_day);
}
