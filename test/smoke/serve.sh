#!/usr/bin/env bash
# A curl through weir serve in front of weir sim: what a client, an operator and a probe see, and how serve stops. Takes
# the binary from BIN, or builds it. Everything happens in a folder of its own, on free ports.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT

weir=${BIN:-}
if [ -z "$weir" ]; then
	weir=$dir/weir
	CGO_ENABLED=0 go build -o "$weir" ./cmd/weir
fi

fail() {
	echo "smoke: $1" >&2
	for f in "$dir"/answer "$dir"/stream "$dir"/serve.err; do
		if [ -s "$f" ]; then
			printf -- '--- %s\n' "${f##*/}" >&2
			head -c 4000 "$f" >&2
		fi
	done
	exit 1
}

# until_true WHAT COMMAND... tries a command again and again, for 20 s.
until_true() {
	local what=$1
	shift
	for _ in $(seq 400); do
		if "$@"; then return; fi
		sleep 0.05
	done
	fail "$what did not happen within 20 s"
}

# field FILE NAME is a string member of a JSON line.
field() { sed -n 's/.*"'"$2"'":"\([^"]*\)".*/\1/p' "$1" | head -n 1; }

ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# ask STATUS PATH BODY HEADER... posts a body; the answer goes to $dir/answer, its headers to $dir/head.
ask() {
	local want=$1 path=$2 body=$3 got
	shift 3
	local headers=()
	for h in "$@"; do headers+=(-H "$h"); done
	got=$(curl -sS --max-time 30 -o "$dir/answer" -D "$dir/head" -w '%{http_code}' "${headers[@]}" \
		-H 'content-type: application/json' -d "$body" "$api$path") || fail "POST $path broke"
	[ "$got" = "$want" ] || fail "POST $path: status $got, not $want"
}

# has FILE TEXT WHAT
has() { grep -qF -- "$2" "$dir/$1" || fail "$3: \"$2\" is missing"; }

probe() { curl -s --max-time 5 -o "$dir/probe" -w '%{http_code}' "$admin$1"; }
is() { [ "$(probe "$1")" = "$2" ]; }

announced() { [ -s "$1" ] && grep -q '}' "$1"; }

# --- start, on free ports; the addresses are in the announcements
"$weir" sim --listen 127.0.0.1:0 --speed 50 --markers --json >"$dir/sim.json" 2>"$dir/sim.err" &
pids+=($!)
until_true "the announcement of weir sim" announced "$dir/sim.json"
sim=$(field "$dir/sim.json" url)
sed "s#http://127.0.0.1:9090#$sim#" test/smoke/weir.yaml >"$dir/weir.yaml"

export SMOKE_KEY=simulated-provider-key
conf=(--config "$dir/weir.yaml")
"$weir" check "${conf[@]}" >"$dir/check" || fail "weir check refuses the configuration"
"$weir" serve "${conf[@]}" --quiet --json --listen-api 127.0.0.1:0 --listen-admin 127.0.0.1:0 \
	>"$dir/serve.json" 2>"$dir/serve.err" &
serve=$!
pids+=("$serve")
until_true "the announcement of weir serve" announced "$dir/serve.json"
api=$(field "$dir/serve.json" api) admin=$(field "$dir/serve.json" admin) key=$(field "$dir/serve.json" key)
[ -n "$key" ] || fail "serve made no first key"
bearer="authorization: Bearer $key"
until_true "readyz 200" is /readyz 200

# --- chat, named as the client already does
chat='{"model":"gpt-4o-mini","messages":[{"role":"user","content":"smoke rises"}]}'
ask 200 /v1/chat/completions "$chat" "$bearer" "x-weir-use-case: smoke"
has answer 'heard you say: smoke rises' "chat"
has answer '"finish_reason":"stop"' "chat"
id=$(tr -d '\r' <"$dir/head" | sed -n 's/^x-request-id: //Ip')
grep -qi '^x-weir-cost-usd: 0\.0*[1-9]' "$dir/head" || fail "chat: no cost in the headers"

