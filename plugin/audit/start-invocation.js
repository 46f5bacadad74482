// The life cycle of a skill as audit events, for runners that call `beforeInvoke(context)` and `afterInvoke(context, result)` around each skill.
// Node's own modules only. Under Claude Code itself nothing has to call this: the plug-in's hooks record each skill without it.
//
// One id spans an invocation: `beforeInvoke` leaves it in `context.auditId`, and every later event names it as `parent_audit_id`.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../skills/audit-logger/scripts/log-audit-event.sh", import.meta.url));

/** Records that a skill begins, before it begins; throws when that cannot be recorded. */
export default function beforeInvoke(context) {
  const invocation = {
    skill: context.skillName,
    started: Date.now(),
    input: context.input,
  };
  context.auditId = storeInvocation(invocation);
  context.auditStarted = invocation.started;
}

/** Records how the skill ended: with what it gave back, or with an error. */
export function afterInvoke(context, { output, error } = {}) {
  return store({
    event_type: "skill.invoked",
    phase: "outcome",
    parent_audit_id: context.auditId,
    skill: context.skillName,
    outcome: error === undefined ? "success" : "error",
    duration_ms: Math.max(0, Date.now() - (context.auditStarted ?? Date.now())),
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error: String(error?.message ?? error) }),
  });
}

/** Records the begin of an invocation and returns its id. */
export function storeInvocation(invocation) {
  return store({ event_type: "skill.invoked", phase: "intent", outcome: "pending", ...invocation });
}

/** Records a decision, what it rests on, and what else could have been decided; as a part of the invocation of `context`, if it has one. */
export function logDecision(decision, factors, context) {
  return store({
    type: "ai_decision",
    decision,
    factors_considered: factors,
    confidence: context.confidence,
    alternative_options: context.alternatives,
    timestamp: new Date().toISOString(),
    ...(context.auditId === undefined ? {} : { parent_audit_id: context.auditId }),
  });
}

function store(event) {
  const done = spawnSync("sh", [SCRIPT], { input: JSON.stringify(event), encoding: "utf8" });
  if (done.status !== 0) throw new Error(`the audit event was not recorded: ${(done.stderr || String(done.error)).trim()}`);
  return JSON.parse(done.stdout).audit_id;
}
