//! Certificates with which PayPal signs its webhooks.
//!
//! **Invariant:** a certificate is fetched only from an address of PayPal that is listed here (or
//! of a gateway on this machine), and no redirect is followed. Otherwise a forged delivery could
//! make this service send requests to any address.
//! **Invariant:** a signature is accepted only if the chain leads to a trusted root, every
//! certificate is valid at the time of the delivery, and every name of the signing certificate is
//! `paypal.com` or ends in `.paypal.com`.

use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::limited;
use domain::time::Timestamp;
use reqwest::Client;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Number of certificate chains that are cached.
const MAX_CERTIFICATES: usize = 8;

/// Time after which a certificate that could not be had is fetched again.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// Longest certificate file that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Path under which PayPal serves its certificates.
const PATH: &str = "/v1/notifications/certs/";

/// Returns true if the name may follow [`PATH`]: up to 128 letters, digits, `-` or `_`.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !name.is_empty() && name.len() <= 128 && name.bytes().all(plain)
}

/// Trusted roots, allowed origins and cached certificate chains.
pub(crate) struct Certificates {
    /// What an address may have before [`PATH`]: scheme and host, or the base URL of a gateway on
    /// this machine.
    origins: Vec<String>,
    roots: Vec<TrustAnchor<'static>>,
    kept: Mutex<VecDeque<(String, Arc<Chain>)>>,
    /// Addresses at which there was no certificate, with the instant of the attempt.
    failed: Mutex<VecDeque<(String, Instant, VerifyError)>>,
    fetching: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.origins.join(", "))
    }
}

/// A signing certificate, its intermediate certificates, and the trusted roots.
pub(crate) struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    roots: Vec<TrustAnchor<'static>>,
}

/// Why a signature is not accepted.
#[derive(Debug)]
pub(crate) enum NotTrusted {
    /// The chain does not lead to a trusted root.
    Root,
    /// Any other reason.
    Otherwise(Forged),
}

impl Certificates {
    /// Allows the origins that belong to the API at `base_url`. Trusts the roots given in PEM, or
    /// else the machine's.
    pub fn new(base_url: &str, roots: Option<&str>) -> Self {
        let of = |hosts: [&str; 2]| hosts.map(|host| format!("https://{host}")).to_vec();
        // A gateway on this machine is a fake.
        let is_local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"]
            .iter()
            .any(|local| base_url.starts_with(local));
        let origins = if is_local {
            vec![base_url.to_owned()]
        } else if base_url.contains("sandbox") {
            of(["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"])
        } else {
            of(["api.paypal.com", "api-m.paypal.com"])
        };
        let certificates: Vec<CertificateDer<'static>> = match roots {
            Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect(),
            None => rustls_native_certs::load_native_certs().certs,
        };
        let anchor = |certificate: &CertificateDer<'static>| {
            anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned())
        };
        let roots = certificates.iter().filter_map(anchor).collect();
        Self {
            origins,
            roots,
            kept: Mutex::default(),
            failed: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the certificate chain at an address, from the cache if it was fetched before.
    pub async fn fetch(&self, http: &Client, address: &str) -> Result<Arc<Chain>, VerifyError> {
        let named = |origin: &String| address.strip_prefix(origin.as_str())?.strip_prefix(PATH);
        if !self.origins.iter().filter_map(named).any(is_plain) {
            return Err(Forged::Address.into());
        }
        if let Some(chain) = self.kept(address) {
            return Ok(chain);
        }
        // One at a time, so that deliveries at once that name the same certificate fetch it once.
        let _fetching = self.fetching.lock().await;
        if let Some(chain) = self.kept(address) {
            return Ok(chain);
        }
        if let Some(error) = self.failed_lately(address) {
            return Err(error);
        }
        match self.fetch_now(http, address).await {
            Ok(chain) => Ok(chain),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.retain(|(at, ..)| at != address);
                if failed.len() >= MAX_CERTIFICATES {
                    failed.pop_front();
                }
                failed.push_back((address.to_owned(), Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Returns why there was no certificate at an address within the last minute.
    fn failed_lately(&self, address: &str) -> Option<VerifyError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let lately =
            |(at, when, _): &&(String, Instant, VerifyError)| at == address && when.elapsed() < ASK_AGAIN;
        let known = failed.iter().find(lately).map(|(.., error)| error.clone());
        // A forger can name certificates that do not exist one after another.
        let is_full =
            failed.len() >= MAX_CERTIFICATES && failed.iter().all(|(_, when, _)| when.elapsed() < ASK_AGAIN);
        known.or_else(|| is_full.then_some(VerifyError::Forged(Forged::Certificate)))
    }

    async fn fetch_now(&self, http: &Client, address: &str) -> Result<Arc<Chain>, VerifyError> {
        let unreachable = |_| GatewayError::Unreachable("the certificate cannot be fetched".to_owned());
        let request = http.get(address).timeout(Duration::from_secs(3));
        let reply = request.send().await.map_err(unreachable)?;
        match reply.status().as_u16() {
            200 => {}
            status @ (408 | 429) => {
                return Err(GatewayError::Unreachable(format!("status {status}")).into());
            }
            // A redirect leads to another address, and a 4xx means that PayPal has no certificate
            // here.
            300..500 => return Err(Forged::Address.into()),
            status => return Err(GatewayError::Unreachable(format!("status {status}")).into()),
        }
        let bytes = limited(reply, MAX_BYTES).await.map_err(|_| Forged::Certificate)?.map_err(unreachable)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let certificates = certificates.map_err(|_| Forged::Certificate)?;
        if certificates.is_empty() {
            return Err(Forged::Certificate.into());
        }
        let chain = Arc::new(Chain { certificates, roots: self.roots.clone() });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_CERTIFICATES {
            kept.pop_front();
        }
        kept.push_back((address.to_owned(), chain.clone()));
        Ok(chain)
    }

    fn kept(&self, address: &str) -> Option<Arc<Chain>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(at, _)| at == address).map(|(_, chain)| chain.clone())
    }
}

impl Chain {
    /// Verifies a signature over a text, as of the time `now`.
    pub fn verify(&self, now: Timestamp, text: &[u8], signature: &[u8]) -> Result<(), NotTrusted> {
        const BAD: NotTrusted = NotTrusted::Otherwise(Forged::Certificate);
        let (leaf, between) = self.certificates.split_first().ok_or(BAD)?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| BAD)?;
        let ours = |name: &str| name == "paypal.com" || name.ends_with(".paypal.com");
        let mut names = leaf.valid_dns_names().peekable();
        if names.peek().is_none() || !names.all(ours) {
            return Err(BAD);
        }
        leaf.verify_signature(RSA_PKCS1_2048_8192_SHA256, text, signature)
            .map_err(|_| NotTrusted::Otherwise(Forged::Signature))?;
        let seconds = u64::try_from(now.millis() / 1_000).map_err(|_| BAD)?;
        let algorithms = [
            ECDSA_P256_SHA256,
            ECDSA_P256_SHA384,
            ECDSA_P384_SHA256,
            ECDSA_P384_SHA384,
            RSA_PKCS1_2048_8192_SHA256,
            RSA_PKCS1_2048_8192_SHA384,
            RSA_PKCS1_2048_8192_SHA512,
        ];
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::server_auth();
        match leaf.verify_for_usage(&algorithms, &self.roots, between, time, usage, None, None) {
            Ok(_) => Ok(()),
            Err(webpki::Error::UnknownIssuer) => Err(NotTrusted::Root),
            Err(_) => Err(BAD),
        }
    }
}
