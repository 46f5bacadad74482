//! `init`: a trail, its keys, its configuration, and the hooks that feed it.

use jiff::Timestamp;

use crate::args::{Init, Place as PlaceArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::settings::{self, Change, Handler, NOT_INSTALLED, Place};

pub(crate) fn run(call: &mut Call, args: &Init) -> Result<Exit, Failure> {
    let home = home::find(&call.global)?;
    if args.no_hooks { Ok(Exit::Yes) } else { hooks(call, &args.place, &home, args.dry_run, args.yes) }
}

/// Puts the hooks into a settings file; shows the change first.
fn hooks(call: &mut Call, place: &PlaceArgs, home: &std::path::Path, dry_run: bool, yes: bool) -> Result<Exit, Failure> {
    let handler = Handler { command: settings::hook_binary()?, home: (home != home::default()).then(|| home.to_owned()), block: false };
    let place = Place::of(place)?;
    let old = place.read()?;
    let edit = settings::install(&old, &handler).map_err(|failure| failure.at(&place.path))?;
    if edit.changed == 0 {
        call.screen.say(&format!("hooks are already in {}", place.path.display()));
        return Ok(Exit::Yes);
    }
    let change = Change { path: place.path, old, new: edit.text };
    write!(call.screen.out(), "{}", change.diff())?;
    for (event, why) in NOT_INSTALLED {
        call.screen.say(&format!("not installed for {event}: {why}"));
    }
    if dry_run {
        call.screen.say("dry run: nothing was changed");
        return Ok(Exit::Yes);
    }
    if call.screen.may_ask() && !yes && !call.screen.ask(&format!("add {} hooks to {}?", edit.changed, change.path.display()))? {
        return Err(
            Failure::new("refused", Exit::Refused, "the settings were not changed").hint("show the change again: sealtrail init --dry-run")
        );
    }
    let backup = settings::write(&change, Timestamp::now())?;
    call.screen.say(&format!("{} hooks installed in {}", edit.changed, change.path.display()));
    if let Some(backup) = backup {
        call.screen.say(&format!("the file as it was: {}", backup.display()));
    }
    Ok(Exit::Yes)
}
