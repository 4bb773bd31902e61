//! All rules of loyalty: every version of the program and of the campaigns.
//!
//! **Invariant:** what was in force at an instant that has passed never changes.

use crate::currency::Currency;
use crate::hash::Hash;
use crate::ledger::points::{PointValues, RulesUsed};
use crate::loyalty::campaigns::{Campaign, in_force};
use crate::loyalty::program::{Program, TierName};
use crate::loyalty::purchase::Purchase;
use crate::loyalty::versions::{ProgramHistory, ProgramVersion};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// All versions of a campaign, oldest first; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignHistory(Vec<Campaign>);

impl CampaignHistory {
    /// Wraps versions in any order; `None` if there is none.
    pub fn new(mut versions: Vec<Campaign>) -> Option<Self> {
        versions.sort_by_key(|campaign| campaign.version);
        (!versions.is_empty()).then_some(Self(versions))
    }

    /// Returns the versions, oldest first.
    pub fn versions(&self) -> &[Campaign] {
        &self.0
    }

    /// Returns the latest version.
    pub fn latest(&self) -> Option<&Campaign> {
        self.0.last()
    }

    /// Returns the first version.
    pub fn first(&self) -> Option<&Campaign> {
        self.0.first()
    }
}

/// The rules as stored.
#[derive(Clone, Debug, Default)]
pub struct StoredRules {
    /// Raised by every change of any rule; 0 before the first.
    pub number: u64,
    /// When a rule was last changed.
    pub changed_at: Option<Timestamp>,
    /// The versions of the program; none before the first change of it.
    pub programs: Vec<ProgramVersion>,
    /// The campaigns, that made first first.
    pub campaigns: Vec<CampaignHistory>,
}

/// The rules of a deployment.
#[derive(Clone, Debug)]
pub struct Rules {
    /// When a rule was last changed.
    pub changed_at: Option<Timestamp>,
    /// The versions of the program.
    pub programs: ProgramHistory,
    campaigns: Vec<CampaignHistory>,
}

impl Rules {
    /// Returns the rules of a deployment with this currency.
    pub fn of(stored: &StoredRules, currency: Currency) -> Result<Self, Rejection> {
        const BROKEN: Rejection = Rejection::Inconsistent("the program's defaults are not valid");
        let mut programs = ProgramHistory::standard(currency).map_err(|_| BROKEN)?;
        for version in &stored.programs {
            programs = programs.and(version.clone());
        }
        let campaigns = stored.campaigns.clone();
        Ok(Self { changed_at: stored.changed_at, programs, campaigns })
    }

    /// Returns all campaigns, that made first first.
    pub fn campaigns(&self) -> &[CampaignHistory] {
        &self.campaigns
    }

    /// Returns the campaigns in force at an instant, that made first first.
    pub fn campaigns_at(&self, at: Timestamp) -> Vec<Campaign> {
        self.campaigns.iter().filter_map(|history| in_force(history.versions(), at)).cloned().collect()
    }

    /// Returns the campaigns that an entry names, in the versions that it names.
    pub fn campaigns_used(&self, used: &RulesUsed) -> Result<Vec<Campaign>, Rejection> {
        let versions = || self.campaigns.iter().flat_map(CampaignHistory::versions);
        let named = |(id, version): &(String, u32)| {
            let found =
                versions().find(|campaign| campaign.id.as_str() == id && campaign.version == *version);
            found.cloned().ok_or(Rejection::Inconsistent("a version of a campaign is not stored"))
        };
        used.campaigns.iter().map(named).collect()
    }

    /// Returns the version of the program that is in force at an instant.
    pub fn program_at(&self, at: Timestamp) -> Result<&Program, Rejection> {
        self.programs.in_force(at).ok_or(Rejection::Inconsistent("there is no program"))
    }

    /// Returns the version of the program by which a purchase is judged at `now`: the one in force when it was made or, if
    /// that has no rate for its currency, the first one since that has.
    pub fn program_for(&self, purchase: &Purchase, now: Timestamp) -> Result<&Program, Rejection> {
        let then = self.program_at(purchase.occurred_at)?;
        let since = self
            .programs
            .standing()
            .iter()
            .filter(|known| then.valid_from < known.valid_from && known.valid_from <= now);
        let has_rate = |known: &&Program| {
            known.currency == purchase.currency || known.rules.fx.contains_key(purchase.currency.code())
        };
        Ok(std::iter::once(then).chain(since).find(has_rate).unwrap_or(then))
    }

    /// Returns the version of the program with this number, also one that was withdrawn.
    pub fn program(&self, version: u32) -> Result<&Program, Rejection> {
        let found =
            self.programs.all().iter().map(|known| &known.program).find(|known| known.version == version);
        found.ok_or(Rejection::Inconsistent("a version of the program is not stored"))
    }

    /// Returns the names of the tiers of all versions of the program, each once.
    pub fn tier_names(&self) -> Vec<TierName> {
        let all = self.programs.all().iter().flat_map(|version| version.program.rules.tiers.all());
        let names: BTreeSet<TierName> = all.map(|tier| tier.name.clone()).collect();
        names.into_iter().collect()
    }

    /// Returns what a point is worth, from which instant on.
    pub fn values(&self) -> Option<PointValues> {
        let standing = self.programs.standing();
        let from = standing.iter().map(|program| (program.valid_from, program.rules.point_value.value()));
        Some(PointValues { currency: standing.first()?.currency, from: from.collect() })
    }
}

/// Returns the opaque text that names what an earning depends on beside the purchase: the tier, the program's version
/// and the campaigns that give something.
pub fn quote(tier: &TierName, program: &Program, campaigns: &[Campaign]) -> String {
    let campaigns: Vec<String> =
        campaigns.iter().map(|campaign| format!("{}|{}", campaign.id, campaign.version)).collect();
    let text = format!("{}#{}#{}", tier.as_str(), program.version, campaigns.join("#"));
    format!("quote_{}", Hash::of(text).prefix(10))
}
