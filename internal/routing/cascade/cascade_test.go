package cascade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/routing/validate"
)

// scripted answers attempts from a script: one line an attempt, in order.
type scripted struct {
	t     *testing.T
	lines []reply
	seen  []string // "purpose deployment" of every attempt
	load  []call.Payload
	notes []string
	rows  []call.Verdict
	waits []time.Duration
	start time.Time

	delivered string
}

type reply struct {
	text string     // whole answer
	err  *llm.Error // instead of an answer
	cut  bool       // the stream breaks after its first frame
	stop llm.StopReason
}

func (s *scripted) Open(_ context.Context, _ call.Facts, o call.Order) (call.Exchange, error) {
	n := len(s.seen)
	s.seen = append(s.seen, string(o.Purpose)+" "+o.Target.Deployment)
	s.load = append(s.load, o.Payload)
	s.notes = append(s.notes, o.Notes)
	s.waits = append(s.waits, time.Since(s.start))
	if n >= len(s.lines) {
		s.t.Fatalf("attempt %d was not expected: %v", n+1, s.seen)
	}
	if e := s.lines[n].err; e != nil {
		return nil, e
	}
	return &exchange{s: s, r: s.lines[n], order: o}, nil
}

type exchange struct {
	s     *scripted
	r     reply
	order call.Order
	sent  int
}

func (x *exchange) Recv() (llm.Delta, error) {
	frames := []string{x.r.text[:len(x.r.text)/2], x.r.text[len(x.r.text)/2:]}
	if x.r.cut && x.sent == 1 {
		return llm.Delta{}, &llm.Error{Code: llm.CodeUpstream, Message: "cut"}
	}
	if x.sent < len(frames) {
		x.sent++
		return llm.Delta{Raw: []byte(frames[x.sent-1]), Terminal: x.sent == len(frames)}, nil
	}
	if x.order.Judge && x.sent == len(frames) {
		x.sent++
		stop := x.r.stop
		if stop == "" {
			stop = llm.StopEnd
		}
		return llm.Delta{Final: &llm.Response{Choices: []llm.Choice{{
			Parts: []llm.Part{{Kind: llm.Text, Text: x.r.text}}, Stop: stop,
		}}}}, nil
	}
	return llm.Delta{}, io.EOF
}

func (s *scripted) Deliver(_ call.Attempt, why string) { s.delivered = why }

func (x *exchange) Judge(v call.Verdict)         { x.s.rows = append(x.s.rows, v) }
func (x *exchange) Close() (call.Attempt, error) { return call.Attempt{}, nil }

// caller is the sink of a test.
type caller struct {
	got  strings.Builder
	from string
	gone bool
}

func (c *caller) Answer(o call.Order) error { c.from = o.Target.Deployment; return nil }

func (c *caller) Frame(d llm.Delta) error {
	if c.gone {
		return context.Canceled
	}
	if d.Final != nil && d.Terminal {
		c.got.WriteString(d.Final.Text(0))
	}
	c.got.Write(d.Raw)
	return nil
}

func (c *caller) Committed() bool { return c.got.Len() > 0 }

func target(name string) call.Target {
	return call.Target{Deployment: name, Dialect: llm.OpenAI, Model: &catalog.Model{ID: name, MaxOutput: 1000}}
}

func layer(n int, checks []validate.Check, deployments ...string) Layer {
	l := Layer{Name: fmt.Sprintf("layer%d", n), Number: n, Checks: checks}
	for _, d := range deployments {
		l.Targets = append(l.Targets, target(d))
	}
	return l
}

// pinned are two layers in which an open tool loop keeps a call at the first deployment.
func pinned(checks []validate.Check, deployments ...string) []Layer {
	first, again := layer(1, checks, deployments...), layer(1, checks, deployments[0])
	first.Pinned, again.Again = true, true
	return []Layer{first, again, layer(2, nil, "pro")}
}

func mustCheck(t *testing.T, s validate.Spec) []validate.Check {
	t.Helper()
	c, err := validate.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return []validate.Check{c}
}

