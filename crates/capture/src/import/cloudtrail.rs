//! One record of AWS CloudTrail.

use serde_json::{Map, Value, json};

use crate::import::row::{Candidate, Row, RowError, add, add_uuids, head, rfc3339};

/// 256 tags of a session are looked at; AWS allows 50.
const TAGS_MAX: usize = 256;

/// Reads one member of `Records`. The whole record is kept under `cloudtrail`.
pub fn cloudtrail(record: &Value) -> Result<Row, RowError> {
    let Value::Object(members) = record else { return Err(RowError::Shape { found: format!("is no object but {}", head(record)) }) };
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let Some(key) = text("eventID") else { return Err(RowError::Shape { found: "has no `eventID`".to_owned() }) };
    let unix_ns = rfc3339(members, "eventTime")?;
    let (service, action) = (text("eventSource").unwrap_or_default(), text("eventName").unwrap_or_default());
    let mut out = Map::new();
    out.insert("event_type".to_owned(), "infra.cloud".into());
    let parts = [
        ("category", json!("infrastructure_operation")),
        ("user_id", json!(person(members))),
        ("source_ip", json!(text("sourceIPAddress"))),
        ("user_agent", json!(text("userAgent"))),
        ("request_id", json!(text("requestID"))),
        ("outcome", json!(outcome(members))),
        ("reason", json!(text("errorCode"))),
        ("error", json!(text("errorMessage"))),
        ("operation", json!({"action": format!("{}:{action}", service.trim_end_matches(".amazonaws.com"))})),
        ("resource", resource(members)),
        ("cloudtrail", record.clone()),
    ];
    out.extend(parts.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)));
    Ok(Row { source: "cloudtrail", key: key.to_owned(), unix_ns, record: out, candidates: candidates(members) })
}

/// Returns who it was, as AWS names them.
fn person(members: &Map<String, Value>) -> Option<&str> {
    let identity = members.get("userIdentity")?;
    ["arn", "userName", "principalId", "invokedBy", "type"].iter().find_map(|name| identity.get(*name)?.as_str())
}

fn outcome(members: &Map<String, Value>) -> &'static str {
    match members.get("errorCode").and_then(Value::as_str) {
        None => "success",
        Some(code) if ["AccessDenied", "Unauthorized", "Forbidden"].iter().any(|word| code.contains(word)) => "denied",
        Some(_) => "failure",
    }
}

fn resource(members: &Map<String, Value>) -> Value {
    let first = members.get("resources").and_then(|list| list.get(0));
    let named = first.and_then(|first| first.get("ARN").or_else(|| first.get("arn"))).and_then(Value::as_str);
    let mut resource = json!({"type": "aws"});
    if let Some(name) = named {
        resource["name"] = name.into();
    }
    if let Some(region) = members.get("awsRegion") {
        resource["region"] = region.clone();
    }
    resource
}

/// Finds where the record may carry a session of the client: a tag of the AWS session, the name of the role's session, the user agent.
fn candidates(members: &Map<String, Value>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let identity = members.get("userIdentity");
    let asked = members.get("requestParameters");
    let tags = asked.and_then(|asked| asked.get("tags")).and_then(Value::as_array);
    for tag in tags.into_iter().flatten().take(TAGS_MAX) {
        let part = |a: &str, b: &str| tag.get(a).or_else(|| tag.get(b)).and_then(Value::as_str).unwrap_or_default();
        let (name, value) = (part("key", "Key"), part("value", "Value"));
        tagged(&mut found, name, value);
    }
    for place in [asked.and_then(|asked| asked.get("principalTags")), identity.and_then(|id| id.get("principalTags"))] {
        for (name, value) in place.and_then(Value::as_object).into_iter().flatten().take(TAGS_MAX) {
            tagged(&mut found, name, value.as_str().unwrap_or_default());
        }
    }
    let named = asked.and_then(|asked| asked.get("roleSessionName")).and_then(Value::as_str);
    // The name of a role's session is the end of the assumed role's address, and of the principal's id.
    let arn = identity.and_then(|id| id.get("arn")).and_then(Value::as_str).filter(|arn| arn.contains(":assumed-role/"));
    let principal = identity.and_then(|id| id.get("principalId")).and_then(Value::as_str).and_then(|id| id.split_once(':'));
    for name in [named, arn.and_then(|arn| arn.rsplit('/').next()), principal.map(|(_, name)| name)].into_iter().flatten() {
        add_uuids(&mut found, "role_session_name", name);
        add(&mut found, "role_session_name", name);
    }
    if let Some(agent) = members.get("userAgent").and_then(Value::as_str) {
        add_uuids(&mut found, "user_agent", agent);
    }
    found
}

fn tagged(found: &mut Vec<Candidate>, name: &str, value: &str) {
    if name.to_ascii_lowercase().contains("session") {
        add(found, "session_tag", value);
    }
    add_uuids(found, "session_tag", value);
}
