//! `token …`: who may ask the query API and the MCP tool, and for what; and who may hand events in.

use jiff::{SignedDuration, Timestamp};
use sealtrail_engine::Home;
use sealtrail_query::parse_span;
use sealtrail_server::{HomeRecorder, NewToken, Recorder, Scope, Token, TokenError, Tokens};
use serde_json::json;

use crate::args::{TokenCommand, TokenCreate, TokenScope};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::filter;
use crate::home;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail;

const COLUMNS: [&str; 7] = ["name", "scope", "filter", "content", "created", "expires", "state"];

pub(crate) fn run(call: &mut Call, command: &TokenCommand) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    match command {
        TokenCommand::Create(args) => create(call, &home, args),
        TokenCommand::Rotate { name, grace } => rotate(call, &home, name, grace),
        TokenCommand::List => list(call, &home),
        TokenCommand::Revoke { name } => revoke(call, &home, name),
    }
}

fn create(call: &mut Call, home: &Home, args: &TokenCreate) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let new = NewToken {
        name: args.name.clone(),
        scope: if args.scope == TokenScope::Read { Scope::Read } else { Scope::Write },
        filter: args.filter.clone(),
        content: !args.no_content,
        expires: args.expires.as_deref().map(|span| after(now, span)).transpose()?,
        application_id: args.application.clone(),
    };
    if new.scope == Scope::Read && new.application_id.is_some() {
        return Err(Failure::usage("a token that reads hands nothing in: --application is for --scope write"));
    }
    if new.scope == Scope::Write && (new.filter.is_some() || args.no_content) {
        return Err(Failure::usage("a token that writes reads nothing: --filter and --no-content are for --scope read"));
    }
    let expires = new.expires;
    let secret = Tokens::of(home).create(new, now).map_err(|error| refused(error, args.filter.as_deref()))?;
    let told = json!({
        "token": args.name, "scope": if args.scope == TokenScope::Read { "read" } else { "write" }, "filter": args.filter,
        "content": !args.no_content, "expires": expires, "application_id": args.application,
    });
    // Sealed, or it does not exist: a token that the trail knows nothing of must not open it.
    if let Err(why) = tell(home, "auth.token_created", &told) {
        Tokens::of(home).revoke(&args.name).map_err(|error| refused(error, None))?;
        return Err(Failure::new("token.unrecorded", Exit::Unavailable, format!("no token was made: it cannot be recorded: {why}")));
    }
    if call.screen.wants_json() {
        let object = json!({"name": args.name, "secret": secret, "expires": expires});
        writeln!(call.screen.out(), "{object}")?;
    } else {
        writeln!(call.screen.out(), "{secret}")?;
        call.screen.say("this is the only time it is shown; the trail keeps its hash");
    }
    Ok(Exit::Yes)
}

fn rotate(call: &mut Call, home: &Home, name: &str, grace: &str) -> Result<Exit, Failure> {
    let until = after(Timestamp::now(), grace)?;
    let tokens = Tokens::of(home);
    let (secret, before) = tokens.rotate(name, until).map_err(|error| refused(error, None))?;
    if let Err(why) = tell(home, "auth.token_rotated", &json!({"token": name, "until": until})) {
        tokens.put_back(&before).map_err(|error| refused(error, None))?;
        return Err(Failure::new("token.unrecorded", Exit::Unavailable, format!("nothing was changed: it cannot be recorded: {why}")));
    }
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", json!({"name": name, "secret": secret, "previous_until": until}))?;
    } else {
        writeln!(call.screen.out(), "{secret}")?;
        call.screen.say(&format!("this is the only time it is shown; the old one goes on until {until:.0}"));
    }
    Ok(Exit::Yes)
}

fn list(call: &mut Call, home: &Home) -> Result<Exit, Failure> {
    let tokens = Tokens::of(home).list().map_err(|error| refused(error, None))?;
    let mut rows = Rows::new(&call.screen, COLUMNS.map(str::to_owned).to_vec(), call.zone.clone());
    for token in &tokens {
        rows.event(call.screen.out(), &line(token))?;
    }
    rows.finish(call.screen.out())?;
    if tokens.is_empty() {
        call.screen.say("there are no tokens");
    }
    Ok(Exit::Yes)
}

fn line(token: &Token) -> serde_json::Value {
    let expired = token.expires.is_some_and(|expires| expires <= Timestamp::now());
    json!({
        "name": token.name, "scope": token.scope.as_str(), "filter": token.filter, "content": token.content,
        "created": token.created, "expires": token.expires, "state": if expired { "expired" } else { "valid" },
    })
}

fn revoke(call: &mut Call, home: &Home, name: &str) -> Result<Exit, Failure> {
    // Taken away first: it must end even when that cannot be recorded.
    Tokens::of(home).revoke(name).map_err(|error| refused(error, None))?;
    if let Err(why) = tell(home, "auth.token_revoked", &json!({"token": name})) {
        call.screen.warn(&format!("revoked, but this is not recorded: {}", crate::visible::visible(&why)));
        return Ok(Exit::Incomplete);
    }
    call.screen.say(&format!("revoked: {name} opens nothing any more"));
    Ok(Exit::Yes)
}

fn tell(home: &Home, event_type: &str, access: &serde_json::Value) -> Result<(), String> {
    let recorder = HomeRecorder::new(home.clone(), std::env::current_dir().ok());
    recorder.record(&json!({"event_type": event_type, "status": "success", "access": access}))
}

fn after(now: Timestamp, span: &str) -> Result<Timestamp, Failure> {
    let ms = parse_span(span).map_err(|error| filter::wrong_query(&error, span))?;
    let span = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    now.checked_add(span).map_err(|error| Failure::because("time.wrong", Exit::Usage, "cannot count so far with --expires", &error))
}

fn refused(error: TokenError, filter: Option<&str>) -> Failure {
    match &error {
        TokenError::Filter(query) => filter::wrong_query(query, filter.unwrap_or_default()),
        TokenError::Name { .. } => Failure::of("usage.token", &error).exit(Exit::Usage),
        TokenError::Missing { .. } => Failure::of("token.missing", &error).hint("list them: sealtrail token list"),
        TokenError::Busy => Failure::of("token.busy", &error).exit(Exit::Unavailable),
        _ => Failure::of("token", &error),
    }
}
