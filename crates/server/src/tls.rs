//! TLS: the server's certificate, and the certificates of those who may connect; read again when the files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sealtrail_disk::{Disk, DiskError, RealDisk};
use tokio_rustls::TlsAcceptor;

/// 60 s: certificates are replaced days before they end.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and what leads to its root, PEM.
    pub certificate: PathBuf,
    /// The key of that certificate, PEM.
    pub key: PathBuf,
    /// Who connects must hold a certificate of one of these, PEM.
    pub client_ca: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: DiskError,
    },
    /// A file does not hold what it should.
    #[error("cannot use {}: it holds no {what} in PEM form", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Certificate and key do not fit, or cannot be used.
    #[error("cannot use the certificate {} with the key {}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The authorities cannot be used.
    #[error("cannot use the authorities in {}: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The certificates in use.
pub(crate) struct Tls {
    files: TlsFiles,
    now: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    read: Vec<Vec<u8>>,
    looked: Instant,
}

impl Tls {
    pub(crate) fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let read = read(&files)?;
        let config = Arc::new(configure(&files, &read)?);
        Ok(Self { files, now: Mutex::new(Current { config, read, looked: Instant::now() }) })
    }

    /// Returns what takes the next connection. Files that changed are used from now on, unless they are damaged: then the old ones stay.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() >= LOOK_EVERY {
            now.looked = Instant::now();
            if let Ok(fresh) = read(&self.files)
                && fresh != now.read
                && let Ok(config) = configure(&self.files, &fresh)
            {
                (now.config, now.read) = (Arc::new(config), fresh);
            }
        }
        TlsAcceptor::from(Arc::clone(&now.config))
    }
}

/// Returns the subject of a certificate, in words.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parsed.subject().to_string())
}

fn read(files: &TlsFiles) -> Result<Vec<Vec<u8>>, TlsError> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    let one = |path: &PathBuf| RealDisk.read(path).map_err(|source| TlsError::Read { path: path.clone(), source });
    paths.into_iter().flatten().map(one).collect()
}

fn configure(files: &TlsFiles, read: &[Vec<u8>]) -> Result<ServerConfig, TlsError> {
    let part = |at: usize| read.get(at).map(Vec::as_slice).unwrap_or_default();
    let chain = certificates(part(0), &files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(part(1)).map_err(|_| TlsError::Empty { path: files.key.clone(), what: "private key" })?;
    let pair = |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(pair)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = |why: String| TlsError::Authorities { path: path.clone(), why };
            let mut roots = RootCertStore::empty();
            for authority in certificates(part(2), path)? {
                roots.add(authority).map_err(|error| wrong(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| wrong(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| TlsError::Empty { path: path.to_owned(), what: "certificate" })
}
