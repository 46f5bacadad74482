// The client against the real daemon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AuditTrailClient, AuditTrailError, type Event } from "../src/index.js";
import { start, type Trail } from "./trail.js";

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

const records = [
  ...["success", "fail", "fail", "success"].map((status, n) => ({
    event_type: "auth.user_login", timestamp: ago(40 - n), user_id: "user_12345", status, source_ip: "203.0.113.42", audit_id: `evt_login_${n}`,
  })),
  { event_type: "auth.user_login", timestamp: ago(300), user_id: "user_12345", status: "fail", source_ip: "203.0.113.42", audit_id: "evt_login_old" },
  ...[["pii", 60], ["public", 50], ["pii", 2000], ["pii", 5000]].map(([level, minutes], n) => ({
    event_type: "data.file_read", timestamp: ago(Number(minutes)), agent_id: "agent_1", status: "success", audit_id: `evt_read_${n}`,
    resource: { type: "file", path: `/data/customers_${n}.csv`, sensitivity_level: level }, operation: { type: "read" },
  })),
  {
    event_type: "workflow.execution", timestamp: ago(20), workflow_id: "loan_approval_v2", execution_id: "exec_xyz789abc123", initiated_by: "user_1111",
    parent_execution: null, audit_id: "evt_workflow",
    workflow_steps: [
      { step_name: "validate_application", status: "success", duration_ms: 1245, decision: null },
      { step_name: "check_credit_score", status: "success", duration_ms: 3456, decision: { condition: "credit_score > 680", result: true, evaluated_value: 725 } },
    ],
  },
  {
    event_type: "data.file_read", timestamp: ago(19), execution_id: "exec_child", parent_execution: "exec_xyz789abc123", status: "success",
    agent_id: "agent_2", resource: { type: "file", path: "/data/loan.json", sensitivity_level: "confidential" }, audit_id: "evt_child",
  },
];

let trail: Trail;
let config: { url: string; token: string };

before(async () => {
  trail = await start(records);
  config = { url: trail.url, token: trail.token("tests") };
});
after(async () => await trail.stop());

const ids = (events: Event[]): string[] => events.map((event) => event.audit_id);

// Protects scripts written after the article: its three snippets run as they stand there.
test("the snippets of the article run unchanged", async () => {
  // In an agent's tool call
  const auditClient = new AuditTrailClient(config);

  // Find all unauthorized access attempts in the last hour
  const suspiciousActivity = await auditClient.query({
    eventType: "auth.user_login",
    statusNotIn: ["success"],
    since: new Date(Date.now() - 3600000),
    limit: 1000,
  });

  // Find who accessed customer data in the last 48 hours
  const dataAccess = await auditClient.query({
    eventType: "data.file_read",
    "resource.sensitivity_level": "pii",
    since: new Date(Date.now() - 172800000),
    orderBy: "timestamp desc",
  });

  // Trace execution of a specific workflow
  const workflowTrace = await auditClient.getExecutionChain("exec_xyz789abc123");

  assert.deepEqual(ids(suspiciousActivity), ["evt_login_2", "evt_login_1"]);
  assert.deepEqual(ids(dataAccess), ["evt_read_0", "evt_read_2"]);
  assert.equal(workflowTrace.initiated_by, "user_1111");
  assert.deepEqual(workflowTrace.steps.map((step) => step.name), ["workflow.execution", "validate_application", "check_credit_score", "data.file_read"]);
  assert.deepEqual(workflowTrace.data_touched.map((touch) => [touch.resource, touch.sensitivity_level]), [["/data/loan.json", "confidential"]]);
  assert.deepEqual(workflowTrace.children, ["exec_child"]);
  assert.equal(workflowTrace.custody.leaves.length, 2);
  assert.match(workflowTrace.custody.checkpoint ?? "", /\n\n— /);
});

// Protects paging: pages of any size give the same events, once each.
test("iterate goes through all pages", async () => {
  const client = new AuditTrailClient(config);
  const own = "event_type in (auth.user_login, data.*, workflow.*)";
  const whole = await client.query({ query: own, limit: 1000 });
  assert.equal(whole.length, records.length);
  for (const orderBy of [undefined, "timestamp desc", "timestamp asc"]) {
    const found: Event[] = [];
    const question = { query: own, limit: 2, ...(orderBy === undefined ? {} : { orderBy }) };
    for await (const event of client.iterate(question)) found.push(event);
    assert.deepEqual(ids(found).toSorted(), ids(whole).toSorted());
  }
});

// Protects the other doors: one event with its proof, its chain, a report, a sequence, a checkpoint.
test("get, chain, search", async () => {
  const client = new AuditTrailClient(config);
  const event = await client.get("evt_read_0", { proof: true });
  assert.equal((event.seal as { schema: string }).schema, "sealtrail.sealed/1");
  assert.equal((await client.chain("evt_child")).event.audit_id, "evt_child");
  const report = await client.search({ query: "event_type=auth.user_login | count by status", since: new Date(0) });
  assert.deepEqual(report.table?.rows.toSorted(), [["fail", 3], ["success", 2]]);
  const steps = "auth.user_login[status=fail] auth.user_login[status=success]";
  const found = await client.search({ sequence: { steps, within_seconds: 300 } });
  assert.deepEqual(found.matches?.map((match) => match.audit_ids), [["evt_login_2", "evt_login_3"]]);
  assert.ok((await client.checkpoint()).size > records.length);
});

// Protects whoever asks: a refusal is an error that says what is wrong, where, and what to write instead.
test("refusals are errors", async () => {
  const client = new AuditTrailClient(config);
  const refused = await client.search({ query: "usr_id=x" }).catch((error: unknown) => error);
  assert.ok(refused instanceof AuditTrailError);
  assert.deepEqual([refused.status, refused.problem.position, refused.problem.type], [400, 0, "urn:sealtrail:problem:query"]);
  const nobody = new AuditTrailClient({ ...config, token: "stk_wrong" });
  await assert.rejects(nobody.query({}), (error) => error instanceof AuditTrailError && error.status === 401);
});
