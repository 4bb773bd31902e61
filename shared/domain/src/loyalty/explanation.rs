//! Why a purchase earns what it earns, rule by rule.
//!
//! **Invariant:** every rule that was looked at is listed, those that applied first; at most 300 are.

use crate::loyalty::exact::{self, Exact};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The most steps that are kept.
pub const MAX_STEPS: usize = 300;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    #[serde(rename = "k")]
    pub kind: StepKind,
    /// Its name or id.
    #[serde(rename = "r")]
    pub rule: String,
    /// The version that was looked at.
    #[serde(rename = "v")]
    pub version: u32,
    /// Whether it applied.
    #[serde(rename = "a", default, skip_serializing_if = "is_not")]
    pub is_applied: bool,
    /// What it multiplied by.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<String>,
    /// What it added, to six decimal places; below zero if it took away.
    #[serde(rename = "p", default = "none", skip_serializing_if = "is_none")]
    pub points: String,
    /// Why it applied or not.
    #[serde(rename = "d")]
    pub detail: Cow<'static, str>,
}

/// In a stored step, what is left out is not true.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature is that of serde")]
fn is_not(is_applied: &bool) -> bool {
    !is_applied
}

/// In a stored step, points that are left out are none.
fn none() -> String {
    "0".to_owned()
}

fn is_none(points: &String) -> bool {
    points == "0"
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
        self.0.push(Step {
            kind,
            rule: rule.to_owned(),
            version,
            is_applied: true,
            factor,
            points,
            detail: detail.into(),
        });
    }

    /// Adds a rule that did not apply.
    pub fn passed_over(&mut self, kind: StepKind, (rule, version): (&str, u32), detail: &'static str) {
        let (rule, points) = (rule.to_owned(), "0".to_owned());
        self.0.push(Step {
            kind,
            rule,
            version,
            is_applied: false,
            factor: None,
            points,
            detail: detail.into(),
        });
    }

    /// Returns the steps, those that applied first.
    pub fn steps(self) -> Vec<Step> {
        let (mut steps, others): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|step| step.is_applied);
        steps.extend(others);
        steps.truncate(MAX_STEPS);
        steps
    }
}
