//! A stand-in for S3: objects as plain files, behind the part of S3's protocol that is used here.
//!
//! **Invariant:** an object that a request may only create is never replaced, whatever else is written at the same time.
//! **Invariant:** a presigned URL is good for the request that was signed alone: its method, key, headers and time.
//! **Invariant:** no key leads out of its bucket.

use crate::{Failure, guard, s3_signature};
use aws::{Bucket, BucketSettings, Credentials};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower::ServiceExt;

/// Path of the stand-in.
pub const PREFIX: &str = "/_s3";

/// The bucket of uploads and exports.
pub const FILES: &str = "scrip-files";

/// The most bytes of an object, as of an upload.
const MAX_BYTES: usize = 256 * 1024 * 1024;

static WRITTEN: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
enum Objects {
    /// Files in this directory.
    Files(PathBuf),
    /// In memory: content, and the number of the write.
    Memory(Mutex<BTreeMap<String, (Bytes, u64)>>),
}

/// The objects of all buckets.
#[derive(Clone)]
pub struct LocalFiles {
    objects: Arc<Objects>,
    /// What is signed is signed with these.
    credentials: Credentials,
}

impl std::fmt::Debug for LocalFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalFiles")
    }
}

/// Why a request is refused: the status, and S3's code.
type Refusal = (StatusCode, &'static str);

const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "NoSuchKey");
const CHANGED: Refusal = (StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
const TOO_LARGE: Refusal = (StatusCode::BAD_REQUEST, "EntityTooLarge");
const BROKEN: Refusal = (StatusCode::INTERNAL_SERVER_ERROR, "InternalError");

/// What is known of an object.
struct Head {
    etag: String,
    bytes: u64,
}

fn refusal((status, code): Refusal) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

impl Objects {
    fn memory(
        objects: &Mutex<BTreeMap<String, (Bytes, u64)>>,
    ) -> MutexGuard<'_, BTreeMap<String, (Bytes, u64)>> {
        objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self, path: &str) -> Option<Head> {
        match self {
            Self::Files(folder) => {
                let meta = std::fs::metadata(folder.join(path)).ok().filter(std::fs::Metadata::is_file)?;
                // A replaced file has another number or time.
                let etag = format!("\"{:x}-{:x}-{:x}\"", meta.ino(), meta.mtime_nsec(), meta.mtime());
                Some(Head { etag, bytes: meta.len() })
            }
            Self::Memory(objects) => {
                let objects = Self::memory(objects);
                let (content, write) = objects.get(path)?;
                Some(Head { etag: format!("\"{write:x}\""), bytes: u64::try_from(content.len()).ok()? })
            }
        }
    }

    fn read(&self, path: &str, from: u64, length: u64) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Files(folder) => {
                let mut file = std::fs::File::open(folder.join(path))?;
                file.seek(SeekFrom::Start(from))?;
                let mut read = vec![];
                file.take(length).read_to_end(&mut read)?;
                Ok(read)
            }
            Self::Memory(objects) => {
                let objects = Self::memory(objects);
                let content = objects.get(path).map(|(content, _)| content.clone()).unwrap_or_default();
                let skipped = content.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
                Ok(skipped.take(usize::try_from(length).unwrap_or(usize::MAX)).collect())
            }
        }
    }

    /// Writes an object as its content comes, and lets it be seen when it is whole and has this digest.
    async fn write(
        &self,
        path: &str,
        body: Body,
        (only_new, digest): (bool, Option<&[u8]>),
    ) -> Result<(), Refusal> {
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Files(folder) => {
                let scratch = folder.join(format!(".{}-{number}", std::process::id()));
                let written = received(&scratch, body, digest).await;
                let placed = written.and_then(|()| placed(&scratch, &folder.join(path), only_new));
                let _ = std::fs::remove_file(&scratch);
                placed
            }
            Self::Memory(objects) => {
                let content = to_bytes(body, MAX_BYTES).await.map_err(|_| TOO_LARGE)?;
                check(&Sha256::digest(&content), digest)?;
                let mut objects = Self::memory(objects);
                if only_new && objects.contains_key(path) {
                    return Err(CHANGED);
                }
                objects.insert(path.to_owned(), (content, number));
                Ok(())
            }
        }
    }
}

