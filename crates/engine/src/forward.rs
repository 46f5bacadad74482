//! A machine of a fleet hands its log in: what is sealed here is copied by a collector, which cosigns the checkpoints of it.
//!
//! It speaks through a function that carries one request, so that it has no network of its own. Everything that leaves was published before: a collector
//! never knows more of a log than a checkpoint that lies here says, unless the log went back.

use std::path::PathBuf;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use sealtrail_ledger::mirror::{OutChunk, Outgoing, OutgoingError};
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_ledger::read::{ReadError, Reader};
use sealtrail_tlog::cosignature::{CosignatureError, WitnessKey};
use sealtrail_tlog::note::{Note, NoteError, NoteSignature};
use sealtrail_tlog::{Checkpoint, NodeHash, TreeSize, VerifierKey, strict64};
use serde_json::{Value, json};

use crate::home::Home;

/// 4: the tiles of a checkpoint may go while a round reads them, because the next is published.
const TRIES: usize = 4;
/// 200 characters of a refusal are kept.
const DETAIL_CHARS: usize = 200;

/// What is handed in, and whose word is believed.
#[derive(Clone, Debug)]
pub struct ForwardOptions {
    /// Whether slots leave: prompts, inputs, outputs, persons.
    pub content: bool,
    /// The witness whose cosignature counts.
    pub witness: Option<WitnessKey>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path at the collector.
    pub path: &'static str,
    /// Body of a `POST`.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Events that the published checkpoint covers.
    pub size: u64,
    /// Events that the collector has a copy of.
    pub mirrored: u64,
    /// Events that the cosigned checkpoint covers.
    pub cosigned: u64,
    /// Requests that carried batches.
    pub pieces: u64,
    /// Bytes of batches.
    pub bytes: u64,
    /// When the trusted witness saw it, in seconds since 1970; nothing when no witness is trusted.
    pub seen: Option<u64>,
}

