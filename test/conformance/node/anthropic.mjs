// The SDK `@anthropic-ai/sdk`: Messages, as events and by its helper.
import Anthropic from "@anthropic-ai/sdk";
import { called, tool } from "./tool.mjs";

const make = (job) => new Anthropic({ apiKey: job.key, baseURL: job.base });
const body = (job) => ({
  model: job.model,
  max_tokens: 300,
  messages: [{ role: "user", content: job.prompt }],
  ...(job.tool && { tools: [{ name: tool.name, description: tool.description, input_schema: tool.takes }] }),
});

function whole(seen, message) {
  seen.text = message.content.map((c) => c.text ?? "").join("");
  for (const c of message.content) if (c.type === "tool_use") seen.call += called(c.name, c.input);
  seen.finish = message.stop_reason;
  seen.input = message.usage.input_tokens;
  seen.output = message.usage.output_tokens;
}

async function messages(job, seen, leave) {
  if (!job.stream) return whole(seen, await make(job).messages.create(body(job)));
  const stream = await make(job).messages.create({ ...body(job), stream: true }, { signal: leave.signal });
  let name = "";
  let args = "";
  for await (const event of stream) {
    if (event.type === "content_block_start") name += event.content_block.name ?? "";
    if (event.type === "content_block_delta") args += event.delta.partial_json ?? "";
    if (event.type === "message_start") seen.input = event.message.usage.input_tokens;
    if (event.type === "content_block_delta") seen.text += event.delta.text ?? "";
    if (event.type === "message_delta") {
      seen.finish = event.delta.stop_reason;
      seen.output = event.usage.output_tokens;
      seen.input = event.usage.input_tokens ?? seen.input; // a gateway that translates knows it only now
    }
    if (job.abort && seen.text) leave.abort();
  }
  if (name) seen.call = called(name, args);
}

async function helper(job, seen, leave) {
  const stream = make(job).messages.stream(body(job), { signal: leave.signal });
  stream.on("text", (delta) => {
    seen.text += delta;
    if (job.abort) leave.abort();
  });
  whole(seen, await stream.finalMessage());
}

export const anthropic = { "anthropic-node": messages, "anthropic-node stream()": helper };
