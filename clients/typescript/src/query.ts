import type { Scalar, SearchRequest, Values } from "./types.js";

/**
 * A question in the words of this language. Every other member is a condition on a field of that name: `userId`, `user_id` and
 * `"resource.sensitivity_level"` are fields; `statusIn` and `statusNotIn` take lists.
 */
export interface Query {
  eventType?: string | readonly string[];
  userId?: string | readonly string[];
  sessionId?: string | readonly string[];
  agentId?: string | readonly string[];
  status?: string;
  statusIn?: readonly string[];
  statusNotIn?: readonly string[];
  sourceIp?: string | readonly string[];
  sensitivityLevel?: string | readonly string[];
  /** A query of the server's language, besides. */
  query?: string;
  since?: Date | string;
  until?: Date | string;
  limit?: number;
  cursor?: string;
  order?: "newest" | "oldest";
  /** `timestamp desc` or `timestamp asc`. */
  orderBy?: string;
  fields?: string[];
  proof?: boolean;
  bookkeeping?: boolean;
  [field: string]: Scalar | readonly Scalar[] | Date | undefined;
}

const OWN = new Set(["query", "since", "until", "limit", "cursor", "order", "orderBy", "fields", "proof", "bookkeeping"]);

/** Returns the request that a question means. */
export function requestOf(query: Query): SearchRequest {
  const where: Record<string, { in: Scalar[]; not_in: Scalar[] }> = {};
  const request: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (OWN.has(name)) {
      request[name === "orderBy" ? "order_by" : name] = value;
      continue;
    }
    const { field, list } = fieldOf(name);
    const values = (Array.isArray(value) ? value : [value]).map((one) => (one instanceof Date ? one.toISOString() : one)) as Scalar[];
    const condition = (where[field] ??= { in: [], not_in: [] });
    condition[list].push(...values);
  }
  return { ...(request as SearchRequest), where: where as Record<string, Values> };
}

/** `statusNotIn` is none of the values of `status`; a name with a dot or an underscore is taken as it is. */
function fieldOf(name: string): { field: string; list: "in" | "not_in" } {
  if (/[._]/.test(name)) return { field: name, list: "in" };
  const not = /^(.+)NotIn$/.exec(name);
  if (not?.[1]) return { field: snake(not[1]), list: "not_in" };
  const any = /^(.+)In$/.exec(name);
  return { field: snake(any?.[1] ?? name), list: "in" };
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
