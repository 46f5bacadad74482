import type { Writes } from "./audit.js";
import type { Record_ } from "./fallback.js";

/** What a runner of skills passes around. */
export interface Context {
  skillName: string;
  input?: unknown;
  auditId?: string;
  auditStarted?: number;
  confidence?: number;
  alternatives?: unknown[];
}

/** Returns the three that record a skill's life; one id, `context.auditId`, spans an invocation. */
export function lifecycle(store: Writes): {
  beforeInvoke(context: Context): Promise<string>;
  afterInvoke(context: Context, ended?: { output?: unknown; error?: unknown }): Promise<string>;
  logDecision(decision: unknown, factors: unknown[], context: Context): Promise<string>;
} {
  const write = async (record: Record_): Promise<string> => {
    const written = (await store.write({ ...session(), ...record })) as { status?: string; audit_id?: string; error?: unknown };
    if (written.status === "rejected") throw new Error(`the recorder refused the event: ${String(written.error)}`);
    return String(written.audit_id);
  };
  return {
    async beforeInvoke(context) {
      context.auditStarted = Date.now();
      const invocation = { skill: context.skillName, started: context.auditStarted, input: context.input };
      context.auditId = await write({ event_type: "skill.invoked", phase: "intent", outcome: "pending", ...invocation });
      return context.auditId;
    },
    async afterInvoke(context, ended = {}) {
      const failed = ended.error === undefined ? {} : { error: String((ended.error as Error | null)?.message ?? ended.error) };
      return await write({
        event_type: "skill.invoked", phase: "outcome", parent_audit_id: context.auditId, skill: context.skillName, output: ended.output, ...failed,
        outcome: ended.error === undefined ? "success" : "error", duration_ms: Math.max(0, Date.now() - (context.auditStarted ?? Date.now())),
      });
    },
    async logDecision(decision, factors, context) {
      return await write({
        type: "ai_decision", decision, factors_considered: factors, confidence: context.confidence, alternative_options: context.alternatives,
        parent_audit_id: context.auditId,
      });
    },
  };
}

function session(): Record_ {
  const id = process.env["CLAUDE_CODE_SESSION_ID"] ?? process.env["CLAUDE_SESSION_ID"];
  return id === undefined ? {} : { session_id: id };
}
