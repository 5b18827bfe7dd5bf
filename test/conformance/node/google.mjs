// The SDK `@google/genai`.
import { GoogleGenAI } from "@google/genai";

async function generate(job, seen, leave) {
  const client = new GoogleGenAI({ apiKey: job.key, httpOptions: { baseUrl: job.base } });
  const stream = await client.models.generateContentStream({
    model: job.model,
    contents: job.prompt,
    config: { abortSignal: leave.signal },
  });
  for await (const chunk of stream) {
    seen.text += chunk.text ?? "";
    seen.finish = chunk.candidates?.[0]?.finishReason ?? seen.finish;
    seen.input = chunk.usageMetadata?.promptTokenCount ?? seen.input;
    seen.output = chunk.usageMetadata?.candidatesTokenCount ?? seen.output;
    if (job.abort && seen.text) leave.abort();
  }
}

export const google = { "genai-node": generate };
