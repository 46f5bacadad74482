import { createHash, randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

import { Fallback, FALLBACK_BYTES_MAX, type Record_ } from "./fallback.js";

/** Records in one request. */
const BATCH = 100;

/** The longest pause after failures in a row; they begin at half a second and double. */
const PAUSE_MS_MAX = 60_000;

/** What a collector answers to a request that it will never take. */
const REFUSALS = new Set([400, 413, 415, 422]);

export interface AuditStoreConfig {
  /** A collector; `AUDIT_AGGREGATOR_URL` when left out. Without a path, `/v1/events`. */
  url?: string;
  /** A write key; `AUDIT_API_KEY` when left out. */
  key?: string;
  /** Folder for what cannot be delivered; one of the user's own for this collector when left out. */
  fallback?: string;
  fallbackBytesMax?: number;
  /** Milliseconds until a request is given up; 5,000 when nobody says. */
  timeoutMs?: number;
  fetch?: typeof fetch;
  /** Milliseconds that only go up. */
  now?: () => number;
}

/** What became of a record; `kept`: it is on the disk of this machine and will be delivered. */
export interface Written {
  status: "sealed" | "known" | "rejected" | "kept";
  audit_id: string;
  receipt?: unknown;
  error?: unknown;
}

interface Result {
  status?: string;
  receipt?: unknown;
  error?: unknown;
}

/** Nobody takes records now. */
class Unavailable extends Error {
  constructor(why: string, readonly retryAfterMs = 0) {
    super(why);
  }
}

/**
 * Takes audit records. When `write` is through, the record is sealed by the collector or synced to a file of this machine, from which it is delivered in
 * order, before anything newer, by the next `write` after a pause or by `flush`; by its id it is sealed once.
 */
export class AuditStore {
  readonly #url: URL;
  readonly #key: string | undefined;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  readonly #fallback: Fallback;
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #notBefore = 0;

  constructor(config: AuditStoreConfig = {}) {
    const url = config.url ?? process.env["AUDIT_AGGREGATOR_URL"];
    if (!url) throw new Error("no collector: give `url`, or set AUDIT_AGGREGATOR_URL");
    this.#url = new URL(url);
    if (this.#url.pathname === "/") this.#url.pathname = "/v1/events";
    this.#key = config.key ?? process.env["AUDIT_API_KEY"];
    this.#timeoutMs = config.timeoutMs ?? 5_000;
    this.#fetch = config.fetch ?? fetch;
    this.#now = config.now ?? (() => performance.now());
    this.#fallback = new Fallback(config.fallback ?? folderOf(url), config.fallbackBytesMax ?? FALLBACK_BYTES_MAX);
  }

  /** Records; rejects with `FallbackFull` or an error of the disk when it is recorded nowhere. */
  async write(record: Record_): Promise<Written> {
    const whole = withId(record);
    return await this.#inTurn(() => this.#write(whole));
  }

  /** Delivers what waits, now; true when nothing waits any more. */
  async flush(): Promise<boolean> {
    return await this.#inTurn(() => this.#drain());
  }

  /** One after the other, in the order of the calls. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  async #write(record: Record_): Promise<Written> {
    const audit_id = String(idOf(record));
    if (!this.#fallback.isEmpty || this.#now() < this.#notBefore) {
      this.#fallback.append([record]);
      if (this.#now() >= this.#notBefore) await this.#drain();
      return { status: "kept", audit_id };
    }
    let result: Result;
    try {
      [result = {}] = await this.#send([record]);
    } catch (error) {
      this.#pause(error);
      result = {};
    }
    if (result.status === "sealed" || result.status === "known") {
      this.#failures = 0;
      return { ...result, status: result.status, audit_id };
    }
    if (result.status === "rejected") {
      this.#fallback.refuse(record, String(result.error ?? "rejected"));
      return { ...result, status: "rejected", audit_id };
    }
    this.#fallback.append([record]);
    return { status: "kept", audit_id };
  }

  async #drain(): Promise<boolean> {
    for (;;) {
      const records = this.#fallback.first(BATCH);
      if (records.length === 0) return true;
      try {
        const results = await this.#send(records);
        if (results.some((result) => !["sealed", "known", "rejected"].includes(result.status ?? ""))) throw new Unavailable("later");
        results.forEach((result, n) => {
          if (result.status === "rejected") this.#fallback.refuse(records[n], String(result.error ?? "rejected"));
        });
      } catch (error) {
        this.#fallback.keepFirst();
        this.#pause(error);
        return false;
      }
      this.#fallback.forgetFirst();
      this.#failures = 0;
      this.#notBefore = 0;
    }
  }

  async #send(records: Record_[]): Promise<Result[]> {
    const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
    if (this.#key) headers["authorization"] = `Bearer ${this.#key}`;
    // The header is for all that is sent; where records differ, each has its own tags in itself.
    const [tags = "", ...others] = new Set(records.map((record) => (Array.isArray(record["complianceTags"]) ? record["complianceTags"].join(",") : "")));
    if (tags !== "" && others.length === 0) headers["x-compliance-tags"] = tags.replace(/[^\x20-\x7e]/g, "?");
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(this.#url, { method: "POST", headers, body: JSON.stringify(records), signal: AbortSignal.timeout(this.#timeoutMs) });
      text = await response.text();
    } catch (error) {
      throw new Unavailable(String(error));
    }
    const results = resultsOf(text);
    if (results?.length === records.length) return results;
    if (REFUSALS.has(response.status)) {
      // One of them is at fault: alone, each is taken or refused by itself, and none holds up the others for ever.
      if (records.length === 1) return [{ status: "rejected", error: `${response.status}: ${text.slice(0, 200)}` }];
      const alone: Result[] = [];
      for (const record of records) alone.push(...(await this.#send([record])));
      return alone;
    }
    // A collector of another make that says nothing about each record has taken them.
    if (response.ok && results === undefined) return records.map(() => ({ status: "sealed" }));
    throw new Unavailable(`${response.status}`, 1000 * (Number(response.headers.get("retry-after")) || 0));
  }

  #pause(error: unknown): void {
    if (!(error instanceof Unavailable)) throw error;
    const pause = Math.min(PAUSE_MS_MAX, 500 * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#notBefore = this.#now() + Math.min(PAUSE_MS_MAX, Math.max(pause, error.retryAfterMs));
  }
}

/** Returns the id of a record, under the names that it may have. */
export function idOf(record: Record_): unknown {
  return record["audit_id"] ?? record["event_id"] ?? record["auditId"] ?? record["eventId"];
}

function withId(record: Record_): Record_ {
  const id = idOf(record) === undefined ? { audit_id: randomUUID() } : {};
  return { ...id, timestamp: new Date().toISOString(), ...record };
}

function resultsOf(text: string): Result[] | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    const results = (answer as { results?: unknown } | null)?.results;
    return Array.isArray(results) ? (results as Result[]) : undefined;
  } catch {
    return undefined;
  }
}

function folderOf(url: string): string {
  // By its target: records for one collector must not go to another.
  const name = createHash("sha256").update(url).digest("hex").slice(0, 16);
  return join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local/state"), "sealtrail/fallback-js", name);
}
