// The middleware and its store, against a collector of the test's own.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { AuditLogger, AuditStore, FallbackFull, lifecycle, promptHash, responseHash, type Context, type Client } from "../src/index.js";

type Json = Record<string, unknown>;
type Answer = (records: Json[]) => [status: number, headers: Record<string, string>, body: unknown];

const known = new Map<string, Json>();
const requests: { path: string | undefined; headers: IncomingHttpHeaders; records: Json[] }[] = [];
const sealed: Answer = (records) => [200, {}, { results: records.map((record) => seal(record)) }];
let answer: Answer = sealed;
let folder = "";
let server: Server;
let port = 0;
let clock = 0;

function seal(record: Json): Json {
  const id = String(record["audit_id"] ?? record["event_id"]);
  const status = known.has(id) ? "known" : "sealed";
  if (status === "sealed") known.set(id, record);
  return { status, audit_id: id };
}

async function listen(at = 0): Promise<void> {
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString("utf8")));
    request.on("end", () => {
      const records = JSON.parse(text) as Json[];
      requests.push({ path: request.url, headers: request.headers, records });
      const [status, headers, body] = answer(records);
      response.writeHead(status, headers).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  port = (server.address() as { port: number }).port;
}

async function stop(): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

function store(more: object = {}): AuditStore {
  return new AuditStore({ url: `http://127.0.0.1:${port}`, key: "stw_key", fallback: join(folder, "fallback"), now: () => clock, ...more });
}

function refused(): Json[] {
  const lines = readFileSync(join(folder, "fallback/refused.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Json);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sealtrail-audit-"));
  known.clear();
  requests.length = 0;
  answer = sealed;
  clock = 1000;
  await listen();
});

afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

// Protects the way of a record: to the collector's own path, with the write key, an id and a time.
test("a record is sealed", async () => {
  const written = await store().write({ event_type: "data.file_read", complianceTags: ["SOC2", "GDPR"] });
  const request = requests[0];
  assert.deepEqual([request?.path, request?.headers.authorization, request?.headers["x-compliance-tags"]], ["/v1/events", "Bearer stw_key", "SOC2,GDPR"]);
  assert.equal(written.status, "sealed");
  assert.ok(known.get(written.audit_id)?.["timestamp"]);
});

// Protects who configures by the environment.
test("AUDIT_AGGREGATOR_URL and AUDIT_API_KEY are honoured", async () => {
  process.env["AUDIT_AGGREGATOR_URL"] = `http://127.0.0.1:${port}/audit/in`;
  process.env["AUDIT_API_KEY"] = "stw_other";
  try {
    await new AuditStore({ fallback: join(folder, "fallback") }).write({ event_type: "x" });
  } finally {
    delete process.env["AUDIT_AGGREGATOR_URL"];
    delete process.env["AUDIT_API_KEY"];
  }
  assert.deepEqual([requests[0]?.path, requests[0]?.headers.authorization], ["/audit/in", "Bearer stw_other"]);
  assert.throws(() => new AuditStore({ fallback: join(folder, "fallback") }), /AUDIT_AGGREGATOR_URL/);
});

// Protects records of an outage: kept on the disk, delivered in order and before anything newer, each sealed once.
test("an outage loses nothing and keeps the order", async () => {
  const trail = store();
  await stop();
  const before = await Promise.all([0, 1, 2].map((n) => trail.write({ audit_id: `a${n}` })));
  assert.deepEqual(before.map((one) => one.status), ["kept", "kept", "kept"]);
  await listen(port);
  clock += 3_600_000;
  await trail.write({ audit_id: "a3" });
  assert.deepEqual([...known.keys()], ["a0", "a1", "a2", "a3"]);
  assert.equal((await trail.write({ audit_id: "a4" })).status, "sealed");
});

// Protects what a process left: the next one takes it over and delivers it; a line that the crash cut off is kept and named.
test("another process delivers what one left", async () => {
  const trail = store();
  await stop();
  await trail.write({ audit_id: "a0" });
  await listen(port);
  const [name = ""] = readdirSync(join(folder, "fallback"));
  const left = join(folder, "fallback", name.replace(/-\d+\.jsonl$/, "-4194305.jsonl"));
  writeFileSync(left, readFileSync(join(folder, "fallback", name)));
  rmSync(join(folder, "fallback", name));
  appendFileSync(left, '{"audit_id": "half');
  assert.equal(await store().flush(), true);
  assert.deepEqual([...known.keys()], ["a0"]);
  assert.deepEqual(refused().map((one) => one["record"]), ['{"audit_id": "half']);
});

// Protects against silent loss: at the limit the caller is told; what the collector never takes stands in a file with the reason, and holds up nobody.
test("nothing is dropped in silence", async () => {
  answer = () => [429, { "retry-after": "30" }, {}];
  const trail = store({ fallbackBytesMax: 300 });
  assert.equal((await trail.write({ audit_id: "a0" })).status, "kept");
  clock += 29_000;
  await trail.write({ audit_id: "bad" });
  assert.equal(requests.length, 1);
  await assert.rejects(trail.write({ audit_id: "large", filler: "x".repeat(300) }), FallbackFull);
  answer = (records) => (records.some((record) => record["audit_id"] === "bad") ? [413, {}, {}] : sealed(records));
  assert.equal(await trail.flush(), true);
  assert.deepEqual([...known.keys()], ["a0"]);
  assert.deepEqual(refused().map((one) => (one["record"] as Json)["audit_id"]), ["bad"]);
});

