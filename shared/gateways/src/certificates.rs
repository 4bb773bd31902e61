//! The certificates that PayPal signs its webhooks with.
//!
//! **Invariant:** no connection is made to an address that is not exactly one of PayPal's own, spelled out; no
//! redirect is followed. An unchecked fetch of an address that a stranger names would be ours to answer for.
//! **Invariant:** a signature counts only if the chain leads to a trusted root, every date holds at the time of the
//! delivery, and the certificate's name ends in `.paypal.com`.

use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::limited;
use domain::time::Timestamp;
use reqwest::Client;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// How many addresses' certificates are kept.
const MAX_CERTIFICATES: usize = 8;

/// The longest file of certificates that is read.
const MAX_BYTES: usize = 64 * 1024;

/// Where they lie.
const PATH: &str = "/v1/notifications/certs/";

/// What may stand behind the path: one plain name.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !name.is_empty() && name.len() <= 128 && name.bytes().all(plain)
}

/// Trusted roots, allowed addresses, and what was fetched.
pub(crate) struct Certificates {
    /// Each an address up to its host.
    origins: Vec<String>,
    roots: Vec<TrustAnchor<'static>>,
    kept: Mutex<VecDeque<(String, Arc<Chain>)>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.origins.join(", "))
    }
}

/// A certificate and what leads from it to a root.
pub(crate) struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    roots: Vec<TrustAnchor<'static>>,
}

/// Why a signature is not believed.
#[derive(Debug)]
pub(crate) enum NotTrusted {
    /// No root of ours is at the end of the chain.
    Root,
    /// For another reason.
    Otherwise(Forged),
}

impl Certificates {
    /// Allows what belongs to the API at this address; trusts these roots (PEM), or the machine's.
    pub fn new(base_url: &str, roots: Option<&str>) -> Self {
        let of = |hosts: [&str; 2]| hosts.map(|host| format!("https://{host}")).to_vec();
        // A gateway on this machine is one of our own making.
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
        Self { origins, roots, kept: Mutex::default() }
    }

    /// The certificates at an address, fetched once.
    pub async fn fetch(&self, http: &Client, address: &str) -> Result<Arc<Chain>, VerifyError> {
        let named = |origin: &String| address.strip_prefix(origin.as_str())?.strip_prefix(PATH);
        if !self.origins.iter().filter_map(named).any(is_plain) {
            return Err(Forged::Address.into());
        }
        if let Some(chain) = self.kept(address) {
            return Ok(chain);
        }
        let unreachable = |_| GatewayError::Unreachable("the certificate cannot be fetched".to_owned());
        let request = http.get(address).timeout(Duration::from_secs(3));
        let reply = request.send().await.map_err(unreachable)?;
        match reply.status().as_u16() {
            200 => {}
            // A redirect leads elsewhere; an address that PayPal does not know is nobody's.
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
    /// Verifies a signature as of a time.
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
