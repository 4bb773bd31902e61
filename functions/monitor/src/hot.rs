//! Raises the number of slices of accounts whose spends meet contention too often.
//!
//! **Invariant:** a window of five minutes is acted on once, and slices are never lowered: of this change and a caller's
//! at the same time, the greater number stays.

use crate::{MonitorSummary, Services, raise};
use domain::alert::NewAlert;
use domain::budget::change::ChangeAccount;
use domain::budget::{BudgetStatus, MAX_SLICES};
use domain::context::Context;
use domain::ids::budget::AccountId;
use domain::rejection::Rejection;
use store::StoreError;

/// Spends that meet contention in five minutes, above which slices are doubled by default.
const CONFLICTS: u64 = 60;

/// When the number of slices is raised, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotRules {
    /// Spends that meet contention in five minutes, above which slices are doubled.
    pub conflicts: u64,
    /// The most slices that an account gets by itself.
    pub max_slices: u8,
}

impl HotRules {
    /// Returns the rules, with the defaults of what is not set; at most 64 slices.
    pub fn new(conflicts: Option<u32>, max_slices: Option<u32>) -> Self {
        let most = max_slices.and_then(|most| u8::try_from(most).ok()).unwrap_or(MAX_SLICES);
        Self { conflicts: conflicts.map_or(CONFLICTS, u64::from), max_slices: most.clamp(1, MAX_SLICES) }
    }
}

/// Looks at the last whole window.
pub(crate) async fn run(
    services: &Services,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let (budgets, rules) = (services.app.store.budgets(), services.tools.hot);
    let heat = budgets.heat_before(context.now).await?;
    let hot: Vec<AccountId> =
        heat.into_iter().filter(|(_, count)| *count > rules.conflicts).map(|(account, _)| account).collect();
    if hot.is_empty() || !budgets.take_heat(context.now).await? {
        return Ok(());
    }
    for account in hot {
        if let Err(error) = one(services, &account, context, summary).await {
            tracing::warn!(%account, %error, "the slices of an account cannot be raised now");
            summary.breakdown.failed += 1;
        }
    }
    Ok(())
}

async fn one(
    services: &Services,
    id: &AccountId,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let (budgets, most) = (services.app.store.budgets(), services.tools.hot.max_slices);
    let Some(account) = budgets.account(id).await? else { return Ok(()) };
    if !account.auto_slices || account.status() != BudgetStatus::Active {
        return Ok(());
    }
    let (was, wanted) = (account.slices, account.slices.saturating_mul(2).min(most));
    let subject = id.to_string();
    if wanted <= was {
        let detail = format!("spends meet contention although the account has {was} slices");
        let alert = NewAlert { kind: "budget_hot", severity: "warning", subject, detail };
        return raise(services, alert, context.now, summary).await;
    }
    let change = ChangeAccount { slices: Some(wanted), ..ChangeAccount::default() };
    match budgets.change_account(id, &change, context).await {
        Ok(_) => {}
        // A caller has set more meanwhile.
        Err(StoreError::Rejected(Rejection::InvalidSliceCount)) => return Ok(()),
        Err(error) => return Err(error),
    }
    summary.breakdown.slices_raised += 1;
    let detail = format!("spends met contention: the account has {wanted} slices instead of {was}");
    raise(services, NewAlert { kind: "budget_hot", severity: "info", subject, detail }, context.now, summary)
        .await
}
