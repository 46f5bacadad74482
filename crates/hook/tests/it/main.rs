//! The hook binary from outside: no recorder, a recorder that answers, one that hangs, and a spool that cannot be written.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorder;

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crypto_box::SecretKey;
use sealtrail_intake::{Answer, BODY_BYTES_MAX, Class, FailMode, Frame, GapTable, HEADER_BYTES, HookConf, Piece, header_length, pieces};

const PRE: &str = r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_input":{"command":"echo top-secret"}}"#;

struct Trail {
    folder: tempfile::TempDir,
    key: SecretKey,
}

fn trail() -> Trail {
    let folder = tempfile::tempdir().unwrap();
    for name in ["run", "spool"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let key = SecretKey::from_bytes([9; 32]);
    let hex: String = key.public_key().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.path().join("run/spool.pub"), hex + "\n").unwrap();
    Trail { folder, key }
}

impl Trail {
    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn hook(&self, input: &[u8]) -> Output {
        run(Command::new(env!("CARGO_BIN_EXE_sealtrail-hook")).arg("--home").arg(self.home()), input)
    }

    fn conf(&self, change: impl Fn(&mut HookConf)) {
        let mut conf = HookConf::default();
        change(&mut conf);
        std::fs::write(self.home().join("run/hook.conf"), conf.text()).unwrap();
    }

    fn spool(&self) -> PathBuf {
        let uid = self.home().metadata().unwrap().uid();
        self.home().join(format!("spool/{uid}.spool"))
    }

    /// Opens every record of the open spool file.
    fn spooled(&self) -> Vec<(Frame, Vec<u8>)> {
        let bytes = std::fs::read(self.spool()).unwrap_or_default();
        let sealed = pieces(&bytes, |sealed| self.key.unseal(sealed).is_ok());
        let boxes = sealed.into_iter().map(|(_, piece)| if let Piece::Box(sealed) = piece { sealed } else { panic!("torn") });
        let plain = boxes.map(|sealed| self.key.unseal(sealed).unwrap());
        plain.map(|plain| Frame::parse_whole(&plain).map(|(frame, body)| (frame, body.to_vec())).unwrap()).collect()
    }

    fn gaps(&self) -> Vec<(String, String, u64)> {
        let table = GapTable::from_bytes(&std::fs::read(self.home().join("spool/gaps")).unwrap_or_default());
        table.gaps().into_iter().map(|gap| (gap.class, gap.cause, gap.count)).collect()
    }
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    let piped = command.env("CLAUDE_PID", "4000").env("AI_AGENT", "claude-code_2-1-329_harness");
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A hook that does not read its input (switched off) closes the pipe: that is its right.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn silent(output: &Output) -> bool {
    output.status.code() == Some(0) && output.stdout.is_empty() && output.stderr.is_empty()
}

/// Protects events while no recorder runs: they are in the spool, in order, complete, and nothing of them can be read without the key.
#[test]
fn without_recorder_events_are_spooled_sealed_and_in_order() {
    let trail = trail();
    for n in 0..5 {
        assert!(silent(&trail.hook(format!("{{\"n\":{n},\"secret\":\"hunter2\"}}").as_bytes())));
    }
    let spooled = trail.spooled();
    let numbers: Vec<String> = spooled.iter().map(|(_, body)| String::from_utf8(body[5..6].to_vec()).unwrap()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
    let frame = &spooled[0].0;
    assert_eq!((frame.client_pid, frame.client.as_str()), (4000, "claude-code_2-1-329_harness"));
    assert_eq!(frame.delivery.unix_ms(), frame.received_unix_ns / 1_000_000);
    let path = trail.spool();
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644, "another user may be the recorder; the content is sealed");
    let bytes = std::fs::read(path).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    assert!(trail.gaps().is_empty());
}

/// Protects concurrent sessions: many hooks at once lose nothing and tear nothing.
#[test]
fn concurrent_hooks_share_the_spool() {
    let trail = trail();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..8).for_each(|_| assert!(silent(&trail.hook(PRE.as_bytes())))));
        }
    });
    let mut ids: Vec<_> = trail.spooled().iter().map(|(frame, _)| frame.delivery).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 64);
}

/// Protects the exchange with the recorder: the frame arrives whole, the answer decides the exit code, and nothing is spooled.
#[test]
fn recorder_answers_decide() {
    let trail = trail();
    let listener = UnixListener::bind(trail.home().join("run/sealtrail.sock")).unwrap();
    for (answer, code, spooled) in
        [(Answer::Sealed(7), 0, 0), (Answer::Discarded, 0, 0), (Answer::Block("rule 7 forbids this".into()), 2, 0), (Answer::Retry, 0, 1)]
    {
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut header = vec![0u8; HEADER_BYTES];
                socket.read_exact(&mut header).unwrap();
                let mut rest = vec![0u8; header_length(&header).unwrap() - HEADER_BYTES];
                socket.read_exact(&mut rest).unwrap();
                header.extend(rest);
                let mut body = vec![0u8; Frame::parse(&header).unwrap().body as usize];
                socket.read_exact(&mut body).unwrap();
                assert_eq!(body, PRE.as_bytes());
                socket.write_all(&answer.encode()).unwrap();
            });
            trail.hook(PRE.as_bytes())
        });
        assert_eq!((output.status.code(), trail.spooled().len()), (Some(code), spooled), "{answer:?}");
        assert!(output.stdout.is_empty());
        if let Answer::Block(reason) = &answer {
            assert_eq!(String::from_utf8(output.stderr).unwrap(), *reason);
        }
    }
}

