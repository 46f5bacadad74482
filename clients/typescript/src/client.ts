import { AuditTrailError, type Problem } from "./error.js";
import { requestOf, type Query } from "./query.js";
import type { Chain, Checkpoint, Event, ExecutionChain, SearchAnswer, SearchRequest, Session } from "./types.js";

export interface AuditTrailConfig {
  /** Where the API answers: `http://127.0.0.1:8787`. */
  url?: string;
  /** A read token, made by `sealtrail token create`. */
  token: string;
  /** Milliseconds until a request is given up; 60,000 when nobody says. */
  timeoutMs?: number;
  /** How to fetch, for those who need another way than the built-in one. */
  fetch?: typeof fetch;
}

/** As many events as one answer may have. */
const PAGE = 1000;

/** Reads an audit trail. Every answer is recorded in the trail before it is given. */
export class AuditTrailClient {
  readonly #url: string;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(config: AuditTrailConfig) {
    this.#url = (config.url ?? "http://127.0.0.1:8787").replace(/\/+$/, "");
    this.#token = config.token;
    this.#timeoutMs = config.timeoutMs ?? 60_000;
    this.#fetch = config.fetch ?? fetch;
  }

  /** Returns the events that match, up to `limit` of them: 100 when nobody says. */
  async query(query: Query): Promise<Event[]> {
    const limit = query.limit ?? 100;
    const events: Event[] = [];
    for await (const event of this.iterate({ ...query, limit: Math.min(limit, PAGE) })) {
      events.push(event);
      if (events.length >= limit) break;
    }
    return events;
  }

  /** Gives every event that matches, page by page; `limit` is the size of a page. */
  async *iterate(query: Query): AsyncGenerator<Event, void, undefined> {
    let request = requestOf({ limit: PAGE, ...query });
    for (;;) {
      const answer = await this.search(request);
      yield* answer.events ?? [];
      if (typeof answer.next_cursor !== "string") return;
      request = { ...request, cursor: answer.next_cursor };
    }
  }

  /** Searches: events, a report (`query: "| count by user_id"`), or a sequence. */
  async search(request: SearchRequest): Promise<SearchAnswer> {
    const body = { ...request, since: textOf(request.since), until: textOf(request.until) };
    return await this.#ask("/v1/search", JSON.stringify(body));
  }

  /** Returns one event; with `proof`, it carries the seal that proves it anywhere. */
  async get(auditId: string, options: { proof?: boolean } = {}): Promise<Event> {
    return await this.#ask(`/v1/events/${encodeURIComponent(auditId)}?proof=${options.proof ?? false}`);
  }

  /** Returns who led to an event, and what it led to. */
  async chain(auditId: string): Promise<Chain> {
    return await this.#ask(`/v1/events/${encodeURIComponent(auditId)}/chain`);
  }

  /** Returns everything that one run did: each step, who authorised it, what data it touched, and what proves it. */
  async getExecutionChain(executionId: string): Promise<ExecutionChain> {
    return await this.#ask(`/v1/executions/${encodeURIComponent(executionId)}/chain`);
  }

  /** Returns what was done in a session, in order. */
  async session(sessionId: string): Promise<Session> {
    return await this.#ask(`/v1/sessions/${encodeURIComponent(sessionId)}`);
  }

  /** Returns the newest published checkpoint. */
  async checkpoint(): Promise<Checkpoint> {
    return await this.#ask("/v1/checkpoint");
  }

  async #ask<T>(path: string, body?: string): Promise<T> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}`, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await this.#fetch(this.#url + path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      signal: AbortSignal.timeout(this.#timeoutMs),
      ...(body === undefined ? {} : { body }),
    });
    if (response.ok) return (await response.json()) as T;
    throw new AuditTrailError(await problemOf(response));
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    return JSON.parse(text) as Problem;
  } catch {
    // Whatever stands between may answer in its own words.
    return { type: "about:blank", title: response.statusText, status: response.status, detail: text.slice(0, 200) };
  }
}

function textOf(time: Date | string | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}
