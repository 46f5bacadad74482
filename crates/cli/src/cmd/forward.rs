//! `forward`, and the daemon's thread that does the same: this trail is handed to a collector, which copies it and cosigns its checkpoints.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Method, Url};
use sealtrail_config::{Fleet, FleetContent, Loaded};
use sealtrail_engine::{ForwardError, ForwardOptions, Forwarded, Home, Reply, Request, forward};
use sealtrail_server::{HomeRecorder, Recorder};
use sealtrail_tlog::cosignature::WitnessKey;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::args;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;
use crate::when::count;

/// 120 s: a piece of 4 MiB at 0.3 Mbit/s.
const PATIENCE: Duration = Duration::from_secs(120);
/// 1 MiB: the largest answer is a problem or a hundred signatures.
const ANSWER_BYTES_MAX: usize = 1 << 20;

pub(crate) fn run(call: &mut Call, args: &args::Forward) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    let loaded = config::load(home.path())?;
    let Some(mut line) = Line::of(&loaded)? else {
        return Err(Failure::new("fleet.none", Exit::Config, "no collector is configured")
            .hint("audit: {fleet: {collector: https://collector.example:8787, token_file: …}} in audit.yaml"));
    };
    loop {
        match line.round(&home) {
            Ok(done) => say(call, &done)?,
            Err(error) if args.once => return Err(failure(&error)),
            Err(error) => call.screen.warn(&error.to_string()),
        }
        if args.once {
            return Ok(Exit::Yes);
        }
        // Woken for nothing, it forwards a little earlier.
        std::thread::park_timeout(line.every);
    }
}

fn say(call: &mut Call, done: &Forwarded) -> Result<(), Failure> {
    if call.screen.wants_json() {
        let object = json!({ "size": done.size, "mirrored": done.mirrored, "cosigned": done.cosigned, "pieces": done.pieces, "bytes": done.bytes, "seen": done.seen });
        writeln!(call.screen.out(), "{object}")?;
    } else {
        let how = if done.seen.is_some() { "cosigned by the trusted witness" } else { "cosigned; no witness is trusted here" };
        call.screen.say(&format!("{} events are copied, {how}", count(done.cosigned)));
    }
    Ok(())
}

fn failure(error: &ForwardError) -> Failure {
    match error {
        ForwardError::Contradiction { .. } | ForwardError::NotTheWitness | ForwardError::Cosignature(_) => {
            Failure::of("fleet.contradiction", error).exit(Exit::NotVerified)
        }
        ForwardError::Busy | ForwardError::Unreachable { .. } => Failure::of("fleet.busy", error).exit(Exit::Unavailable),
        error => Failure::of("fleet.forward", error),
    }
}

/// The line to the collector.
pub(crate) struct Line {
    base: String,
    secret: String,
    client: Client,
    runtime: Runtime,
    options: ForwardOptions,
    every: Duration,
    /// What was refused last, so that one refusal is recorded once.
    refused: Option<String>,
}

impl Line {
    /// Makes the line that the configuration names, if it names one.
    pub(crate) fn of(loaded: &Loaded) -> Result<Option<Self>, Failure> {
        let fleet = &loaded.config.audit.fleet;
        let Some(base) = &fleet.collector else { return Ok(None) };
        let wrong = |what: String| Failure::new("fleet.config", Exit::Config, what);
        check_url(base)?;
        let token_file = fleet.token_file.as_ref().ok_or_else(|| wrong("audit.fleet.collector needs audit.fleet.token_file".to_owned()))?;
        let secret = std::fs::read_to_string(token_file).map_err(|error| Failure::file("read", Path::new(token_file), &error))?;
        let witness = fleet.witness.as_deref().map(|key| WitnessKey::parse(key.trim())).transpose();
        let witness = witness.map_err(|error| Failure::of("fleet.witness", &error).exit(Exit::Config))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of("fleet.threads", &error))?;
        Ok(Some(Self {
            base: base.trim_end_matches('/').to_owned(),
            secret: secret.trim().to_owned(),
            client: client(fleet)?,
            runtime,
            options: ForwardOptions { content: fleet.content == FleetContent::All, witness },
            every: Duration::from_secs(u64::from(fleet.every_seconds.max(1))),
            refused: None,
        }))
    }

    fn round(&mut self, home: &Home) -> Result<Forwarded, ForwardError> {
        let Self { base, secret, client, runtime, options, refused, .. } = self;
        let done = forward(home, options, &mut |request| runtime.block_on(exchange(client, base, secret, request)));
        match &done {
            Ok(_) => *refused = None,
            Err(
                error
                @ (ForwardError::Contradiction { .. } | ForwardError::Refused { status: 400..=499, .. } | ForwardError::NotTheWitness),
            ) => {
                let why = error.to_string();
                if refused.as_ref() != Some(&why) {
                    let recorder = HomeRecorder::new(home.clone(), std::env::current_dir().ok());
                    let told = json!({ "event_type": "fleet.refused", "severity": "high", "fleet": { "collector": base.as_str(), "reason": why } });
                    // What cannot be recorded now is tried with the next refusal.
                    *refused = recorder.record(&told).is_ok().then_some(why);
                }
            }
            Err(_) => {}
        }
        done
    }
}

