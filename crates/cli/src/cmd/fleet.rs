//! `fleet …`: the machines whose logs this collector copies and cosigns.

use jiff::Timestamp;
use sealtrail_engine::Home;
use sealtrail_query::parse_span;
use sealtrail_server::{FleetError, HomeRecorder, Machine, MachineState, Machines, NewToken, Recorder, Scope, Tokens};
use sealtrail_tlog::cosignature::WitnessKey;
use sealtrail_tlog::{KeyName, VerifierKey};
use serde_json::{Value, json};

use crate::args::{FleetAdd, FleetCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::filter;
use crate::home;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail;

const COLUMNS: [&str; 9] =
    ["name", "state", "mirrored", "cosigned", "last_checkpoint", "last_contact", "silent_since", "trouble", "origin"];

pub(crate) fn run(call: &mut Call, command: &FleetCommand) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    match command {
        FleetCommand::Add(args) => add(call, &home, args),
        FleetCommand::List => list(call, &home),
        FleetCommand::Remove { name } => remove(call, &home, name),
        FleetCommand::InitWitness => init_witness(call, &home),
    }
}

fn add(call: &mut Call, home: &Home, args: &FleetAdd) -> Result<Exit, Failure> {
    let vkey = args.vkey.trim();
    let verifier = VerifierKey::parse(vkey).map_err(|error| Failure::of("fleet.vkey", &error).exit(Exit::Usage))?;
    if args.origin.as_deref().is_some_and(|origin| origin != verifier.name().as_str()) {
        return Err(Failure::usage(format!("the key is of the log {}, not of the origin that was given", verifier.name())));
    }
    let ms = parse_span(&args.silent_after).map_err(|error| filter::wrong_query(&error, &args.silent_after))?;
    let silent_after_s = u32::try_from(ms / 1_000).unwrap_or(u32::MAX).max(1);
    let now = Timestamp::now();
    let key = args.key.clone().unwrap_or_else(|| args.name.clone());
    let machine = Machine { name: args.name.clone(), vkey: vkey.to_owned(), key: key.clone(), enrolled: now, silent_after_s };
    let machines = Machines::of(home);
    machines.add(&machine).map_err(refused)?;
    let secret = match &args.key {
        Some(_) => None,
        None => {
            let new = NewToken { name: key.clone(), scope: Scope::Write, filter: None, content: true, expires: None, application_id: None };
            match Tokens::of(home).create(new, now) {
                Ok(secret) => Some(secret),
                Err(error) => {
                    machines.remove(&args.name).map_err(refused)?;
                    return Err(Failure::of("token", &error));
                }
            }
        }
    };
    let told =
        json!({ "machine": args.name, "origin": verifier.name().as_str(), "vkey": vkey, "key": key, "silent_after_s": silent_after_s });
    // Recorded, or it is not enrolled.
    if let Err(why) = tell(home, "fleet.machine_enrolled", &told) {
        machines.remove(&args.name).map_err(refused)?;
        if secret.is_some() {
            Tokens::of(home).revoke(&key).map_err(|error| Failure::of("token", &error))?;
        }
        return Err(Failure::new("fleet.unrecorded", Exit::Unavailable, format!("not enrolled: it cannot be recorded: {why}")));
    }
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", json!({ "name": args.name, "key": key, "secret": secret }))?;
    } else if let Some(secret) = secret {
        writeln!(call.screen.out(), "{secret}")?;
        call.screen.say("this is the only time it is shown; put it into the token_file of that machine");
    }
    Ok(Exit::Yes)
}

fn list(call: &mut Call, home: &Home) -> Result<Exit, Failure> {
    let machines = Machines::of(home);
    let (all, now) = (machines.list().map_err(refused)?, Timestamp::now());
    let mut rows = Rows::new(&call.screen, COLUMNS.map(str::to_owned).to_vec(), call.zone.clone());
    let mut well = true;
    for machine in &all {
        let state = machines.state(&machine.name).map_err(refused)?;
        let line = line(machine, &state, now);
        well &= line["state"] == "ok";
        rows.event(call.screen.out(), &line)?;
    }
    rows.finish(call.screen.out())?;
    if all.is_empty() {
        call.screen.say("no machine is enrolled: sealtrail fleet add");
    }
    Ok(if well { Exit::Yes } else { Exit::NotVerified })
}

fn line(machine: &Machine, state: &MachineState, now: Timestamp) -> Value {
    let silent = state.silent_since(machine, now);
    let trouble = state.trouble.as_ref().map(|trouble| trouble.kind.as_str());
    let word = trouble.unwrap_or(if silent.is_some() { "silent" } else { "ok" });
    json!({
        "name": machine.name, "state": word, "mirrored": state.mirrored, "cosigned": state.size, "last_checkpoint": state.cosigned,
        "last_contact": state.contact, "silent_since": silent, "trouble": trouble,
        "origin": machine.vkey.split('+').next().unwrap_or_default(),
    })
}

fn remove(call: &mut Call, home: &Home, name: &str) -> Result<Exit, Failure> {
    Machines::of(home).remove(name).map_err(refused)?;
    if let Err(why) = tell(home, "fleet.machine_removed", &json!({ "machine": name })) {
        call.screen.warn(&format!("removed, but this is not recorded: {}", crate::visible::visible(&why)));
        return Ok(Exit::Incomplete);
    }
    call.screen.say(&format!("removed: {name}; its write key is still valid (sealtrail token revoke), its copy stays"));
    Ok(Exit::Yes)
}

fn init_witness(call: &mut Call, home: &Home) -> Result<Exit, Failure> {
    let reader = trail::open(call)?.reader.clone();
    let name = KeyName::parse(&format!("{}/witness", reader.log().origin)).map_err(|error| Failure::of("fleet", &error))?;
    let key = Machines::of(home).witness(&name).map_err(refused)?;
    writeln!(call.screen.out(), "{}", WitnessKey::of(&key))?;
    Ok(Exit::Yes)
}

fn tell(home: &Home, event_type: &str, fleet: &Value) -> Result<(), String> {
    let recorder = HomeRecorder::new(home.clone(), std::env::current_dir().ok());
    recorder.record(&json!({ "event_type": event_type, "fleet": fleet }))
}

fn refused(error: FleetError) -> Failure {
    match &error {
        FleetError::Name { .. } => Failure::of("fleet.name", &error).exit(Exit::Usage),
        FleetError::Missing { .. } => Failure::of("fleet.missing", &error).hint("list them: sealtrail fleet list"),
        _ => Failure::of("fleet", &error),
    }
}
