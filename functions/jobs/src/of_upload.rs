//! Uploads, and jobs whose rows are in one.
//!
//! **Invariant:** the URL of an upload takes exactly the bytes that were announced, and takes them once.
//! **Invariant:** a service finds the uploads that it has made, and no others.

use crate::JobsServices;
use crate::taken::{Wanted, answer, terms};
use crate::views::UploadView;
use crate::wire_files::UploadRequest;
use aws::PresignedPut;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::cause::{Cause, Operation};
use domain::fingerprint::Fingerprint;
use domain::ids::UploadId;
use domain::jobs::kind::JobKind;
use domain::jobs::permit::JobAction;
use domain::jobs::upload::{MAX_BYTES, URL_SECONDS, Upload, UploadTerms};
use domain::permit::Denial;
use domain::rejection::Rejection;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, reply};
use http::StatusCode;
use queues::{BooksMessage, Step};
use std::time::Duration;
use store::{MadeJob, UploadJob};

/// Announces a file, and returns the URL that takes it.
///
/// The file is sent by a PUT with the returned headers, without a token. A call that names the upload then makes a job
/// of it.
#[utoipa::path(post, path = "/api/uploads", tag = "jobs", request_body = UploadRequest,
    responses((status = 201, body = UploadView)))]
pub(crate) async fn upload(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.permission(JobAction::Upload)?;
    let sent = UploadRequest::read(request.some_fields()?)?;
    let (kind, bytes, sha256) = (sent.purpose.0, sent.bytes.0.0, sent.sha256.map(|digest| digest.0));
    request.permission(JobAction::Make(kind))?;
    let context = request.context(&services.app)?;
    let fingerprint = Fingerprint::of(&[
        ("op", Some("upload".to_owned())),
        ("purpose", Some(kind.as_str().to_owned())),
        ("bytes", Some(bytes.to_string())),
        ("sha256", sha256.map(|digest| digest.to_string())),
    ]);
    let by = context.actor.signature();
    let cause = Cause::of_request(Operation::MakeUpload, request.key()?.as_ref(), request.id());
    let cause = cause.of_caller(by.role.as_str(), &by.sub);
    let terms = UploadTerms {
        id: UploadId::mint(&cause),
        purpose: kind,
        bytes,
        sha256: sha256.map(|digest| digest.to_string()),
        fingerprint: fingerprint.as_str().to_owned(),
        by,
        request: request.id().to_string(),
        created_at: context.now,
    };
    let made = services.app.store.jobs().make_upload(&terms).await?;
    let terms = made.ok_or_else(|| Problem::from(Rejection::KeyReused))?.terms;
    let digest = sha256.map(|digest| STANDARD.encode(digest.bytes()));
    let valid = Duration::from_secs(u64::from(URL_SECONDS));
    let signed = services.tools.files.presign_put(&terms.object(), (bytes, digest.as_deref()), valid);
    let PresignedPut { url, headers } = signed.map_err(|_| Problem::internal())?;
    let view = UploadView {
        upload_id: terms.id.to_string(),
        url,
        method: "PUT",
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        expires_at: context.now.plus_seconds(URL_SECONDS).unwrap_or(context.now).to_string(),
        max_bytes: MAX_BYTES,
    };
    let replayed = terms.request != request.id().as_str();
    reply::answer(StatusCode::CREATED, ReplyMeta { location: None, replayed, retries: 0 }, &view)
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "upload_not_found", "there is no such upload")
}

/// Returns an upload of the caller whose file is there.
async fn find(
    services: &JobsServices,
    request: &ApiRequest,
    id: &UploadId,
    kind: JobKind,
) -> Result<Upload, Problem> {
    let upload = services.app.store.jobs().upload(id).await?.ok_or_else(unknown)?;
    let permission = request.permission(JobAction::Change)?;
    permission.on(&upload.terms.by).map_err(|denial: Denial| Problem::denied(denial, unknown))?;
    if upload.terms.purpose != kind {
        return Err(Problem::field("/upload_id", "was uploaded for another purpose"));
    }
    Ok(upload)
}

/// Makes a job of an upload, which a message has read.
pub(crate) async fn make(
    services: &JobsServices,
    request: &ApiRequest,
    id: &UploadId,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let upload = find(services, request, id, wanted.kind).await?;
    let head = services.tools.files.head(&upload.terms.object()).await;
    let head = head.map_err(|error| {
        tracing::error!(%error, "the files bucket does not answer");
        let detail = "the files bucket does not answer; nothing was made, try again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    })?;
    // What is kept for some days only may be gone although a job has read it.
    if head.is_none() && upload.job.is_none() {
        let detail = "the file of this upload is not there yet";
        return Err(Problem::new(StatusCode::CONFLICT, "upload_incomplete", detail));
    }
    let terms = terms(services, request, Wanted { upload: Some(id.clone()), ..wanted }, id.as_str())?;
    let jobs = services.app.store.jobs();
    let (job, replayed) = match jobs.make_of_upload(&terms, id, (terms.created_at, request.id())).await? {
        UploadJob::Made(job, replayed) => (*job, replayed),
        UploadJob::KeyReused => return Err(Rejection::KeyReused.into()),
        UploadJob::Used(other) => {
            let detail = "another job reads this upload";
            return Err(Problem::new(StatusCode::CONFLICT, "upload_used", detail).with_job(other.as_str()));
        }
    };
    if job.is_to_be_split() {
        let message = BooksMessage::new(&job.terms.id, Step::Split, 0);
        if services.tools.queues.send_steps(&[message]).await.is_err() {
            tracing::error!(job = %job.terms.id, "the message of a job was not sent");
        }
    }
    answer(services, &MadeJob { job, replayed, is_stored_now: false }).await.map_err(Problem::after_effect)
}
