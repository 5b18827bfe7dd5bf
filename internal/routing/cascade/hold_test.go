package cascade

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/validate"
)

// paced answers attempts frame by frame, with a pause before each.
type paced struct {
	answers []pacedAnswer
	seen    []string
	rows    []call.Verdict
	errs    []error
}

type pacedAnswer struct {
	frames []string
	pause  time.Duration
	tool   bool // the second frame begins a tool call
	cut    bool // it breaks after its last frame
}

func (p *paced) Open(ctx context.Context, _ call.Facts, o call.Order) (call.Exchange, error) {
	p.seen = append(p.seen, string(o.Purpose)+" "+o.Target.Deployment)
	return &pacedExchange{p: p, ctx: ctx, a: p.answers[len(p.seen)-1]}, nil
}

func (p *paced) Deliver(call.Attempt, string) {}

type pacedExchange struct {
	p       *paced
	ctx     context.Context
	a       pacedAnswer
	n       int
	verdict call.Verdict
}

func (x *pacedExchange) Recv() (llm.Delta, error) {
	select {
	case <-time.After(x.a.pause):
	case <-x.ctx.Done():
		x.p.errs = append(x.p.errs, context.Cause(x.ctx))
		return llm.Delta{}, &llm.Error{Code: llm.CodeTimeout, Message: "ended", Err: context.Cause(x.ctx)}
	}
	x.n++
	switch {
	case x.n <= len(x.a.frames):
		ev := llm.Event{Kind: llm.EvText, Text: x.a.frames[x.n-1]}
		if x.a.tool && x.n == 2 {
			ev = llm.Event{Kind: llm.EvToolStart, Name: "look"}
		}
		return llm.Delta{Raw: []byte(x.a.frames[x.n-1]), Events: []llm.Event{ev}}, nil
	case x.a.cut:
		return llm.Delta{}, &llm.Error{Code: llm.CodeUpstream, Message: "cut"}
	case x.n == len(x.a.frames)+1:
		return llm.Delta{Final: &llm.Response{Choices: []llm.Choice{{
			Parts: []llm.Part{{Kind: llm.Text, Text: strings.Join(x.a.frames, "")}}, Stop: llm.StopEnd,
		}}}}, nil
	}
	return llm.Delta{}, io.EOF
}

func (x *pacedExchange) Judge(v call.Verdict) { x.verdict = v }

func (x *pacedExchange) Close() (call.Attempt, error) {
	x.p.rows = append(x.p.rows, x.verdict)
	return call.Attempt{}, nil
}

// clocked notes when each frame reached the caller.
type clocked struct {
	caller
	start time.Time
	at    []time.Duration
}

func (c *clocked) Frame(d llm.Delta) error {
	if len(d.Raw) > 0 {
		c.at = append(c.at, time.Since(c.start))
	}
	return c.caller.Frame(d)
}

func TestAHeldLayerIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &paced{answers: []pacedAnswer{{frames: []string{"slow"}, pause: time.Hour}, {frames: []string{"from the top"}}}}
		c := &clocked{start: time.Now()}
		p := Plan{
			Layers: []Layer{layer(1, nil, "flash"), layer(2, nil, "pro")}, Attempts: 6, Stream: true, N: 1,
			Hold: Hold{GiveUp: 60 * time.Second},
		}
		err := new(Cascade).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), c)
		if took := time.Since(c.start); err != nil || c.got.String() != "from the top" || took != 60*time.Second {
			t.Errorf("%v after %s, the caller got %q", err, took, c.got.String())
		}
		if diff := cmp.Diff([]string{"answer flash", "escalate pro"}, d.seen); diff != "" {
			t.Error(diff)
		}
		if len(d.errs) != 1 || d.errs[0] != call.ErrGivenUp {
			t.Errorf("the attempt was ended by %v", d.errs)
		}
	})
}

func TestTheLastHeldLayerGivenUpIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
		d := &paced{answers: []pacedAnswer{{frames: []string{"slow"}, pause: time.Hour}}}
		p := Plan{
			Layers: []Layer{layer(1, digits, "flash")}, Attempts: 6, Stream: true, N: 1, Hold: Hold{GiveUp: 60 * time.Second},
		}
		err := new(Cascade).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), &clocked{start: time.Now()})
		if e := llm.AsError(err); e.Code != llm.CodeTimeout || !strings.Contains(e.Show(), "give_up_after") {
			t.Errorf("%v", err)
		}
	})
}

