//! A session as every witness tells it, event by event; tests take something away and look whether it is named.

use serde_json::{Value, json};

use sealtrail_trace::coverage::{Loose, Report, Session, Witness};

pub(crate) const SESSION: &str = "5a2c8f9e-0000-4000-8000-000000000001";
/// 2026-11-21T08:00:00Z.
pub(crate) const START: i64 = 1_795_248_000_000;
/// An hour and more after everything: nothing is on its way any more.
pub(crate) const LATER: i64 = START + 4 * 60 * 60 * 1_000;

/// Makes one event; its id tells its place.
pub(crate) fn event(n: u64, witness: &str, kind: &str, second: i64, more: Value) -> Value {
    let at = jiff::Timestamp::from_millisecond(START + second * 1_000 + i64::try_from(n % 1_000).unwrap()).unwrap();
    let mut view = json!({
        "audit_id": format!("audit_evt_{n:032x}"), "event_type": kind, "timestamp": format!("{at:.3}"), "witness": witness,
        "session_id": SESSION, "policy_result": "not_evaluated",
    });
    for (name, value) in more.as_object().unwrap() {
        view[name] = value.clone();
    }
    view
}

/// Tells a session step by step.
#[derive(Default)]
pub(crate) struct Teller {
    pub(crate) events: Vec<Value>,
    second: i64,
    sequence: u64,
}

impl Teller {
    fn say(&mut self, witness: &str, kind: &str, more: Value) {
        let n = self.events.len() as u64;
        self.events.push(event(n, witness, kind, self.second, more));
    }

    /// Tells by telemetry, with the exporter's own number.
    fn otel(&mut self, kind: &str, mut more: Value) {
        let mut attributes = json!({"event.sequence": self.sequence});
        for name in ["hook_event", "query_source"] {
            if let Some(value) = more.as_object_mut().unwrap().remove(name) {
                attributes[name] = value;
            }
        }
        more["attributes"] = attributes;
        self.sequence += 1;
        self.say("otel", kind, more);
    }

    pub(crate) fn start(&mut self) {
        self.second += 1;
        self.say("hook", "session.started", json!({"hook_event_name": "SessionStart", "source": "startup"}));
        self.otel("otel.hook_registered", json!({"hook_event": "SessionStart"}));
        self.otel("otel.hook_registered", json!({"hook_event": "PreToolUse"}));
        self.say("transcript", "transcript.last_prompt", json!({}));
    }

    pub(crate) fn prompt(&mut self, prompt: &str) {
        self.second += 1;
        self.say("hook", "prompt.submitted", json!({"hook_event_name": "UserPromptSubmit", "prompt_id": prompt}));
        self.otel("prompt.submitted", json!({"prompt_id": prompt}));
        self.say("transcript", "prompt.submitted", json!({"prompt_id": prompt}));
    }

    /// One request to the model and its answer, by the main agent or a subagent.
    pub(crate) fn model(&mut self, request: &str, agent: Option<&str>) {
        self.second += 1;
        let common = json!({"agent_id": agent, "model": "claude-sonnet-4-5"});
        let asked = format!("audit_evt_{:032x}", self.events.len());
        self.say("gateway", "model.request", merge(&common, json!({"phase": "intent"})));
        let done = json!({
            "phase": "outcome", "outcome": "success", "request_id": request, "model": "claude-sonnet-4-5-20250929", "input_tokens": 120,
            "output_tokens": 42,
        });
        self.say("gateway", "model.response", merge(&merge(&common, done.clone()), json!({"parent_audit_id": asked})));
        self.otel("model.response", merge(&merge(&common, done.clone()), json!({"query_source": "sdk"})));
        self.say("transcript", "model.response", merge(&common, done));
    }

    /// One tool call that ends well.
    pub(crate) fn call(&mut self, call: &str, tool: &str, agent: Option<&str>) {
        self.ask(call, tool, agent);
        self.done(call, tool, agent, "success");
    }

    /// The call is asked for and allowed.
    pub(crate) fn ask(&mut self, call: &str, tool: &str, agent: Option<&str>) {
        self.second += 1;
        let common = json!({"tool_use_id": call, "tool_name": tool, "agent_id": agent});
        let input = json!({"phase": "intent", "tool_input": {"command": format!("echo {call}"), "file_path": "/w/project/a.txt"}});
        let relative = json!({"phase": "intent", "tool_input": {"file_path": "a.txt", "command": format!("echo {call}")}});
        self.say("gateway", "tool.requested", merge(&common, relative.clone()));
        self.say("transcript", "tool.requested", merge(&common, relative));
        self.say("hook", "tool.requested", merge(&merge(&common, input), json!({"hook_event_name": "PreToolUse"})));
        let shown = if tool.starts_with("mcp__") { "mcp_tool" } else { tool };
        self.otel("otel.tool_decision", merge(&common, json!({"tool_name": shown, "phase": "verdict", "policy_result": "allowed"})));
    }