# --- the same, streamed
ask 200 /v1/chat/completions "${chat/\{/\{\"stream\":true,}" "$bearer"
said=$(sed -n 's/.*"content":"\([^"]*\)".*/\1/p' "$dir/answer" | tr -d '\n')
[[ $said == *"heard you say: smoke rises" ]] || fail "stream: the pieces make \"$said\""
[ "$(tail -n 2 "$dir/answer" | head -n 1)" = 'data: [DONE]' ] || fail "stream: no [DONE] at the end"

# --- Anthropic's dialect, through the other vendor
ask 200 /v1/messages '{"model":"support","max_tokens":200,"messages":[{"role":"user","content":"smoke rises"}]}' \
	"x-api-key: $key" "anthropic-version: 2023-06-01"
has answer '"type":"message"' "messages"
has answer 'heard you say: smoke rises' "messages"

# --- what is refused says what to do
ask 401 /v1/chat/completions "$chat" "authorization: Bearer wk-not-a-key"
has answer 'weir key create' "bad key"
ask 404 /v1/chat/completions '{"model":"no-such-model","messages":[{"role":"user","content":"x"}]}' "$bearer"
has answer 'support' "unknown model: the routes"
grep -qi '^x-should-retry: false' "$dir/head" || fail "unknown model: clients would retry"
ask 400 /v1/chat/completions '{"model":"support","messages":[' "$bearer"

# --- what an operator sees
is /metrics 200 || fail "GET /metrics"
grep -q '^weir_calls_total{.*} [1-9]' "$dir/probe" || fail "GET /metrics counts no calls"
"$weir" usage "${conf[@]}" --by model --json >"$dir/answer"
has answer '"gpt-4o-mini"' "weir usage"
"$weir" call "${conf[@]}" "$id" --json >"$dir/answer"
has answer "\"id\": \"$id\"" "weir call"
has answer '"settlement": "settled"' "weir call"
has answer '"use_case": "smoke"' "weir call"

# --- keys of another process are taken, and dropped within a second
"$weir" key create "${conf[@]}" --name second --json >"$dir/key.json" 2>/dev/null
second=$(sed -n 's/.*"key": "\([^"]*\)".*/\1/p' "$dir/key.json")
second_id=$(sed -n 's/.*"id": "\([^"]*\)".*/\1/p' "$dir/key.json")
# answers STATUS is whether a call with the second key gets it.
answers() {
	local got
	asked=$(ms)
	got=$(curl -s --max-time 5 -o /dev/null -w '%{http_code}' -H "authorization: Bearer $second" -d "$chat" \
		"$api/v1/chat/completions")
	[ "$got" = "$1" ]
}
until_true "a call with the new key" answers 200
"$weir" key revoke "${conf[@]}" "$second_id" >/dev/null
revoked=$(ms)
until_true "the end of the revoked key" answers 401
[ $((asked - revoked)) -le 1000 ] || fail "the revoked key was still taken $((asked - revoked)) ms later"

# --- SIGTERM while an answer streams: no longer ready, the answer comes to its end, the exit is clean
slow='{"model":"live","stream":true,"messages":[{"role":"user","content":"slow smoke [[sim:drip@200]]"}]}'
curl -sSN --max-time 60 -o "$dir/stream" -H "$bearer" -d "$slow" "$api/v1/chat/completions" &
stream=$!
until_true "the first piece of the slow answer" grep -qs '^data: ' "$dir/stream"
kill -TERM "$serve"
until_true "readyz 503 while draining" is /readyz 503
kill -0 "$stream" 2>/dev/null || fail "the answer had ended before serve was seen draining: nothing was proven"
wait "$stream" || fail "the answer under way was cut"
has stream 'data: [DONE]' "the answer under way at SIGTERM"
wait "$serve" || fail "serve ended with $?"
"$weir" usage "${conf[@]}" --json >"$dir/answer"
has answer '"presumed": 0' "after a clean stop"

echo "smoke: ok"
