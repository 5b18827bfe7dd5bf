// The SDK `openai`: Chat Completions and Responses.
import OpenAI from "openai";
import { called, tool } from "./tool.mjs";

const make = (job) => new OpenAI({ apiKey: job.key, baseURL: job.base + "/v1" });

const asked = (job) => ({
  model: job.model,
  messages: [{ role: "user", content: job.prompt }],
  ...(job.tool && {
    tools: [{ type: "function", function: { name: tool.name, description: tool.description, parameters: tool.takes } }],
  }),
});

async function chat(job, seen, leave) {
  const body = asked(job);
  let name = "";
  let args = "";
  if (!job.stream) {
    const answer = await make(job).chat.completions.create(body);
    seen.text = answer.choices[0].message.content;
    seen.finish = answer.choices[0].finish_reason;
    usage(seen, answer.usage);
    return;
  }
  const stream = await make(job).chat.completions.create(
    { ...body, stream: true, stream_options: { include_usage: true } },
    { signal: leave.signal },
  );
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    seen.text += choice?.delta?.content ?? "";
    seen.finish = choice?.finish_reason ?? seen.finish;
    for (const c of choice?.delta?.tool_calls ?? []) {
      name += c.function?.name ?? "";
      args += c.function?.arguments ?? "";
    }
    usage(seen, chunk.usage);
    if (job.abort && seen.text) leave.abort();
  }
  if (name) seen.call = called(name, args);
}

// The helper that gathers the answer by itself.
async function helper(job, seen, leave) {
  const stream = make(job).chat.completions.stream(
    { ...asked(job), stream_options: { include_usage: true } },
    { signal: leave.signal },
  );
  stream.on("content", (delta) => {
    seen.text += delta;
    if (job.abort) leave.abort();
  });
  const answer = await stream.finalChatCompletion();
  seen.text = answer.choices[0].message.content ?? "";
  for (const c of answer.choices[0].message.tool_calls ?? []) seen.call += called(c.function.name, c.function.arguments);
  seen.finish = answer.choices[0].finish_reason;
  usage(seen, answer.usage);
}

function usage(seen, u) {
  if (!u) return;
  seen.input = u.prompt_tokens;
  seen.output = u.completion_tokens;
}

async function responses(job, seen, leave) {
  const stream = await make(job).responses.create(
    { model: job.model, input: job.prompt, stream: true },
    { signal: leave.signal },
  );
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") seen.text += event.delta;
    if (event.type === "response.completed") {
      seen.finish = event.response.status;
      seen.input = event.response.usage.input_tokens;
      seen.output = event.response.usage.output_tokens;
    }
    if (event.type === "response.failed") {
      seen.error = { type: "event response.failed", message: event.response.error.message, status: 0 };
    }
    if (event.type === "error") seen.error = { type: "event error", message: event.message, status: 0 };
    if (job.abort && seen.text) leave.abort();
  }
}

export const openai = { "openai-node": chat, "openai-node stream()": helper, "openai-node responses": responses };
