#!/usr/bin/env python3
"""Sends logs, spans and metrics with the Python SDK of OpenTelemetry.

    send.py --url URL --key KEY --protocol protobuf|grpc --run NAME [--gzip]

It sends 20 log records, 5 spans with an event each, a counter and a histogram. Exit status 1 when an exporter says that something failed.
"""
import argparse
import logging
import sys


def exporters(protocol, url, key, gzip):
    headers = {"authorization": f"Bearer {key}"}
    if protocol == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        packed = Compression.Gzip if gzip else Compression.NoCompression
        made = [kind(endpoint=url, insecure=True, headers=tuple(headers.items()), compression=packed)
                for kind in (OTLPLogExporter, OTLPSpanExporter, OTLPMetricExporter)]
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        packed = Compression.Gzip if gzip else Compression.NoCompression
        made = [kind(endpoint=f"{url}/v1/{path}", headers=headers, compression=packed)
                for kind, path in ((OTLPLogExporter, "logs"), (OTLPSpanExporter, "traces"), (OTLPMetricExporter, "metrics"))]
    return made


class Problems(logging.Handler):
    """Tells what exporters complain of: they tell nobody else."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.found = []

    def emit(self, record):
        self.found.append(record.getMessage())
        print(record.getMessage(), file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--protocol", choices=["protobuf", "grpc"], required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    problems = Problems()
    logging.getLogger("opentelemetry").addHandler(problems)

    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Status, StatusCode

    logs, spans, metrics = exporters(options.protocol, options.url, options.key, options.gzip)
    resource = Resource.create({"service.name": "sdk-python", "run": options.run})
    loggers, tracers = LoggerProvider(resource=resource), TracerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metrics, export_interval_millis=600000)])

    logger = loggers.get_logger("check", "1.0")
    for number in range(20):
        logger.emit(event_name="check.log", body=f"log {number}", severity_number=SeverityNumber.WARN,
                    attributes={"number": number, "half": number / 2, "even": number % 2 == 0, "list": ["a", "b"], "text": f"text {number}"})
    tracer = tracers.get_tracer("check", "1.0")
    for number in range(5):
        with tracer.start_as_current_span("check.span", attributes={"number": number, "gen_ai.request.model": "m-1"}) as span:
            span.add_event("happened", {"at": number})
            span.set_status(Status(StatusCode.ERROR, "on purpose") if number == 4 else Status(StatusCode.OK))
    meter = meters.get_meter("check", "1.0")
    meter.create_counter("check.counter", unit="1").add(7, {"kind": "a"})
    meter.create_histogram("check.histogram", unit="ms").record(3.5, {"kind": "b"})
    for provider in (loggers, tracers, meters):  # each sends what it has; a flush before would report the metrics twice
        provider.shutdown()
    return 1 if problems.found else 0


if __name__ == "__main__":
    sys.exit(main())
