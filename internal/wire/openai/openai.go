// Package openai speaks OpenAI Chat Completions, on both sides: Front reads what clients send and writes what they get
// back, Back writes what providers get and reads what they answer. It covers the compatible servers too (vLLM, Groq,
// Mistral, DeepSeek, OpenRouter), whose differences are confined to the fields they add.
//
// Front has the methods of gateway.Front, Back those of gateway.Back; the gateway holds the guards, since wire does not
// import it.
//
// Invariants:
//   - A request whose dialect is this one on both sides goes on byte for byte; Forward changes the model name, the
//     output cap, stream and stream_options, and leaves out sampling that the model refuses. Fields that Weir does not
//     know survive.
//   - Everything is read by package scan: strict, with the path and byte of what is wrong.
//   - A stream is complete only when the provider said so. A stream that was cut never is.
//   - Provider credentials never appear in an error.
//
// What it is not: the Responses API, embeddings, or the legacy completions endpoint.
//
// Source: OpenAI API reference, "Create chat completion" and "Chat completion chunk object".
package openai

import (
	"cmp"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Front is the client side. The zero value is ready. Safe for concurrent use.
type Front struct {
	// Now dates an answer whose provider gave no date; nil leaves the date 0.
	Now func() time.Time
}

func (f Front) now() int64 {
	if f.Now == nil {
		return 0
	}
	return f.Now().Unix()
}

// Back is the provider side. The zero value is ready. Safe for concurrent use.
type Back struct {
	// Now is the clock against which a Retry-After date is read; nil ignores dates.
	Now func() time.Time
}

// capKey names the output cap: max_tokens, which all compatible servers know, unless the target wants another word, as
// OpenAI's reasoning models do.
func capKey(o call.Order) string { return cmp.Or(o.Target.OutputKey, "max_tokens") }

// path of the endpoint, after the provider's base URL.
const path = "/chat/completions"

// Protocol keys of the objects of a request.
var (
	requestKeys = scan.NewKeys("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n",
		"tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format", "stop",
		"temperature", "top_p", "seed", "user", "safety_identifier", "metadata", "store", "logprobs", "top_logprobs",
		"logit_bias", "presence_penalty", "frequency_penalty", "modalities", "audio", "prediction", "reasoning_effort",
		"verbosity", "service_tier", "prompt_cache_key", "prompt_cache_retention", "web_search_options",
		"models", "route", "provider", "plugins", "fallbacks", "preset", "inference_geo")
	streamOptionKeys = scan.NewKeys("include_usage", "include_obfuscation")
	messageKeys      = scan.NewKeys("role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal",
		"reasoning_content", "reasoning", "audio")
	partKeys   = scan.NewKeys("type", "text", "refusal", "image_url", "input_audio", "file")
	urlKeys    = scan.NewKeys("url", "detail")
	soundKeys  = scan.NewKeys("data", "format")
	fileKeys   = scan.NewKeys("file_data", "file_id", "filename")
	callKeys   = scan.NewKeys("id", "type", "index", "function")
	nameKeys   = scan.NewKeys("name", "arguments")
	toolKeys   = scan.NewKeys("type", "function")
	funcKeys   = scan.NewKeys("name", "description", "parameters", "strict")
	pickKeys   = scan.NewKeys("type", "function")
	formatKeys = scan.NewKeys("type", "json_schema")
	schemaKeys = scan.NewKeys("name", "description", "schema", "strict")
)
