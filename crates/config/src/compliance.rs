//! What regulations ask of the trail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Integrity;

/// What regulations ask of the trail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compliance {
    /// One entry a regulation.
    pub frameworks: Frameworks,
}

/// The regulations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Frameworks {
    /// EU 2016/679.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-acted-on" = "reports come in a later release"))]
    pub gdpr: Option<Gdpr>,
    /// 45 CFR 164.312(b).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hipaa: Option<Hipaa>,
}

/// EU 2016/679.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gdpr {
    /// Whether it applies.
    pub enabled: bool,
    /// Access to personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_access_logging: Option<DataAccessLogging>,
    /// Requests of data subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_subject_access: Option<DataSubjectAccess>,
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_audit_trail: Option<ProcessorAuditTrail>,
}

/// Access to personal data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataAccessLogging {
    /// Reads of personal data.
    pub include_pii: bool,
    /// Processing of special categories.
    pub include_sensitive_processing: bool,
}

/// Requests of data subjects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataSubjectAccess {
    /// Whether they can be answered.
    pub enabled: bool,
    /// In which forms.
    pub export_formats: Vec<ExportFormat>,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// JSON.
    Json,
    /// Comma-separated values.
    Csv,
}

/// Processors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessorAuditTrail {
    /// Whether it is kept.
    pub enabled: bool,
    /// Whether subagents count as processors.
    pub include_subagent_actions: bool,
}

/// 45 CFR 164.312(b).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hipaa {
    /// Whether it applies.
    pub enabled: bool,
    /// Access to health information.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-acted-on" = "every access is sealed anyway; reports come in a later release"))]
    pub phi_access_logging: Option<PhiAccessLogging>,
    /// Years of retention; also taken inside `phi_access_logging`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("x-not-acted-on" = "nothing is deleted yet: every event stays in the ledger"))]
    pub retention_years: Option<u32>,
    /// Unusual access.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-acted-on" = "detection comes in a later release"))]
    pub anomaly_detection: Option<AnomalyDetection>,
    /// Protection against changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Integrity>,
}

/// Access to health information.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PhiAccessLogging {
    /// Every access, without sampling.
    pub track_all_access: bool,
    /// Failed ones too.
    pub include_failed_attempts: bool,
    /// Years of retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub retention_years: Option<u32>,
}

/// Unusual access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnomalyDetection {
    /// Whether it is looked for.
    pub enabled: bool,
    /// What is unusual.
    pub rules: Vec<AnomalyRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnomalyRule {
    /// Its name.
    pub rule: String,
    /// When it fires, in words.
    pub trigger: String,
    /// What happens then.
    pub action: String,
}
