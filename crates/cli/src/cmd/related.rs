//! `related --lateral`: other sessions that have a person, an MCP server, a host or a file in common with one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use sealtrail_index::{Options, Order};
use sealtrail_query::{Filter, Query};
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args::Related;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

const COLUMNS: &[&str] = &["last", "session_id", "user_id", "events", "shared", "why"];
/// 500 values of a kind are looked for; what is above is said.
const VALUES_MAX: usize = 500;
/// 100,000 events of the other sessions are looked at.
const EVENTS_MAX: u64 = 100_000;
/// So many values of a kind are named in one line.
const NAMED_MAX: usize = 3;

/// What sessions can have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    Person,
    McpServer,
    Host,
    File,
}

impl Trait {
    fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::McpServer => "mcp server",
            Self::Host => "host",
            Self::File => "file",
        }
    }
}

type Traits = BTreeMap<Trait, BTreeSet<String>>;

/// Where the report begins.
struct Start {
    query: Query,
    sessions: BTreeSet<String>,
    traits: Traits,
    last: Timestamp,
}

/// Another session.
#[derive(Default)]
struct Other {
    user: String,
    last: String,
    events: u64,
    shared: Traits,
}

/// The other sessions, where it began, and whether something was cut.
type Report = (Vec<(String, Other)>, Start, bool);

pub(crate) fn run(call: &mut Call, args: &Related) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let found = report(&trail, args);
    let count = found.as_ref().map_or(0, |(others, _, _)| others.len() as u64);
    access::note(call, &mut trail, &Access { command: "related --lateral", query: &args.lateral, count });
    let (others, start, cut) = found?;
    let mut rows = Rows::new(&call.screen, COLUMNS.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    let total = others.len();
    for (id, other) in others.into_iter().take(usize::try_from(args.limit).unwrap_or(usize::MAX)) {
        let line = line(call, &id, &other);
        rows.event(call.screen.out(), &line)?;
    }
    rows.finish(call.screen.out())?;
    let told: Vec<String> = start.traits.iter().map(|(kind, values)| format!("{} {}s", values.len(), kind.word())).collect();
    let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
    call.screen.say(&format!("looked for {told} in the {} days before {}: {total} other sessions", args.days, call.zone.at(start.last)));
    if cut {
        call.screen.warn(&format!("not everything was looked at: more than {VALUES_MAX} values of a kind, or {EVENTS_MAX} events"));
    }
    if total as u64 > args.limit {
        call.screen.warn(&format!("stopped at --limit {}: there are more sessions", args.limit));
    }
    Ok(if cut { Exit::Incomplete } else { Exit::Yes })
}

fn line(call: &Call, id: &str, other: &Other) -> Value {
    let shared = other.shared.values().map(BTreeSet::len).sum::<usize>();
    let why: Vec<String> = other
        .shared
        .iter()
        .map(|(kind, values)| {
            let named: Vec<&str> = values.iter().take(NAMED_MAX).map(String::as_str).collect();
            let more = if values.len() > NAMED_MAX { format!(" and {} more", values.len() - NAMED_MAX) } else { String::new() };
            format!("{} {}{more}", kind.word(), named.join(", "))
        })
        .collect();
    let mut line = json!({"last": other.last, "session_id": id, "user_id": other.user, "events": other.events, "shared": shared, "why": why.join("; ")});
    if call.screen.wants_json() {
        line["why"] = other.shared.iter().map(|(kind, values)| (kind.word().replace(' ', "_"), json!(values))).collect();
    }
    line
}

/// Returns the other sessions, those with most in common first; where it began; and whether something was cut.
fn report(trail: &Trail, args: &Related) -> Result<Report, Failure> {
    let mut start = start(trail, &args.lateral, args.days)?;
    let mut cut = false;
    for values in start.traits.values_mut() {
        while values.len() > VALUES_MAX {
            cut |= values.pop_last().is_some();
        }
    }
    let from =
        start.last.checked_sub(SignedDuration::from_hours(24 * i64::from(args.days))).map_err(|error| Failure::of("time.wrong", &error))?;
    let Some(common) = common(&start.traits)? else { return Ok((Vec::new(), start, cut)) };
    let query = filter::between(Some(from), Some(start.last))?.and(filter::has("session_id")?).and(filter::not(&start.query)).and(common);
    let mut others: HashMap<String, Other> = HashMap::new();
    let mut looked = 0;
    for view in views(trail, query, Order::Oldest)? {
        let view = view?;
        let id = text(&view, "session_id");
        if start.sessions.contains(&id) {
            continue;
        }
        looked += 1;
        if looked > EVENTS_MAX {
            cut = true;
            break;
        }
        let other = others.entry(id).or_default();
        other.events += 1;
        other.last = text(&view, "timestamp").max(std::mem::take(&mut other.last));
        if other.user.is_empty() {
            other.user = text(&view, "user_id");
        }
        for (kind, value) in traits_of(&view) {
            if start.traits.get(&kind).is_some_and(|known| known.contains(&value)) {
                other.shared.entry(kind).or_default().insert(value);
            }
        }
    }
    let mut others: Vec<(String, Other)> = others.into_iter().filter(|(_, other)| !other.shared.is_empty()).collect();
    others.sort_by(|(_, a), (_, b)| (b.shared.len(), &b.last).cmp(&(a.shared.len(), &a.last)));
    Ok((others, start, cut))
}

