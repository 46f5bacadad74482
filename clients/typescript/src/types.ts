/** What the API gives and takes; `api/openapi.json` of the server is the reference. */

export type Scalar = string | number | boolean;

/** One event. Members as in the event schema; which are there depends on the event and on the token. */
export interface Event {
  audit_id: string;
  event_type: string;
  timestamp: string;
  user_id?: string;
  session_id?: string;
  agent_id?: string;
  tool_name?: string;
  status?: string;
  outcome?: string;
  source_ip?: string;
  /** Slots that were erased. */
  erased?: string[];
  /** Slots that the token does not show. */
  withheld?: string[];
  /** What proves the event anywhere, if it was asked for; null while no checkpoint covers it. */
  seal?: unknown;
  [member: string]: unknown;
}

/** What a field must be: a value, one of several, or none of some. `*` and `?` are wildcards in texts. */
export type Values = Scalar | readonly Scalar[] | { in?: readonly Scalar[]; not_in?: readonly Scalar[] };

export interface SearchRequest {
  /** A query: conditions, a sequence, a pipe of stages. */
  query?: string;
  where?: Record<string, Values>;
  sequence?: { steps: string; by?: string[]; within_seconds?: number };
  since?: Date | string;
  until?: Date | string;
  limit?: number;
  cursor?: string;
  order?: "newest" | "oldest";
  order_by?: string;
  fields?: string[];
  proof?: boolean;
  bookkeeping?: boolean;
}

export interface Table {
  columns: { name: string; kind: string }[];
  rows: unknown[][];
  truncated: { rows: number; count: number } | null;
  missing: number;
}

export interface Match {
  audit_ids: string[];
  events: Event[];
}

/** Events, the table of a report, or the matches of a sequence. */
export interface SearchAnswer {
  events?: Event[];
  next_cursor?: string | null;
  table?: Table;
  matches?: Match[];
  cut?: boolean;
}

export interface Link {
  depth: number;
  kind: string;
  id: string;
  about: string;
  outcome: string;
  audit_id: string | null;
}

/** What led to an event, the event, and what it led to. */
export interface Chain {
  audit_id: string;
  above: Link[];
  event: Link;
  below: Link[];
  missing: string[];
}

export interface Authority {
  who: string;
  how: string;
  timestamp: string;
  audit_id: string;
}

export interface Step {
  timestamp: string;
  execution_id: string;
  name: string;
  actor: string;
  summary: string;
  outcome: string;
  duration_ms: number | null;
  decision: unknown;
  audit_id: string;
}

export interface Touch {
  resource: string;
  operation: string;
  sensitivity_level: string;
  outcome: string;
  timestamp: string;
  audit_id: string;
}

export interface Custody {
  origin: string;
  vkey: string;
  checkpoint: string | null;
  leaves: { audit_id: string; seq: number; leaf_hash: string }[];
}

/** Everything that one run did: each step, who authorised it, what data it touched, and what proves it. */
export interface ExecutionChain {
  execution_id: string;
  initiated_by: string;
  authorized_by: Authority[];
  steps: Step[];
  data_touched: Touch[];
  children: string[];
  parents: string[];
  sessions: string[];
  problems: Step[];
  missing: string[];
  events: Event[];
  custody: Custody;
}

export interface Session {
  session_id: string;
  user_id: string;
  started: string;
  state: string;
  end_reason: string;
  events: number;
  calls: number;
  unknown: number;
  agents: { agent_id: string; agent_type: string; parent: string | null; started: boolean; finished: boolean }[];
  timeline: Record<string, unknown>[];
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: string;
  vkey: string;
  note: string;
}
