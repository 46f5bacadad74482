//! `uninstall`: takes our hooks out of a settings file and leaves the trail alone.

use jiff::Timestamp;

use crate::args::Uninstall;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;
use crate::settings::{self, Change, Place};

pub(crate) fn run(call: &mut Call, args: &Uninstall) -> Result<Exit, Failure> {
    let place = Place::of(&args.place)?;
    let old = place.read()?;
    let edit = settings::uninstall(&old).map_err(|failure| failure.at(&place.path))?;
    if edit.changed == 0 {
        call.screen.say(&format!("no hooks of ours in {}", place.path.display()));
        return Ok(Exit::Yes);
    }
    let change = Change { path: place.path, old, new: edit.text };
    write!(call.screen.out(), "{}", change.diff())?;
    if args.dry_run {
        call.screen.say("dry run: nothing was changed");
        return Ok(Exit::Yes);
    }
    if call.screen.may_ask() && !args.yes && !call.screen.ask(&format!("remove {} hooks from {}?", edit.changed, change.path.display()))? {
        return Err(Failure::new("refused", Exit::Refused, "nothing was changed"));
    }
    let backup = settings::write(&change, Timestamp::now())?;
    call.screen.say(&format!("removed {} hooks from {}; the trail is untouched", edit.changed, change.path.display()));
    if let Some(backup) = backup {
        call.screen.say(&format!("the file as it was: {}", backup.display()));
    }
    Ok(Exit::Yes)
}
