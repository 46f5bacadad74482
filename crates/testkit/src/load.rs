//! Records of many sessions at once, in the order of time.

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::needles;
use crate::words::{COMMANDS, ENDINGS, FILES, FOLDERS, LEVELS, MODELS, PROSE, SERVERS, STEPS, TYPES};

/// 90 days: the time that the records of one load lie in.
const SPAN_MS: u64 = 90 * 24 * 3600 * 1000;
/// Sessions that are open at the same time.
const OPEN_SESSIONS: usize = 64;
/// Records of one session, on average.
const SESSION_RECORDS: u32 = 100;
const USERS: u32 = 50;
const AGENTS: u32 = 400;

/// An iterator of records; about 1.2 KB of JSON each.
pub struct Load {
    rng: Rng,
    sessions: Vec<Session>,
    now_ms: u64,
    step_ms: f64,
    left: u64,
    /// A failed login that will succeed soon: who, from where, and after how many records.
    retry: Option<(Session, u32)>,
}

#[derive(Clone)]
struct Session {
    id: String,
    user: u32,
    agent: u32,
    address: String,
    project: u32,
    calls: u32,
}

impl Load {
    /// Makes `count` records that end at `end`.
    pub fn new(seed: u64, count: u64, end: Timestamp) -> Self {
        let mut rng = Rng::with_seed(seed);
        let end_ms = u64::try_from(end.as_millisecond()).unwrap_or(SPAN_MS);
        let sessions = (0..OPEN_SESSIONS).map(|_| Session::new(&mut rng)).collect();
        Self {
            rng,
            sessions,
            now_ms: end_ms.saturating_sub(SPAN_MS),
            step_ms: SPAN_MS as f64 / count.max(1) as f64,
            left: count,
            retry: None,
        }
    }

    fn record(&mut self) -> Value {
        self.now_ms += (self.step_ms * 2.0 * self.rng.f64()) as u64;
        if let Some((session, 0)) = &self.retry {
            let session = session.clone();
            self.retry = None;
            return self.login(&session, true);
        }
        if let Some((_, wait)) = &mut self.retry {
            *wait -= 1;
        }
        let place = self.rng.usize(..self.sessions.len());
        if self.rng.u32(..SESSION_RECORDS) == 0 {
            self.sessions[place] = Session::new(&mut self.rng);
        }
        self.sessions[place].calls += 1;
        let session = self.sessions[place].clone();
        match weighted(&mut self.rng, TYPES) {
            "auth.user_login" => {
                let fails = self.rng.u32(..100) < needles::FAILED_LOGINS_PERCENT;
                // The success must come within 300 seconds also when records are far apart in time.
                if fails && self.retry.is_none() && self.step_ms < 60_000.0 && self.rng.bool() {
                    self.retry = Some((session.clone(), 1));
                }
                self.login(&session, !fails)
            }
            kind => self.work(&session, kind),
        }
    }

    fn login(&mut self, session: &Session, succeeds: bool) -> Value {
        let mut record = self.base(session, "auth.user_login");
        record.extend(members(json!({
            "email": format!("user_{}@company.example", session.user),
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
            "mfa_verified": succeeds && self.rng.u32(..10) > 0,
            "status": if succeeds { "success" } else { "fail" },
            "result_code": if succeeds { "AUTH_SUCCESS" } else { "AUTH_BAD_PASSWORD" },
        })));
        Value::Object(record)
    }

    fn work(&mut self, session: &Session, kind: &str) -> Value {
        let mut record = self.base(session, kind);
        let failed = self.rng.u32(..20) == 0;
        record.insert("status".into(), if failed { "fail" } else { "success" }.into());
        record.insert("duration_ms".into(), self.duration().into());
        record.insert("tool_use_id".into(), format!("toolu_{:016x}{:08x}", self.rng.u64(..), self.rng.u32(..)).into());
        let more = match kind.split('.').next().unwrap_or_default() {
            "data" => self.file(kind),
            "tool" => self.command(session),
            "model" | "cost" => self.model(),
            "workflow" => self.workflow(),
            "mcp" => {
                json!({"tool_name": "mcp_query", "mcp_server": SERVERS[self.rng.usize(..SERVERS.len())], "input": {"q": self.prose(6)}})
            }
            _ => json!({}),
        };
        record.extend(members(more));
        if kind == "prompt.submitted" {
            record.insert("prompt".into(), self.prose(40).into());
        }
        record.insert("details".into(), self.prose(32).into());
        Value::Object(record)
    }

    fn base(&mut self, session: &Session, kind: &str) -> Map<String, Value> {
        members(json!({
            "audit_id": uuid_v7(self.now_ms, self.rng.u128(..)),
            "event_type": kind,
            "timestamp": moment(self.now_ms),
            "user_id": format!("user_{}", session.user),
            "source_ip": session.address,
            "agent_id": format!("agent_{:03}", session.agent),
            "session_id": session.id,
            "project_id": format!("project_{:02}", session.project),
            "department": format!("dept_{}", session.user % 7),
            "host": format!("build-{:02}", session.user % 23),
            "cwd": format!("/home/user_{}/code/project_{:02}", session.user, session.project),
            "client_version": "2.1.329",
            "permission_mode": "default",
            "model": MODELS[(session.agent % 3) as usize],
        }))
    }

    fn file(&mut self, kind: &str) -> Value {
        let large = self.rng.u32(..2_000) == 0;
        let size = if large { needles::LARGE_BYTES + self.rng.u64(1..4_000_000_000) } else { self.rng.u64(20..400_000) };
        let level = weighted(&mut self.rng, LEVELS);
        json!({
            "tool_name": if kind.ends_with("read") { "Read" } else { "Write" },
            "resource": {"type": "file", "path": self.path(), "size_bytes": size, "sensitivity_level": level},
            "operation": {"action": kind.rsplit(['.', '_']).next(), "partial": self.rng.bool(), "record_count": self.rng.u32(..5000)},
            "output": {"lines": self.rng.u32(1..900), "excerpt": self.prose(48)},
        })
    }

