//! The reports that were taken, for admins: listed, and looked at again.
//!
//! **Invariant:** a report that had its effect is answered as it stands; only one that waits, is quarantined or could
//! not be understood is read and decided anew.

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
use gateways::Endpoint;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How many matches of a filter are counted.
const MAX_COUNTED: u64 = 1_000;

/// Reports, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEvents {
    events: Vec<EventBody>,
    /// Exact without a status; with one, null past 1000.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// What became of a report.
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
    /// Which reports are wanted.
    pub(crate) struct EventsQuery {
        /// Of this status.
        status: ReportStatus,
    }
}

/// The reports that gateways have sent, and what became of them.
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

/// Looks at a report again, after what was wrong has been mended. It has no second effect.
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
    // What could not be understood before may be now: its body is read again.
    let endpoint = Endpoint::of(&id).ok_or_else(unknown)?;
    let read_again = || {
        let body = services.tools.seal.open(id.as_str(), &sealed)?;
        services.tools.gateways.read(endpoint, &event.kind, &body)
    };
    let report = if event.report.is_some() { event.report.clone() } else { read_again() };
    let (kind, body) = (event.kind, sealed);
    let report =
        ProcessReport { id: id.clone(), kind, body, report, topup: None, record_only_failures: false };
    services.app.store.payments().process_report(report, &request.context(&services.app)?).await?;
    let (event, _) = services.app.store.payments().event(&id).await?.ok_or_else(unknown)?;
    reply::ok(&event_body(&event))
}
