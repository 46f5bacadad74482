import { createHash, randomUUID } from "node:crypto";

import type { Record_ } from "./fallback.js";

/** Whatever takes records: an `AuditStore`, or your own. */
export interface Writes {
  write(record: Record_): unknown;
}

/** A client of the Anthropic SDK, as far as it is used. */
export interface Client {
  messages: { create(request: never): PromiseLike<unknown> };
}

export interface AuditLoggerConfig {
  applicationId: string;
  /** The class of the data in a prompt; `INTERNAL` without one. */
  classify?: (text: string) => string;
  /** Whether prompts and responses go into the records themselves. */
  raw?: boolean;
}

export interface Call {
  userId: string;
  sessionId: string;
  /** The request, as the SDK takes it. */
  request: { model: string; messages: unknown[]; system?: unknown; stream?: boolean | null; [member: string]: unknown };
}

/**
 * Middleware around the Anthropic SDK: a record before the request leaves (`model.request`), and one when the call ended, failed or was left
 * (`model.response`). A call that cannot be recorded is not made.
 */
export class AuditLogger {
  readonly #client: Client;
  readonly #store: Writes;
  readonly #config: AuditLoggerConfig;

  constructor(client: Client, store: Writes, config: AuditLoggerConfig) {
    this.#client = client;
    this.#store = store;
    this.#config = config;
  }

  /** Calls the model and records it. With `stream: true` it gives the events, and records when they end. */
  async createMessage(call: Call): Promise<unknown> {
    const { record, started } = await this.#begin(call);
    let response: unknown;
    try {
      response = await withId(this.#client.messages.create(call.request as never), record);
    } catch (error) {
      await this.#failed(record, started, error);
      throw error;
    }
    if (call.request.stream) return this.#events(record, started, response as AsyncIterable<StreamEvent>);
    await this.#ended(record, started, "success", response as Message);
    return response;
  }

  async #begin({ userId, sessionId, request }: Call): Promise<{ record: Record_; started: number }> {
    const begun = {
      event_id: randomUUID(),
      timestamp: new Date().toISOString(),
      user_id: userId,
      session_id: sessionId,
      application_id: this.#config.applicationId,
      model: request.model,
      prompt_hash: promptHash(request),
      data_classification: this.#config.classify?.(canonical({ system: request.system, messages: request.messages })) ?? "INTERNAL",
    };
    const raw = this.#config.raw ? { prompt_raw: request } : {};
    await this.#store.write({ ...begun, ...raw, status: "initiated", event_type: "model.request", phase: "intent" });
    const record = { ...begun, event_id: randomUUID(), parent_audit_id: begun.event_id, event_type: "model.response", phase: "outcome" };
    return { record, started: performance.now() };
  }

  async #ended(record: Record_, started: number, status: string, message: Message): Promise<void> {
    const { usage, content } = message;
    await this.#store.write({
      ...record,
      prompt_tokens: usage?.input_tokens,
      completion_tokens: usage?.output_tokens,
      cache_read_input_tokens: usage?.cache_read_input_tokens ?? undefined,
      cache_creation_input_tokens: usage?.cache_creation_input_tokens ?? undefined,
      response_hash: content && content.length > 0 ? responseHash(content) : undefined,
      response_partial: status === "success" ? undefined : true,
      response_raw: this.#config.raw ? content : undefined,
      latency_ms: Math.round(performance.now() - started),
      status,
      stop_reason: message.stop_reason ?? undefined,
      request_id: message._request_id ?? record["request_id"],
      message_id: message.id,
    });
  }

  async #failed(record: Record_, started: number, error: unknown): Promise<void> {
    const named = error as { constructor?: { name?: string }; requestID?: string } | null | undefined;
    const told = { error_type: named?.constructor?.name ?? typeof error, request_id: named?.requestID ?? undefined };
    await this.#store.write({ ...record, ...told, status: "error", latency_ms: Math.round(performance.now() - started) });
  }

  async *#events(record: Record_, started: number, stream: AsyncIterable<StreamEvent>): AsyncGenerator<StreamEvent, void, undefined> {
    const message = new Gathered();
    let status = "cancelled";
    try {
      for await (const event of stream) {
        message.take(event);
        yield event;
      }
      if (message.isWhole) status = "success";
    } catch (error) {
      status = "";
      await this.#failed(record, started, error);
      throw error;
    } finally {
      // Also when the application leaves the loop: what came until then is what the model told.
      if (status !== "") await this.#ended(record, started, status, message);
    }
  }
}