const request = { model: "claude-opus-4-6", system: "Be brief.", messages: [{ role: "user", content: "Wie viele? é" }], max_tokens: 64 };
const content = [{ type: "text", text: "A list." }, { type: "tool_use", id: "toolu_1", name: "t", input: { a: 1 } }];
const message = { id: "msg_1", _request_id: "req_1", content, usage: { input_tokens: 12, output_tokens: 3 }, stop_reason: "tool_use" };

async function* events(upto = Infinity): AsyncGenerator<object> {
  const all = [
    { type: "message_start", message: { id: "msg_1", usage: { input_tokens: 12, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "A " } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "list." } },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "toolu_1", name: "t", input: {} } },
    { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":' } },
    { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "1}" } },
    { type: "content_block_stop", index: 1 },
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 3 } },
    { type: "message_stop" },
  ];
  yield* all.slice(0, upto);
}

function logger(answers: () => unknown, records: Json[]): AuditLogger {
  const client: Client = { messages: { create: async () => await Promise.resolve(answers()) } };
  return new AuditLogger(client, { write: (record) => records.push(JSON.parse(JSON.stringify(record)) as Json) }, { applicationId: "app" });
}

const call = { userId: "user-17", sessionId: "conv-204", request };

// Protects the record of a call: before and after, with the hashes that the Python middleware gives the same call, streamed or not.
test("a call has two records", async () => {
  const records: Json[] = [];
  assert.equal(await logger(() => message, records).createMessage(call), message);
  const streamed = (await logger(() => events(), records).createMessage({ ...call, request: { ...request, stream: true } })) as AsyncIterable<unknown>;
  let count = 0;
  for await (const _ of streamed) count += 1;
  assert.equal(count, 11);
  assert.deepEqual(records.map((record) => [record["status"], record["phase"]]), [["initiated", "intent"], ["success", "outcome"], ["initiated", "intent"], ["success", "outcome"]]);
  assert.equal(records[1]?.["parent_audit_id"], records[0]?.["event_id"]);
  assert.deepEqual(new Set(records.map((record) => record["prompt_hash"])).size, 1);
  assert.equal(records[1]?.["response_hash"], records[3]?.["response_hash"]);
  assert.deepEqual([records[3]?.["prompt_tokens"], records[3]?.["completion_tokens"], records[1]?.["request_id"]], [12, 3, "req_1"]);
  assert.equal(promptHash(request), "c3b7555b25ba5a8f1ab966ff08a1d6616c199bb60306919a5f35896e4500e296");
  assert.equal(responseHash(content), "e5e8f9fea672ee216c3968e2c9b1f81c54eacfb2cab4eef3b2cb834fc8dead52");
  assert.ok(!JSON.stringify(records).includes("Wie viele"));
});

// Protects the record of what went wrong: the error reaches the application, and a stream that was left or broke off says so.
test("errors and half answers are recorded", async () => {
  const records: Json[] = [];
  await assert.rejects(logger(() => Promise.reject(new TypeError("gone")), records).createMessage(call), TypeError);
  assert.deepEqual([records[1]?.["status"], records[1]?.["error_type"]], ["error", "TypeError"]);
  const half = { ...call, request: { ...request, stream: true } };
  for await (const _ of (await logger(() => events(), records).createMessage(half)) as AsyncIterable<unknown>) if (records.length > 2) break;
  for await (const _ of (await logger(() => events(4), records).createMessage(half)) as AsyncIterable<unknown>);
  assert.deepEqual([records[3]?.["status"], records[5]?.["status"], records[5]?.["response_partial"]], ["cancelled", "cancelled", true]);
  const full = new AuditLogger({ messages: { create: async () => await Promise.reject(new Error("a request left")) } }, { write: () => Promise.reject(new Error("no room")) }, { applicationId: "app" });
  await assert.rejects(full.createMessage(call), /no room/);
});

// Protects the correlation of a skill: the end and the decision name the event of the begin.
test("one id spans an invocation", async () => {
  const { beforeInvoke, afterInvoke, logDecision } = lifecycle(store());
  const context: Context = { skillName: "api-builder", input: { name: "x" }, confidence: 0.9, alternatives: ["no"] };
  const begin = await beforeInvoke(context);
  const decision = await logDecision("yes", ["tests pass"], context);
  const end = await afterInvoke(context, { output: "done" });
  assert.equal(context.auditId, begin);
  assert.deepEqual([begin, decision, end].map((id) => known.get(id)?.["parent_audit_id"]), [undefined, begin, begin]);
  assert.deepEqual([known.get(begin)?.["skill"], known.get(end)?.["outcome"]], ["api-builder", "success"]);
});
