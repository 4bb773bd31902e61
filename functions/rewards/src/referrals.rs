//! Referrals, and the program that says what they give.
//!
//! **Invariant:** a referral and its reversal each happen once; a repetition gets the first answer.

use crate::rewards::refused;
use crate::views::{self, ProgramView, Referral};
use crate::wire::{self, ReferredPath, Referrer};
use axum::extract::State;
use axum::response::Response;
use domain::actor::Role;
use domain::cause::Cause;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::rewards::causes::reversed_referral;
use domain::rewards::permit::RewardAction;
use domain::rewards::program::ReferralProgram;
use domain::rewards::referral::ApplyReferral;
use domain::rewards::reversal::ReverseReferral;
use edge::{ApiRequest, App, Problem, movement, reply};

fn rejected(why: LoyaltyRejection) -> Problem {
    Rejection::Loyalty(why).into()
}

/// Records that a customer referred another, and credits both wallets.
#[utoipa::path(post, path = "/api/wallet/referral/apply", tag = "rewards",
    request_body = wire::ApplyReferralRequest, responses((status = 201, body = Referral)))]
pub(crate) async fn apply(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let sent = wire::referral(&request)?;
    if matches!(&sent.referrer, Referrer::Customer(referrer) if *referrer == sent.referred) {
        return Err(rejected(LoyaltyRejection::SelfReferral));
    }
    request.permission(RewardAction::Refer)?;
    if sent.bonus.is_some() && request.actor()?.role != Role::Admin {
        return Err(Problem::forbidden());
    }
    let referrer = match sent.referrer {
        Referrer::Customer(customer) => customer,
        Referrer::Code(code) => {
            let owner = app.store.rewards().customer_of(&code).await?;
            owner.ok_or_else(|| rejected(LoyaltyRejection::CodeNotFound))?
        }
    };
    if referrer == sent.referred {
        return Err(rejected(LoyaltyRejection::SelfReferral));
    }
    let command = ApplyReferral { referrer, referred: sent.referred, bonus: sent.bonus };
    let done = app.store.rewards().refer(&command, &request.context(&app)?).await?;
    let entry = &done.outcome.entry;
    let (other, count) = if let Some(rest) = &done.outcome.rest {
        rest.clone()
    } else {
        let record = app.store.rewards().referral(&command.referred).await?.ok_or_else(Problem::internal)?;
        let wanted = [(command.referred.clone(), Cause::referred_by(&command.referrer))];
        let other = app.store.rewards().entries(&wanted).await?.pop().flatten();
        (other, record.referral_count)
    };
    let both = [&command.referrer, &command.referred];
    let body = views::referral(both, [Some(entry), other.as_ref()], count);
    reply::done(&done, Some(movement::location(entry)), &body)
}

/// Takes the credits of a referral back; the referred customer stays referred.
///
/// What the wallets have too little of is owed, except for what had expired.
#[utoipa::path(post, path = "/api/wallet/referral/{referred_id}/reverse", tag = "rewards",
    params(ReferredPath), request_body = wire::ReverseReferralRequest, responses((status = 200, body = Referral)))]
pub(crate) async fn reverse(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let (referred, reason) = wire::reverse(&request)?;
    request.permission(RewardAction::Refer)?;
    let unknown = || rejected(LoyaltyRejection::ReferralNotFound);
    let record = app.store.rewards().referral(&referred).await?.ok_or_else(unknown)?;
    let command = ReverseReferral { referrer: record.referrer, referred, reason };
    let done = app.store.rewards().refer(&command, &request.context(&app)?).await?;
    let record = &done.outcome;
    let reversed = record.reversed.as_ref().ok_or_else(Problem::internal)?;
    let cause = Cause::reversal(&reversed_referral(&record.referred), 1);
    let wanted = [(record.referrer.clone(), cause.clone()), (record.referred.clone(), cause)];
    let entries = app.store.rewards().entries(&wanted).await?;
    let entry = |at: usize| entries.get(at).and_then(Option::as_ref);
    let both = [&record.referrer, &record.referred];
    let body = views::referral(both, [entry(0), entry(1)], reversed.referral_count);
    reply::done(&done, None, &body)
}

async fn current(app: &App) -> Result<ReferralProgram, Problem> {
    let stored = app.store.rewards().referral_program().await?;
    stored.map_or_else(|| ReferralProgram::standard().map_err(|_| Problem::internal()), Ok)
}

/// Returns what referrals give.
#[utoipa::path(get, path = "/api/wallet/referral/program", tag = "rewards",
    responses((status = 200, body = ProgramView)))]
pub(crate) async fn program(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    request.permission(RewardAction::ReadAll)?;
    reply::ok(&views::program(&current(&app).await?, app.policy.currency()))
}

/// Changes what referrals give, from now on.
#[utoipa::path(patch, path = "/api/wallet/referral/program", tag = "rewards",
    request_body = wire::ChangeReferralProgramRequest, responses((status = 200, body = ProgramView)))]
pub(crate) async fn change_program(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let currency = app.policy.currency();
    let (builds_on, change) = wire::change_program(&request, currency)?;
    request.permission(RewardAction::Manage)?;
    let made = (app.clock.now(), request.actor()?.signature());
    let defaults = ReferralProgram::standard().map_err(|_| Problem::internal())?;
    let store = app.store.rewards();
    let changed = store.change_referral_program((builds_on, &defaults), &change, made, request.id()).await?;
    reply::ok(&views::program(&changed.map_err(refused)?, currency))
}
