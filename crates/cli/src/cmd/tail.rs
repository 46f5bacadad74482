//! `tail`: the newest events, and with `-f` every new one as it is sealed.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use sealtrail_index::Options;
use sealtrail_tlog::Seq;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::access::{self, Access};
use crate::args::{Output, Tail};
use crate::cmd::search;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::filter::{self, Wanted};
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

/// A quarter of a second: new lines feel immediate, and an idle `tail` costs four looks at a folder a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn run(call: &mut Call, args: &Tail) -> Result<Exit, Failure> {
    let wanted = filter::wanted(&args.filter, args.query.as_deref(), Timestamp::now())?;
    wanted.query()?;
    let mut trail = trail::open(call)?;
    let newest = newest(&trail, &wanted, args.lines)?;
    access::note(call, &mut trail, &Access { command: "tail", query: &wanted.search.to_string(), count: newest.len() as u64 });
    let mut rows = Rows::new(&call.screen, search::columns(Output::Tsv, &args.fields), call.zone.clone());
    if args.follow {
        rows = rows.flush_each();
    }
    for view in &newest {
        rows.event(call.screen.out(), view)?;
    }
    let mut next = trail.reader.size().0;
    if args.follow {
        follow(call, &mut trail, &wanted, &mut rows, &mut next)?;
    }
    rows.finish(call.screen.out())?;
    wanted.tell(&mut call.screen);
    Ok(if args.follow { Exit::Interrupted } else { Exit::Yes })
}

fn newest(trail: &Trail, wanted: &Wanted, lines: u64) -> Result<VecDeque<Value>, Failure> {
    let mut newest = VecDeque::new();
    let mut nothing = |_| {};
    for hit in trail::hits(&trail.reader, Some(&trail.index), &wanted.search, &Options::default(), &mut nothing)? {
        if newest.len() as u64 == lines {
            break;
        }
        let view = hit.map_err(|error| trail::unanswered(&error))?.view;
        if wanted.shows(&view) {
            newest.push_front(view);
        }
    }
    Ok(newest)
}

fn follow(call: &mut Call, trail: &mut Trail, wanted: &Wanted, rows: &mut Rows, next: &mut u64) -> Result<(), Failure> {
    let stop = interrupted()?;
    let query = wanted.query()?;
    loop {
        match stop.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(()),
        }
        trail.catch_up(call)?;
        for stored in trail.reader.since(Seq(*next)).map_err(|error| trail::unreadable(&error))? {
            let stored = stored.map_err(|error| trail::unreadable(&error))?;
            *next = stored.seq.0 + 1;
            let view = stored.view();
            if query.matches(&view) && wanted.shows(&view) {
                rows.event(call.screen.out(), &view)?;
            }
        }
    }
}

/// Returns a channel that gets a message at the first Ctrl-C or request to stop.
pub(crate) fn interrupted() -> Result<Receiver<()>, Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| Failure::of("signals", &error))?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            // The receiver is gone once the command has ended; then there is nothing to stop.
            let _ = send.send(());
        }
    });
    Ok(receive)
}
