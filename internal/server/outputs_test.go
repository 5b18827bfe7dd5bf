package server_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/sim"
)

// outputsLayout has a held and a live route to one deployment of each dialect.
const outputsLayout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: article-2026-06
providers:
  google: {preset: gemini, key: env:SIM_KEY, url: "%SIM%/gemini/v1beta"}
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
deployments:
  gemini: {model: gemini-flash-lite, provider: google, region: eu, wire_id: flash-wire}
  openai:  {model: gpt-4o-mini, provider: openai, region: us, wire_id: mini-wire}
  anthropic: {model: claude-sonnet-4.6, provider: claude, region: us, wire_id: sonnet-wire}
checks:
  lowercase: {regex: '^[^A-Z]'}
routes:
  held-gemini:    {mode: enforce, layers: [{name: only, use: [gemini], checks: [lowercase]}]}
  held-openai:    {mode: enforce, layers: [{name: only, use: [openai], checks: [lowercase]}]}
  held-anthropic: {mode: enforce, layers: [{name: only, use: [anthropic], checks: [lowercase]}]}
  live-gemini:    {mode: enforce, layers: [{name: only, use: [gemini]}]}
  live-openai:    {mode: enforce, layers: [{name: only, use: [openai]}]}
  live-anthropic: {mode: enforce, layers: [{name: only, use: [anthropic]}]}
