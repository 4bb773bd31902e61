//! The HTTP API of jobs: the same operation for many rows, carried out by messages of a queue.
//!
//! Every handler runs the steps parse → authorize → load → decide → commit → respond.
//!
//! **Invariant:** no handler applies a row; it stores rows, says that there is something to do, and tells how far it is.
//! **Invariant:** a job's messages are sent after all of its rows are stored.

mod changes;
mod export;
mod filters;
mod make;
mod of_upload;
mod reads;
mod reconciliation;
mod taken;
mod views;
mod wire;
mod wire_files;

use aws::Bucket;
use axum::routing::{get, post};
use axum::{Extension, Router};
use edge::Services;
use edge::body::{BodyLimit, MAX_CSV};
use edge::routes::complete;
use queues::Queues;
use utoipa::OpenApi;

/// The services of this function.
#[derive(Clone, Debug)]
pub struct JobsTools {
    /// Where messages about parts are sent.
    pub queues: Queues,
    /// Uploads.
    pub files: Bucket,
}

/// The function's services.
pub(crate) type JobsServices = Services<JobsTools>;

/// Returns the routes of this function.
pub fn router(services: JobsServices) -> Router {
    let routes = Router::new()
        .route("/api/wallet/bulk/add-credits", post(make::bulk_credits))
        .route("/api/wallet/bulk/{job_id}", get(reads::bulk_job))
        .route("/api/wallet/bulk/{job_id}/rows", get(reads::bulk_rows))
        .route("/api/loyalty/bulk/points", post(make::bulk_points))
        .route("/api/imports", post(make::import))
        .route("/api/exports", post(export::export))
        .route("/api/uploads", post(of_upload::upload))
        .route("/api/jobs", get(reads::list_jobs))
        .route("/api/jobs/{job_id}", get(reads::job))
        .route("/api/jobs/{job_id}/rows", get(reads::rows))
        .route("/api/jobs/{job_id}/cancel", post(changes::cancel))
        .route("/api/jobs/{job_id}/resume", post(changes::resume));
    complete(routes, services).layer(Extension(BodyLimit(MAX_CSV)))
}

#[derive(OpenApi)]
#[openapi(paths(
    make::bulk_credits,
    make::bulk_points,
    make::import,
    export::export,
    of_upload::upload,
    reads::bulk_job,
    reads::bulk_rows,
    reads::list_jobs,
    reads::job,
    reads::rows,
    changes::cancel,
    changes::resume
))]
struct JobsApi;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    JobsApi::openapi()
}
