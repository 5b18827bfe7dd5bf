// Runs jobs, one JSON line each on standard input, against command line agents; says in one JSON line each what was seen.
// A job is {id, client, api, base, key, model, prompt, stream, abort, tool, leave, limit_ms}. Every call has a home of its own.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const homes = mkdtempSync(join(process.cwd(), "homes-"));

// start runs a program and gives its output, whatever its end.
function start(name, args, job, home, env) {
  return new Promise((resolve) => {
    const options = { cwd: home, timeout: job.limit_ms, killSignal: "SIGKILL", maxBuffer: 1 << 24, env: { PATH: process.env.PATH, HOME: home, ...env } };
    const child = execFile(join(process.cwd(), "node_modules", ".bin", name), args, options, (error, out, errs) =>
      resolve({ out, errs, late: error?.killed ?? false, code: error?.code ?? 0 }),
    );
    child.stdin.end();
  });
}

async function codex(job, seen, home) {
  const provider = `{name="weir",base_url="${job.base}/v1",env_key="WEIR_KEY",wire_api="responses"}`;
  const args = ["exec", "--json", "--skip-git-repo-check", "-c", `model="${job.model}"`, "-c", 'model_provider="weir"', "-c", `model_providers.weir=${provider}`, job.prompt];
  const ran = await start("codex", args, job, home, { CODEX_HOME: home, WEIR_KEY: job.key });
  seen.hang = ran.late;
  for (const line of ran.out.split("\n").filter((l) => l.startsWith("{"))) {
    const event = JSON.parse(line);
    if (event.type === "item.completed" && event.item.type === "agent_message") seen.text += event.item.text;
    if (event.type === "turn.completed") {
      seen.finish = event.type;
      seen.input = event.usage.input_tokens;
      seen.output = event.usage.output_tokens;
    }
    if (event.type === "turn.failed") seen.error = { type: "turn.failed", message: event.error.message, status: 0 };
  }
}

async function gemini(job, seen, home) {
  mkdirSync(join(home, ".gemini"));
  const settings = { security: { auth: { selectedType: "gemini-api-key" } }, privacy: { usageStatisticsEnabled: false } };
  writeFileSync(join(home, ".gemini", "settings.json"), JSON.stringify(settings));
  const env = { GEMINI_API_KEY: job.key, GOOGLE_GEMINI_BASE_URL: job.base, GEMINI_CLI_TRUST_WORKSPACE: "true" };
  const ran = await start("gemini", ["-m", "gemini-2.5-flash", "-o", "json", "-p", job.prompt], job, home, env);
  seen.hang = ran.late;
  // The answer is the last object, after whatever else the program tells.
  const text = ran.out + "\n" + ran.errs;
  const begin = text.lastIndexOf('{\n  "session_id"');
  if (begin < 0) {
    if (!ran.late) seen.error = { type: "exit " + ran.code, message: text.trim().slice(-200), status: 0 };
    return;
  }
  const said = JSON.parse(text.slice(begin, text.indexOf("\n}", begin) + 2));
  seen.text = said.response ?? "";
  if (said.error) seen.error = { type: said.error.type, message: said.error.message, status: 0 };
  const model = Object.values(said.stats?.models ?? {})[0];
  seen.finish = said.error ? "" : "response";
  seen.input = model?.tokens?.prompt ?? 0;
  seen.output = model?.tokens?.candidates ?? 0;
}

const clients = { "codex-cli": codex, "gemini-cli": gemini };

async function run(job) {
  const seen = { id: job.id, text: "", finish: "", input: 0, output: 0, error: null, hang: false };
  try {
    await clients[job.client](job, seen, mkdtempSync(join(homes, "home-")));
  } catch (e) {
    seen.error = { type: "runner", message: String(e), status: 0 };
  }
  process.stdout.write(JSON.stringify(seen) + "\n");
}

const jobs = [];
for await (const line of createInterface({ input: process.stdin })) jobs.push(JSON.parse(line));
await Promise.all(Array.from({ length: 4 }, async () => {
  while (jobs.length > 0) await run(jobs.shift());
}));
rmSync(homes, { recursive: true, force: true });