// A layer whose providers ask for a longer wait than it has is given up at once.
func TestAWaitThatDoesNotFitGivesTheLayerUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{t: t, start: time.Now(), lines: []reply{{err: upstreamError(503, 8*time.Second)}, {text: "top"}}}
		c := &caller{}
		p := Plan{
			Layers: []Layer{layer(1, nil, "flash"), layer(2, nil, "pro")}, Attempts: 6, Stream: true, N: 1,
			Hold: Hold{GiveUp: 5 * time.Second},
		}
		err := new(Cascade).Run(t.Context(), s, call.Facts{Dialect: llm.OpenAI}, p, request("q"), c)
		if err != nil || c.got.String() != "top" || time.Since(s.start) != 0 {
			t.Errorf("%v after %s: %q, %v", err, time.Since(s.start), c.got.String(), s.seen)
		}
	})
}

// long is a text that tells by its opening words that it does not decline.
var long = "2026-05-04 is the date that the contract names for the first delivery. " + strings.Repeat("More about it follows. ", 8)

func TestAPrefixLetsAStreamGo(t *testing.T) {
	t.Parallel()
	dated := mustCheck(t, validate.Spec{Name: "dated", Regex: `^20\d\d-`, Early: true})
	whole := mustCheck(t, validate.Spec{Name: "whole", Regex: `end$`})
	two := func(checks []validate.Check) []Layer { return []Layer{layer(1, checks, "flash"), layer(2, nil, "pro")} }
	undated := strings.Replace(long, "2026", "MMXXVI", 1)
	for _, tc := range []struct {
		name    string
		layers  []Layer
		answers []pacedAnswer
		request *llm.Request
		first   time.Duration // when the caller got its first frame
		seen    string
		reason  string
		err     llm.Code
	}{{
		name: "what has come decides", layers: two(dated), first: time.Second, seen: "answer flash",
		answers: []pacedAnswer{{frames: []string{long, "and ", "so on"}, pause: time.Second}},
		reason:  "let go by its beginning",
	}, {
		name: "a short beginning decides nothing", layers: two(dated), first: 2 * time.Second, seen: "answer flash",
		answers: []pacedAnswer{{frames: []string{long[:80], long[80:], "so on"}, pause: time.Second}},
		reason:  "let go by its beginning",
	}, {
		name: "a beginning that fails is held to its end", layers: two(dated), first: 5 * time.Second,
		seen: "answer flash escalate pro",
		answers: []pacedAnswer{
			{frames: []string{undated, "and so on"}, pause: time.Second},
			{frames: []string{"top"}, pause: time.Second},
		},
	}, {
		name: "a check that looks at the end is held", layers: two(whole), first: 4 * time.Second, seen: "answer flash",
		answers: []pacedAnswer{{frames: []string{long, "the end"}, pause: time.Second}},
	}, {
		name: "an answer that declines is not let go", layers: two(nil), first: 5 * time.Second, seen: "answer flash escalate pro",
		answers: []pacedAnswer{
			{frames: []string{"I cannot help with that request, ", strings.Repeat("as it asks too much. ", 8)}, pause: time.Second},
			{frames: []string{"top"}, pause: time.Second},
		},
	}, {
		name: "a tool call is judged whole", layers: two(dated), first: 5 * time.Second, seen: "answer flash",
		answers: []pacedAnswer{{frames: []string{"2026-01-01", "tool", long}, pause: time.Second, tool: true}},
	}, {
		name: "whoever asks for JSON gets what was judged", layers: two(nil), first: 3 * time.Second, seen: "answer flash",
		request: &llm.Request{Format: &llm.Format{Kind: "json_schema"}},
		answers: []pacedAnswer{{frames: []string{`{"a":"` + strings.Repeat("x", 200) + `"}`}, pause: time.Second}},
	}, {
		name: "once let go, a cut ends the call", layers: two(dated), first: time.Second, seen: "answer flash",
		answers: []pacedAnswer{{frames: []string{long}, pause: time.Second, cut: true}}, err: llm.CodeUpstream,
		reason: "upstream_error",
	}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := &paced{answers: tc.answers}, &clocked{start: time.Now()}
				raw := request("q")
				if tc.request != nil {
					raw = call.NewRaw(raw.Body, raw.Envelope, func([]byte) (*llm.Request, error) { return tc.request, nil })
				}
				p := Plan{Layers: tc.layers, Attempts: 6, Stream: true, N: 1, Hold: Hold{Prefix: true, GiveUp: 100 * time.Second}}
				err := new(Cascade).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, raw, c)
				if (err == nil) != (tc.err == "") || err != nil && llm.AsError(err).Code != tc.err {
					t.Fatalf("error %v", err)
				}
				if got := strings.Join(d.seen, " "); got != tc.seen {
					t.Errorf("attempts %q, want %q", got, tc.seen)
				}
				if len(c.at) == 0 || c.at[0] != tc.first {
					t.Errorf("frames reached the caller at %v, want the first at %s", c.at, tc.first)
				}
				if last := tc.answers[len(tc.answers)-1]; c.got.String() != strings.Join(last.frames, "") {
					t.Errorf("the caller got %q", c.got.String())
				}
				if got := d.rows[len(d.rows)-1].Reason; got != tc.reason {
					t.Errorf("reason %q, want %q", got, tc.reason)
				}
			})
		})
	}
}

