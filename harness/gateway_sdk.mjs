// Talks to an API with the unmodified TypeScript SDK, in all the ways that the gateway must not disturb; prints what came as JSON.
//
//     node gateway_sdk.mjs FOLDER_OF_NODE_MODULES BASE_URL
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, baseURL] = process.argv.slice(2);
const found = createRequire(pathToFileURL(`${folder}/x.js`)).resolve("@anthropic-ai/sdk");
const { default: Anthropic } = await import(pathToFileURL(found));

const SESSION = { "X-Claude-Code-Session-Id": "5e551011-0000-4000-8000-00000000000b" };
const tools = ["get_weather", "get_time"].map((name) => ({ name, description: name, input_schema: { type: "object" } }));
const ask = (lane, more = {}) => ({
  model: "claude-test-1", max_tokens: 256, messages: [{ role: "user", content: `[lane:${lane}] go` }], ...more,
});
const failure = async (call) => {
  try {
    await call();
  } catch (error) {
    return { class: error.constructor.name, status: error.status, body: error.error?.error };
  }
  return "no error";
};

const client = new Anthropic({ baseURL, apiKey: "sk-ant-sdk-typescript", defaultHeaders: SESSION });
const seen = {};
const ids = [];
const kept = (message) => {
  if (message._request_id) ids.push(message._request_id);
  return JSON.parse(JSON.stringify(message));
};

seen.plain = kept(await client.messages.create(ask("plain")));
seen.thinking = kept(await client.messages.create(ask("thinking")));
const stream = client.messages.stream(ask("plain"));
seen.stream_text = [];
stream.on("text", (text) => seen.stream_text.push(text));
seen.stream_message = JSON.parse(JSON.stringify(await stream.finalMessage()));
seen.stream_events = [];
for await (const event of await client.messages.create(ask("plain", { stream: true }))) seen.stream_events.push(event.type);
const first = await client.messages.stream(ask("tools", { tools })).finalMessage();
seen.tools = JSON.parse(JSON.stringify(first));
const results = first.content.filter((block) => block.type === "tool_use")
  .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "rain", is_error: block.name === "get_time" }));
const turn = ask("tools", { tools });
turn.messages.push({ role: "assistant", content: seen.tools.content }, { role: "user", content: results });
seen.after_tools = kept(await client.messages.create(turn));
seen.retried = kept(await client.messages.create(ask("retried")));
seen.limited = kept(await client.messages.create(ask("limited")));
seen.dropped = kept(await client.messages.create(ask("dropped")));
seen.refused = await failure(() => client.messages.create(ask("refused")));
seen.broken = await failure(() => client.messages.stream(ask("broken")).finalMessage());
seen.count = (await client.messages.countTokens({ model: "claude-test-1", messages: [{ role: "user", content: "x" }] })).input_tokens;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);
seen.batches = await failure(() => client.messages.batches.create({ requests: [{ custom_id: "a", params: ask("plain") }] }));
console.log(JSON.stringify({ seen, request_ids: ids }));
