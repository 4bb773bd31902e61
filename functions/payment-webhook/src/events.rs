//! Lists stored gateway reports for admins, and replays single reports.
//!
//! **Invariant:** a replay returns a processed or ignored report unchanged; only a report that is
//! parked, quarantined or failed is processed again.

use crate::Services;
use axum::extract::State;
use axum::response::Response;
use domain::parse::ParseError;
use domain::payments::process::ProcessReport;
use domain::payments::webhook_event::EventStatus;
use domain::wallet::permit::WalletAction;
use edge::event::{EventBody, event as event_body};
use edge::input::Text;
use edge::params::WindowQuery;
use edge::paths::EventPath;
use edge::{ApiRequest, Problem, reply, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use store::StoreError;
use utoipa::ToSchema;

/// Number of matches of a status filter up to which they are counted.
const MAX_COUNTED: u64 = 1_000;

/// Gateway reports, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEvents {
    events: Vec<EventBody>,
    /// Number of reports. With a status filter, null if there are more than 1000.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Status of a report, as a filter.
pub(crate) struct ReportStatus(EventStatus);

impl Text for ReportStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        EventStatus::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(EventStatus::ALL.map(EventStatus::as_str))
    }
}

edge::query! {
    /// Filter of the list of reports.
    pub(crate) struct EventsQuery {
        /// Only reports with this status.
        status: ReportStatus,
    }
}

/// Lists the reports that gateways have sent, newest first, with their status.
#[utoipa::path(get, path = "/api/integration/webhook/events", tag = "webhooks",
    params(EventsQuery, WindowQuery),
    responses((status = 200, body = WebhookEvents)))]
pub(crate) async fn list(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    request.permission(WalletAction::Reports)?;
    let mut params = request.params();
    let status = EventsQuery::take(&mut params).status.map(|status| status.0);
    let window = params.window();
    params.finish()?;
    let (store, cursors) = (&services.app.store, &services.app.cursors);
    let query = format!("events|{status:?}");
    let before = window.cursor.as_ref().map(|cursor| cursors.open_text(&query, cursor)).transpose()?;
    let statuses = status.map_or_else(|| EventStatus::ALL.to_vec(), |status| vec![status]);
    let page = store.payments().events(&statuses, before.as_deref(), window.range()).await?;
    let mut total = Some(0);
    for one in &statuses {
        let limit = status.map(|_| MAX_COUNTED);
        let more = store.payments().count_events(*one, limit).await?;
        total = total.zip(more).map(|(sum, more)| sum + more);
    }
    reply::ok(&WebhookEvents {
        events: page.events.iter().map(event_body).collect(),
        total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| cursors.seal_text(&query, &place)),
    })
}

/// Processes a parked, quarantined or failed report again, after its problem was fixed.
///
/// A report that was processed or ignored is returned unchanged; it never takes effect twice.
#[utoipa::path(post, path = "/api/integration/webhook/events/{event_id}/replay", tag = "webhooks",
    params(EventPath), responses((status = 200, body = EventBody)))]
pub(crate) async fn replay(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let id = request.segment::<EventPath>()?;
    request.fields()?.finish()?;
    request.key()?;
    request.permission(WalletAction::Reports)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "event_not_found", "there is no such event");
    let (event, sealed) = services.app.store.payments().event(&id).await?.ok_or_else(unknown)?;
    if event.status.is_final() {
        return reply::ok(&event_body(&event));
    }
    // A report that could not be parsed before is parsed again from its stored body.
    let read_again = || {
        let body = services.tools.seal.open(id.as_str(), &sealed)?;
        services.tools.gateways.read(&id, &event.kind, &body)
    };
    let report = if event.report.is_some() { event.report.clone() } else { read_again() };
    let (kind, body) = (event.kind, sealed);
    let report = ProcessReport {
        id: id.clone(),
        kind,
        body,
        report,
        topup: None,
        record_only_failures: false,
        is_refused: false,
    };
    services.app.store.payments().process_report(report, &request.context(&services.app)?).await?;
    let read = services.app.store.payments().event(&id).await.map_err(StoreError::after_effect)?;
    let (event, _) = read.ok_or_else(unknown)?;
    reply::ok(&event_body(&event))
}
