// Sends logs, spans and metrics with the JavaScript SDK of OpenTelemetry, the same as send.py does.
//
//     node send.mjs --url URL --key KEY --protocol json|protobuf|grpc --run NAME [--gzip]
//
// Exit status 1 when an exporter says that something failed.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import path from "node:path";

// Modules are where they were installed, which is not beside this file.
const require = createRequire(path.join(process.cwd(), "package.json"));
const { diag } = require("@opentelemetry/api");
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const { values: options } = parseArgs({
  options: { url: { type: "string" }, key: { type: "string" }, protocol: { type: "string" }, run: { type: "string" }, gzip: { type: "boolean" } },
});
const problems = [];
const complain = (...said) => problems.push(said.map((part) => (part instanceof Error ? part.message : String(part))).join(" "));
diag.setLogger({ error: complain, warn: complain, info() {}, debug() {}, verbose() {} });

const kind = { json: "http", protobuf: "proto", grpc: "grpc" }[options.protocol];
const compression = options.gzip ? "gzip" : "none";
function exporter(signal, name) {
  const found = require(`@opentelemetry/exporter-${signal}-otlp-${kind}`)[name];
  const authorization = `Bearer ${options.key}`;
  if (options.protocol !== "grpc") {
    return new found({ url: `${options.url}/v1/${{ logs: "logs", metrics: "metrics", trace: "traces" }[signal]}`, headers: { authorization }, compression });
  }
  const { Metadata } = require("@grpc/grpc-js");
  const metadata = new Metadata();
  metadata.set("authorization", authorization);
  return new found({ url: options.url, metadata, compression });
}

const resource = resourceFromAttributes({ "service.name": "sdk-js", run: options.run });
const logs = exporter("logs", "OTLPLogExporter");
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logs })] });
const tracers = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter("trace", "OTLPTraceExporter"))] });
const reader = new PeriodicExportingMetricReader({ exporter: exporter("metrics", "OTLPMetricExporter"), exportIntervalMillis: 600000 });
const meters = new MeterProvider({ resource, readers: [reader] });

const logger = loggers.getLogger("check", "1.0");
for (let number = 0; number < 20; number++) {
  const attributes = { number, half: number / 2, even: number % 2 === 0, list: ["a", "b"], text: `text ${number}` };
  logger.emit({ eventName: "check.log", body: `log ${number}`, severityNumber: 13, attributes });
}
const tracer = tracers.getTracer("check", "1.0");
for (let number = 0; number < 5; number++) {
  const span = tracer.startSpan("check.span", { attributes: { number, "gen_ai.request.model": "m-1" } });
  span.addEvent("happened", { at: number });
  span.setStatus(number === 4 ? { code: 2, message: "on purpose" } : { code: 1 });
  span.end();
}
const meter = meters.getMeter("check", "1.0");
meter.createCounter("check.counter", { unit: "1" }).add(7, { kind: "a" });
meter.createHistogram("check.histogram", { unit: "ms" }).record(3.5, { kind: "b" });
for (const provider of [loggers, tracers, meters]) {
  // Each sends what it has; a flush before would report the metrics twice.
  await provider.shutdown().catch(complain);
}
problems.forEach((problem) => console.error(problem));
process.exit(problems.length ? 1 : 0);