func request(question string) *call.Raw {
	body := []byte(`{"messages":[{"role":"user","content":"` + question + `"}]}`)
	at := strings.Index(string(body), question)
	env := llm.Envelope{Dialect: llm.OpenAI, N: 1, LastUser: llm.Span{Start: at, End: at + len(question)}}
	return call.NewRaw(body, env, func(b []byte) (*llm.Request, error) {
		return &llm.Request{Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Text, Text: string(b)}}}}}, nil
	})
}

func upstreamError(status int, after time.Duration) *llm.Error {
	code := llm.CodeUpstream
	if status == 429 {
		code = llm.CodeRate
	}
	return &llm.Error{Code: code, Message: fmt.Sprint("status ", status), Upstream: status, RetryAfter: after}
}

func TestRun(t *testing.T) {
	digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
	good, bad := reply{text: "4021"}, reply{text: "not a number at all"}
	two := []Layer{layer(1, digits, "flash"), layer(2, nil, "pro")}
	for _, tc := range []struct {
		name     string
		layers   []Layer
		attempts int
		best     bool
		script   []reply
		seen     []string
		got      string
		from     string
		err      llm.Code
		verdicts []call.VerdictResult
	}{{
		name: "the first layer's answer passes", layers: two, script: []reply{good},
		seen: []string{"answer flash"}, got: "4021", from: "flash", verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "a failed check escalates", layers: two, script: []reply{bad, good},
		seen: []string{"answer flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Rejected, call.Accepted},
	}, {
		name: "a truncated answer escalates although its text would pass", layers: two,
		script: []reply{{text: "4021", stop: llm.StopLength}, good},
		seen:   []string{"answer flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Rejected, call.Accepted},
	}, {
		name: "every layer fails its checks", layers: []Layer{layer(1, digits, "flash"), layer(2, digits, "pro")},
		script: []reply{bad, bad}, seen: []string{"answer flash", "escalate pro"}, err: llm.CodeUnaccepted,
		verdicts: []call.VerdictResult{call.Rejected, call.Rejected},
	}, {
		name: "a provider's failure falls back within the layer", layers: []Layer{layer(1, nil, "a", "b")},
		script: []reply{{err: upstreamError(500, 0)}, good}, seen: []string{"answer a", "fallback b"}, got: "4021", from: "b",
		verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "a lone deployment is retried, then the next layer answers", layers: two,
		script: []reply{{err: upstreamError(503, 0)}, {err: upstreamError(503, 0)}, good},
		seen:   []string{"answer flash", "retry flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "a refused credential is not tried again", layers: two,
		script: []reply{{err: upstreamError(401, 0)}, good}, seen: []string{"answer flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "what one provider refuses another may take", layers: two,
		script: []reply{{err: &llm.Error{Code: llm.CodeInvalid, Message: "too long", Upstream: 400}}, good},
		seen:   []string{"answer flash", "escalate pro"}, got: "4021", from: "pro", verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "what every provider refuses is the caller's fault", layers: two,
		script: []reply{
			{err: &llm.Error{Code: llm.CodeInvalid, Message: "bad", Upstream: 400}},
			{err: &llm.Error{Code: llm.CodeInvalid, Message: "bad", Upstream: 400}},
		},
		seen: []string{"answer flash", "escalate pro"}, err: llm.CodeInvalid,
	}, {
		name: "one budget of attempts for the whole call", layers: two, attempts: 2,
		script: []reply{{err: upstreamError(500, 0)}, {err: upstreamError(500, 0)}},
		seen:   []string{"answer flash", "retry flash"}, err: llm.CodeUpstream,
	}, {
		name: "an unaffordable escalation refuses", layers: two,
		script: []reply{bad, {err: &llm.Error{Code: llm.CodeBudget, Message: "spent"}}},
		seen:   []string{"answer flash", "escalate pro"}, err: llm.CodeBudget, verdicts: []call.VerdictResult{call.Rejected},
	}, {
		name: "an unaffordable escalation delivers the best answer", layers: two, best: true,
		script: []reply{bad, {err: &llm.Error{Code: llm.CodeBudget, Message: "spent"}}},
		seen:   []string{"answer flash", "escalate pro"}, got: bad.text, from: "flash", verdicts: []call.VerdictResult{call.Rejected},
	}, {
		name: "a held answer that is cut never reaches the caller", layers: two,
		script: []reply{{text: "4021", cut: true}, {text: "4021", cut: true}, good},
		seen:   []string{"answer flash", "retry flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Errored, call.Errored, call.Accepted},
	}, {
		name: "after the first forwarded byte an error ends the call", layers: []Layer{layer(1, nil, "a", "b")},
		script: []reply{{text: "4021", cut: true}}, seen: []string{"answer a"}, got: "40", from: "a", err: llm.CodeUpstream,
		verdicts: []call.VerdictResult{call.Errored},
	}, {
		name: "a pinned model that fails is tried twice before another", layers: pinned(nil, "flash", "mini"),
		script: []reply{{err: upstreamError(503, 0)}, {err: upstreamError(503, 0)}, good},
		seen:   []string{"answer flash", "retry flash", "fallback mini"}, got: "4021", from: "mini",
		verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "a pinned model gets one more try of a rejected answer", layers: pinned(digits, "flash", "mini"),
		script: []reply{bad, good}, seen: []string{"answer flash", "retry flash"}, got: "4021", from: "flash",
		verdicts: []call.VerdictResult{call.Rejected, call.Accepted},
	}, {
		name: "then it bends", layers: pinned(digits, "flash", "mini"),
		script: []reply{bad, bad, good}, seen: []string{"answer flash", "retry flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Rejected, call.Rejected, call.Accepted},
	}, {
		name: "an error is no reason for the one more try", layers: pinned(digits, "flash"),
		script: []reply{{err: upstreamError(401, 0)}, good}, seen: []string{"answer flash", "escalate pro"}, got: "4021", from: "pro",
		verdicts: []call.VerdictResult{call.Accepted},
	}, {
		name: "another's rejected answer is no reason for the one more try", layers: pinned(digits, "flash", "mini"),
		script: []reply{{err: upstreamError(503, 0)}, {err: upstreamError(503, 0)}, bad, good}, got: "4021", from: "pro",
		seen:     []string{"answer flash", "retry flash", "fallback mini", "escalate pro"},
		verdicts: []call.VerdictResult{call.Rejected, call.Accepted},
	}, {
		name: "attempts are left for the top when a pinned model is down", layers: pinned(digits, "flash", "mini", "nano"), attempts: 5,
		script: []reply{{err: upstreamError(503, 0)}, {err: upstreamError(503, 0)}, {err: upstreamError(503, 0)}, bad, good}, got: "4021", from: "pro",
		seen:     []string{"answer flash", "retry flash", "fallback mini", "fallback nano", "escalate pro"},
		verdicts: []call.VerdictResult{call.Rejected, call.Accepted},
	}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := &scripted{t: t, lines: tc.script, start: time.Now()}, &caller{}
				p := Plan{Layers: tc.layers, Attempts: 6, BestEffort: tc.best, Stream: true, N: 1}
				if tc.attempts > 0 {
					p.Attempts = tc.attempts
				}
				err := (&Cascade{}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("how many?"), s)
				var e *llm.Error
				if errors.As(err, &e); (tc.err == "") != (err == nil) || (e != nil && e.Code != tc.err) {
					t.Fatalf("error = %v, want code %q", err, tc.err)
				}
				if diff := cmp.Diff(tc.seen, d.seen); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				var verdicts []call.VerdictResult
				for _, v := range d.rows {
					verdicts = append(verdicts, v.Result)
				}
				if diff := cmp.Diff(tc.verdicts, verdicts); diff != "" {
					t.Errorf("verdicts (-want +got):\n%s", diff)
				}
				if (d.delivered != "") != tc.best {
					t.Errorf("booked as delivered: %q", d.delivered)
				}
				if s.got.String() != tc.got || s.from != tc.from {
					t.Errorf("caller got %q from %q, want %q from %q", s.got.String(), s.from, tc.got, tc.from)
				}
			})
		})
	}
}

func TestEscalationCarriesTheFailure(t *testing.T) {
	digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
	d, s := &scripted{t: t, lines: []reply{{text: "none of that"}, {text: "42"}}}, &caller{}
	p := Plan{Layers: []Layer{layer(1, digits, "flash"), layer(2, nil, "pro")}, Attempts: 6, N: 1}
	if err := (&Cascade{}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("how many?"), s); err != nil {
		t.Fatal(err)
	}
	first, second := d.load[0].(*call.Raw), d.load[1].(*call.Raw)
	if strings.Contains(string(first.Body), "rejected") {
		t.Errorf("the first layer was told of a failure: %s", first.Body)
	}
	if got := string(second.Body); !strings.Contains(got, `how many?\n\n[A previous answer was rejected by an automatic check: digits`) {
		t.Errorf("the second layer got %s", got)
	}
	if !strings.Contains(d.notes[1], `"carried":"digits`) {
		t.Errorf("notes of the second attempt = %s", d.notes[1])
	}
}

func TestBriefLayerTakesOnlyABrief(t *testing.T) {
	digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
	top := layer(2, nil, "gpt")
	top.Brief = true
	p := Plan{Layers: []Layer{layer(1, digits, "flash"), top}, Attempts: 6, N: 1}
	t.Run("refused, never raw", func(t *testing.T) {
		d, s, m := &scripted{t: t, lines: []reply{{text: "none"}}}, &caller{}, &meter{}
		err := (&Cascade{Meter: m}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, asking(&llm.Request{}), s)
		if llm.AsError(err).Code != llm.CodeUnaccepted || len(d.seen) != 1 || m.briefs["refused"] != 1 {
			t.Errorf("err = %v, attempts = %v, briefs %v", err, d.seen, m.briefs)
		}
	})
	t.Run("sent as a brief", func(t *testing.T) {
		d, s, m := &scripted{t: t, lines: []reply{{text: "none"}, {text: "7"}}}, &caller{}, &meter{}
		if err := (&Cascade{Meter: m}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, asking(talk("how many?")), s); err != nil {
			t.Fatal(err)
		}
		b, ok := d.load[1].(call.Brief)
		if !ok || m.briefs["whole"] != 1 {
			t.Fatalf("payload %T, briefs %v", d.load[1], m.briefs)
		}
		if told := b.Request().Messages[0].Parts[0].Text; !strings.Contains(told, "digits: ") {
			t.Errorf("the brief does not say what was wrong: %q", told)
		}
		for _, want := range []string{`"kind":"whole"`, `"ratio":1`, `"recall":1`, `"source_sha256":`} {
			if !strings.Contains(d.notes[1], want) {
				t.Errorf("notes %s lack %s", d.notes[1], want)
			}
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		seen  int
		wait  time.Duration
	}{
		{"waits as told", 3 * time.Second, 2, 3 * time.Second},
		{"waits a little when not told", 0, 2, firstWait},
		{"does not wait longer than it may", time.Minute, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{t: t, start: time.Now(), lines: []reply{{err: upstreamError(429, tc.after)}, {text: "42"}}}
				p := Plan{Layers: []Layer{layer(1, nil, "a")}, Attempts: 6, N: 1}
				err := (&Cascade{}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), &caller{})
				if len(d.seen) != tc.seen || (tc.seen == 1) != (err != nil) {
					t.Fatalf("attempts %v, err %v", d.seen, err)
				}
				if got := d.waits[len(d.waits)-1]; got != tc.wait {
					t.Errorf("waited %v, want %v", got, tc.wait)
				}
			})
		})
	}
}

func TestDeadlineEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d := &scripted{t: t, start: time.Now(), lines: []reply{{err: upstreamError(429, 5*time.Second)}}}
		p := Plan{Layers: []Layer{layer(1, nil, "a")}, Attempts: 6, N: 1}
		err := (&Cascade{}).Run(ctx, d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), &caller{})
		if llm.AsError(err).Code != llm.CodeRate || time.Since(d.start) != 0 {
			t.Errorf("err = %v after %v, want the provider's error at once", err, time.Since(d.start))
		}
	})
}

func TestCallerGoneClosesTheAttempt(t *testing.T) {
	d := &scripted{t: t, lines: []reply{{text: "42"}}}
	p := Plan{Layers: []Layer{layer(1, nil, "a", "b")}, Attempts: 6, N: 1, Stream: true}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&Cascade{}).Run(ctx, d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), &caller{gone: true})
	if !errors.Is(err, context.Canceled) || len(d.seen) != 1 || d.rows[0].Result != call.Errored {
		t.Errorf("err %v, attempts %v, verdicts %v", err, d.seen, d.rows)
	}
}
