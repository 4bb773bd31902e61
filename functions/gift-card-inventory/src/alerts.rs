//! Lists and acknowledges alerts.
//!
//! **Invariant:** acknowledging an alert does not close it; it is closed when its condition ends.

use crate::Services;
use axum::extract::State;
use axum::response::Response;
use domain::alert::{Alert, AlertStatus};
use domain::budget::permit::BudgetAction;
use edge::params::WindowQuery;
use edge::paths::AlertPath;
use edge::{ApiRequest, Problem, query, reply};
use serde::Serialize;
use utoipa::ToSchema;

/// A condition that an operator must check.
#[derive(Serialize, ToSchema)]
pub struct AlertBody {
    alert_id: String,
    /// low_stock, low_credit, budget_depleted, provision_failed, payment_quarantined, …
    #[schema(examples("low_stock"))]
    kind: String,
    /// info, warning or critical
    #[schema(examples("warning"))]
    severity: String,
    /// What the alert is about, such as the id of a pool, an account, a redemption or a report.
    subject: String,
    detail: String,
    /// open, acknowledged or closed
    #[schema(examples("open"))]
    status: &'static str,
    #[schema(format = DateTime)]
    opened_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime)]
    closed_at: Option<String>,
    acknowledged_by: Option<String>,
    #[schema(format = DateTime)]
    acknowledged_at: Option<String>,
    /// Number of times that it was raised since it was opened.
    count: u64,
}

fn view(alert: &Alert) -> AlertBody {
    AlertBody {
        alert_id: alert.id.to_string(),
        kind: alert.kind.clone(),
        severity: alert.severity.clone(),
        subject: alert.subject.clone(),
        detail: alert.detail.clone(),
        status: alert.status().as_str(),
        opened_at: alert.opened_at.to_string(),
        updated_at: alert.updated_at.to_string(),
        closed_at: alert.closed_at.map(|at| at.to_string()),
        acknowledged_by: alert.acknowledged.as_ref().map(|(who, _)| who.clone()),
        acknowledged_at: alert.acknowledged.as_ref().map(|(_, at)| at.to_string()),
        count: alert.count,
    }
}

/// Alerts, newest first.
#[derive(Serialize, ToSchema)]
pub struct AlertList {
    alerts: Vec<AlertBody>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

query! {
    /// Filter of the list of alerts.
    pub(crate) struct AlertsQuery {
        /// Only alerts with this status; defaults to all.
        status: AlertStatus,
    }
}

/// Lists alerts, newest first.
#[utoipa::path(get, path = "/api/alerts", tag = "alerts",
    params(AlertsQuery, WindowQuery),
    responses((status = 200, body = AlertList)))]
pub(crate) async fn list(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let AlertsQuery { status } = AlertsQuery::take(&mut params);
    let window = params.window();
    params.finish()?;
    request.permission(BudgetAction::Alerts)?;
    let query = format!("alerts|{}", status.map_or("", AlertStatus::as_str));
    let before = match &window.cursor {
        Some(cursor) => Some(services.app.cursors.open_text(&query, cursor)?),
        None => None,
    };
    let page = services.app.store.alerts().alerts(status, before.as_deref(), window.range()).await?;
    reply::ok(&AlertList {
        alerts: page.alerts.iter().map(view).collect(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| services.app.cursors.seal_text(&query, &place)),
    })
}

/// Acknowledges an alert: the caller is responsible for it.
#[utoipa::path(post, path = "/api/alerts/{alert_id}/acknowledge", tag = "alerts",
    params(AlertPath), responses((status = 200, body = AlertBody)))]
pub(crate) async fn acknowledge(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let id = request.segment::<AlertPath>()?;
    request.fields()?.finish()?;
    request.key()?;
    request.permission(BudgetAction::Alerts)?;
    let who = request.actor()?.sub.clone();
    let alert = services.app.store.alerts().acknowledge_alert(&id, &who, services.app.clock.now()).await?;
    reply::ok(&view(&alert))
}
