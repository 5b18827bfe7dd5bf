// Runs jobs, one JSON line each on standard input, against the SDKs of npm; says in one JSON line each what was seen.
// A job is {id, client, api, base, key, model, prompt, stream, abort, tool, leave, limit_ms}.
import { createInterface } from "node:readline";
import { openai } from "./openai.mjs";
import { anthropic } from "./anthropic.mjs";
import { google } from "./google.mjs";
import { vercel } from "./vercel.mjs";

const clients = { ...openai, ...anthropic, ...google, ...vercel };

// Standard output is for answers alone.
for (const say of ["log", "info", "warn", "debug"]) console[say] = console.error;

// told is an error as its class names it.
export function told(e) {
  return { type: e?.constructor?.name ?? typeof e, message: String(e?.message ?? e), status: e?.status ?? e?.statusCode ?? 0 };
}

async function run(job) {
  const seen = { id: job.id, text: "", call: "", finish: "", input: 0, output: 0, error: null, hang: false };
  const leave = new AbortController();
  let timer;
  if (job.leave) fetch(job.leave).then(() => leave.abort());
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve("late"), job.limit_ms);
  });
  const call = (async () => {
    try {
      await clients[job.client](job, seen, leave);
    } catch (e) {
      seen.error = told(e);
    }
  })();
  seen.hang = (await Promise.race([call, late])) === "late";
  clearTimeout(timer);
  process.stdout.write(JSON.stringify(seen) + "\n");
  if (seen.hang) leave.abort();
}

// Many calls at once, not all: a busy machine shall not look like a client that hangs.
const atOnce = 24;
const jobs = [];
for await (const line of createInterface({ input: process.stdin })) jobs.push(JSON.parse(line));
async function worker() {
  while (jobs.length > 0) await run(jobs.shift());
}
await Promise.all(Array.from({ length: atOnce }, worker));
process.exit(0); // what hangs still holds its connection
