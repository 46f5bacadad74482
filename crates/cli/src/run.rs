//! From the command line to an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command, Global};
use crate::cmd;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shim::{self, Role};
use crate::when::Zone;

/// What every command gets: the screen, the flags of every command, the zone of times.
pub(crate) struct Call {
    pub(crate) screen: Screen,
    pub(crate) global: Global,
    pub(crate) zone: Zone,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = match shim::role(std::env::args_os().collect()) {
        Role::Sealtrail(args) => args,
        Role::NoClient(why) => {
            // A closed stream leaves nobody to tell. 127 is what a shell says when there is no such command.
            let _ = writeln!(std::io::stderr(), "claude: {why}");
            return ExitCode::from(127);
        }
    };
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut screen = Screen::new(&cli.global);
    let zone = match Zone::parse(&cli.global.tz) {
        Ok(zone) => zone,
        Err(failure) => return end(&mut screen, Err(failure)),
    };
    let mut call = Call { screen, global: cli.global, zone };
    let result = dispatch(&mut call, cli.command).and_then(|exit| call.screen.finish().map(|()| exit));
    end(&mut call.screen, result)
}

fn end(screen: &mut Screen, result: Result<Exit, Failure>) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            screen.fail(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.number())
}

/// Shows help and versions on standard output, everything else that the parser says on standard error with exit 64.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed stream leaves nobody to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Exit::Usage.number()),
    }
}

fn dispatch(call: &mut Call, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => cmd::init::run(call, &args),
        Command::Uninstall(args) => cmd::uninstall::run(call, &args),
        Command::Tail(args) => cmd::tail::run(call, &args),
        Command::Search(args) => cmd::search::run(call, &args),
        Command::Get(args) => cmd::get::run(call, &args),
        Command::TraceChain(args) => cmd::trace::run(call, &args),
        Command::Permission(args) => cmd::permission::run(call, &args),
        Command::Provenance(args) => cmd::provenance::run(call, &args),
        Command::Usage(args) => cmd::usage::run(call, &args),
        Command::Coverage(args) => cmd::coverage::run(call, &args),
        Command::Session(command) => cmd::session::run(call, &command),
        Command::Related(args) => cmd::related::run(call, &args),
        Command::Saved(command) => cmd::saved::run(call, &command),
        Command::Jobs(command) => cmd::jobs::run(call, &command),
        Command::RestoreFromArchive(args) => cmd::restore::run(&args),
        Command::Shim(command) => cmd::shim::run(call, &command),
        Command::Prove(args) => cmd::prove::run(call, &args),
        Command::Checkpoint(command) => cmd::prove::checkpoint(call, &command),
        Command::Config(command) => cmd::config::run(call, &command),
        Command::Query(command) => cmd::query::run(call, &command),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when a reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sealtrail", &mut script);
            call.screen.out().write_all(&script)?;
            Ok(Exit::Yes)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut call.screen.out())?;
            Ok(Exit::Yes)
        }
        Command::Version => cmd::version::run(call),
        Command::Audit(command) => dispatch(call, command.plain()),
        Command::Daemon(args) => cmd::daemon::run(call, &args),
        Command::Serve(args) => cmd::serve::run(call, &args),
        Command::Gateway(args) => cmd::gateway::run(call, &args),
        Command::Fleet(command) => cmd::fleet::run(call, &command),
        Command::Forward(args) => cmd::forward::run(call, &args),
        Command::Token(command) => cmd::token::run(call, &command),
        Command::Mcp(args) => cmd::mcp::run(call, &args),
        Command::Status => cmd::status::run(call),
        Command::Doctor => cmd::doctor::run(call),
        Command::VerifyIntegrity(args) => cmd::verify::run(call, &args),
        Command::Erase(args) => cmd::erase::run(call, &args),
        Command::Import(command) => cmd::import::run(call, &command),
        Command::Demo(args) => cmd::demo::run(call, &args),
    }
}
