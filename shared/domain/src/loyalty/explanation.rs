//! Why a purchase earns what it earns, rule by rule.
//!
//! **Invariant:** every rule that was looked at is listed, those that applied first; at most 300 are.

use crate::loyalty::exact::{self, Exact};

/// The most steps that are kept.
pub const MAX_STEPS: usize = 300;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Leaves lines out.
    Exclude,
    /// Turns money into points.
    Base,
    /// Multiplies by the tier's multiplier.
    Tier,
    /// Multiplies the points of some products.
    Product,
    /// Multiplies by a campaign's multiplier.
    Campaign,
    /// Adds a campaign's bonus.
    Bonus,
    /// Rounds to whole points.
    Round,
    /// Limits the points.
    Cap,
}

impl StepKind {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Base => "base",
            Self::Tier => "tier",
            Self::Product => "product",
            Self::Campaign => "campaign",
            Self::Bonus => "bonus",
            Self::Round => "round",
            Self::Cap => "cap",
        }
    }
}

/// One rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Its name or id.
    pub rule: String,
    /// The version that was looked at.
    pub version: u32,
    /// Whether it applied.
    pub is_applied: bool,
    /// What it multiplied by.
    pub factor: Option<String>,
    /// What it added, to six decimal places; below zero if it took away.
    pub points: String,
    /// Why it applied or not.
    pub detail: &'static str,
}

/// Collects steps.
#[derive(Debug, Default)]
pub struct Explanation(Vec<Step>);

impl Explanation {
    /// Adds a rule that applied.
    pub fn applied(
        &mut self,
        kind: StepKind,
        (rule, version): (&str, u32),
        factor: Option<String>,
        points: &Exact,
        detail: &'static str,
    ) {
        let points = exact::six_digits(points);
        self.0.push(Step { kind, rule: rule.to_owned(), version, is_applied: true, factor, points, detail });
    }

    /// Adds a rule that did not apply.
    pub fn passed_over(&mut self, kind: StepKind, (rule, version): (&str, u32), detail: &'static str) {
        let (rule, points) = (rule.to_owned(), "0".to_owned());
        self.0.push(Step { kind, rule, version, is_applied: false, factor: None, points, detail });
    }

    /// Returns the steps, those that applied first.
    pub fn steps(self) -> Vec<Step> {
        let (mut steps, others): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|step| step.is_applied);
        steps.extend(others);
        steps.truncate(MAX_STEPS);
        steps
    }
}
