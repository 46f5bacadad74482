//! A trail, its daemon and its server, as `sealtrail serve` runs them.

use std::net::SocketAddr;
use std::path::Path;

use sealtrail_client::{AuditTrailClient, Config};
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_server::{NewToken, Scope, Server, ServerOptions, Tokens};
use serde_json::Value;

pub(crate) struct Test {
    home: Home,
    daemon: Option<Daemon>,
    server: Option<Server>,
    _folder: tempfile::TempDir,
}

pub(crate) fn start() -> Test {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
    let options = ServerOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() };
    let server = Server::start(daemon.handle(), options).unwrap();
    Test { home, daemon: Some(daemon), server: Some(server), _folder: folder }
}

impl Test {
    pub(crate) fn url(&self) -> String {
        self.server.as_ref().unwrap().url()
    }

    pub(crate) fn reader(&self) -> AuditTrailClient {
        self.client("reader", Scope::Read)
    }

    pub(crate) fn writer(&self) -> AuditTrailClient {
        self.client("writer", Scope::Write)
    }

    fn client(&self, name: &str, scope: Scope) -> AuditTrailClient {
        let new = NewToken { name: name.to_owned(), scope, filter: None, content: true, expires: None, application_id: None };
        let secret = Tokens::of(&self.home).create(new, jiff::Timestamp::now()).unwrap();
        AuditTrailClient::new(Config::new(self.url(), secret)).unwrap()
    }

    /// Stops the daemon; the server goes on.
    pub(crate) fn stop_daemon(&mut self) {
        self.daemon.take().unwrap().stop().unwrap();
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        self.server.take().unwrap().stop();
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().unwrap();
        }
    }
}

/// The records of the articles.
pub(crate) fn fixtures() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seeds");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.file_name().is_some_and(|name| name.to_string_lossy().starts_with("trail-")));
    names.sort();
    names.iter().map(|name| serde_json::from_slice(&std::fs::read(name).unwrap()).unwrap()).collect()
}
