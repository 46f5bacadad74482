//! Bytes of an export request to records, from either encoding into one form.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use sealtrail_event::{RECORD_BYTES_MAX, StrictError, parse_strict};
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::OtelError;
use super::plain::{attributes, shape, tidy};
use super::{Encoding, Signal};

/// 16,384 records: two of the largest batches that collectors send by default (8,192).
pub const RECORDS_MAX: usize = 16_384;

/// 32 MiB: what the records hold once each has its resource, scope and metric with it; a request of 16 MiB could name a resource of 8 MiB for
/// each of 16,384 records otherwise.
pub const EXPANDED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Kinds of data that a metric may have, each with its points.
const KINDS: &[&str] = &["sum", "gauge", "histogram", "exponentialHistogram", "summary"];

/// One export request, understood and not yet redacted.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    pub(super) signal: Signal,
    pub(super) groups: Vec<Group>,
}

/// Records that share what stands above them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// `resource` and `scope`, each with its attributes, and `metric` above data points.
    pub(super) head: Map<String, Value>,
    /// Members of each record.
    pub(super) records: Vec<Map<String, Value>>,
}

impl Export {
    /// Returns how many records it has.
    pub fn records(&self) -> usize {
        self.groups.iter().map(|group| group.records.len()).sum()
    }
}

/// Understands the body of an export request, which is not compressed any more.
pub fn decode(signal: Signal, encoding: Encoding, bytes: &[u8]) -> Result<Export, OtelError> {
    let request = match encoding {
        Encoding::Json => parse_strict(bytes)?.value,
        Encoding::Protobuf if bytes.len() > RECORD_BYTES_MAX => return Err(StrictError::TooLarge { found: bytes.len() }.into()),
        Encoding::Protobuf => match signal {
            Signal::Logs => protobuf::<ExportLogsServiceRequest>(bytes)?,
            Signal::Metrics => protobuf::<ExportMetricsServiceRequest>(bytes)?,
            Signal::Traces => protobuf::<ExportTraceServiceRequest>(bytes)?,
        },
    };
    let Value::Object(request) = request else { return Err(shape("the request", "an object", &request)) };
    export(signal, request)
}

/// Decodes a message, and gives it the form that OTLP's JSON has.
fn protobuf<M: Message + Default + Serialize>(bytes: &[u8]) -> Result<Value, OtelError> {
    let message = M::decode(bytes).map_err(|error| OtelError::Protobuf(error.to_string()))?;
    serde_json::to_value(message).map_err(|error| OtelError::Protobuf(error.to_string()))
}

fn export(signal: Signal, mut request: Map<String, Value>) -> Result<Export, OtelError> {
    let [by_resource, by_scope, records] = signal.lists();
    // An empty request is one; a request with other members only would be lost in silence.
    if !request.is_empty() && !request.contains_key(by_resource) {
        return Err(OtelError::Absent { wanted: by_resource });
    }
    let mut groups = Groups { found: Vec::new(), records: 0, bytes: 0 };
    for mut of_resource in objects(request.shift_remove(by_resource), by_resource)? {
        let resource = head(of_resource.shift_remove("resource"), of_resource.shift_remove("schemaUrl"))?;
        for mut of_scope in objects(of_resource.shift_remove(by_scope), by_scope)? {
            let scope = head(of_scope.shift_remove("scope"), of_scope.shift_remove("schemaUrl"))?;
            let above = [("resource", &resource), ("scope", &scope)];
            let found = objects(of_scope.shift_remove(records), records)?;
            if signal == Signal::Metrics {
                found.into_iter().try_for_each(|metric| groups.add_metric(&above, metric))?;
            } else {
                groups.add(&above, found)?;
            }
        }
    }
    Ok(Export { signal, groups: groups.found })
}

/// The groups of a request, as far as it was read.
struct Groups {
    found: Vec<Group>,
    records: usize,
    bytes: usize,
}

impl Groups {
    fn add(&mut self, above: &[(&str, &Map<String, Value>)], records: Vec<Map<String, Value>>) -> Result<(), OtelError> {
        if records.is_empty() {
            return Ok(());
        }
        self.records += records.len();
        if self.records > RECORDS_MAX {
            return Err(OtelError::TooMany { found: self.records });
        }
        let each: usize = above.iter().map(|(_, members)| serde_json::to_string(members).map_or(0, |text| text.len())).sum();
        self.bytes = self.bytes.saturating_add(each.saturating_mul(records.len()));
        if self.bytes > EXPANDED_BYTES_MAX {
            return Err(OtelError::TooLarge { bytes: self.bytes });
        }
        let above = above.iter().filter(|(_, members)| !members.is_empty());
        let head = above.map(|(name, members)| ((*name).to_owned(), Value::Object((*members).clone()))).collect();
        let records = records.into_iter().map(tidy).collect::<Result<_, _>>()?;
        self.found.push(Group { head, records });
        Ok(())
    }

    /// Adds the data points of a metric, each of which is a record.
    fn add_metric(&mut self, above: &[(&str, &Map<String, Value>); 2], mut metric: Map<String, Value>) -> Result<(), OtelError> {
        let metadata = attributes(metric.shift_remove("metadata").unwrap_or_default())?;
        let kind = KINDS.iter().copied().find(|kind| metric.get(*kind).is_some_and(Value::is_object));
        let points = match kind.map(|kind| (kind, metric.shift_remove(kind))) {
            Some((kind, Some(Value::Object(mut data)))) => {
                let points = objects(data.shift_remove("dataPoints"), "dataPoints")?;
                metric.extend(data);
                metric.insert("kind".to_owned(), kind.into());
                points
            }
            // Data of a kind that this version does not know: the metric itself is the record.
            _ => vec![Map::new()],
        };
        let mut metric = tidy(metric)?;
        if !metadata.is_empty() {
            metric.insert("metadata".to_owned(), Value::Object(metadata));
        }
        self.add(&[above[0], above[1], ("metric", &metric)], points)
    }
}

/// Returns the members of a resource or scope.
fn head(value: Option<Value>, schema: Option<Value>) -> Result<Map<String, Value>, OtelError> {
    let mut members = match value {
        Some(Value::Object(members)) => tidy(members)?,
        None | Some(Value::Null) => Map::new(),
        Some(other) => return Err(shape("a resource or scope", "an object", &other)),
    };
    if let Some(Value::String(url)) = schema.filter(|url| url != "") {
        members.insert("schemaUrl".to_owned(), url.into());
    }
    Ok(members)
}

fn objects(value: Option<Value>, at: &'static str) -> Result<Vec<Map<String, Value>>, OtelError> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(shape(at, "a list", &other)),
    };
    let object = |item| match item {
        Value::Object(members) => Ok(members),
        other => Err(shape(at, "a list of objects", &other)),
    };
    items.into_iter().map(object).collect()
}