/** Waits for an answer of the SDK, and notes the request's id, which a stream's events do not tell. */
async function withId(asked: PromiseLike<unknown>, record: Record_): Promise<unknown> {
  const sdk = asked as { withResponse?: () => Promise<{ data: unknown; request_id?: string | null }> };
  if (typeof sdk.withResponse !== "function") return await asked;
  const { data, request_id } = await sdk.withResponse();
  if (request_id) record["request_id"] = request_id;
  return data;
}

/** Returns the SHA-256 of a whole request: everything that is sent but `stream`, which only says how the answer comes. */
export function promptHash(request: object): string {
  const { stream: _, ...rest } = request as Record_;
  return createHash("sha256").update(canonical(rest)).digest("hex");
}

/** Returns the SHA-256 of all content blocks of a response. */
export function responseHash(content: unknown): string {
  return createHash("sha256").update(canonical(content)).digest("hex");
}

/** Returns a value as JSON with sorted keys and no spaces. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => byCodePoint(a, b)));
  });
}

/** As other languages sort: by code point, not by UTF-16 unit. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cache_read_input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
}

interface Message {
  id?: string;
  content?: unknown[];
  usage?: Usage;
  stop_reason?: string | null;
  _request_id?: string | null;
}

interface StreamEvent {
  type: string;
  index?: number;
  message?: Message;
  content_block?: Record_;
  delta?: Record_;
  usage?: Usage;
}

/** A message put together from the events of a stream. */
class Gathered implements Message {
  content: Record_[] = [];
  usage: Usage = {};
  isWhole = false;
  declare id?: string;
  declare stop_reason?: string;
  readonly #json = new Map<number, string>();

  take(event: StreamEvent): void {
    const index = event.index ?? 0;
    if (event.type === "message_start") {
      if (event.message?.id !== undefined) this.id = event.message.id;
      Object.assign(this.usage, event.message?.usage);
    } else if (event.type === "content_block_start") {
      this.content[index] = { ...event.content_block };
    } else if (event.type === "content_block_delta") {
      this.#delta(index, event.delta ?? {});
    } else if (event.type === "content_block_stop" && this.#json.has(index)) {
      this.content[index] = { ...this.content[index], input: JSON.parse(this.#json.get(index) || "{}") as unknown };
    } else if (event.type === "message_delta") {
      if (typeof event.delta?.["stop_reason"] === "string") this.stop_reason = event.delta["stop_reason"];
      Object.assign(this.usage, event.usage);
    } else if (event.type === "message_stop") {
      this.isWhole = true;
    }
  }

  #delta(index: number, delta: Record_): void {
    const block = (this.content[index] ??= {});
    const add = (member: string): void => {
      block[member] = String(block[member] ?? "") + String(delta[member]);
    };
    if (delta["type"] === "text_delta") add("text");
    else if (delta["type"] === "thinking_delta") add("thinking");
    else if (delta["type"] === "signature_delta") block["signature"] = delta["signature"];
    else if (delta["type"] === "citations_delta") block["citations"] = [...((block["citations"] as unknown[] | null | undefined) ?? []), delta["citation"]];
    else if (delta["type"] === "input_json_delta") this.#json.set(index, (this.#json.get(index) ?? "") + String(delta["partial_json"]));
  }
}
