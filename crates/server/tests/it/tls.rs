//! Encrypted connections, their certificates, and both versions of HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sealtrail_server::{ServerOptions, TlsFiles};
use serde_json::json;

use crate::kit::{Test, start, start_with};

/// Certificates in a folder.
struct Certificates {
    folder: tempfile::TempDir,
    root: CertificateDer<'static>,
    /// Certificate and key of a client.
    client: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: &str| std::fs::write(folder.path().join(name), pem).unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        write("ca.pem", &authority.pem());
        let of_server = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&of_server, &authority).unwrap();
        write("cert.pem", &server.pem());
        write("key.pem", &of_server.serialize_pem());
        let mut client = CertificateParams::new(Vec::new()).unwrap();
        client.distinguished_name.push(DnType::CommonName, "laptop-7");
        let of_client = KeyPair::generate().unwrap();
        let client = client.signed_by(&of_client, &authority).unwrap();
        let key = PrivateKeyDer::from_pem_slice(of_client.serialize_pem().as_bytes()).unwrap();
        Self { root: authority.der().clone(), client: (client.der().clone(), key), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self, mutual: bool) -> ServerOptions {
        let client_ca = mutual.then(|| self.path("ca.pem"));
        let tls = TlsFiles { certificate: self.path("cert.pem"), key: self.path("key.pem"), client_ca };
        ServerOptions { tls: Some(tls), ..ServerOptions::default() }
    }

    fn client(&self, with_certificate: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        if with_certificate {
            builder.with_client_auth_cert(vec![self.client.0.clone()], self.client.1.clone_key()).unwrap()
        } else {
            builder.with_no_client_auth()
        }
    }
}

/// Sends a request over TLS and returns everything that comes back, or nothing when the connection is refused.
fn over_tls(address: SocketAddr, config: ClientConfig, request: &str) -> Option<String> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream);
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A server that closes without a word of TLS is still an answer, if it said something before.
    let _ = stream.read_to_end(&mut answer);
    (!answer.is_empty()).then(|| String::from_utf8(answer).unwrap())
}

fn request(key: &str) -> String {
    let body = json!({"event_type": "tool.invocation", "user_id": "ann"}).to_string();
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn stored(test: &Test) -> serde_json::Value {
    test.of_type("tool.invocation").pop().unwrap()
}

/// Protects keys and events on the network: they cross it encrypted, also beyond this machine, and a sender that does not encrypt gets nothing.
#[test]
fn events_come_encrypted() {
    let certificates = Certificates::new();
    let test = start_with(&[], certificates.options(false));
    let key = test.key("w", None);
    let answer = over_tls(test.address(), certificates.client(false), &request(&key)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(stored(&test)["collector"]["certificate"], json!(null));
    let mut plain = TcpStream::connect(test.address()).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    plain.write_all(request(&key).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(test.of_type("tool.invocation").len(), 1);
}

/// Protects a collector that asks for certificates: who has none gets nothing, key or not; of who has one, the subject is in the event.
#[test]
fn certificates_are_asked_for_and_recorded() {
    let certificates = Certificates::new();
    let test = start_with(&[], certificates.options(true));
    let key = test.key("w", None);
    let refused = over_tls(test.address(), certificates.client(false), &request(&key));
    assert!(refused.is_none_or(|answer| !answer.starts_with("HTTP")));
    assert!(test.of_type("tool.invocation").is_empty());
    let answer = over_tls(test.address(), certificates.client(true), &request(&key)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(stored(&test)["collector"]["certificate"].as_str().unwrap().contains("CN=laptop-7"));
}

/// Protects the operator from a server that cannot encrypt: files that are missing or hold something else are named.
#[test]
fn wrong_certificates_are_named() {
    let certificates = Certificates::new();
    let test = start(&[]);
    let handle = test.daemon.as_ref().unwrap().handle();
    let tls = |certificate: &str, key: &str| {
        let files = TlsFiles { certificate: certificates.path(certificate), key: certificates.path(key), client_ca: None };
        let options = ServerOptions { tls: Some(files), listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() };
        let error = sealtrail_server::Server::start(handle.clone(), options).err().unwrap();
        std::error::Error::source(&error).unwrap().to_string()
    };
    assert!(tls("none.pem", "key.pem").contains("none.pem"));
    assert!(tls("key.pem", "key.pem").contains("no certificate"));
    assert!(tls("cert.pem", "cert.pem").contains("no private key"));
    assert!(tls("ca.pem", "key.pem").contains("cannot use the certificate"));
}

/// Protects exporters that speak HTTP/2: many requests over one connection, with and without TLS, each sealed.
#[test]
fn http2_is_spoken() {
    let certificates = Certificates::new();
    for encrypted in [false, true] {
        let options = if encrypted { certificates.options(false) } else { ServerOptions::default() };
        let test = start_with(&[], options);
        let (key, address) = (test.key("w", None), test.address());
        let mut config = certificates.client(false);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            if encrypted {
                let name = ServerName::try_from("localhost").unwrap();
                let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                twenty(stream, &key).await;
            } else {
                twenty(stream, &key).await;
            }
        });
        assert_eq!(test.of_type("tool.invocation").len(), 20);
    }
}

async fn twenty(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static, key: &str) {
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let requests = (0..20).map(|n| {
        let (mut sender, key) = (sender.clone(), key.to_owned());
        tokio::spawn(async move {
            let body = json!({"event_type": "tool.invocation", "audit_id": format!("evt_{n}")}).to_string();
            let request = hyper::Request::post("http://localhost/v1/events")
                .header("authorization", format!("Bearer {key}"))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&body).contains("\"sealed\":1"));
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
}

/// Protects connections: who says nothing, begins a handshake and stops, or sends one byte of a preface is closed.
#[test]
fn silent_connections_are_closed() {
    let certificates = Certificates::new();
    let begun = Instant::now();
    for options in [ServerOptions::default(), certificates.options(false)] {
        let test = start_with(&[], options);
        let mut silent: Vec<TcpStream> = [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01"]
            .into_iter()
            .map(|first| {
                let mut stream = TcpStream::connect(test.address()).unwrap();
                stream.write_all(first).unwrap();
                stream
            })
            .collect();
        for stream in &mut silent {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut rest = Vec::new();
            // Closed, with or without a word; a timeout of our own would be an error of another kind.
            if let Err(error) = stream.read_to_end(&mut rest) {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            }
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(40));
}
