//! `search --save` and `saved …`: searches with a name.

use clap::Parser;
use sealtrail_engine::Home;
use serde_json::json;

use crate::args::{Cli, Command, SavedCommand, SavedRun, Search};
use crate::cmd::search;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::rows::Rows;
use crate::run::Call;
use crate::saved::{Shelf, flags, shell};
use crate::screen::Screen;
use crate::trail;
use crate::visible::visible;
use crate::when::Zone;

/// Keeps a search under a name, and runs nothing.
pub(crate) fn save(call: &mut Call, name: &str, args: &Search) -> Result<Exit, Failure> {
    let home = open(call)?;
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    Shelf::open(&home)?.save(name, flags(args))?;
    call.screen.say(&format!("saved; run it: sealtrail saved run {name}"));
    Ok(Exit::Yes)
}

pub(crate) fn run(call: &mut Call, command: &SavedCommand) -> Result<Exit, Failure> {
    let mut shelf = Shelf::open(&open(call)?)?;
    match command {
        SavedCommand::List => list(call, &shelf),
        SavedCommand::Show { name } => {
            let found = shelf.find(name)?;
            if call.screen.wants_json() {
                let object = json!({"name": name, "about": found.about, "shipped": found.shipped, "search": found.search});
                writeln!(call.screen.out(), "{object}")?;
            } else {
                writeln!(call.screen.out(), "sealtrail search {}", visible(&shell(&found.search)))?;
            }
            Ok(Exit::Yes)
        }
        SavedCommand::Run(args) => again(call, &shelf, args),
        SavedCommand::Remove { name } => {
            shelf.remove(name)?;
            call.screen.say(&format!("removed {}", visible(name)));
            Ok(Exit::Yes)
        }
    }
}

fn open(call: &Call) -> Result<Home, Failure> {
    Ok(Home::new(home::find(&call.global)?))
}

fn list(call: &mut Call, shelf: &Shelf) -> Result<Exit, Failure> {
    let mut names = ["name", "from", "about", "search"].map(str::to_owned).to_vec();
    if call.screen.is_table() {
        // Too long to be read in a row; `saved show` has it.
        names.pop();
    }
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
    for (name, saved) in shelf.all() {
        let from = if saved.shipped { "shipped" } else { "own" };
        let search = if call.screen.wants_json() { json!(saved.search) } else { json!(shell(&saved.search)) };
        rows.event(call.screen.out(), &json!({"name": name, "from": from, "about": saved.about, "search": search}))?;
    }
    rows.finish(call.screen.out())?;
    Ok(Exit::Yes)
}

/// Reads the saved flags and the new ones as one command line: the later one of a flag counts.
fn again(call: &mut Call, shelf: &Shelf, args: &SavedRun) -> Result<Exit, Failure> {
    let saved = shelf.find(&args.name)?;
    let line = ["sealtrail", "search"].map(str::to_owned).into_iter().chain(saved.search).chain(args.more.clone());
    let cli = Cli::try_parse_from(line).map_err(|error| {
        Failure::usage(format!("the saved search {} cannot be run with these flags", args.name))
            .cause(error.render().to_string().trim().to_owned())
    })?;
    let Command::Search(search) = cli.command else { return Err(Failure::usage("a saved search is a search")) };
    let given = |output: crate::args::Output| output != crate::args::Output::Auto;
    let mut global = call.global.clone();
    if given(cli.global.output) {
        global.output = cli.global.output;
    }
    if cli.global.tz != "utc" {
        global.tz = cli.global.tz;
    }
    global.quiet |= cli.global.quiet;
    global.verbose += cli.global.verbose;
    let zone = Zone::parse(&global.tz)?;
    call.screen.finish()?;
    let mut again = Call { screen: Screen::new(&global), global, zone };
    let exit = search::run(&mut again, &search)?;
    again.screen.finish()?;
    Ok(exit)
}