// TestWhatWasLetGoIsJudgedAllTheSame holds that the row tells when the whole would not have passed.
func TestWhatWasLetGoIsJudgedAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		check := mustCheck(t, validate.Spec{Name: "opens", Regex: `^(?:20\d\d|I )`, Early: true})
		d := &paced{answers: []pacedAnswer{{frames: []string{long, "and so on"}, pause: time.Second}}}
		l := layer(1, append(check, lateCheck{}), "flash")
		p := Plan{Layers: []Layer{l, layer(2, nil, "pro")}, Attempts: 6, Stream: true, N: 1, Hold: Hold{Prefix: true}}
		c := &clocked{start: time.Now()}
		if err := new(Cascade).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, request("q"), c); err != nil {
			t.Fatal(err)
		}
		if v := d.rows[0]; v.Result != call.Accepted || v.Check != "late" || !strings.HasSuffix(v.Reason, "the whole fails late: too late") {
			t.Errorf("%+v", v)
		}
	})
}

// lateCheck passes every beginning and fails every whole.
type lateCheck struct{}

func (lateCheck) Name() string      { return "late" }
func (lateCheck) Holds(string) bool { return true }
func (lateCheck) Judge(validate.Subject) validate.Finding {
	return validate.Finding{Check: "late", Reason: "too late"}
}

// TestAnAnswerThatCannotBeHandedOverIsAnError has the caller leave before an accepted answer reaches it.
func TestAnAnswerThatCannotBeHandedOverIsAnError(t *testing.T) {
	t.Parallel()
	s := &scripted{t: t, lines: []reply{{text: "accepted"}}}
	p := Plan{Layers: []Layer{layer(1, nil, "flash"), layer(2, nil, "pro")}, Attempts: 6, Stream: true, N: 1}
	err := new(Cascade).Run(t.Context(), s, call.Facts{Dialect: llm.OpenAI}, p, request("q"), &caller{gone: true})
	if !errors.Is(err, context.Canceled) || len(s.seen) != 1 {
		t.Errorf("%v after %v", err, s.seen)
	}
}

// TestALayersTimeIsOverOnce tells the clock of a layer from other ends, also before it has ended the layer's context.
func TestALayersTimeIsOverOnce(t *testing.T) {
	t.Parallel()
	over, end := context.WithCancelCause(t.Context())
	end(call.ErrGivenUp)
	down := &llm.Error{Code: llm.CodeUpstream, Message: "down"}
	for _, tc := range []struct {
		name   string
		ctx    context.Context
		failed error
		begun  bool
		want   error
	}{
		{"the clock struck and the context ended", over, down, false, call.ErrGivenUp},
		{"the clock struck, the context did not end yet", t.Context(), call.ErrGivenUp, false, call.ErrGivenUp},
		{"another failure", t.Context(), down, false, nil},
		{"an answer that has begun", over, down, true, nil},
	} {
		c := &caller{}
		if tc.begun {
			c.got.WriteString("begun")
		}
		if got := (&run{sink: c}).over(tc.ctx, tc.failed); !errors.Is(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
