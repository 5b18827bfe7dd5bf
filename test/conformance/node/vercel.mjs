// The package `ai` with its providers.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool as offer } from "ai";
import { called, tool } from "./tool.mjs";

const kinds = {
  "ai-openai": (job) => createOpenAI({ apiKey: job.key, baseURL: job.base + "/v1" }).chat(job.model),
  "ai-compatible": (job) =>
    createOpenAICompatible({ name: "weir", apiKey: job.key, baseURL: job.base + "/v1", includeUsage: true })(job.model),
  "ai-openai responses": (job) => createOpenAI({ apiKey: job.key, baseURL: job.base + "/v1" }).responses(job.model),
  "ai-anthropic": (job) => createAnthropic({ apiKey: job.key, baseURL: job.base + "/v1" })(job.model),
  "ai-google": (job) => createGoogleGenerativeAI({ apiKey: job.key, baseURL: job.base + "/v1beta" })(job.model),
};

function usage(seen, u) {
  seen.input = u?.inputTokens ?? 0;
  seen.output = u?.outputTokens ?? 0;
}

async function call(make, job, seen, leave) {
  const ask = { model: make(job), prompt: job.prompt, abortSignal: leave.signal };
  if (job.tool) ask.tools = { [tool.name]: offer({ description: tool.description, inputSchema: jsonSchema(tool.takes) }) };
  if (!job.stream) {
    const answer = await generateText(ask);
    seen.text = answer.text;
    seen.finish = answer.finishReason;
    usage(seen, answer.usage);
    return;
  }
  // Errors come as parts of the stream; the handler is there so that they are not printed too.
  for await (const part of streamText({ ...ask, onError() {} }).fullStream) {
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "tool-call") seen.call += called(part.toolName, part.input);
    if (part.type === "finish") {
      seen.finish = part.finishReason;
      usage(seen, part.totalUsage);
    }
    if (part.type === "error") {
      const e = part.error;
      seen.error = {
        type: e?.constructor?.name === "Object" ? "part error" : (e?.constructor?.name ?? typeof e),
        message: typeof e === "string" ? e : String(e?.message ?? JSON.stringify(e)),
        status: e?.statusCode ?? 0,
      };
    }
    if (part.type === "abort") seen.error = { type: "part abort", message: "aborted", status: 0 };
    if (job.abort && seen.text) leave.abort();
  }
}

export const vercel = Object.fromEntries(
  Object.entries(kinds).map(([name, make]) => [name, (job, seen, leave) => call(make, job, seen, leave)]),
);
