//! What a gateway needs to start: the configuration, with its addresses parsed and its files read.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sealtrail_capture::gateway::Form;
use sealtrail_config::{Budget, FailMode, GatewayContent, GatewayTls, Price};
use sealtrail_event::Token;

/// Tells whether a caller's token lets it in.
pub type Gate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Why a gateway cannot start with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Others would hear credentials and prompts.
    #[error("cannot listen on {address}: other machines could read credentials and prompts, which are not encrypted")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// No address of an API.
    #[error("cannot send requests to `{url}`: it is no http address")]
    Upstream {
        /// What was written.
        url: String,
    },
    /// A file of certificates or keys.
    #[error("cannot read certificates or a key from {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: pem::Error,
    },
    /// A certificate and its key do not go together.
    #[error("cannot use certificate and key for encryption")]
    Tls(#[from] rustls::Error),
    /// The machine trusts nobody.
    #[error("cannot find any certificate that this machine trusts, and the API is to be reached by https")]
    NoRoots(#[source] io::Error),
    /// A word that events cannot hold.
    #[error("cannot write `{word}` into events: a word has at most 128 printable characters without spaces")]
    Word {
        /// The word.
        word: String,
    },
    /// A gate was asked for and not given.
    #[error("cannot require tokens: the trail keeps none here")]
    NoGate,
}

/// How a gateway listens, where it sends, and what it allows.
#[derive(Clone)]
pub struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) gate: Option<Gate>,
    pub(crate) anthropic: Base,
    pub(crate) bedrock: Base,
    pub(crate) vertex: Base,
    pub(crate) trust: ClientConfig,
    pub(crate) content: bool,
    pub(crate) closed: bool,
    pub(crate) answer: Duration,
    pub(crate) connect: Duration,
    pub(crate) body_bytes: u64,
    pub(crate) connections: usize,
    pub(crate) streams: usize,
    pub(crate) user_header: Option<String>,
    pub(crate) application: Option<Token>,
    pub(crate) classification: Option<Token>,
    pub(crate) prices: Vec<Price>,
    pub(crate) budgets: Vec<Budget>,
}

/// Where an API is: scheme and host, and what stands in front of every path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    origin: String,
    path: String,
}

impl Options {
    /// Reads a configuration and the files it names; `gate` knows the tokens of the trail.
    pub fn of(config: &sealtrail_config::Gateway, listen: SocketAddr, gate: Option<Gate>) -> Result<Self, OptionsError> {
        if !listen.ip().to_canonical().is_loopback() && !config.insecure_listen && config.tls.is_none() {
            return Err(OptionsError::NotLoopback { address: listen });
        }
        let anthropic = Base::of(&config.upstream)?;
        let other = |url: &Option<String>| url.as_deref().map_or_else(|| Ok(anthropic.clone()), Base::of);
        let (bedrock, vertex) = (other(&config.bedrock_upstream)?, other(&config.vertex_upstream)?);
        let encrypted = [&anthropic, &bedrock, &vertex].iter().any(|base| base.origin.starts_with("https:"));
        Ok(Self {
            listen,
            tls: config.tls.as_ref().map(server_tls).transpose()?,
            gate: if config.require_token { Some(gate.ok_or(OptionsError::NoGate)?) } else { None },
            trust: trust(config.upstream_ca.as_deref(), encrypted)?,
            anthropic,
            bedrock,
            vertex,
            content: config.content == GatewayContent::Redacted,
            closed: config.fail_mode == FailMode::Block,
            answer: Duration::from_secs(u64::from(config.answer_seconds)),
            connect: Duration::from_secs(u64::from(config.connect_seconds)),
            body_bytes: u64::from(config.body_mib) << 20,
            connections: config.connections as usize,
            streams: config.streams as usize,
            user_header: config.user_header.as_deref().map(str::to_ascii_lowercase),
            application: config.application.as_deref().map(word).transpose()?,
            classification: config.data_classification.as_deref().map(word).transpose()?,
            prices: config.prices.clone(),
            budgets: config.budgets.clone(),
        })
    }

    /// Returns where requests of a form go.
    pub(crate) fn base(&self, form: Form) -> &Base {
        match form {
            Form::Anthropic => &self.anthropic,
            Form::Bedrock => &self.bedrock,
            Form::Vertex => &self.vertex,
        }
    }
}

impl Base {
    fn of(url: &str) -> Result<Self, OptionsError> {
        let wrong = || OptionsError::Upstream { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
        Ok(Self { origin: format!("{scheme}://{authority}"), path: uri.path().trim_end_matches('/').to_owned() })
    }

    /// Returns the address of a request.
    pub(crate) fn uri(&self, path_and_query: &str) -> Option<Uri> {
        format!("{}{}{path_and_query}", self.origin, self.path).parse().ok()
    }
}

fn word(word: &str) -> Result<Token, OptionsError> {
    Token::parse(word).map_err(|_| OptionsError::Word { word: word.to_owned() })
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_tls(files: &GatewayTls) -> Result<Arc<ServerConfig>, OptionsError> {
    let key_path = PathBuf::from(&files.key);
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|source| OptionsError::Pem { path: key_path, source })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(&files.certificate)?, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let path = PathBuf::from(path);
    let read = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) })
        .map_err(|source| OptionsError::Pem { path, source })
}

/// Collects whom this machine trusts, and whom the configuration adds.
fn trust(own: Option<&str>, encrypted: bool) -> Result<ClientConfig, OptionsError> {
    let mut roots = RootCertStore::empty();
    if encrypted {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() && own.is_none() {
            let why = found.errors.first().map_or_else(|| "the store is empty".to_owned(), ToString::to_string);
            return Err(OptionsError::NoRoots(io::Error::other(why)));
        }
    }
    for certificate in own.map(certificates).transpose()?.into_iter().flatten() {
        roots.add(certificate)?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the way of a request: a base with a path keeps it in front, one without adds nothing, and what is no address is refused.
    #[test]
    fn a_base_keeps_its_path() {
        let uri = |base: &str, path: &str| Base::of(base).unwrap().uri(path).unwrap().to_string();
        assert_eq!(uri("https://api.anthropic.com", "/v1/messages?beta=true"), "https://api.anthropic.com/v1/messages?beta=true");
        assert_eq!(uri("http://127.0.0.1:9/proxy/", "/v1/models"), "http://127.0.0.1:9/proxy/v1/models");
        for wrong in ["", "api.anthropic.com", "ftp://x", "https://"] {
            assert!(Base::of(wrong).is_err(), "{wrong}");
        }
    }
}