data: {unlabelled: internal, may_reach: {internal: any}}
`

// saying answers a question by its name.
type saying map[string]sim.Answer

func (s saying) Answer(q sim.Query) (sim.Answer, error) { return s[q.LastUser()], nil }

func openOutputs(t *testing.T, says saying) *house {
	t.Helper()
	s, err := sim.New(sim.Config{Models: simModels(), Answers: says, Markers: true})
	if err != nil {
		t.Fatal(err)
	}
	providers := httptest.NewServer(s)
	t.Cleanup(providers.Close)
	h := &house{t: t, sim: s, dir: t.TempDir(), providers: providers.URL}
	h.start(h.config(outputsLayout, providers.URL))
	return h
}

// outputs are what the control API tells of the answers of a call's attempts.
func (h *house) outputs(a answer) []*report.Output {
	h.t.Helper()
	got := h.get(h.admin+"/api/v1/calls/"+a.header.Get("X-Request-Id"), "Authorization", "Bearer "+h.token())
	var c report.Call
	if err := json.Unmarshal([]byte(got.body), &c); err != nil || len(c.Attempts) == 0 {
		h.t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	var all []*report.Output
	for _, x := range c.Attempts {
		all = append(all, x.Output)
	}
	return all
}

// ask puts a question in a dialect.
func (h *house) ask(dialect, route, question string, stream bool) answer {
	h.t.Helper()
	if dialect == "anthropic" {
		return h.post("/v1/messages", messages(route, question, stream))
	}
	return h.post("/v1/chat/completions", chat(route, question, stream))
}

// TestWhatIsKnownOfAnAnswer goes over dialect of the provider x of the client x held or live x streamed or not x how the
// answer ends. Nothing may be told of an answer that passed by unread but what its frames tell.
func TestWhatIsKnownOfAnAnswer(t *testing.T) {
	t.Parallel()
	find := sim.Call{Name: "find", Args: jsontext.Value(`{"id":402}`)}
	says := saying{
		"end":    {Text: "the invoice is paid and you have what is in the list of your order, which is all"},
		"length": {Text: "the invoice is", Finish: sim.FinishLength},
		"tools":  {Text: "let me look", Calls: []sim.Call{find, find}},
		"refuse": {Text: "no, that is not for me", Finish: sim.FinishRefusal},
		"filter": {Text: "the", Finish: sim.FinishFilter},
		"words":  {Text: "I cannot help with that."},
		"empty":  {},
	}
	h := openOutputs(t, says)
	for kind := range says {
		for _, back := range []string{"openai", "anthropic", "gemini"} {
			for _, client := range []string{"openai", "anthropic"} {
				for _, held := range []string{"held", "live"} {
					for _, stream := range []bool{false, true} {
						name := fmt.Sprintf("%s/%s-%s-%s/stream=%v", kind, client, held, back, stream)
						a := h.ask(client, held+"-"+back, kind, stream)
						got := h.outputs(a)
						if len(got) != 1 || got[0] == nil {
							t.Errorf("%s: %d: nothing is known: %s", name, a.status, a.body)
							continue
						}
						want := wantOutput(kind, back, held == "held", held == "held" || client != back, stream)
						if got[0].Bytes == 0 != (want.Bytes == 0) {
							t.Errorf("%s: %d bytes", name, got[0].Bytes)
						}
						got[0].Bytes, want.Bytes = 0, 0
						if d := gocmp.Diff(want, got[0]); d != "" {
							t.Errorf("%s (-want +got):\n%s", name, d)
						}
					}
				}
			}
		}
	}
}

// wantOutput is what must be known of an answer. read says that Weir decoded it. Bytes are 1 for any.
func wantOutput(kind, back string, held, read, stream bool) *report.Output {
	none := 0
	o := &report.Output{Stop: "stop", Bytes: 1, Empty: "no", BrokenCalls: &none}
	if read {
		o.Refusal, o.Language = "no", "und"
	}
	failed := ""
	switch kind {
	case "end":
		if read {
			o.Language = "en"
		}
	case "length":
		o.Stop, failed = "length", "truncated"
	case "tools":
		o.Stop, o.ToolCalls = "tool_use", 2
		if back == "openai" && !read && !stream { // a string in a body: nobody looks into it
			o.BrokenCalls = nil
		}
	case "refuse":
		failed = "refusal"
		switch back {
		case "anthropic":
			o.Stop = "refusal"
		case "gemini": // a blocked candidate has no parts
			o.Stop, o.Bytes, o.Empty = "content_filter", 0, "yes"
		}
		if read && back != "gemini" {
			o.Refusal = "provider"
		}
		if back != "anthropic" { // OpenAI has a field of its own for it
			o.Language = ""
		}
	case "filter":
		o.Stop, failed = "content_filter", "refusal"
		if back == "anthropic" {
			o.Stop = "refusal"
			if read {
				o.Refusal = "provider"
			}
		}
	case "words":
		failed = "refusal"
		if read {
			o.Refusal = "words"
		}
	case "empty":
		o.Bytes, o.Empty, o.Language, failed = 0, "yes", "", "empty"
	}
	if held {
		o.Repaired = "no"
		for _, check := range []string{"empty", "truncated", "refusal", "tool-arguments", "format", "lowercase"} {
			if check == failed {
				break
			}
			o.Passed = append(o.Passed, check)
		}
	}
	return o
}

// TestWhatIsKnownOfAnOddAnswer goes over answers that no provider should give, and over what became of them.
func TestWhatIsKnownOfAnOddAnswer(t *testing.T) {
	t.Parallel()
	call := func(args string) sim.Answer {
		return sim.Answer{Calls: []sim.Call{{Name: "a", Args: jsontext.Value(args)}, {Name: "b", Args: jsontext.Value(`{}`)}}}
	}
	h := openOutputs(t, saying{
		"broken": call(`{"id":40`), "list": call(`[1]`), "blank": call(" "), "long": call(`{"id":"` + strings.Repeat("x", 70_000)),
		"fenced json":       {Text: "```json\n{\"total\":1}\n```"},
		"cut [[sim:cut@2]]": {Text: "this answer is longer than a few frames of it are, and it never comes to its end"},
		"no [[sim:500]]":    {Text: "x"},
	})
	for _, tt := range []struct {
		route, question string
		stream          bool
		extra           string // members of the request
		want            string // of the last attempt: stop, calls, broken, empty, repaired
	}{
		{"live-openai", "broken", true, "", "tool_use 2 1 no -"},
		{"live-openai", "broken", false, "", "tool_use 2 - no -"},
		{"live-openai", "list", true, "", "tool_use 2 1 no -"},
		{"live-openai", "blank", true, "", "tool_use 2 0 no -"},
		{"live-openai", "long", true, "", "tool_use 2 - no -"},
		{"held-openai", "broken", true, "", "tool_use 2 1 no yes"},
		{"held-openai", "broken", false, "", "tool_use 2 1 no yes"},
		{"held-openai", "long", true, "", "tool_use 2 1 no no"},
		{"held-openai", "blank", false, "", "tool_use 2 0 no no"},
		{"held-openai", "fenced json", true, `"response_format":{"type":"json_object"},`, "stop 0 0 no yes"},
		{"live-openai", "fenced json", true, `"response_format":{"type":"json_object"},`, "stop 0 0 no -"},
		{"held-openai", "cut [[sim:cut@2]]", true, "", "- 0 - - -"},
		{"live-openai", "cut [[sim:cut@2]]", true, "", "- 0 - - -"},
		{"live-openai", "no [[sim:500]]", true, "", "nothing"},
	} {
		body := strings.Replace(chat(tt.route, tt.question, tt.stream), "{", "{"+tt.extra, 1)
		all := h.outputs(h.post("/v1/chat/completions", body))
		got := "nothing"
		if o := all[len(all)-1]; o != nil {
			broken := "-"
			if o.BrokenCalls != nil {
				broken = strconv.Itoa(*o.BrokenCalls)
			}
			got = fmt.Sprintf("%s %d %s %s %s", cmp.Or(o.Stop, "-"), o.ToolCalls, broken, cmp.Or(o.Empty, "-"), cmp.Or(o.Repaired, "-"))
		}
		if got != tt.want {
			t.Errorf("%s %s stream=%v: %s, want %s", tt.route, tt.question, tt.stream, got, tt.want)
		}
	}
}

