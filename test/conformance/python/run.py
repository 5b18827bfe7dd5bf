"""Runs jobs, one JSON line each on standard input, against the SDKs of Python; says in one JSON line each what was seen.

A job is {id, client, api, base, key, model, prompt, stream, abort, tool, leave, limit_ms}.
"""

import asyncio
import json
import sys
import urllib.request

import anthropic
import openai
from google import genai


NAME, ABOUT = "find_water", "Finds water near a place."
TAKES = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}


def called(seen, name, args):
    """Tells a call of the tool. What is no JSON stays as it came, to be seen."""
    try:
        args = json.dumps(json.loads(args) if isinstance(args, str) else args, separators=(",", ":"))
    except ValueError:
        pass
    seen["call"] += f"{name} {args}"


async def chat(job, seen):
    name = args = ""
    async with openai.AsyncOpenAI(api_key=job["key"], base_url=job["base"] + "/v1") as client:
        body = {"model": job["model"], "messages": [{"role": "user", "content": job["prompt"]}]}
        if job["tool"]:
            body["tools"] = [{"type": "function", "function": {"name": NAME, "description": ABOUT, "parameters": TAKES}}]
        if not job["stream"]:
            answer = await client.chat.completions.create(**body)
            seen.update(text=answer.choices[0].message.content, finish=answer.choices[0].finish_reason)
            seen.update(input=answer.usage.prompt_tokens, output=answer.usage.completion_tokens)
            return
        stream = await client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})
        async for chunk in stream:
            if chunk.choices:
                seen["text"] += chunk.choices[0].delta.content or ""
                seen["finish"] = chunk.choices[0].finish_reason or seen["finish"]
                for c in chunk.choices[0].delta.tool_calls or []:
                    name += c.function.name or ""
                    args += c.function.arguments or ""
            if chunk.usage:
                seen.update(input=chunk.usage.prompt_tokens, output=chunk.usage.completion_tokens)
            if job["abort"] and seen["text"]:
                await stream.close()
                seen["error"] = {"type": "closed", "message": "left", "status": 0}
                return
    if name:
        called(seen, name, args)


async def responses(job, seen):
    async with openai.AsyncOpenAI(api_key=job["key"], base_url=job["base"] + "/v1") as client:
        async for event in await client.responses.create(model=job["model"], input=job["prompt"], stream=True):
            if event.type == "response.output_text.delta":
                seen["text"] += event.delta
            elif event.type == "response.completed":
                used = event.response.usage
                seen.update(finish=event.response.status, input=used.input_tokens, output=used.output_tokens)
            elif event.type == "response.failed":
                seen["error"] = {"type": "event response.failed", "message": event.response.error.message, "status": 0}
            elif event.type == "error":
                seen["error"] = {"type": "event error", "message": event.message, "status": 0}


def whole(seen, message):
    seen.update(text="".join(getattr(c, "text", "") for c in message.content), finish=message.stop_reason)
    seen.update(input=message.usage.input_tokens, output=message.usage.output_tokens)
    for c in message.content:
        if c.type == "tool_use":
            called(seen, c.name, c.input)


def asked(job):
    body = {"model": job["model"], "max_tokens": 300, "messages": [{"role": "user", "content": job["prompt"]}]}
    if job["tool"]:
        body["tools"] = [{"name": NAME, "description": ABOUT, "input_schema": TAKES}]
    return body


async def messages(job, seen):
    name = args = ""
    async with anthropic.AsyncAnthropic(api_key=job["key"], base_url=job["base"]) as client:
        if not job["stream"]:
            whole(seen, await client.messages.create(**asked(job)))
            return
        stream = await client.messages.create(**asked(job), stream=True)
        async for event in stream:
            if event.type == "content_block_start":
                name += getattr(event.content_block, "name", "")
            elif event.type == "message_start":
                seen["input"] = event.message.usage.input_tokens
            elif event.type == "content_block_delta":
                seen["text"] += getattr(event.delta, "text", "")
                args += getattr(event.delta, "partial_json", "")
            elif event.type == "message_delta":
                seen.update(finish=event.delta.stop_reason, output=event.usage.output_tokens)
                seen["input"] = event.usage.input_tokens or seen["input"]  # a gateway that translates knows it only now
            if job["abort"] and seen["text"]:
                await stream.close()
                seen["error"] = {"type": "closed", "message": "left", "status": 0}
                return
    if name:
        called(seen, name, args)


async def helper(job, seen):
    async with anthropic.AsyncAnthropic(api_key=job["key"], base_url=job["base"]) as client:
        async with client.messages.stream(**asked(job)) as stream:
            async for text in stream.text_stream:
                seen["text"] += text
                if job["abort"]:
                    seen["error"] = {"type": "closed", "message": "left", "status": 0}
                    return
            whole(seen, await stream.get_final_message())


async def generate(job, seen):
    client = genai.Client(api_key=job["key"], http_options={"base_url": job["base"]})
    stream = await client.aio.models.generate_content_stream(model=job["model"], contents=job["prompt"])
    async for chunk in stream:
        seen["text"] += chunk.text or ""
        if chunk.candidates and chunk.candidates[0].finish_reason:
            seen["finish"] = chunk.candidates[0].finish_reason.value
        if chunk.usage_metadata:
            used = chunk.usage_metadata
            seen.update(input=used.prompt_token_count or 0, output=used.candidates_token_count or 0)


CLIENTS = {
    "openai-python": chat,
    "openai-python responses": responses,
    "anthropic-python": messages,
    "anthropic-python stream()": helper,
    "genai-python": generate,
}


async def call(job, seen):
    task = asyncio.create_task(CLIENTS[job["client"]](job, seen))
    if job["leave"]:
        told = asyncio.get_running_loop().run_in_executor(None, urllib.request.urlopen, job["leave"])
        told.add_done_callback(lambda _: task.cancel())
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled() or asyncio.current_task().cancelling():
            raise
        seen["error"] = {"type": "CancelledError", "message": "left", "status": 0}


async def run(job, gate):
    async with gate:
        seen = {"id": job["id"], "text": "", "call": "", "finish": "", "input": 0, "output": 0, "error": None, "hang": False}
        try:
            async with asyncio.timeout(job["limit_ms"] / 1000) as limit:
                await call(job, seen)
        except Exception as e:  # whatever an SDK raises is what is asked for
            seen["hang"] = limit.expired()
            status = getattr(e, "status_code", 0) or getattr(e, "code", 0)
            seen["error"] = {
                "type": type(e).__name__,
                "message": str(e),
                "status": status if isinstance(status, int) else 0,
            }
        print(json.dumps(seen), flush=True)


async def main():
    gate = asyncio.Semaphore(16)  # a busy machine shall not look like a client that hangs
    await asyncio.gather(*(run(json.loads(line), gate) for line in sys.stdin))


asyncio.run(main())