/// Learns what the session, or every session of the person, has touched.
fn start(trail: &Trail, name: &str, days: u32) -> Result<Start, Failure> {
    let session = filter::any_exactly(&["session_id"], &[name])?;
    let person = filter::any_exactly(&["user_id"], &[name])?;
    for query in [session, person] {
        let views = views(trail, query.clone(), Order::Newest)?.collect::<Result<Vec<Value>, Failure>>()?;
        let time = |view: &Value| text(view, "timestamp").parse::<Timestamp>().ok();
        let Some(last) = views.iter().filter_map(time).max() else { continue };
        let mut start = Start { query, sessions: BTreeSet::new(), traits: Traits::new(), last };
        // The order of the ledger is not that of time: each is looked at.
        let recent = |view: &&Value| time(view).is_some_and(|at| last.as_second() - at.as_second() <= i64::from(days) * 86_400);
        for view in views.iter().filter(recent) {
            let id = text(view, "session_id");
            if !id.is_empty() {
                start.sessions.insert(id);
            }
            for (kind, value) in traits_of(view) {
                start.traits.entry(kind).or_default().insert(value);
            }
        }
        return Ok(start);
    }
    Err(Failure::new(
        "related.missing",
        Exit::Failed,
        format!("there is no session and no person {} in the trail", crate::visible::visible(name)),
    )
    .hint("list the sessions: sealtrail session list"))
}

/// Returns what of an event another session could have in common.
fn traits_of(view: &Value) -> Vec<(Trait, String)> {
    let mut found = Vec::new();
    let mut add = |kind, value: String| {
        if !value.is_empty() {
            found.push((kind, value));
        }
    };
    add(Trait::Person, text(view, "user_id"));
    add(Trait::McpServer, text(view, "mcp_server"));
    for server in view.get("mcp_integrations").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        add(Trait::McpServer, server.to_owned());
    }
    add(Trait::Host, host(&text(view, "resource.url")).to_owned());
    add(Trait::Host, text(view, "resource.detail.host"));
    if text(view, "domain") == "data" && !text(view, "event_type").starts_with("data.api") {
        add(Trait::File, text(view, "resource.path"));
    }
    found
}

/// The host of an address, without port.
fn host(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if rest.starts_with('[') { rest.split_inclusive(']').next().unwrap_or_default() } else { rest.split(':').next().unwrap_or_default() }
}

/// The condition that an event has one of the values; nothing when there is none.
fn common(traits: &Traits) -> Result<Option<Query>, Failure> {
    let mut any: Option<Query> = None;
    for (kind, values) in traits {
        let names: Vec<&str> = values.iter().map(String::as_str).collect();
        let query = match kind {
            Trait::Person => filter::any_exactly(&["user_id"], &names)?,
            Trait::McpServer => filter::any_exactly(&["mcp_server", "mcp_integrations"], &names)?,
            Trait::File => filter::any_exactly(&["resource.path"], &names)?,
            Trait::Host => hosts(&names)?,
        };
        any = Some(any.map_or_else(|| query.clone(), |any| filter::either(&any, &query)));
    }
    Ok(any)
}

/// The condition that an address has one of these hosts.
fn hosts(names: &[&str]) -> Result<Query, Failure> {
    let escaped = |name: &str| name.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?");
    let patterns: Vec<String> =
        names.iter().flat_map(|name| ["", "/*", ":*", "?*"].map(|end| format!("*://{}{end}", escaped(name)))).collect();
    let mut filter = Filter::new(Timestamp::UNIX_EPOCH);
    filter.any_of("resource.url", patterns.iter().map(String::as_str)).map_err(|error| filter::wrong_query(&error, "hosts"))?;
    Ok(filter::either(&filter.build(), &filter::any_exactly(&["resource.detail.host"], names)?))
}

/// Searches; the progress of it is not shown.
fn views(trail: &Trail, query: Query, order: Order) -> Result<impl Iterator<Item = Result<Value, Failure>> + use<'_>, Failure> {
    let options = Options { order, ..Options::default() };
    let mut found = Vec::new();
    let mut nothing = |_| {};
    for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)?
        .take(usize::try_from(EVENTS_MAX + 1).unwrap_or(usize::MAX))
    {
        found.push(hit.map(|hit| slim(hit.view)).map_err(|error| trail::unanswered(&error)));
    }
    Ok(found.into_iter())
}

/// Keeps of an event what the report looks at: a hundred thousand of them are held at once.
fn slim(view: Value) -> Value {
    const KEPT: &[&str] = &["session_id", "timestamp", "user_id", "mcp_server", "mcp_integrations", "resource", "domain", "event_type"];
    let Value::Object(members) = view else { return Value::Null };
    members.into_iter().filter(|(name, _)| KEPT.contains(&name.as_str())).collect()
}