fn check(found: &[u8], digest: Option<&[u8]>) -> Result<(), Refusal> {
    let is_right = digest.is_none_or(|digest| digest == STANDARD.encode(found).as_bytes());
    if is_right { Ok(()) } else { Err((StatusCode::BAD_REQUEST, "BadDigest")) }
}

/// Receives the content of an object into a file.
async fn received(scratch: &Path, mut body: Body, digest: Option<&[u8]>) -> Result<(), Refusal> {
    let parent = scratch.parent().ok_or(BROKEN)?;
    std::fs::create_dir_all(parent).map_err(|_| BROKEN)?;
    let mut file = OpenOptions::new();
    let mut file =
        file.write(true).create(true).truncate(true).mode(0o600).open(scratch).map_err(|_| BROKEN)?;
    let (mut found, mut length) = (Sha256::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "IncompleteBody"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > MAX_BYTES {
            return Err(TOO_LARGE);
        }
        found.update(&data);
        file.write_all(&data).map_err(|_| BROKEN)?;
    }
    check(&found.finalize(), digest)
}

/// Puts a received file to its place.
fn placed(scratch: &Path, target: &Path, only_new: bool) -> Result<(), Refusal> {
    let parent = target.parent().ok_or(BROKEN)?;
    std::fs::create_dir_all(parent).map_err(|_| BROKEN)?;
    if !only_new {
        return std::fs::rename(scratch, target).map_err(|_| BROKEN);
    }
    let is_there = |error: std::io::Error| error.kind() == std::io::ErrorKind::AlreadyExists;
    std::fs::hard_link(scratch, target).map_err(|error| if is_there(error) { CHANGED } else { BROKEN })
}

/// Returns the path of an object below all buckets.
fn path_of(uri_path: &str) -> Option<&str> {
    let path = uri_path.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_inside = path.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'));
    let (bucket, _) = path.split_once('/')?;
    (bucket == FILES && is_inside && path.bytes().all(is_plain)).then_some(path)
}

fn range(headers: &HeaderMap, bytes: u64) -> Option<(u64, u64)> {
    let range = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (from, until) = range.split_once('-')?;
    let (from, last): (u64, u64) = (from.parse().ok()?, until.parse().ok()?);
    (from <= last && from < bytes).then(|| (from, last.min(bytes.saturating_sub(1)) - from + 1))
}

