//! How long events are kept, and how files of local destinations are rotated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use sealtrail_event::Domain;
use serde::{Deserialize, Serialize};

use crate::destination::{FileCompression, RotationKind};

/// How long events are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-acted-on" = "nothing is moved or deleted yet: every event stays in the ledger"))]
pub struct Retention {
    /// Days in searchable storage, where nothing else is said.
    #[schemars(range(min = 1))]
    pub default_retention_days: u32,
    /// By domain.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = {"$ref": "#/$defs/Domain"}))]
    pub by_domain: BTreeMap<Domain, Periods>,
    /// By sensitivity level.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_sensitivity: BTreeMap<String, Periods>,
    /// How the archive is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archival: Option<Archival>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { default_retention_days: 90, by_domain: BTreeMap::new(), by_sensitivity: BTreeMap::new(), archival: None }
    }
}

/// Days in each storage, counted from the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Searchable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_storage_days: Option<u32>,
    /// Archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_storage_days: Option<u32>,
    /// Deleted after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after_days: Option<u32>,
}

/// How the archive is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Archival {
    /// Where: `s3://…`, or a folder.
    pub destination: String,
    /// Form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<ArchiveFormat>,
    /// Encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<ArchiveEncryption>,
    /// How often the key changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_rotation: Option<KeyRotation>,
}

/// Form of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFormat {
    /// Compressed JSON Lines.
    CompressedJsonl,
}

/// Encryption of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ArchiveEncryption {
    /// AES with 256 bits.
    #[serde(rename = "AES-256")]
    Aes256,
}

/// How often the archive's key changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyRotation {
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Yearly,
}

/// How files of local destinations are rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-acted-on" = "it is for file destinations, which come in a later release; the ledger has its own segments"))]
pub struct Rotation {
    /// Whether files are rotated.
    pub enabled: bool,
    /// Local files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_rotation: Option<FileRotation>,
    /// Cloud destinations rotate by themselves; set it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_rotation: Option<CloudRotation>,
}

/// Rotation of local files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRotation {
    /// By what.
    #[serde(rename = "type")]
    pub kind: RotationKind,
    /// Size limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_file_size_mb: Option<u32>,
    /// Age limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub rotate_every_days: Option<u32>,
    /// How many files stay; one that is not archived stays in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub keep_files: Option<u32>,
    /// Compression of rotated files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<RotatedCompression>,
}

/// Compression of rotated files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotatedCompression {
    /// Whether it is on.
    pub enabled: bool,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<FileCompression>,
    /// How hard it tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 19))]
    pub level: Option<u32>,
}

/// Cloud destinations rotate by themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudRotation {
    /// Whether it is on.
    pub enabled: bool,
}
