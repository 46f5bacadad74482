//! The fleet: machines hand their logs in, and the collector copies them, cosigns their checkpoints, and catches the one that goes back.
//!
//! Every way in is behind the door of the collector: a write key, and it must be the one that the machine was enrolled with.

mod batches;
mod machine;
mod trouble;
mod watch;
mod witness;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use sealtrail_capture::Sender;
use sealtrail_engine::Handle;
use sealtrail_ledger::mirror::{Mirror, MirrorError};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::cosignature::WitnessKey;
use sealtrail_tlog::{KeyName, SigningKey};
use serde_json::json;

use crate::body::json;
use crate::collector::Collector;
use crate::problem::plain;
use crate::refusal::Refusal;
use crate::routes::Fault;

pub use machine::{FleetError, MACHINES_MAX, Machine, MachineState, Machines, Trouble};
pub(crate) use watch::watch;

/// What the collector does for its fleet.
pub(crate) struct Fleet {
    machines: Machines,
    handle: Handle,
    witness: Mutex<Option<Arc<SigningKey>>>,
    /// Who is known, so that nobody waits here for one that is being worked on.
    live: Mutex<HashMap<String, Known>>,
}

/// A machine as it was enrolled, and what is known of it.
type Known = (Machine, Arc<Mutex<Live>>);

/// One machine while the collector runs. Its lock is held while a request of it is worked on: they take turns.
struct Live {
    machine: Machine,
    state: MachineState,
    mirror: Option<Mirror>,
    /// When the state was last made durable.
    kept: Option<Timestamp>,
}

/// Returns the ways in.
pub(crate) fn routes(collector: &Arc<Collector>) -> Router {
    Router::new()
        .route("/v1/fleet/state", get(state))
        .route("/v1/fleet/batches", post(batches::post))
        .route("/add-checkpoint", post(witness::post))
        .with_state(Arc::clone(collector))
}

/// Tells a machine how far its log is copied and cosigned.
async fn state(State(collector): State<Arc<Collector>>, Extension(sender): Extension<Arc<Sender>>) -> Result<Response, Fault> {
    work(&collector, sender, |fleet, live| {
        let size = fleet.mirror(live).map_err(|error| broken(&error))?.size().0;
        live.state.mirrored = size;
        let witness = WitnessKey::of(&*fleet.witness()?).to_string();
        let trouble = live.state.trouble.as_ref().map(|trouble| trouble.kind.clone());
        let answer =
            json!({ "name": live.machine.name, "mirrored": size, "cosigned": live.state.size, "witness": witness, "trouble": trouble });
        Ok(json(&answer))
    })
    .await
}

/// Works on a request of a machine, on a thread that may wait.
async fn work<F>(collector: &Arc<Collector>, sender: Arc<Sender>, work: F) -> Result<Response, Fault>
where
    F: FnOnce(&Fleet, &mut Live) -> Result<Response, Fault> + Send + 'static,
{
    let collector = Arc::clone(collector);
    let worked = tokio::task::spawn_blocking(move || {
        let fleet = &collector.fleet;
        let live = fleet.live(&sender.key)?;
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        fleet.heard(&mut live)?;
        work(fleet, &mut live)
    });
    worked.await.map_err(|error| Refusal::Unreadable(Box::new(error)))?
}

impl Fleet {
    pub(crate) fn new(handle: Handle) -> Self {
        let machines = Machines::of(handle.home());
        Self { machines, handle, witness: Mutex::new(None), live: Mutex::new(HashMap::new()) }
    }

    /// Finds the machine that hands in with a key.
    fn live(&self, key: &str) -> Result<Arc<Mutex<Live>>, Fault> {
        let machines = self.machines.list().map_err(|error| unusable(&error))?;
        let machine = machines.into_iter().find(|machine| machine.key == key);
        let Some(machine) = machine else {
            let told = "this key is of no machine of the fleet: sealtrail fleet add";
            return Err(plain(StatusCode::FORBIDDEN, "not-enrolled", told).into());
        };
        self.live_of(machine).map_err(|error| unusable(&error))
    }

    fn live_of(&self, machine: Machine) -> Result<Arc<Mutex<Live>>, FleetError> {
        let mut all = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, live)) = all.get(&machine.name)
            && *known == machine
        {
            return Ok(Arc::clone(live));
        }
        let state = self.machines.state(&machine.name)?;
        let known = machine.clone();
        let live = Arc::new(Mutex::new(Live { machine, state, mirror: None, kept: None }));
        all.insert(known.name.clone(), (known, Arc::clone(&live)));
        Ok(live)
    }

    /// Opens the copy of a machine's log.
    fn mirror<'a>(&self, live: &'a mut Live) -> Result<&'a mut Mirror, MirrorError> {
        if live.mirror.is_none() {
            let dir = self.machines.mirror(&live.machine.name);
            let key = live.machine.verifier().map_err(|_| MirrorError::Log { what: "the enrolled key is damaged" })?;
            live.mirror = Some(Mirror::open(Arc::clone(self.machines.disk()), &dir, key)?);
        }
        live.mirror.as_mut().ok_or(MirrorError::Poisoned)
    }

    /// Returns the witness's key, named after the collector's own log.
    fn witness(&self) -> Result<Arc<SigningKey>, Fault> {
        let mut key = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*key {
            return Ok(Arc::clone(key));
        }
        let made = self.make_witness().map_err(|why| plain(StatusCode::SERVICE_UNAVAILABLE, "witness", why))?;
        Ok(Arc::clone(key.insert(Arc::new(made))))
    }

    fn make_witness(&self) -> Result<SigningKey, String> {
        let reader = Reader::open(Arc::clone(self.machines.disk()), &self.handle.home().ledger()).map_err(|error| error.to_string())?;
        let name = KeyName::parse(&format!("{}/witness", reader.log().origin)).map_err(|error| error.to_string())?;
        self.machines.witness(&name).map_err(|error| error.to_string())
    }
}

/// Makes the answer when the fleet's files cannot be used.
fn unusable(error: &FleetError) -> Fault {
    plain(StatusCode::SERVICE_UNAVAILABLE, "fleet", told(error)).into()
}

/// Makes the answer when a copy cannot be used.
fn broken(error: &MirrorError) -> Fault {
    plain(StatusCode::SERVICE_UNAVAILABLE, "mirror", told(error)).into()
}

/// Returns an error with its causes, as one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Makes a plain answer of a kind.
fn answer(status: StatusCode, kind: &'static str, text: String) -> Response {
    (status, [(axum::http::header::CONTENT_TYPE, kind)], text).into_response()
}
