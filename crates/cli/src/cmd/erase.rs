//! `erase`: slots of one event are removed for good; the record of that, and every proof, stays.

use rustix::time::{ClockId, clock_gettime};
use sealtrail_engine::{Home, Trail};
use sealtrail_event::{SlotName, Token};
use sealtrail_ledger::read::Stored;
use sealtrail_ledger::{EraseRequest, Erased, Stamp};
use serde_json::{Map, json};

use crate::args::Erase;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::home;
use crate::jobs::Store;
use crate::record;
use crate::run::Call;
use crate::trail;
use crate::visible::visible;
use crate::when::bytes;

pub(crate) fn run(call: &mut Call, args: &Erase) -> Result<Exit, Failure> {
    let slots = slots(&args.slot)?;
    let reason = Token::parse(&args.reason).map_err(|error| {
        Failure::because("usage.reason", Exit::Usage, "the reason stays readable for ever and must be a code", &error)
            .hint("use a code such as gdpr-17-request-4711; names and words belong into the request itself")
    })?;
    let stored = find(call, &args.audit_id)?;
    let there: Vec<SlotName> = stored.slots.iter().map(|slot| slot.name).filter(|name| slots.contains(name)).collect();
    let id = text(&stored.view(), "audit_id");
    if there.is_empty() {
        return Err(Failure::new("erase.nothing", Exit::Failed, format!("event {id} has none of these slots"))
            .hint(format!("it has: {}", stored.slots.iter().map(|slot| slot.name.as_str()).collect::<Vec<_>>().join(", "))));
    }
    for slot in stored.slots.iter().filter(|slot| there.contains(&slot.name)) {
        call.screen.say(&format!("{} of event {}: {}", slot.name.as_str(), stored.seq.0, bytes(slot.json.len() as u64)));
    }
    if args.dry_run {
        call.screen.say("dry run: nothing was erased");
        return Ok(Exit::Yes);
    }
    if args.confirm.as_deref() != Some(id.as_str()) {
        return Err(Failure::new("erase.confirm", Exit::Refused, "erasing cannot be undone and was not confirmed")
            .hint(format!("to erase it: add --confirm {id}")));
    }
    let request = EraseRequest {
        ranges: vec![(stored.seq, stored.seq)],
        slots: there,
        reason,
        policy: None,
        approver: None,
        legal_basis: None,
        content: Map::new(),
    };
    let erased = erase(call, &request)?;
    let forgotten = Store::of(&Home::new(home::find(&call.global)?)).forget_rows(erased.erase.0)?;
    if forgotten > 0 {
        call.screen.say(&format!("forgot the rows of {forgotten} finished searches: they may hold what was erased"));
    }
    if call.screen.wants_json() {
        let object = json!({"audit_id": id, "erase_seq": erased.erase.0, "slots": erased.slots, "bytes": erased.bytes});
        writeln!(call.screen.out(), "{object}")?;
    } else {
        call.screen.say(&format!(
            "erased {} slots, {}; recorded as event {}; the proof of event {} stays valid",
            erased.slots,
            bytes(erased.bytes),
            erased.erase.0,
            visible(&id)
        ));
    }
    Ok(Exit::Yes)
}

fn slots(names: &[String]) -> Result<Vec<SlotName>, Failure> {
    let known = || SlotName::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    names
        .iter()
        .map(|name| {
            SlotName::parse(name).ok_or_else(|| Failure::usage(format!("no slot {}", visible(name))).hint(format!("slots: {}", known())))
        })
        .collect()
}

/// Finds the event; the writer that this opens is closed again before the ledger is opened to erase.
fn find(call: &mut Call, id: &str) -> Result<Stored, Failure> {
    let mut trail = trail::open(call)?;
    crate::access::find(call, &mut trail, "erase", id)
}

fn erase(call: &Call, request: &EraseRequest) -> Result<Erased, Failure> {
    let home = Home::new(home::find(&call.global)?);
    let loaded = config::load(home.path())?;
    let (mut writer, _) = Trail::open(&home, &loaded).map_err(|error| record::refused(&error))?;
    let erased = writer.ledger().erase(request, &stamp());
    let closed = writer.close().map_err(|error| record::refused(&error));
    let erased = erased.map_err(|error| Failure::of("erase", &error).exit(Exit::Refused))?;
    closed.map(|()| erased)
}

/// Reads the clocks as the recorder does.
fn stamp() -> Stamp {
    let mono = clock_gettime(ClockId::Boottime);
    let mono_ns = i128::from(mono.tv_sec) * 1_000_000_000 + i128::from(mono.tv_nsec);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Stamp { unix_ns: jiff::Timestamp::now().as_nanosecond(), mono_ns: u64::try_from(mono_ns).unwrap_or(0), boot: boot.trim().to_owned() }
}