    fn command(&mut self, session: &Session) -> Value {
        let command = if self.rng.u32(..8_200) == 0 {
            format!("sudo {}/log/project_{:02}/*.gz", needles::SUBSTRING, session.project)
        } else {
            format!("{} {}", COMMANDS[self.rng.usize(..COMMANDS.len())], self.path())
        };
        let cwd = format!("/home/user_{}/code/project_{:02}", session.user, session.project);
        json!({
            "tool_name": "Bash",
            "command": format!("cd {cwd} && {command} 2>&1 | tail -n {}", self.rng.u32(5..200)),
            "output": {"stdout": self.prose(40), "exit_code": u32::from(self.rng.u32(..20) == 0)},
        })
    }

    fn model(&mut self) -> Value {
        let (input, output) = (self.rng.u32(400..90_000), self.rng.u32(20..4_000));
        json!({
            "input_tokens": input,
            "output_tokens": output,
            "cost_usd": f64::from(input * 3 + output * 15) / 1e6,
            "request_id": format!("req_{:016x}", self.rng.u64(..)),
            "stop_reason": if self.rng.bool() { "tool_use" } else { "end_turn" },
            "output": {"text": self.prose(40)},
        })
    }

    fn workflow(&mut self) -> Value {
        let step = STEPS[self.rng.usize(..STEPS.len())];
        json!({
            "workflow_id": "loan_approval_v2",
            "execution_id": format!("exec_{:012x}", self.rng.u64(..1 << 48)),
            "step_name": step,
            "decision": {"condition": "risk_score < 0.3", "result": self.rng.bool(), "evaluated_value": f64::from(self.rng.u32(..1000)) / 1000.0},
            "output": {"note": self.prose(30)},
        })
    }

    fn path(&mut self) -> String {
        let name = if self.rng.u32(..300) == 0 { needles::TOKEN } else { FILES[self.rng.usize(..FILES.len())] };
        let (folder, ending) = (FOLDERS[self.rng.usize(..FOLDERS.len())], ENDINGS[self.rng.usize(..ENDINGS.len())]);
        format!("/srv/{folder}/{name}_{:03}.{ending}", self.rng.u32(..400))
    }

    fn prose(&mut self, words: usize) -> String {
        let chosen: Vec<&str> = (0..words).map(|_| PROSE[self.rng.usize(..PROSE.len())]).collect();
        chosen.join(" ")
    }

    /// Milliseconds, most of them short and a few very long.
    fn duration(&mut self) -> u64 {
        // Exponential in the logarithm: the median is near 80 ms, one in a hundred is over 10 s.
        (30.0 * (-(1.0 - self.rng.f64()).ln() * 1.4).exp()) as u64 % 600_000
    }
}

impl Iterator for Load {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        Some(self.record())
    }
}

impl Session {
    fn new(rng: &mut Rng) -> Self {
        // Zipf over the users: the k-th is k times rarer than the first.
        let share = rng.f64() * (1..=USERS).map(|k| 1.0 / f64::from(k)).sum::<f64>();
        let mut sum = 0.0;
        let user = (1..USERS).find(|k| {
            sum += 1.0 / f64::from(*k);
            sum >= share
        });
        let rare = rng.u32(..500) == 0;
        let address = if rare {
            format!("{}{}", needles::NETWORK, rng.u8(1..))
        } else {
            format!("10.{}.{}.{}", rng.u8(..20), rng.u8(..), rng.u8(1..))
        };
        Self { id: uuid_v4(rng.u128(..)), user: user.unwrap_or(USERS), agent: rng.u32(..AGENTS), address, project: rng.u32(..30), calls: 0 }
    }
}

fn weighted<'a>(rng: &mut Rng, choices: &[(&'a str, u32)]) -> &'a str {
    let total: u32 = choices.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.u32(..total);
    for (choice, weight) in choices {
        match at.checked_sub(*weight) {
            Some(rest) => at = rest,
            None => return choice,
        }
    }
    choices[0].0
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn moment(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    format!("{at:.3}")
}

/// RFC 9562 section 5.7.
fn uuid_v7(unix_ms: u64, noise: u128) -> String {
    hyphens(u128::from(unix_ms) << 80 | 0x7 << 76 | (noise >> 64 & 0xfff) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1))
}

/// RFC 9562 section 5.4.
fn uuid_v4(noise: u128) -> String {
    hyphens(noise & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62)
}

fn hyphens(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(count: u64) -> Load {
        Load::new(7, count, "2026-11-21T00:00:00Z".parse().unwrap_or_default())
    }

    /// Protects comparisons between runs: the same seed gives the same records.
    #[test]
    fn the_same_seed_gives_the_same_records() {
        assert!(load(2_000).eq(load(2_000)));
    }

    /// Protects the benchmarks' meaning: the records have the size, the order and the needles that are documented.
    #[test]
    fn records_are_what_the_benchmarks_say() {
        let records: Vec<Value> = load(60_000).collect();
        let bytes: usize = records.iter().map(|record| record.to_string().len()).sum();
        let mean = bytes / records.len();
        assert!((1_000..1_400).contains(&mean), "mean size is {mean}");
        assert!(records.is_sorted_by_key(|record| record["timestamp"].as_str().map(str::to_owned)));
        let all: String = records.iter().map(Value::to_string).collect();
        for needle in [needles::SUBSTRING, needles::TOKEN, needles::NETWORK] {
            assert!(all.contains(needle), "{needle} is not in them");
        }
    }
}
