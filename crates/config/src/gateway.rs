//! The gateway between clients and the model's API.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::FailMode;
use crate::tree::{Kind, Node};
use crate::walk::Walk;

/// The gateway for `ANTHROPIC_BASE_URL`: requests pass through it to the model's API, and are recorded before they leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// Where it listens: `127.0.0.1:8788`. Nowhere when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Whether it may listen unencrypted where other machines hear it: credentials and prompts then cross the network in clear.
    pub insecure_listen: bool,
    /// Certificate chain and key, as PEM files: then it listens encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTls>,
    /// Whether a caller must name a token of this trail with the scope `write`, in the header `X-Sealtrail-Token`.
    pub require_token: bool,
    /// Where the model's API is.
    pub upstream: String,
    /// Where requests in Bedrock's form go; to `upstream` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bedrock_upstream: Option<String>,
    /// Where requests in Vertex's form go; to `upstream` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertex_upstream: Option<String>,
    /// Certificates (PEM) that are trusted beside the public ones, for an API behind a proxy of the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ca: Option<String>,
    /// What is kept of prompts, answers, inputs and outputs.
    pub content: GatewayContent,
    /// What happens to a request that cannot be recorded.
    pub fail_mode: FailMode,
    /// Seconds until the API must begin to answer.
    #[schemars(range(min = 1, max = 3_600))]
    pub answer_seconds: u32,
    /// Seconds that a connection to the API may take.
    #[schemars(range(min = 1, max = 600))]
    pub connect_seconds: u32,
    /// Largest body of a request, in MiB.
    #[schemars(range(min = 1, max = 4_096))]
    pub body_mib: u32,
    /// Connections at once.
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// Requests at once.
    #[schemars(range(min = 1, max = 65_536))]
    pub streams: u32,
    /// The header that names the person, where something in front of the gateway sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_header: Option<String>,
    /// Name of the application; the name of the calling program when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Highest class of the data that is sent (`internal`, `confidential`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_classification: Option<String>,
    /// Prices of models, in US dollars for a million tokens; without one, a call has no cost.
    pub prices: Vec<Price>,
    /// What may be used.
    pub budgets: Vec<Budget>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: None,
            insecure_listen: false,
            tls: None,
            require_token: false,
            upstream: "https://api.anthropic.com".to_owned(),
            bedrock_upstream: None,
            vertex_upstream: None,
            upstream_ca: None,
            content: GatewayContent::None,
            fail_mode: FailMode::Block,
            answer_seconds: 600,
            connect_seconds: 10,
            body_mib: 512,
            connections: 1_024,
            streams: 512,
            user_header: None,
            application: None,
            data_classification: None,
            prices: Vec::new(),
            budgets: Vec::new(),
        }
    }
}

impl Gateway {
    /// Returns the address, if there is one; a loaded configuration has no wrong one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.as_deref().and_then(|listen| listen.parse().ok())
    }
}

/// The files of an encrypted listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayTls {
    /// Certificate chain, PEM.
    pub certificate: String,
    /// Private key, PEM.
    pub key: String,
}

/// What is kept of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GatewayContent {
    /// Hashes, sizes and counts only.
    None,
    /// New messages, answers, inputs and outputs in erasable slots, after redaction.
    Redacted,
}

/// Price of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Name of the model, with `*` for anything: `claude-opus-*`. The first that matches counts.
    pub model: String,
    /// A million tokens of the request.
    pub input: f64,
    /// A million tokens of the answer.
    pub output: f64,
    /// A million tokens read from the cache.
    pub cache_read: f64,
    /// A million tokens written to the cache.
    pub cache_write: f64,
}

/// What one session or person may use, or all together in one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// For what it counts.
    pub per: BudgetPer,
    /// Tokens of requests and answers, those of the cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Whether further requests are refused once it is used up.
    #[serde(default)]
    pub block: bool,
}

/// For what a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BudgetPer {
    /// Each session.
    Session,
    /// Each person, each day (UTC).
    User,
    /// Everybody, each day (UTC).
    Day,
}

/// Checks what the schema cannot.
pub(crate) fn meaning(walk: &mut Walk<'_>, gateway: &Node) {
    let text = |name: &str| gateway.member(name).and_then(|member| member.2.text().map(|text| (member.2.place, text)));
    for name in ["upstream", "bedrock_upstream", "vertex_upstream"] {
        let path = format!("audit.gateway.{name}");
        if let Some((place, url)) = text(name)
            && !["https://", "http://"].iter().any(|start| url.len() > start.len() && url.starts_with(start))
        {
            let hint = Some("write the address of the API: https://api.anthropic.com".to_owned());
            walk.error(place, &path, format!("`{path}` is `{url}`, which is no http address"), hint);
        }
    }
    if let Some((place, listen)) = text("listen") {
        let path = "audit.gateway.listen";
        let open = gateway.member("insecure_listen").is_some_and(|member| matches!(member.2.value, Kind::Scalar(Value::Bool(true))));
        match listen.parse::<SocketAddr>() {
            Err(_) => {
                let hint = Some("write an address and a port: 127.0.0.1:8788, or [::1]:8788".to_owned());
                walk.error(place, path, format!("`{path}` is `{listen}`, which is no address with a port"), hint);
            }
            Ok(address) if !address.ip().to_canonical().is_loopback() && !open && gateway.member("tls").is_none() => {
                let message = format!("`{path}` is `{listen}`: other machines could read credentials and prompts, which are not encrypted");
                walk.error(place, path, message, Some("add `tls`, or accept the risk with `insecure_listen: true`".to_owned()));
            }
            Ok(_) => {}
        }
    }
    let budgets = gateway.member("budgets").map(|member| member.2.items()).unwrap_or_default();
    for (n, budget) in budgets.iter().enumerate() {
        if budget.member("tokens").is_none() && budget.member("usd").is_none() {
            let path = format!("audit.gateway.budgets[{n}]");
            walk.error(budget.place, &path, format!("`{path}` limits nothing"), Some("add `tokens` or `usd`".to_owned()));
        }
    }
}
