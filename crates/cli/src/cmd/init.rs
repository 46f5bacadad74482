//! `init`: a trail, its keys, its configuration, and the hooks that feed it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use jiff::Timestamp;
use sealtrail_config::Loaded;
use sealtrail_engine::{CreateHome, Home, hook_conf};
use sealtrail_ledger::KeyBackup;

use crate::args::Init;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::settings::{self, Change, Handler, NOT_INSTALLED, Place};
use crate::theme;

/// The configuration that a new trail gets.
const CONFIG: &str = include_str!("../audit.yaml");

pub(crate) fn run(call: &mut Call, args: &Init) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    // Everything that can be refused is looked at before anything is made.
    let loaded = config::load(home.path())?;
    let change = if args.no_hooks { None } else { Some(plan_hooks(args, &home, &loaded)?) };
    trail(call, args, &home, &loaded)?;
    match change {
        Some(change) => hooks(call, args, change),
        None => Ok(Exit::Yes),
    }
}

/// Makes the trail unless there is one.
fn trail(call: &mut Call, args: &Init, home: &Home, loaded: &Loaded) -> Result<(), Failure> {
    let path = home.path().display().to_string();
    if home.exists() {
        call.screen.say(&format!("the trail in {path} is there already"));
        if !args.dry_run {
            // What hooks know of audit.yaml is brought up to date; a running daemon does the same when it starts.
            home.write_hook_conf(&hook_conf(&loaded.config)).map_err(|error| Failure::of("home", &error))?;
        }
        return Ok(());
    }
    if args.dry_run {
        call.screen.say(&format!("would make a trail in {path}: ledger, keys (0600), audit.yaml, spool"));
        return Ok(());
    }
    let how = CreateHome {
        origin: args.origin.clone(),
        hmac: args.hmac || loaded.config.hmac(),
        shared: args.system,
        hook: hook_conf(&loaded.config),
    };
    let (_, backup) = Home::create(home.path(), &how).map_err(|error| Failure::of("home.create", &error))?;
    write_config(home, &config::find(home.path())?.map_or_else(|| CONFIG.to_owned(), |source| source.text))?;
    call.screen.say(&format!("{} {path}", theme::GOOD.paint("made a trail in")));
    tell_keys(call, home, &backup)
}

/// Writes `audit.yaml` unless the home has one.
fn write_config(home: &Home, text: &str) -> Result<(), Failure> {
    let path = home.config();
    let made = File::options().write(true).create_new(true).mode(0o600).open(&path);
    match made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Failure::file("write", &path, &error)),
        _ => Ok(()),
    }
}

/// Says where the keys are and what to keep elsewhere. K_0 is shown this once: it is not in the home.
fn tell_keys(call: &mut Call, home: &Home, backup: &KeyBackup) -> Result<(), Failure> {
    let keys = home.keys().display().to_string();
    writeln!(call.screen.out(), "vkey {}", backup.vkey)?;
    if let Some(mac_key) = &backup.mac_key {
        write!(call.screen.out(), "mac-key {}", mac_key.as_str())?;
    }
    call.screen.say(&format!("configuration: {}", home.config().display()));
    call.screen.say(&format!("keys:          {keys} (log.key signs checkpoints, epoch.key commits, spool.key opens the spool)"));
    call.screen.say("\nkeep outside this machine:");
    call.screen.say("  the vkey line above: with it, anybody can tell that a ledger is this one (verify-integrity --vkey)");
    call.screen.say(&format!("  a copy of {keys}/log.key, offline: without it the log can be verified, but not continued under its name"));
    if backup.mac_key.is_some() {
        call.screen.say("  the mac-key line above, with somebody who does not run this trail: it is shown this once, and whoever has it can check, and forge, the HMACs");
    }
    call.screen.say("");
    Ok(())
}

/// Computes the change of the settings file.
fn plan_hooks(args: &Init, home: &Home, loaded: &Loaded) -> Result<(Change, usize), Failure> {
    let block = hook_conf(&loaded.config).fail_mode(sealtrail_intake::Class::ToolInvocation) == sealtrail_intake::FailMode::Block;
    let own_home = (home.path() != home::default() || args.system).then(|| home.path().to_owned());
    let handler = Handler { command: settings::hook_binary()?, home: own_home, block };
    let place = Place::of(&args.place)?;
    let old = place.read()?;
    let edit = settings::install(&old, &handler).map_err(|failure| failure.at(&place.path))?;
    Ok((Change { path: place.path, old, new: edit.text }, edit.changed))
}

/// Shows the change of the settings file and makes it.
fn hooks(call: &mut Call, args: &Init, (change, changed): (Change, usize)) -> Result<Exit, Failure> {
    let path = change.path.display().to_string();
    if changed == 0 {
        call.screen.say(&format!("the hooks are in {path} already"));
        return Ok(Exit::Yes);
    }
    write!(call.screen.out(), "{}", change.diff())?;
    for (event, why) in NOT_INSTALLED {
        call.screen.say(&format!("not installed for {event}: {why}"));
    }
    if args.dry_run {
        call.screen.say("dry run: nothing was changed");
        return Ok(Exit::Yes);
    }
    if call.screen.may_ask() && !args.yes && !call.screen.ask(&format!("add {changed} hooks to {path}?"))? {
        return Err(
            Failure::new("refused", Exit::Refused, "the settings were not changed").hint("show the change again: sealtrail init --dry-run")
        );
    }
    let backup = settings::write(&change, Timestamp::now())?;
    call.screen.say(&format!("{changed} hooks installed in {path}"));
    if let Some(backup) = backup {
        call.screen.say(&format!("the file as it was: {}", backup.display()));
    }
    call.screen.say("next: start a session of Claude Code, then run `sealtrail tail` or `sealtrail doctor`");
    Ok(Exit::Yes)
}
