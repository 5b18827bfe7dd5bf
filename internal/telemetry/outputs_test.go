package telemetry

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// counted are the lines of the outputs' metrics that count something, without the labels that all have.
func counted(t *testing.T, m *Metrics) (lines []string) {
	t.Helper()
	for _, line := range scrape(t, m) {
		if strings.HasPrefix(line, "weir_answer") && !strings.HasSuffix(line, " 0") {
			line = strings.NewReplacer(`layer="first"`, "", `model="gemini-flash"`, "", `route="support"`, "", ",", " ").Replace(line)
			lines = append(lines, strings.Join(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" {}\"", r) }), " "))
		}
	}
	return lines
}

func TestAnAnswerIsCountedByWhatIsKnownOfIt(t *testing.T) {
	judged := attempt()
	judged.Output = call.Output{
		Seen: true, Stop: llm.StopToolUse, Bytes: 100, Tools: 3, Broken: 1, Args: call.Yes, Empty: call.No,
		Refusal: call.ByWords, Language: "de",
	}
	judged.Verdict = call.Verdict{Result: call.Rejected, Passed: "empty,truncated", Check: "refusal", Repaired: call.Yes, Doubt: 5000}
	unread := attempt()
	unread.Output = call.Output{Seen: true, Bytes: 7, Tools: 2}
	unread.Settlement = call.Estimated
	for name, tt := range map[string]struct {
		attempt call.Attempt
		want    []string
	}{
		"judged": {judged, []string{
			"weir_answer_bytes_count 1", "weir_answer_bytes_sum 100", "weir_answer_checks_total check= empty passed= yes 1",
			"weir_answer_checks_total check= refusal passed= no 1", "weir_answer_checks_total check= truncated passed= yes 1",
			"weir_answer_doubt_count 1", "weir_answer_doubt_sum 0.5",
			"weir_answer_findings_total found= no what= empty 1", "weir_answer_findings_total found= yes what= called_tools 1",
			"weir_answer_findings_total found= yes what= refusal 1", "weir_answer_findings_total found= yes what= repaired 1",
			"weir_answer_languages_total language= de 1", "weir_answer_tokens_count 1", "weir_answer_tokens_sum 20",
			"weir_answer_tool_calls_total arguments= broken 1", "weir_answer_tool_calls_total arguments= json 2",
			"weir_answers_total stop= tool_use 1",
		}},
		"unread": {unread, []string{
			"weir_answer_bytes_count 1", "weir_answer_bytes_sum 7",
			"weir_answer_findings_total found= yes what= called_tools 1", "weir_answer_tool_calls_total arguments= unknown 2",
			"weir_answers_total stop= unknown 1",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics()
			m.Attempt(tt.attempt)
			got := map[string]bool{}
			for _, line := range counted(t, m) {
				got[line] = true
			}
			for _, want := range tt.want {
				if !got[want] {
					t.Errorf("misses %s", want)
				}
				delete(got, want)
			}
			for line := range got {
				t.Errorf("has %s", line)
			}
			m.Attempt(tt.attempt) // by the series that were looked up
			if again := counted(t, m); len(again) != len(tt.want) || !strings.HasSuffix(again[0], " 2") {
				t.Errorf("counted twice: %v", again)
			}
		})
	}
}

func TestWhatIsNoAnswerIsNotCounted(t *testing.T) {
	for name, change := range map[string]func(*call.Attempt){
		"a probe":      func(a *call.Attempt) { a.Order.Purpose = call.Probe },
		"a shadow":     func(a *call.Attempt) { a.Order.Purpose = call.Shadow },
		"a cut answer": func(a *call.Attempt) { a.Outcome = call.Cut },
		"no answer":    func(a *call.Attempt) { a.Output = call.Output{} },
	} {
		m, a := NewMetrics(), attempt()
		a.Output = call.Output{Seen: true, Stop: llm.StopEnd}
		change(&a)
		if m.Attempt(a); len(counted(t, m)) != 0 {
			t.Errorf("%s counts: %v", name, counted(t, m))
		}
	}
}

// BenchmarkAttempt is what the metrics cost an attempt.
func BenchmarkAttempt(b *testing.B) {
	live, judged := attempt(), attempt()
	live.Output = call.Output{Seen: true, Stop: llm.StopEnd, Bytes: 400, Args: call.No, Empty: call.No}
	judged.Output = live.Output
	judged.Output.Refusal, judged.Output.Language = call.NotRefused, "en"
	judged.Verdict.Passed, judged.Verdict.Repaired = "empty,truncated,refusal,tool-arguments,format,shape", call.No
	for name, a := range map[string]call.Attempt{"live": live, "judged": judged} {
		b.Run(name, func(b *testing.B) {
			m := NewMetrics()
			b.ReportAllocs()
			for b.Loop() {
				m.Attempt(a)
			}
		})
	}
}
