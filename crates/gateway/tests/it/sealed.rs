//! With the daemon of a real trail: what a start, a stop and a kill leave in the ledger.

use std::net::SocketAddr;
use std::sync::Arc;

use sealtrail_config::Gateway as Config;
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home, count_loss, gaps};
use sealtrail_gateway::{Gateway, HandleSeal, Options, look_back};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::kit::{ASK, Api, SESSION, STREAM_HEAD, Step, chunk, post, read_message, read_until, signal, streamed};

fn started(home: &Home, api: SocketAddr) -> (Daemon, Gateway) {
    let daemon = Daemon::start(home, DaemonOptions::default()).unwrap();
    let config = Config { upstream: format!("http://{api}"), ..Config::default() };
    let options = Options::of(&config, "127.0.0.1:0".parse().unwrap(), None).unwrap();
    let past = look_back(home, true).unwrap();
    let gateway = Gateway::start(Arc::new(HandleSeal(daemon.handle())), options, past).unwrap();
    (daemon, gateway)
}

fn open(gateway: &Gateway) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(gateway.address()).unwrap();
    std::io::Write::write_all(&mut stream, &post("/v1/messages", &[SESSION], ASK)).unwrap();
    stream
}

/// Every event of the ledger.
pub(crate) fn views(home: &Home) -> Vec<Value> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let reader = Reader::open(disk, &home.ledger()).unwrap();
    reader.iter(Seq(0)).map(|stored| stored.unwrap().view()).collect()
}

fn sealed(home: &Home) -> Vec<Value> {
    views(home).into_iter().filter(|event| event["event_type"].as_str().unwrap().starts_with("model.")).collect()
}

/// Protects the order of the ledger and the story after a kill: the request lies before its answer, and a call that the killed process left open
/// gets its end from the next start, and from no other.
#[test]
fn a_kill_in_the_middle_is_told_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let (_go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let api = Api::start(move |n, _| match n {
        0 => vec![Step::Write(streamed(64))],
        1 => vec![Step::Write([STREAM_HEAD, &chunk(b"event: ping\ndata: {}\n\n")].concat()), wait.lock().unwrap().take().unwrap()],
        _ => vec![Step::Write(streamed(64))],
    });

    let (daemon, gateway) = started(&home, api.address);
    read_message(&mut open(&gateway), true).unwrap();
    let mut cut = open(&gateway);
    read_until(&mut cut, |bytes| bytes.windows(11).any(|part| part == b"event: ping"));
    // As a kill does: nothing of the gateway runs any more when the daemon is gone, and what it says afterwards reaches no ledger.
    daemon.stop().unwrap();
    let (head, _) = read_message(&mut open(&gateway), true).unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "without a ledger nothing leaves: {head}");
    assert_eq!(api.got().len(), 2);
    gateway.stop();
    let before = sealed(&home);
    let kinds: Vec<&str> = before.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["model.request", "model.response", "model.request"]);

    for _ in 0..2 {
        let (daemon, gateway) = started(&home, api.address);
        gateway.stop();
        daemon.stop().unwrap();
    }
    let after = sealed(&home);
    assert_eq!(after.len(), 4, "{after:?}");
    assert_eq!((&after[3]["reason"], &after[3]["parent_audit_id"]), (&"gateway_lost".into(), &before[2]["audit_id"]));
}

/// Protects the count of losses: what is counted lies in the table of losses, and the daemon seals it as the gateway's.
#[test]
fn a_counted_loss_is_sealed_as_the_gateways() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    count_loss(&home, "model_calls", "gateway_unsealed", 2);
    assert_eq!(gaps(&home).unwrap().iter().map(|gap| gap.count).sum::<u64>(), 2);
    Daemon::start(&home, DaemonOptions::default()).unwrap().stop().unwrap();
    let gap = views(&home).into_iter().find(|event| event["event_type"] == "ledger.gap").unwrap();
    assert!(gap.to_string().contains("gateway_unsealed") && gap.to_string().contains("\"gateway\""), "{gap}");
}
