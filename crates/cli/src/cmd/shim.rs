//! `shim …`: puts the link there, takes it away, says whether it is in use.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::args::{ShimCommand, ShimPlace};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::saved::shell;
use crate::shim::{self, NAME};

pub(crate) fn run(call: &mut Call, command: &ShimCommand) -> Result<Exit, Failure> {
    match command {
        ShimCommand::Install(place) => install(call, &folder(place)?),
        ShimCommand::Uninstall(place) => uninstall(call, &folder(place)?),
        ShimCommand::Status(place) => status(call, &folder(place)?),
    }
}

fn folder(place: &ShimPlace) -> Result<PathBuf, Failure> {
    match &place.dir {
        Some(dir) => home::absolute(dir),
        None => shim::default_folder().ok_or_else(|| Failure::usage("there is no home folder to put it in").hint("name one: --dir DIR")),
    }
}

/// Makes the link; prints the line that a shell must run, and changes no file of the shell.
fn install(call: &mut Call, folder: &Path) -> Result<Exit, Failure> {
    let link = folder.join(NAME);
    let program = std::env::current_exe().map_err(|error| Failure::file("find", &link, &error))?;
    if link.symlink_metadata().is_ok() && !shim::is_shim(&link) {
        let told = format!("cannot put a link at {}: something else is there", link.display());
        return Err(Failure::new("shim.taken", Exit::Refused, told).hint("choose another folder: --dir DIR"));
    }
    fs::create_dir_all(folder).map_err(|error| Failure::file("make", folder, &error))?;
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failure::file("replace", &link, &error)),
        _ => {}
    }
    symlink(&program, &link).map_err(|error| Failure::file("make", &link, &error))?;
    let quoted = shell(&[folder.display().to_string()]);
    writeln!(call.screen.out(), "export PATH={quoted}:\"$PATH\"")?;
    call.screen.say(&format!(
        "{} answers `claude code audit …` and `claude code config get …`; everything else goes to the real client",
        link.display()
    ));
    call.screen.say("put the line above into the profile of your shell, or: eval \"$(sealtrail shim install -q)\"");
    if shim::real().is_none() {
        call.screen.warn(&format!("there is no real `{NAME}` on the PATH yet"));
    }
    Ok(Exit::Yes)
}

fn uninstall(call: &mut Call, folder: &Path) -> Result<Exit, Failure> {
    let link = folder.join(NAME);
    if link.symlink_metadata().is_err() {
        call.screen.say(&format!("there is nothing at {}", link.display()));
        return Ok(Exit::Yes);
    }
    if !shim::is_shim(&link) {
        return Err(Failure::new("shim.foreign", Exit::Refused, format!("cannot remove {}: it is not ours", link.display())));
    }
    fs::remove_file(&link).map_err(|error| Failure::file("remove", &link, &error))?;
    // A folder that holds something else stays.
    let _ = fs::remove_dir(folder);
    call.screen.say(&format!("removed {}; take its folder out of the PATH", link.display()));
    Ok(Exit::Yes)
}

fn status(call: &mut Call, folder: &Path) -> Result<Exit, Failure> {
    let link = folder.join(NAME);
    let installed = link.symlink_metadata().is_ok() && shim::is_shim(&link);
    let first = shim::clients().into_iter().next();
    let active = first.as_ref().is_some_and(|path| shim::is_shim(path));
    let real = shim::real().map(|path| path.display().to_string());
    if call.screen.wants_json() {
        let object = json!({"installed": installed, "in_use": active, "link": link.display().to_string(), "real_client": real});
        writeln!(call.screen.out(), "{object}")?;
    } else {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        writeln!(call.screen.out(), "installed    {}  {}", word(installed), link.display())?;
        writeln!(call.screen.out(), "in use       {}", word(active))?;
        writeln!(call.screen.out(), "real client  {}", real.as_deref().unwrap_or("none on the PATH"))?;
    }
    Ok(if installed && active { Exit::Yes } else { Exit::Incomplete })
}
