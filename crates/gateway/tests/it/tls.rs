//! Encryption on either side: clients that trust the gateway's authority, an API that the gateway trusts, and nobody else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sealtrail_config::GatewayTls;

use crate::kit::{ASK, Api, Run, SESSION, STREAM_HEAD, Step, chunk, connect, events, post, read_until, signal, streamed, unchunked};

/// The first event of a stream.
const PING: &[u8] = b"event: ping\ndata: {}\n\n";

/// A certificate for `localhost` in a folder, and the authority that signed it.
struct Certificates {
    folder: tempfile::TempDir,
    root: CertificateDer<'static>,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: &str| std::fs::write(folder.path().join(name), pem).unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        write("ca.pem", &authority.pem());
        write("cert.pem", &own.pem());
        write("key.pem", &key.serialize_pem());
        let root = authority.der().clone();
        Self { folder, root }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A gateway with this certificate in front of an API.
    fn gateway(&self, api: SocketAddr) -> Run {
        let tls = GatewayTls { certificate: self.path("cert.pem"), key: self.path("key.pem") };
        Run::start(api, |config| config.tls = Some(tls))
    }

    /// Connects as somebody who trusts this authority and no other.
    fn client(&self, address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), connect(address))
    }
}

/// An API whose stream goes on only when the test says so.
fn hesitating() -> (Api, Sender<()>) {
    let (go, wait) = signal();
    let wait = Mutex::new(Some(wait));
    let api = Api::start(move |_, _| {
        let first = [STREAM_HEAD, &chunk(PING)].concat();
        vec![Step::Write(first), wait.lock().unwrap().take().unwrap(), Step::Write(streamed(7)[STREAM_HEAD.len()..].to_vec())]
    });
    (api, go)
}

/// Asks, sees the first bytes while the API still waits, and returns everything.
fn ask(stream: &mut (impl Read + Write), go: &Sender<()>) {
    stream.write_all(&post("/v1/messages", &[SESSION], ASK)).unwrap();
    let first = read_until(stream, |bytes| bytes.windows(PING.len()).any(|part| part == PING));
    go.send(()).unwrap();
    let rest = read_until(stream, |bytes| bytes.ends_with(b"0\r\n\r\n"));
    let answer = [first, rest].concat();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(unchunked(&answer[head..]).unwrap(), [PING, &events()].concat());
}

/// Protects a gateway beyond this machine: who trusts its authority streams through it byte by byte and is recorded; who trusts another, or does not
/// encrypt, gets nothing, and nothing of it reaches the API.
#[test]
fn a_client_that_trusts_the_gateway_streams_through_it() {
    let (api, go) = hesitating();
    let certificates = Certificates::new();
    let run = certificates.gateway(api.address);

    let mut stranger = Certificates::new().client(run.address);
    let refused = stranger.write_all(&post("/v1/messages", &[SESSION], ASK)).unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    let mut plain = run.open(&post("/v1/messages", &[SESSION], ASK));
    let mut answer = Vec::new();
    // Closed with an alert, or without a word.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(api.got().is_empty() && run.trail.events().is_empty());

    ask(&mut certificates.client(run.address), &go);
    assert_eq!(run.trail.wait_for("model.response", 1)[0]["outcome"], "success");
    assert_eq!((run.trail.of("model.request").len(), api.got().len()), (1, 1));
}

/// Protects an API behind an authority of the organisation, which here is another gateway: with its certificate the stream goes through both, without it the
/// caller is told, the end is recorded, and the request never leaves.
#[test]
fn an_api_behind_an_own_authority_is_reached_with_its_certificate_only() {
    let (api, go) = hesitating();
    let certificates = Certificates::new();
    let far = certificates.gateway(api.address);
    let upstream = format!("https://localhost:{}", far.address.port());
    let near =
        |authority: String| Run::start(far.address, |config| (config.upstream, config.upstream_ca) = (upstream.clone(), Some(authority)));

    let wrong = Certificates::new();
    let run = near(wrong.path("ca.pem"));
    let (head, _) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert_eq!(run.trail.wait_for("model.response", 1)[0]["reason"], "upstream_unreachable");
    assert!(api.got().is_empty() && far.trail.events().is_empty());

    let run = near(certificates.path("ca.pem"));
    ask(&mut connect(run.address), &go);
    for run in [&run, &far] {
        assert_eq!(run.trail.wait_for("model.response", 1)[0]["outcome"], "success");
    }
}