/// Why a round did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// Another process is at it.
    #[error("another process forwards this trail at the moment")]
    Busy,
    /// The disk refused.
    #[error("cannot keep what the witness signed")]
    Disk(#[from] DiskError),
    /// The ledger cannot be read.
    #[error("cannot read the trail")]
    Read(#[from] ReadError),
    /// The ledger's batches cannot be read.
    #[error("cannot read the trail")]
    Outgoing(#[from] OutgoingError),
    /// There is no usable checkpoint, or no proof.
    #[error("cannot prove what is to be forwarded")]
    Prove(#[from] ProveError),
    /// The collector was not reached.
    #[error("the collector does not answer: {why}")]
    Unreachable {
        /// Why.
        why: String,
    },
    /// The answer makes no sense.
    #[error("the collector's answer to {path} cannot be understood (status {status})")]
    Answer {
        /// What was asked.
        path: &'static str,
        /// Its status.
        status: u16,
    },
    /// The collector refused for now.
    #[error("the collector refused {path} with status {status}: {detail}")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// Its status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// The collector knows another log than this one.
    #[error(
        "the collector refused the checkpoint of {size} events: it has cosigned {cosigned} and copied {mirrored}; this log went back or was forked"
    )]
    Contradiction {
        /// Events of the checkpoint here.
        size: u64,
        /// Events cosigned before.
        cosigned: u64,
        /// Events copied before.
        mirrored: u64,
        /// What it said.
        detail: String,
    },
    /// The witness signed nothing that counts.
    #[error("the collector's cosignature is not of the witness that the configuration names")]
    NotTheWitness,
    /// The cosignature is wrong.
    #[error("the collector's cosignature is wrong")]
    Cosignature(#[from] CosignatureError),
    /// The cosignature cannot be read.
    #[error("the collector's cosignature cannot be read")]
    Note(#[from] NoteError),
}

/// What the collector says it knows.
struct Known {
    mirrored: u64,
    cosigned: u64,
}

type Send<'a> = dyn FnMut(Request) -> Result<Reply, String> + 'a;

/// Hands in what is new, and has the published checkpoint cosigned. Waits for the network; call it on a thread of its own.
pub fn forward(home: &Home, options: &ForwardOptions, send: &mut Send<'_>) -> Result<Forwarded, ForwardError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    disk.create_dir(&folder(home))?;
    // Two at once would let an older checkpoint arrive after a newer one, which looks like a log that went back.
    let lock = disk.lock(&folder(home).join("lock"));
    let _alone = match lock {
        Err(error) if error.is_locked() => return Err(ForwardError::Busy),
        lock => lock?,
    };
    let mut tries = 0;
    loop {
        let reader = Reader::open(Arc::clone(&disk), &home.ledger())?;
        match (Round { home, options, reader: &reader, disk: &disk, done: Forwarded::default() }).run(send) {
            Err(ForwardError::Prove(_)) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Returns the newest checkpoint that a witness cosigned, and when; nothing when there is none of `witness` that this log continues.
pub fn witnessed(home: &Home, witness: &WitnessKey) -> Option<(TreeSize, u64)> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let reader = Reader::open(Arc::clone(&disk), &home.ledger()).ok()?;
    let key = VerifierKey::parse(&reader.log().vkey).ok()?;
    let bytes = disk.read(&cosigned_note(home)).ok()?;
    let (checkpoint, note) = Checkpoint::open(&bytes, &key, &[]).ok()?;
    let seen = witness.seen(&note).ok()??;
    let now = Prover::new(&reader).ok()?.checkpoint().size;
    let grown = reader.prove_consistency(checkpoint.size, now).ok()?;
    (grown.old_root == checkpoint.root).then_some((checkpoint.size, seen))
}

/// Returns where the newest cosigned checkpoint lies.
pub fn cosigned_note(home: &Home) -> PathBuf {
    folder(home).join("checkpoint")
}

fn folder(home: &Home) -> PathBuf {
    home.path().join("witness")
}

struct Round<'a> {
    home: &'a Home,
    options: &'a ForwardOptions,
    reader: &'a Reader,
    disk: &'a Arc<dyn Disk>,
    done: Forwarded,
}

impl Round<'_> {
    fn run(mut self, send: &mut Send<'_>) -> Result<Forwarded, ForwardError> {
        let mut prover = Prover::new(self.reader)?;
        let size = prover.checkpoint().size;
        self.done.size = size.0;
        let known = ask_state(send)?;
        (self.done.mirrored, self.done.cosigned) = (known.mirrored, known.cosigned);
        if known.mirrored <= size.0 && known.cosigned <= size.0 {
            self.pieces(&mut prover, &known, send)?;
        }
        self.checkpoint(&mut prover, &known, send)?;
        Ok(self.done)
    }

    fn pieces(&mut self, prover: &mut Prover<'_>, known: &Known, send: &mut Send<'_>) -> Result<(), ForwardError> {
        let size = prover.checkpoint().size;
        let mut outgoing = Outgoing::open(Arc::clone(self.disk), &self.home.ledger(), known.mirrored, self.options.content)?;
        while let Some(chunk) = outgoing.chunk(size)? {
            let proof = prover.prove_consistency(TreeSize(chunk.new), size)?.hashes;
            let body = self.piece(&chunk, &proof, prover.note());
            let reply = ask(send, "POST", "/v1/fleet/batches", body)?;
            match reply.status {
                200 => {}
                // What the collector cannot take for a piece of this log, its witness judges by the checkpoint.
                422 => {
                    let detail = detail(&reply);
                    self.checkpoint(prover, known, send)?;
                    return Err(ForwardError::Refused { path: "/v1/fleet/batches", status: 422, detail });
                }
                status => return Err(ForwardError::Refused { path: "/v1/fleet/batches", status, detail: detail(&reply) }),
            }
            self.done.pieces += 1;
            self.done.bytes += chunk.bytes.len() as u64;
            self.done.mirrored = chunk.new;
        }
        Ok(())
    }

    fn piece(&self, chunk: &OutChunk, proof: &[NodeHash], note: &str) -> Vec<u8> {
        let proof: Vec<String> = proof.iter().map(|hash| strict64::encode(hash.as_bytes())).collect();
        let mut head = json!({ "segment": chunk.segment, "old": chunk.old, "note": note, "proof": proof });
        if let (0, Some(head)) = (chunk.old, head.as_object_mut()) {
            head.insert("log".to_owned(), String::from_utf8_lossy(&self.reader.log().encode()).into());
        }
        let mut body = format!("{head}\n").into_bytes();
        body.extend_from_slice(&chunk.bytes);
        body
    }

    fn checkpoint(&mut self, prover: &mut Prover<'_>, known: &Known, send: &mut Send<'_>) -> Result<(), ForwardError> {
        let size = prover.checkpoint().size;
        let old = TreeSize(known.cosigned.min(size.0));
        let mut body = format!("old {}\n", old.0);
        for hash in prover.prove_consistency(old, size)?.hashes {
            strict64::encode_into(hash.as_bytes(), &mut body);
            body.push('\n');
        }
        body.push('\n');
        body.push_str(prover.note());
        let reply = ask(send, "POST", "/add-checkpoint", body.into_bytes())?;
        match reply.status {
            200 => self.cosigned(prover.note(), &reply),
            409 | 422 => {
                let (cosigned, mirrored) = (known.cosigned, known.mirrored);
                Err(ForwardError::Contradiction { size: size.0, cosigned, mirrored, detail: detail(&reply) })
            }
            status => Err(ForwardError::Refused { path: "/add-checkpoint", status, detail: detail(&reply) }),
        }
    }

    /// Keeps the checkpoint with its cosignatures beside the ledger.
    fn cosigned(&mut self, note: &str, reply: &Reply) -> Result<(), ForwardError> {
        let mut note = Note::parse(note.as_bytes())?;
        let senseless = || ForwardError::Answer { path: "/add-checkpoint", status: reply.status };
        let lines = std::str::from_utf8(&reply.body).map_err(|_| senseless())?;
        for line in lines.lines() {
            note.push(NoteSignature::parse(line).ok_or_else(senseless)?);
        }
        if let Some(witness) = &self.options.witness {
            self.done.seen = Some(witness.seen(&note)?.ok_or(ForwardError::NotTheWitness)?);
        }
        let text = note.to_text();
        // What is kept can be read back, or is not kept.
        Note::parse(text.as_bytes())?;
        replace(&**self.disk, &cosigned_note(self.home), text.as_bytes())?;
        self.done.cosigned = self.done.size;
        Ok(())
    }
}

fn ask_state(send: &mut Send<'_>) -> Result<Known, ForwardError> {
    const PATH: &str = "/v1/fleet/state";
    let reply = ask(send, "GET", PATH, Vec::new())?;
    if reply.status != 200 {
        return Err(ForwardError::Refused { path: PATH, status: reply.status, detail: detail(&reply) });
    }
    let said: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let number = |name: &str| said.as_ref()?.get(name)?.as_u64();
    match (number("mirrored"), number("cosigned")) {
        (Some(mirrored), Some(cosigned)) => Ok(Known { mirrored, cosigned }),
        _ => Err(ForwardError::Answer { path: PATH, status: reply.status }),
    }
}

fn ask(send: &mut Send<'_>, method: &'static str, path: &'static str, body: Vec<u8>) -> Result<Reply, ForwardError> {
    send(Request { method, path, body }).map_err(|why| ForwardError::Unreachable { why })
}

/// Returns what a refusal says: the detail of a problem, or the text.
fn detail(reply: &Reply) -> String {
    let problem: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let said = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str()).map(str::to_owned);
    let text = said.unwrap_or_else(|| String::from_utf8_lossy(&reply.body).into_owned());
    text.trim().chars().filter(|c| !c.is_control()).take(DETAIL_CHARS).collect()
}