impl LocalFiles {
    /// Returns objects that are files of this folder; without one they are in memory.
    pub fn open(folder: Option<PathBuf>, secret: &[u8]) -> Result<Self, Failure> {
        let objects = match folder {
            Some(folder) => {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
                Objects::Files(folder)
            }
            None => Objects::Memory(Mutex::default()),
        };
        Ok(Self { objects: Arc::new(objects), credentials: credentials(secret) })
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let path = path_of(parts.uri.path()).ok_or(NOT_FOUND)?;
        s3_signature::verify(&parts, &self.credentials).map_err(|code| (StatusCode::FORBIDDEN, code))?;
        match parts.method {
            Method::PUT => self.put(path, &parts.headers, body).await,
            Method::GET | Method::HEAD => self.get(path, &parts.method, &parts.headers),
            _ => Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
    }

    async fn put(&self, path: &str, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
        if !headers.contains_key(header::CONTENT_LENGTH) {
            return Err((StatusCode::LENGTH_REQUIRED, "MissingContentLength"));
        }
        let only_new = headers.contains_key(header::IF_NONE_MATCH);
        if only_new && self.objects.head(path).is_some() {
            return Err(CHANGED);
        }
        let digest = headers.get("x-amz-checksum-sha256").map(http::HeaderValue::as_bytes);
        self.objects.write(path, body, (only_new, digest)).await?;
        let etag = self.objects.head(path).ok_or(BROKEN)?.etag;
        Ok((StatusCode::OK, [(header::ETAG, etag)]).into_response())
    }

    fn get(&self, path: &str, method: &Method, headers: &HeaderMap) -> Result<Response, Refusal> {
        let Head { etag, bytes } = self.objects.head(path).ok_or(NOT_FOUND)?;
        if headers.get(header::IF_MATCH).is_some_and(|wanted| wanted.as_bytes() != etag.as_bytes()) {
            return Err(CHANGED);
        }
        let known = [(header::ETAG, etag), (header::CONTENT_TYPE, "text/csv".to_owned())];
        if method == Method::HEAD {
            return Ok((known, [(header::CONTENT_LENGTH, bytes.to_string())]).into_response());
        }
        if headers.contains_key(header::RANGE) {
            let (from, length) =
                range(headers, bytes).ok_or((StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"))?;
            let content = self.objects.read(path, from, length).map_err(|_| BROKEN)?;
            let place = format!("bytes {from}-{}/{bytes}", from + length - 1);
            return Ok((StatusCode::PARTIAL_CONTENT, known, [(header::CONTENT_RANGE, place)], content)
                .into_response());
        }
        Ok((known, self.objects.read(path, 0, bytes).map_err(|_| BROKEN)?).into_response())
    }

    /// Returns the routes of the stand-in.
    pub fn router(&self) -> Router {
        let handle = async |State(files): State<Self>, request: Request<Body>| {
            files.answer(request).await.unwrap_or_else(refusal)
        };
        Router::new()
            .route(&format!("{PREFIX}/{{*path}}"), any(handle))
            .layer(middleware::from_fn(guard::from_here))
            .with_state(self.clone())
    }

    /// Returns the bucket of files, whose requests are answered in this process.
    pub fn client(&self) -> Bucket {
        let credentials = self.credentials.clone();
        let settings = BucketSettings { credentials, ..settings("http://127.0.0.1", &[]) };
        Bucket::new(settings, SharedHttpClient::new(InProcess(self.router())))
    }
}

/// Returns the credentials of a platform, whose secret is derived from one of its own.
fn credentials(secret: &[u8]) -> Credentials {
    let key = hex::encode(Sha256::new().chain_update(b"s3|").chain_update(secret).finalize());
    Credentials::new("local", key, None, None, "local")
}

/// Returns the settings of a client of the stand-in at this URL, of the platform with this secret.
pub fn settings(url: &str, secret: &[u8]) -> BucketSettings {
    BucketSettings {
        bucket: FILES.to_owned(),
        region: s3_signature::REGION.to_owned(),
        endpoint: Some(format!("{url}{PREFIX}")),
        credentials: credentials(secret),
    }
}

#[derive(Clone, Debug)]
struct InProcess(Router);

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let router = self.0.clone();
        HttpConnectorFuture::new(async move {
            let other =
                |error: Failure| aws_smithy_runtime_api::client::result::ConnectorError::other(error, None);
            let mut request = request.try_into_http1x().map_err(|error| other(error.into()))?;
            let body = std::mem::replace(request.body_mut(), SdkBody::empty());
            let content = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
            let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
            let headers = request.headers_mut();
            headers.insert(
                header::HOST,
                host.parse().map_err(|error: http::header::InvalidHeaderValue| other(error.into()))?,
            );
            headers.insert(header::CONTENT_LENGTH, content.len().into());
            let answered = router.oneshot(request.map(|_| Body::from(content))).await;
            let (parts, body) = answered.map_err(|never| match never {})?.into_parts();
            let content = to_bytes(body, MAX_BYTES).await.map_err(|error| other(error.into()))?;
            let mut reply = HttpResponse::new(parts.status.into(), SdkBody::from(content.to_vec()));
            for (name, value) in &parts.headers {
                if let Ok(value) = value.to_str() {
                    reply.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(reply)
        })
    }
}