    /// The call ended.
    pub(crate) fn done(&mut self, call: &str, tool: &str, agent: Option<&str>, outcome: &str) {
        self.second += 1;
        let end = json!({"tool_use_id": call, "tool_name": tool, "agent_id": agent, "phase": "outcome", "outcome": outcome});
        if let Some((server, short)) = tool.strip_prefix("mcp__").and_then(|rest| rest.split_once("__")) {
            let loose = json!({"session_id": null, "tool_name": short, "mcp_server": server});
            self.say("mcp", "mcp.tool_call", merge(&merge(&end, json!({"phase": "intent", "outcome": null})), loose.clone()));
            self.say("mcp", "mcp.tool_call", merge(&end, loose));
        }
        self.say("hook", "tool.command", merge(&end, json!({"hook_event_name": "PostToolUse"})));
        self.otel("tool.command", end.clone());
        self.say("transcript", "tool.command", end.clone());
        self.say("gateway", "tool.command", end);
    }

    pub(crate) fn spawn(&mut self, agent: &str) {
        self.second += 1;
        let life = json!({"agent_id": agent, "subagent_id": agent, "agent_type": "Explore"});
        self.say("hook", "agent.subagent_spawned", merge(&life, json!({"hook_event_name": "SubagentStart"})));
        self.say("hook", "agent.subagent_finished", merge(&life, json!({"hook_event_name": "SubagentStop"})));
    }

    pub(crate) fn end(&mut self) {
        self.second += 1;
        self.say("hook", "session.ended", json!({"hook_event_name": "SessionEnd", "end_reason": "completed"}));
        self.otel("otel.session_closed", json!({}));
        self.say("transcript", "transcript.cost_state", json!({}));
    }

    /// Sealtrail itself finds the client gone.
    pub(crate) fn gone(&mut self) {
        self.second += 1;
        self.say("recorder", "session.ended", json!({"reason": "agent_lost", "end_reason": "crashed"}));
    }

    pub(crate) fn other(&mut self, witness: &str, kind: &str, more: Value) {
        self.second += 1;
        self.say(witness, kind, more);
    }
}

pub(crate) fn merge(a: &Value, b: Value) -> Value {
    let mut merged = a.clone();
    for (name, value) in b.as_object().unwrap() {
        merged[name] = value.clone();
    }
    merged
}

/// A session with nothing wrong in it: two prompts, seven model calls, a subagent, calls of files, shells and an MCP server.
pub(crate) fn clean() -> Vec<Value> {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    told.call("toolu_1", "Bash", None);
    told.model("req_2", None);
    told.call("toolu_2", "mcp__files__read", None);
    told.model("req_3", None);
    told.ask("toolu_3", "Agent", None);
    told.spawn("a1");
    told.model("req_4", Some("a1"));
    told.call("toolu_4", "Bash", Some("a1"));
    told.model("req_5", Some("a1"));
    told.done("toolu_3", "Agent", None, "success");
    told.model("req_6", None);
    told.prompt("p2");
    told.model("req_7", None);
    told.end();
    told.events
}

/// Judges events as a trail does: those without a session are joined.
pub(crate) fn judged(events: &[Value], required: &[Witness]) -> Report {
    judged_at(events, required, LATER)
}

pub(crate) fn judged_at(events: &[Value], required: &[Witness], now: i64) -> Report {
    let mut report = Report::new(required, now);
    let mut loose = Loose::default();
    let mut sessions: std::collections::BTreeMap<String, Session> = std::collections::BTreeMap::new();
    for view in events {
        report.lost(view);
        match view["session_id"].as_str() {
            Some(id) => sessions.entry(id.to_owned()).or_insert_with(|| Session::new(id)).add(view),
            None => loose.add(view),
        }
    }
    for (_, mut session) in sessions {
        loose.join(&mut session);
        report.take(session);
    }
    report.finish(&loose, None);
    report
}

/// Says every gap in one line each.
pub(crate) fn gaps(report: &Report) -> Vec<String> {
    let line = |gap: &sealtrail_trace::coverage::Gap| {
        let keys: Vec<&str> = gap.items.iter().map(|item| item.key.as_str()).collect();
        let agent = gap.agent.as_ref().map(|agent| format!(" of {agent}")).unwrap_or_default();
        format!("{} {} {}{agent}: {}", gap.witness.word(), gap.class.word(), gap.cause.word(), keys.join(" "))
    };
    report.gaps().iter().map(line).collect()
}

/// Says every finding, or note, in one line each.
pub(crate) fn findings(found: &[sealtrail_trace::coverage::Finding]) -> Vec<String> {
    found.iter().map(|finding| format!("{} {}: {}", finding.kind.word(), finding.key, finding.detail)).collect()
}