/// Refuses an address to which the write key and everything else would go in clear.
fn check_url(base: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::new("fleet.config", Exit::Config, format!("cannot use audit.fleet.collector {base}: {why}"));
    let url: Url = base.parse().map_err(|_| wrong("it is no URL"))?;
    let near = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if near => Ok(()),
        "http" => Err(wrong("it is not encrypted").hint("write https://; http is for a collector on this machine")),
        _ => Err(wrong("it must be an https URL")),
    }
}

fn client(fleet: &Fleet) -> Result<Client, Failure> {
    let mut builder = Client::builder().timeout(PATIENCE).user_agent(concat!("sealtrail/", env!("CARGO_PKG_VERSION")));
    let read = |path: &String| std::fs::read(path).map_err(|error| Failure::file("read", Path::new(path), &error));
    if let Some(path) = &fleet.ca_file {
        let pem = read(path)?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| Failure::of("fleet.ca_file", &error).exit(Exit::Config))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    match (&fleet.certificate_file, &fleet.key_file) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            let pem = [read(certificate)?, read(key)?].concat();
            let own = Identity::from_pem(&pem).map_err(|error| Failure::of("fleet.certificate_file", &error).exit(Exit::Config))?;
            builder = builder.identity(own);
        }
        _ => {
            return Err(Failure::new(
                "fleet.config",
                Exit::Config,
                "audit.fleet.certificate_file and audit.fleet.key_file need each other",
            ));
        }
    }
    builder.build().map_err(|error| Failure::of("fleet.client", &error))
}

async fn exchange(client: &Client, base: &str, secret: &str, request: Request) -> Result<Reply, String> {
    let method = if request.method == "GET" { Method::GET } else { Method::POST };
    let asked = client.request(method, format!("{base}{}", request.path)).bearer_auth(secret).body(request.body);
    let mut response = asked.send().await.map_err(|error| unsent(base, &error))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| told(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(Reply { status, body })
}

/// Tells why nothing came back; what reached somebody and got no HTTP for an answer may have been meant for https.
fn unsent(base: &str, error: &reqwest::Error) -> String {
    let why = told(error);
    if base.starts_with("http:") && !error.is_connect() && !error.is_timeout() {
        return format!("{why}; is it one that wants https://?");
    }
    why
}

fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The daemon's thread; it ends when this goes. A round that is under way is not waited for: a collector that does not answer must not keep a daemon
/// from stopping, and a round that breaks off anywhere is gone on with by the next.
pub(crate) struct Forwarding {
    _stop: Sender<()>,
}

/// Starts handing in, once the daemon runs that records what is refused.
pub(crate) fn start(mut line: Line, home: &Home) -> Result<Forwarding, Failure> {
    let (home, (stop, stopped)) = (home.clone(), channel());
    let work = move || {
        loop {
            // What did not go now goes with the next round; a refusal is recorded.
            let _ = line.round(&home);
            if !matches!(stopped.recv_timeout(line.every), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("forward".to_owned()).spawn(work);
    thread.map(|_| Forwarding { _stop: stop }).map_err(|error| Failure::of("fleet.threads", &error))
}
