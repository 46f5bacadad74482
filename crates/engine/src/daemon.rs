//! The daemon: started, run until a signal, stopped so that nothing it took is lost.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use sealtrail_config::Loaded;
use sealtrail_event::{Envelope, Event, Severity, SlotName, Token, Witness};
use sealtrail_ledger::AppendError;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock::{new_id, time_token, unix_ns};
use crate::connection::accept_all;
use crate::drain::Drained;
use crate::handle::Handle;
use crate::home::{Home, HomeError};
use crate::indexing::follow;
use crate::queue::What;
use crate::rounds::{Sealing, look_after, run_jobs};
use crate::sealer::Sealer;
use crate::settings::{self, SettingsError, hook_conf, load_config, one};
use crate::shared::Shared;
use crate::socket;
use crate::trail::{Opened, Trail, TrailError, close};
use crate::transcripts;

/// Where the daemon finds its configuration.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// The file that was asked for.
    pub config: Option<PathBuf>,
    /// The folder whose project configuration is taken when the home has none.
    pub cwd: Option<PathBuf>,
}

/// Why the daemon cannot start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration cannot be used.
    #[error("cannot start the daemon")]
    Settings(#[from] SettingsError),
    /// The trail cannot be opened.
    #[error("cannot start the daemon")]
    Trail(#[from] TrailError),
    /// A file of the home cannot be written.
    #[error("cannot start the daemon")]
    Home(#[from] HomeError),
    /// The socket cannot be made.
    #[error("cannot listen on {}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or the signal handler cannot be made.
    #[error("cannot start a thread of the daemon")]
    Thread(#[source] io::Error),
    /// The ledger stopped; only opening it again tells what is durable.
    #[error("the daemon stopped because the ledger did")]
    Ledger(#[from] AppendError),
    /// A thread of the daemon panicked, which is a defect.
    #[error("the daemon stopped because one of its threads did")]
    Panicked,
}

/// What a daemon did in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events in the ledger at the end.
    pub size: u64,
    /// What came out of the spool after the start.
    pub drained: Drained,
    /// Deliveries that were sent back to be spooled.
    pub sent_back: u64,
}

/// A running daemon.
pub struct Daemon {
    shared: Arc<Shared>,
    options: DaemonOptions,
    opened: Opened,
    listener: Arc<UnixListener>,
    accepting: JoinHandle<()>,
    looking: JoinHandle<Drained>,
    sealing: JoinHandle<Sealer>,
    working: JoinHandle<()>,
    indexing: JoinHandle<()>,
    following: JoinHandle<()>,
}

impl Daemon {
    /// Opens the trail and listens. When this returns, hooks are answered.
    pub fn start(home: &Home, options: DaemonOptions) -> Result<Self, DaemonError> {
        let loaded = load_config(home, options.config.as_deref(), options.cwd.as_deref())?;
        let (trail, opened) = Trail::open(home, &loaded)?;
        home.write_hook_conf(&hook_conf(&loaded.config))?;
        let listener = socket::listen(home, loaded.config.audit.capture.socket)
            .map_err(|source| DaemonError::Listen { path: home.socket(), source })?;
        let size = trail.size();
        let Trail { home, sealer, receiver, reader, key, .. } = trail;
        let shared = Arc::new(Shared::new(home, receiver, reader.clone(), size));
        apply(&shared, &loaded);

        let (jobs, due) = sync_channel(1);
        let own = Arc::clone(&shared);
        let working = thread("jobs", move || run_jobs(&own, &due))?;
        let (own, its) = (Arc::clone(&shared), reader.clone());
        let indexing = thread("index", move || follow(&own, its))?;
        let own = Arc::clone(&shared);
        let sealing = thread("seal", move || Sealing { shared: &own, sealer, reader, jobs, full_told: false }.run())?;
        let own = Arc::clone(&shared);
        let looking = thread("look", move || look_after(&own, &key))?;
        let own = Arc::clone(&shared);
        let following = thread("transcripts", move || transcripts::follow(&own))?;
        let (own, listener) = (Arc::clone(&shared), Arc::new(listener));
        let its = Arc::clone(&listener);
        let accepting = thread("accept", move || accept_all(&own, &its))?;
        Ok(Self { shared, options, opened, listener, accepting, looking, sealing, working, indexing, following })
    }

    /// Returns what opening the trail found and did.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Returns what other parts of this process may do with the daemon.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Runs until SIGTERM or SIGINT, or until the ledger cannot go on; SIGHUP reads the configuration again.
    pub fn run(self) -> Result<Summary, DaemonError> {
        self.run_then(|| ())
    }

    /// As [`Daemon::run`]; `first` ends those parts of the process that still want to seal something, before the daemon stops.
    pub fn run_then(self, first: impl FnOnce()) -> Result<Summary, DaemonError> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(DaemonError::Thread)?;
        let handle = signals.handle();
        let own = Arc::clone(&self.shared);
        let watching = thread("stop", move || {
            while !own.wait_for_stop(Duration::from_secs(3600)) {}
            handle.close();
        })?;
        for signal in signals.forever() {
            if signal != SIGHUP {
                break;
            }
            self.reload();
        }
        first();
        let summary = self.stop();
        watching.join().map_err(|_| DaemonError::Panicked)?;
        summary
    }

    /// Stops: no new connections, what is queued is sealed, the spool is drained once more, the ledger says that it ends.
    pub fn stop(self) -> Result<Summary, DaemonError> {
        let shared = self.shared;
        // While everything still runs: what the transcripts tell until now is sealed.
        shared.transcripts.finish();
        self.following.join().map_err(|_| DaemonError::Panicked)?;
        shared.stop();
        // Wakes every thread that waits for a connection, which then sees that the daemon stops; who connects from now on is refused and spools.
        rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both).map_err(|error| DaemonError::Thread(error.into()))?;
        self.accepting.join().map_err(|_| DaemonError::Panicked)?;
        self.indexing.join().map_err(|_| DaemonError::Panicked)?;
        let drained = self.looking.join().map_err(|_| DaemonError::Panicked)?;
        shared.queue.stop();
        let mut sealer = self.sealing.join().map_err(|_| DaemonError::Panicked)?;
        // The sealing thread held the other end of the jobs.
        self.working.join().map_err(|_| DaemonError::Panicked)?;
        for outcome in shared.queue.take(Duration::ZERO).outcomes {
            // A failed job is done by the next start.
            let _ = sealer.finish(outcome);
        }
        if let Some(error) = shared.take_trouble() {
            return Err(error.into());
        }
        let size = sealer.ledger.size().0;
        close(sealer).map_err(TrailError::from)?;
        // Left behind, it only makes the next hook find nobody.
        let _ = std::fs::remove_file(shared.home.socket());
        Ok(Summary { size, drained, sent_back: shared.sent_back.load(Ordering::Relaxed) })
    }

    /// Reads the configuration again; one that cannot be used changes nothing, and both are told in the trail.
    pub fn reload(&self) {
        let loaded = load_config(&self.shared.home, self.options.config.as_deref(), self.options.cwd.as_deref());
        match loaded {
            Ok(loaded) => {
                if let Some(event) = settings::change(&self.shared.home, &loaded) {
                    let reply = self.shared.push(What::Own(vec![event]));
                    if matches!(self.shared.wait(&reply), sealtrail_intake::Answer::Sealed(_)) {
                        settings::keep_hash(&self.shared.home, &loaded);
                    }
                }
                apply(&self.shared, &loaded);
                // Hooks go on with what they know; the daemon itself already holds the new settings.
                let _ = self.shared.home.write_hook_conf(&hook_conf(&loaded.config));
            }
            Err(error) => {
                if let Some(event) = rejected(&error) {
                    let reply = self.shared.push(What::Own(vec![event]));
                    // Nobody else to tell: the old configuration stays.
                    let _ = self.shared.wait(&reply);
                }
            }
        }
    }
}

fn apply(shared: &Shared, loaded: &Loaded) {
    shared.enabled.store(loaded.config.audit.enabled, Ordering::Relaxed);
    shared.side_files.store(loaded.config.audit.capture.side_files, Ordering::Relaxed);
    shared.transcripts.apply(&loaded.config.audit.transcripts);
}

fn rejected(error: &SettingsError) -> Option<Event> {
    let time = time_token(unix_ns())?;
    let mut envelope = Envelope::new(new_id(), Token::parse("system.config_rejected").ok()?, time.clone(), Witness::Recorder);
    envelope.recorded_at = Some(time);
    envelope.severity = Severity::High;
    let mut event = Event { envelope, slots: Vec::new() };
    let problems = match error {
        SettingsError::Invalid { problems, .. } => problems.iter().map(ToString::to_string).collect(),
        SettingsError::Read { .. } => Vec::new(),
    };
    event.put(SlotName::Content, one("config", json!({ "error": error.to_string(), "problems": problems })));
    Some(event)
}

fn thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, DaemonError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(DaemonError::Thread)
}