/// Protects the client from a recorder that hangs: the hook gives up at its deadline and spools.
#[test]
fn hanging_recorder_costs_only_the_deadline() {
    let trail = trail();
    trail.conf(|conf| conf.deadline_ms = 50);
    let listener = UnixListener::bind(trail.home().join("run/sealtrail.sock")).unwrap();
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(trail.spooled().len(), 1);
    drop(listener);
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(trail.spooled().len(), 2, "a socket file without a recorder behind it");
}

/// Protects the fail mode: what can be recorded nowhere is counted, and denied only before a tool runs and only when the operator chose so.
#[test]
fn unwritable_spool_is_counted_and_fails_as_configured() {
    let trail = trail();
    std::fs::remove_file(trail.home().join("run/spool.pub")).unwrap();
    assert!(silent(&trail.hook(PRE.as_bytes())), "the default is to continue");
    trail.conf(|conf| conf.fail[Class::ToolInvocation as usize] = FailMode::Block);
    let denied = trail.hook(PRE.as_bytes());
    assert_eq!(denied.status.code(), Some(2));
    let reason = String::from_utf8(denied.stderr).unwrap();
    assert!(reason.contains("cannot be recorded") && reason.contains("sealtrail daemon"), "{reason}");
    assert!(silent(&trail.hook(PRE.replace("PreToolUse", "PostToolUse").as_bytes())), "the tool has run: nothing is left to deny");
    assert!(silent(&trail.hook(br#"{"hook_event_name":"SessionStart"}"#)), "another class");
    assert_eq!(trail.gaps(), [("tool_invocation".into(), "no_key".into(), 3), ("session_lifecycle".into(), "no_key".into(), 1)]);
}

/// Protects the record of a full disk: the write fails after a part, the part is taken back, the loss is counted without needing room.
#[test]
fn full_disk_takes_back_the_part_and_counts() {
    let trail = trail();
    std::fs::write(trail.home().join("spool/gaps"), [0u8; sealtrail_intake::GAP_BYTES]).unwrap();
    assert!(silent(&trail.hook(PRE.as_bytes())));
    // A limit on file sizes stands in for a full disk: 8 blocks of 1 KiB hold the gap table and the first record, not this one.
    let big = format!(r#"{{"hook_event_name":"PreToolUse","x":"{}"}}"#, "y".repeat(100_000));
    let mut limited = Command::new("bash");
    limited
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 8; exec \"$0\" --home \"$1\"")
        .arg(env!("CARGO_BIN_EXE_sealtrail-hook"))
        .arg(trail.home());
    assert!(silent(&run(&mut limited, big.as_bytes())));
    assert_eq!(trail.gaps(), [("tool_invocation".into(), "disk_full".into(), 1)]);
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(trail.spooled().len(), 2, "the spool goes on as if nothing had happened");
}

/// Protects the drain's memory: a full file is closed under another name, and with too many of them the loss is counted instead.
#[test]
fn full_spool_files_are_closed_and_bounded() {
    let trail = trail();
    let full = |path: &Path| std::fs::File::create(path).unwrap().set_len(64 * 1024 * 1024).unwrap();
    full(&trail.spool());
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(trail.spooled().len(), 1, "a new file began");
    let closed = |n: u32| trail.spool().with_file_name(format!("{}-{n:02}.spool", trail.spool().file_stem().unwrap().to_string_lossy()));
    assert_eq!(closed(0).metadata().unwrap().len(), 64 * 1024 * 1024);
    (1..64).for_each(|n| full(&closed(n)));
    full(&trail.spool());
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(trail.gaps(), [("tool_invocation".into(), "spool_full".into(), 1)]);
}

/// Protects memory: input beyond the limit is dropped, and the frame says how much came.
#[test]
fn oversized_input_is_bounded_and_disclosed() {
    let trail = trail();
    let input = vec![b'x'; BODY_BYTES_MAX + 12_345];
    assert!(silent(&trail.hook(&input)));
    let (frame, body) = trail.spooled().remove(0);
    assert_eq!((frame.seen, body.len()), (input.len() as u64, BODY_BYTES_MAX));
}

/// Protects an operator who switched the trail off, and one who mistyped an argument.
#[test]
fn switched_off_and_wrong_arguments() {
    let trail = trail();
    trail.conf(|conf| conf.enabled = false);
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert!(!trail.spool().exists());
    let wrong = run(Command::new(env!("CARGO_BIN_EXE_sealtrail-hook")).arg("--hom"), b"");
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8(wrong.stderr).unwrap().starts_with("sealtrail-hook: unknown argument `--hom`\nusage:"));
}

/// Protects against a spool folder that is a trap: a symbolic link in the place of the spool is not followed.
#[test]
fn symbolic_link_is_not_followed() {
    let trail = trail();
    let target = trail.home().join("elsewhere");
    std::fs::write(&target, b"precious").unwrap();
    std::os::unix::fs::symlink(&target, trail.spool()).unwrap();
    assert!(silent(&trail.hook(PRE.as_bytes())));
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    assert_eq!(trail.gaps().len(), 1);
}
