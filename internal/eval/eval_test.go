package eval

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirhq/weir/internal/client"
	"github.com/weirhq/weir/internal/report"
)

const slice = "testdata/gsm8k"

func run(t *testing.T, o Options) *Result {
	t.Helper()
	o.Err = t.Output()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The recording goes through the cascade in process, through a running gateway, and through it as streams: the figures
// are the same to the last nano-dollar.
func TestOfflineAndWireGiveTheSameFigures(t *testing.T) {
	offline := run(t, Options{Data: slice, Seed: 1})
	for _, o := range []Options{{Wire: true}, {Wire: true, Stream: true}} {
		o.Data, o.Seed = slice, 1
		wire := run(t, o)
		if wire.Run == offline.Run {
			t.Errorf("run %q", wire.Run)
		}
		if diff := cmp.Diff(offline, wire, cmpopts.IgnoreFields(Result{}, "Run")); diff != "" {
			t.Errorf("offline -, %s +:\n%s", wire.Run, diff)
		}
	}
}

func TestTheSliceOfRealAnswers(t *testing.T) {
	r := run(t, Options{Data: slice, Seed: 1})
	if len(r.Sets) != 1 || len(r.NotRead) > 0 {
		t.Fatalf("%+v", r)
	}
	s := r.Sets[0]
	if s.Rows != 100 || s.Weak.Name != "mixtral-8x7b" || s.Strong.Name != "gpt-4-1106-preview" || s.Weak.Grade >= s.Strong.Grade {
		t.Errorf("%+v", s)
	}
	by := map[string]Router{}
	for _, x := range s.Routers {
		by[x.Name] = x
	}
	doubt, chance, oracle := by["doubt"], by["random"], by["oracle"]
	if doubt.Learnt || doubt.APGR < 0.70 || *doubt.CPT50 > 20 || chance.APGR != 0.5 || *chance.CPT50 != 50 || oracle.APGR <= doubt.APGR {
		t.Errorf("doubt %+v, random %+v, oracle %+v", doubt, chance, oracle)
	}
	if !by["doubt, learnt"].Learnt || by["question length"].Learnt {
		t.Error("what is learnt is not told from what is not")
	}
	c := s.Cascade
	if c.Strong <= 0 || c.Strong > 30 || c.Gap <= c.Strong || c.OfStrong <= 0 || c.OfStrong >= 50 || c.PerM == "" || c.StrongPerM != "24.70" {
		t.Errorf("cascade %+v", c)
	}
	if refused := c.Refused["doubt"]; float64(refused) != c.Strong {
		t.Errorf("%d answers refused of 100, %v %% escalated", refused, c.Strong)
	}
	if s.Wrapper.Wrapped || s.Wrapper.Scrambled >= 5 {
		t.Errorf("wrapper %+v", s.Wrapper)
	}
}

// A limit that is closer refuses more, and what is refused costs more.
func TestTheLimitDecides(t *testing.T) {
	before := -1.0
	for _, limit := range []int{90, 50, 20} {
		c := run(t, Options{Data: slice, Seed: 1, Limit: limit}).Sets[0].Cascade
		if c.Strong <= before {
			t.Errorf("a limit of %d %% refuses %v %%, the one before %v %%", limit, c.Strong, before)
		}
		before = c.Strong
	}
}

// quiz is a recording whose every question stands in the same words.
func quiz(answer func(i int) string, wrap string) string {
	var b strings.Builder
	b.WriteString("prompt,small,big,small_response,big_response\n")
	for i := range 40 {
		q := fmt.Sprintf(wrap, fmt.Sprintf("A box holds %d eggs and %d boxes are sold. How many eggs are sold?", i+2, i+3))
		right := i%4 != 0
		fmt.Fprintf(&b, "%q,%v,true,%q,%q\n", q, right, answer(i), fmt.Sprintf("They are %d * %d = %d eggs.", i+2, i+3, (i+2)*(i+3)))
	}
	return strings.ReplaceAll(b.String(), `\n`, "\n")
}

func TestWordsAroundAQuestionDecideNothing(t *testing.T) {
	dir := folder(t, map[string]string{"quiz.csv": quiz(func(i int) string {
		return fmt.Sprintf("They are %d * %d = %d eggs.", i+2, i+3, (i+2)*(i+3)+b2i(i%4 == 0))
	}, "Solve the problem below in 3 steps.\n\nQuestion: %s\n\nAnswer:")})
	r := run(t, Options{Data: dir, Seed: 1})
	s := r.Sets[0]
	if s.Cascade.Strong != 25 || s.Cascade.Right != 100 || s.Cascade.Cost != "" || s.Routers[0].CostAt50 != nil {
		t.Errorf("cascade %+v", s.Cascade)
	}
	if want := (Wrapper{Wrapped: true}); *s.Wrapper != want {
		t.Errorf("wrapper %+v", *s.Wrapper)
	}
}

func TestWrappersAreFound(t *testing.T) {
	var prompts []string
	for i := range 30 {
		prompts = append(prompts, fmt.Sprintf("Answer A or B.\n\nQuestion: what is %d?\nA. this\nB. %d\nAnswer:", i, i))
	}
	v := wrappers(prompts, 1)
	if want := "what is 7?\nA. this\nB. 7"; v.stripped[7] != want {
		t.Errorf("%q, want %q", v.stripped[7], want)
	}
	if !strings.Contains(v.scrambled[7], v.stripped[7]) || v.scrambled[7] == prompts[7] {
		t.Errorf("%q", v.scrambled[7])
	}
	same := []string{"In English:\nA cat?", "In German:\nA cat?", "In German:\nA dog?"}
	for i := range 10 {
		same = append(same, fmt.Sprintf("In English:\nA cat of %d?", i), fmt.Sprintf("In German:\nA dog of %d?", i))
	}
	if v := wrappers(same, 1); v.stripped[0] != same[0] || v.stripped[1] != same[1] || v.stripped[2] != "A dog?" {
		t.Errorf("two questions became one: %q", v.stripped[:3])
	}
	if v := wrappers([]string{"one?", "two?"}, 1); v.stripped != nil {
		t.Errorf("%q", v.stripped)
	}
}

// What an early check refuses is not graded, and ranks before all that is.
func TestAnswersThatAreNotGradedRankFirst(t *testing.T) {
	dir := folder(t, map[string]string{"quiz.csv": quiz(func(i int) string {
		if i%4 == 0 {
			return ""
		}
		return fmt.Sprintf("They are %d * %d = %d eggs.", i+2, i+3, (i+2)*(i+3))
	}, "%s")})
	for _, o := range []Options{{}, {Wire: true}, {Wire: true, Stream: true}} {
		o.Data, o.Seed = dir, 1
		s := run(t, o).Sets[0]
		if s.Cascade.Refused["empty"] != 10 || *s.Routers[0].Whole.CPT50 != 12.5 {
			t.Errorf("%s: %+v, %+v", o.run(), s.Cascade, s.Routers[0])
		}
	}
}

func TestGradesWithoutAnswers(t *testing.T) {
	dir := folder(t, map[string]string{
		"quiz/t.csv": "prompt,a,b\nlong question?,False,True\nq?,True,True\n", "same/t.csv": "prompt,a,b\nx?,True,False\ny?,False,True\n",
	})
	r := run(t, Options{Data: dir, Seed: 1})
	if s := r.Sets[0]; s.Cascade != nil || len(s.Routers) != 3 || !strings.Contains(s.Note, "no answers are recorded") {
		t.Errorf("%+v", s)
	}
	if s := r.Sets[1]; len(s.Routers) != 0 || !strings.Contains(s.Note, "no gap") {
		t.Errorf("%+v", s)
	}
}

// A record that does not fit the recording stops the evaluation.
func TestEveryAnswerIsHeldAgainstTheRecording(t *testing.T) {
	p := &pair{answers: [][2]Answer{{said("two", 0), said("three", 1)}}}
	good := told{model: weakName, text: "two", call: report.Call{Attempts: []report.Attempt{{Verdict: "accepted", Model: weakName}}}}
	if err := p.authentic(0, good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*told){
		"another text":      func(t *told) { t.text = "three" },
		"another model":     func(t *told) { t.model = strongName },
		"an unknown model":  func(t *told) { t.model = "gpt" },
		"no record":         func(t *told) { t.call.Attempts = nil },
		"a rejected answer": func(t *told) { t.call.Attempts = []report.Attempt{{Verdict: "rejected", Model: weakName}} },
		"booked to another": func(t *told) { t.call.Attempts = []report.Attempt{{Verdict: "accepted", Model: strongName}} },
	} {
		bad := good
		spoil(&bad)
		if p.authentic(0, bad) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// A gateway that is busy for a moment is asked again; another error ends the evaluation.
func TestABusyGatewayIsAskedAgain(t *testing.T) {
	var asked atomic.Int64
	status := http.StatusServiceUnavailable
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"):
			_, _ = io.WriteString(w, `{"id":"1"}`)
		case asked.Add(1) == 1:
			w.WriteHeader(status)
		default:
			_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"42"}}]}`)
		}
	}))
	defer s.Close()
	w := &wired{client: client.New(s.URL, "key", 1)}
	if got, err := w.ask(t.Context(), cascadeName, 0, "6*7?"); err != nil || got.text != "42" || asked.Load() != 2 {
		t.Errorf("%+v, %v after %d calls", got, err, asked.Load())
	}
	asked.Store(0)
	status = http.StatusForbidden
	if _, err := w.ask(t.Context(), cascadeName, 0, "6*7?"); err == nil || asked.Load() != 1 {
		t.Errorf("%v after %d calls", err, asked.Load())
	}
}

func TestALedgerIsNotUsedTwice(t *testing.T) {
	o := Options{Data: slice, Wire: true, Dir: t.TempDir(), Err: io.Discard}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "holds the ledger of an earlier evaluation") {
		t.Errorf("%v", err)
	}
}