// TestTheGravestStopOfSeveralAnswersIsKept plays a provider whose answers to one question stop for reasons of their own.
func TestTheGravestStopOfSeveralAnswersIsKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ first, second, want string }{
		{"stop", "length", "length"},
		{"length", "stop", "length"},
		{"content_filter", "length", "content_filter"},
		{"stop", "stop", "stop"},
		{"tool_calls", "stop", "tool_use"},
		{"stop", "a_word_of_its_own", "other"},
	} {
		h := played(t, func(w http.ResponseWriter, _ *http.Request) {
			sse(w)(chunk(0, "a", ""), chunk(1, "b", ""), chunk(0, "", tt.first), chunk(1, "", tt.second), usageChunk, doneChunk)
		})
		body := strings.Replace(chat("gpt", "q", true), "{", `{"n":2,`, 1)
		if got := h.outputs(h.post("/v1/chat/completions", body)); got[0] == nil || got[0].Stop != tt.want || got[0].Bytes != 2 {
			t.Errorf("%s and %s: %+v, want %s", tt.first, tt.second, got[0], tt.want)
		}
	}
}

// TestMetricsAndUsageTellTheSameOfAnswers holds what Prometheus scrapes against what the ledger adds up to.
func TestMetricsAndUsageTellTheSameOfAnswers(t *testing.T) {
	t.Parallel()
	h := openOutputs(t, saying{
		"end": {Text: "the invoice is paid"}, "length": {Text: "the", Finish: sim.FinishLength}, "words": {Text: "I cannot help."},
		"tools": {Calls: []sim.Call{{Name: "a", Args: jsontext.Value(`{"id":`)}, {Name: "b", Args: jsontext.Value(`{}`)}}},
	})
	for _, route := range []string{"held-openai", "live-openai", "held-anthropic"} {
		for _, question := range []string{"end", "length", "words", "end", "tools"} {
			if question != "tools" || route != "held-anthropic" { // arguments that are no JSON do not fit into its answers
				h.ask("openai", route, question, true)
			}
		}
	}
	got := h.get(h.admin+"/api/v1/usage/outputs?by=route", "Authorization", "Bearer "+h.token())
	var told report.OutputTable
	if err := json.Unmarshal([]byte(got.body), &told); err != nil || len(told.Groups) != 3 || told.Total.N != 14 {
		t.Fatalf("%v: %s", err, got.body)
	}
	scraped := h.get(h.admin + "/metrics").body
	sum := func(metric string, labels ...string) (n int64) {
		for line := range strings.Lines(scraped) {
			if !strings.HasPrefix(line, metric+"{") {
				continue
			}
			all := true
			for _, l := range labels {
				all = all && strings.Contains(line, l)
			}
			if all {
				v, err := strconv.ParseInt(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 10, 64)
				if err != nil {
					t.Error(err)
				}
				n += v
			}
		}
		return n
	}
	for _, g := range told.Groups {
		route := `route="` + g.Name + `"`
		finding := func(what, found string) int64 {
			return sum("weir_answer_findings_total", route, `what="`+what+`"`, `found="`+found+`"`)
		}
		type pair struct{ ledger, metrics int64 }
		for name, p := range map[string]pair{
			"answers":   {g.N, sum("weir_answers_total", route)},
			"truncated": {g.Truncated.Yes, sum("weir_answers_total", route, `stop="length"`)},
			"refused":   {g.Refused.Yes, finding("refusal", "yes")},
			"read":      {g.Refused.N, finding("refusal", "yes") + finding("refusal", "no")},
			"empty":     {g.Empty.N, finding("empty", "yes") + finding("empty", "no")},
			"called":    {g.Called.Yes, finding("called_tools", "yes")},
			"calls":     {g.Calls, sum("weir_answer_tool_calls_total", route)},
			"broken":    {g.Broken.Yes, sum("weir_answer_tool_calls_total", route, `arguments="broken"`)},
			"lengths":   {g.Tokens.N, sum("weir_answer_tokens_count", route)},
			"judged":    {g.Passed.N, sum("weir_answer_checks_total", route, `check="empty"`)},
			"bytes":     {g.Bytes.Mean, sum("weir_answer_bytes_sum", route) / g.Bytes.N},
		} {
			if p.ledger != p.metrics || name == "answers" && p.ledger == 0 {
				t.Errorf("%s, %s: the ledger has %d, the metrics %d", g.Name, name, p.ledger, p.metrics)
			}
		}
	}
}
