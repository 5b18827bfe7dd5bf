// The SDK `@anthropic-ai/sdk`: Messages, as events and by its helper.
import Anthropic from "@anthropic-ai/sdk";

const make = (job) => new Anthropic({ apiKey: job.key, baseURL: job.base });
const body = (job) => ({ model: job.model, max_tokens: 300, messages: [{ role: "user", content: job.prompt }] });

function whole(seen, message) {
  seen.text = message.content.map((c) => c.text ?? "").join("");
  seen.finish = message.stop_reason;
  seen.input = message.usage.input_tokens;
  seen.output = message.usage.output_tokens;
}

async function messages(job, seen, leave) {
  if (!job.stream) return whole(seen, await make(job).messages.create(body(job)));
  const stream = await make(job).messages.create({ ...body(job), stream: true }, { signal: leave.signal });
  for await (const event of stream) {
    if (event.type === "message_start") seen.input = event.message.usage.input_tokens;
    if (event.type === "content_block_delta") seen.text += event.delta.text ?? "";
    if (event.type === "message_delta") {
      seen.finish = event.delta.stop_reason;
      seen.output = event.usage.output_tokens;
      seen.input = event.usage.input_tokens ?? seen.input; // a gateway that translates knows it only now
    }
    if (job.abort && seen.text) leave.abort();
  }
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
