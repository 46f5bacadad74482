//! `restore-from-archive`: this release has no archive, and says so.

use crate::args::Restore;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) fn run(args: &Restore) -> Result<Exit, Failure> {
    let (from, to, into) = (&args.start_date, &args.end_date, args.destination.display());
    let told =
        format!("cannot restore {from} to {to} into {into}: there is no archive, because this release keeps every event in the ledger");
    Err(Failure::new("archive.none", Exit::Failed, told)
        .hint(format!("take the events from the ledger: sealtrail search --since {from} --until {to} --all -o ndjson --proof > {into}")))
}
