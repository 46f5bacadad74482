//! The folders of jobs, and their limits.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sealtrail_disk::{RealDisk, replace};
use sealtrail_engine::Home;
use sealtrail_query::Search;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;

/// 4: each worker takes a core and up to 200 MB.
const RUNNING_MAX: usize = 4;
/// 100 jobs that have ended are kept, at most 1 GiB of results in all; the oldest go first.
const KEPT_MAX: usize = 100;
const KEPT_BYTES_MAX: u64 = 1 << 30;
/// 256 MiB of positions are more than five million events.
pub(crate) const RESULT_BYTES_MAX: u64 = 256 << 20;
/// A worker that dies again and again is not started for ever.
const STARTS_MAX: u32 = 8;
/// 10 s: a worker takes its lock in milliseconds, on a busy machine later.
const START_WAIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It has no worker yet, or has one.
    Running,
    /// It found everything.
    Done,
    /// It broke off with an error.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It reached the limit of a result.
    Stopped,
    /// Its rows were forgotten because something was erased since.
    Outdated,
}

impl State {
    /// Returns the word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
            Self::Outdated => "outdated",
        }
    }
}

/// What the lines of a result are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Positions of single events.
    Events,
    /// Positions of the events of each match.
    Matches,
    /// Rows of a report.
    Rows,
}

/// One search in the background.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) job: String,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    pub(crate) created: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) query: String,
    pub(crate) search: Search,
    pub(crate) oldest_first: bool,
    pub(crate) limit: Option<u64>,
    pub(crate) scan: bool,
    pub(crate) bookkeeping: bool,
    pub(crate) readings: bool,
    pub(crate) fields: Vec<String>,
    /// Columns of a report.
    pub(crate) columns: Vec<String>,
    /// Events of the ledger when the search began: it looks at these, however often it is continued.
    pub(crate) size: u64,
    pub(crate) found: u64,
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) starts: u32,
    pub(crate) pid: Option<u32>,
    pub(crate) error: Option<String>,
}

/// The jobs of a home.
#[derive(Clone)]
pub(crate) struct Store {
    home: PathBuf,
    dir: PathBuf,
}

/// That a worker, or nobody, works on a job.
pub(crate) struct Held(#[expect(dead_code, reason = "the lock goes with the file")] File);

impl Store {
    /// Names the jobs of a home; nothing has to be there.
    pub(crate) fn of(home: &Home) -> Self {
        Self { home: home.path().to_owned(), dir: home.path().join("jobs") }
    }

    /// Returns the folder of a job.
    pub(crate) fn folder(&self, job: &str) -> PathBuf {
        self.dir.join(job)
    }

    /// Returns the file of a job's result.
    pub(crate) fn result(&self, job: &str) -> PathBuf {
        self.folder(job).join("result.ndjson")
    }

    /// Makes a job and starts its worker.
    pub(crate) fn create(&self, job: &Job) -> Result<(), Failure> {
        self.make_room()?;
        let folder = self.folder(&job.job);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| Failure::file("make", &folder, &error))?;
        self.save(job)?;
        self.start(&job.job)
    }

    /// Reads every job, newest first. A folder without a readable job is left out.
    pub(crate) fn list(&self) -> Vec<Job> {
        let folders = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut jobs: Vec<Job> = folders.filter_map(|entry| self.load(entry.file_name().to_str()?).ok()).collect();
        jobs.sort_by(|a, b| (b.created, &b.job).cmp(&(a.created, &a.job)));
        jobs
    }

    /// Reads a job by its id, or the newest.
    pub(crate) fn find(&self, name: &str) -> Result<Job, Failure> {
        let missing = || Failure::new("job.missing", Exit::Failed, format!("there is no job {}", crate::visible::visible(name)));
        if name == "last" {
            return self.list().into_iter().next().ok_or_else(missing);
        }
        if !is_id(name) {
            return Err(missing().hint("list them: sealtrail jobs list"));
        }
        self.load(name).map_err(|_| missing().hint("list them: sealtrail jobs list"))
    }

    fn load(&self, job: &str) -> Result<Job, io::Error> {
        serde_json::from_slice(&fs::read(self.folder(job).join("job.json"))?).map_err(io::Error::other)
    }

    /// Writes what is known of a job, whole or not at all.
    pub(crate) fn save(&self, job: &Job) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(job).map_err(|error| Failure::of("job.save", &error))?;
        let path = self.folder(&job.job).join("job.json");
        replace(&RealDisk, &path, &bytes).map_err(|error| Failure::of("job.save", &error))
    }

    /// Takes the lock of a job; nothing when a worker has it.
    pub(crate) fn hold(&self, job: &str) -> Result<Option<Held>, Failure> {
        let path = self.folder(job).join("lock");
        let failed = |error: &io::Error| Failure::file("open", &path, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Starts the worker of a job, detached, and waits until it has taken the lock or has ended.
    fn start(&self, job: &str) -> Result<(), Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::because("job.start", Exit::Failed, "cannot find this program", &error))?;
        let log = self.folder(job).join("log");
        let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
        let log = open().map_err(|error| Failure::file("open", &log, &error))?;
        let mut command = Command::new(&program);
        command.arg("--home").arg(&self.home).args(["--no-input", "--no-progress", "jobs", "work", job]);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut worker = command.spawn().map_err(|error| Failure::file("start", &program, &error))?;
        let deadline = Instant::now() + START_WAIT;
        while Instant::now() < deadline {
            let gone = worker.try_wait().is_ok_and(|status| status.is_some());
            let begun = self.load(job).is_ok_and(|job| job.pid == Some(worker.id()) || job.state != State::Running);
            if gone || begun {
                return Ok(());
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// Continues what has lost its worker; returns the ids.
    pub(crate) fn revive(&self) -> Result<Vec<String>, Failure> {
        let mut revived = Vec::new();
        for mut job in self.list().into_iter().filter(|job| job.state == State::Running) {
            let Some(held) = self.hold(&job.job)? else { continue };
            // Looked at again under the lock: its worker may have ended properly in between.
            if self.load(&job.job).is_ok_and(|now| now.state != State::Running) {
                continue;
            }
            if job.starts >= STARTS_MAX {
                job.state = State::Failed;
                job.error = Some(format!("its worker died {} times", job.starts));
                self.save(&job)?;
                continue;
            }
            drop(held);
            self.start(&job.job)?;
            revived.push(job.job);
        }
        Ok(revived)
    }

    /// Asks the worker to stop; a job without a worker is cancelled here.
    pub(crate) fn cancel(&self, job: &Job) -> Result<(), Failure> {
        let path = self.cancelled(&job.job);
        fs::write(&path, b"").map_err(|error| Failure::file("write", &path, &error))?;
        if let Some(_held) = self.hold(&job.job)? {
            let mut job = self.find(&job.job)?;
            if job.state == State::Running {
                job.state = State::Cancelled;
                job.finished = Some(Timestamp::now());
                self.save(&job)?;
            }
        }
        Ok(())
    }

    /// Returns the file that asks the worker to stop.
    pub(crate) fn cancelled(&self, job: &str) -> PathBuf {
        self.folder(job).join("cancel")
    }

    /// Removes a job that has no worker.
    pub(crate) fn remove(&self, job: &Job) -> Result<(), Failure> {
        let Some(_held) = self.hold(&job.job)? else {
            return Err(Failure::new("job.running", Exit::Unavailable, format!("cannot remove {}: it runs", job.job))
                .hint(format!("stop it first: sealtrail jobs cancel {}", job.job)));
        };
        let folder = self.folder(&job.job);
        fs::remove_dir_all(&folder).map_err(|error| Failure::file("remove", &folder, &error))
    }

    /// Forgets the rows of reports: values in them may be what was erased.
    pub(crate) fn forget_rows(&self, erased_from: u64) -> Result<u64, Failure> {
        let mut forgotten = 0;
        for mut job in self.list().into_iter().filter(|job| job.kind == Kind::Rows && job.size <= erased_from) {
            let path = self.result(&job.job);
            if job.state == State::Running || !path.exists() {
                continue;
            }
            fs::remove_file(&path).map_err(|error| Failure::file("remove", &path, &error))?;
            job.state = State::Outdated;
            self.save(&job)?;
            forgotten += 1;
        }
        Ok(forgotten)
    }

    /// Removes the oldest jobs that have ended until a new one fits.
    fn make_room(&self) -> Result<(), Failure> {
        let jobs = self.list();
        let (running, ended): (Vec<&Job>, Vec<&Job>) = jobs.iter().partition(|job| job.state == State::Running);
        if running.len() >= RUNNING_MAX {
            let told = format!("cannot start a search: {} run already (limit {RUNNING_MAX})", running.len());
            return Err(Failure::new("job.limit", Exit::Unavailable, told)
                .hint("see which: sealtrail jobs list; stop one: sealtrail jobs cancel ID"));
        }
        let mut bytes = 0;
        for (at, job) in ended.into_iter().enumerate() {
            bytes += self.bytes(&job.job);
            if at + 1 >= KEPT_MAX || bytes > KEPT_BYTES_MAX {
                self.remove(job)?;
            }
        }
        Ok(())
    }

    /// Returns how many bytes the result of a job takes.
    pub(crate) fn bytes(&self, job: &str) -> u64 {
        fs::metadata(self.result(job)).map_or(0, |meta| meta.len())
    }
}

/// Makes the id of a job: its time, and three random bytes.
pub(crate) fn new_id(now: Timestamp) -> Result<String, Failure> {
    let mut random = [0; 3];
    getrandom::fill(&mut random).map_err(|error| Failure::of("job.id", &error))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("job_{}_{hex}", now.strftime("%Y%m%d_%H%M%S")))
}

/// A name is a folder: nothing but our own form is looked up.
fn is_id(name: &str) -> bool {
    name.starts_with("job_") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Waits between two looks.
pub(crate) fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    // Nobody sends.
    let _ = never.recv_timeout(time);
}

/// Opens the result of a job to add to it, after cutting a line that was not written whole.
pub(crate) fn open_result(path: &Path) -> Result<(File, Vec<u8>), Failure> {
    let failed = |error: io::Error| Failure::file("write", path, &error);
    let whole = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    file.set_len(end as u64).map_err(failed)?;
    let mut whole = whole;
    whole.truncate(end);
    Ok((file, whole))
}
