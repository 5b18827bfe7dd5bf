package server_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
)

// mixed is a set of models of which the small ones fail at some questions, the same ones each time.
type mixed struct{}

func (mixed) Answer(q sim.Query) (sim.Answer, error) {
	text := q.Turns[len(q.Turns)-1].Text
	if first, _, noted := strings.Cut(text, "\n\n["); noted {
		text = first
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(text)) // it cannot fail
	answer := fmt.Sprint(sum.Sum32() % 1000)
	switch hard := sum.Sum32() / 1000 % 10; {
	case q.Model == "flash-wire" && hard < 3:
		answer = "about " + answer
	case q.Model == "flash-wire" && hard == 3:
		answer += "0" // a number, but another one
	}
	return sim.Answer{Text: answer}, nil
}

// draw is seeded randomness for one server.
func draw(seed uint64) func(int) int {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 1))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n)
	}
}

// observedRow is a row of what the control API tells of observed calls.
type observedRow struct {
	Name     string `json:"name"`
	Calls    int    `json:"calls"`
	Answered int    `json:"answered"`
	Refused  int    `json:"would_be_refused"`
	Spent    string `json:"spent_usd"`
	Would    struct {
		At    string `json:"estimate"`
		Low   string `json:"low"`
		High  string `json:"high"`
		N     int    `json:"n"`
		Exact bool   `json:"exact"`
	} `json:"cascade_would_have_cost_usd"`
	Layers  []observedPart `json:"answered_by"`
	Nowhere observedPart   `json:"no_layer_passes"`
	Differs observedPart   `json:"answer_differs"`
	Shadows struct {
		Drawn  int    `json:"drawn"`
		Told   int    `json:"told"`
		Budget int    `json:"budget"`
		Open   int    `json:"open"`
		Cost   string `json:"cost_usd"`
	} `json:"shadows"`
}

type observedPart struct {
	Name string `json:"name"`
	N    int    `json:"n"`
	Of   int    `json:"of"`
	Part string `json:"part"`
	Low  string `json:"low"`
	High string `json:"high"`
}

// percent reads a share.
func percent(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// holds reports whether a measured share, in percent, lies in the interval.
func (p observedPart) holds(t *testing.T, measured float64) bool {
	t.Helper()
	return percent(t, p.Low) <= measured && measured <= percent(t, p.High)
}

// observedUsage reads the control API until no shadow is open.
func (h *house) observedUsage(t *testing.T, by string) (total observedRow, groups []observedRow) {
	t.Helper()
	var table struct {
		Total  observedRow   `json:"total"`
		Groups []observedRow `json:"groups"`
	}
	eventually(t, "the end of all shadows", func() bool {
		got := h.get(h.admin+"/api/v1/usage/observe?by="+by, "Authorization", "Bearer "+h.token())
		if err := json.Unmarshal([]byte(got.body), &table); err != nil || got.status != 200 {
			t.Fatalf("%d %v: %s", got.status, err, got.body)
		}
		return table.Total.Shadows.Open == 0
	})
	return table.Total, table.Groups
}

// enforced is what usage tells of calls whose cascade answered: the shares of the layers in percent, and the cost.
func (h *house) enforced(t *testing.T) (shares map[string]float64, cost money.Nano) {
	t.Helper()
	var table struct {
		Total struct {
			Cost string `json:"cost_usd"`
		} `json:"total"`
		Layers []observedPart `json:"layers"`
	}
	got := h.get(h.admin+"/api/v1/usage", "Authorization", "Bearer "+h.token())
	if err := json.Unmarshal([]byte(got.body), &table); err != nil {
		t.Fatal(err)
	}
	shares = map[string]float64{}
	for _, l := range table.Layers {
		shares[l.Name] = percent(t, l.Part)
	}
	return shares, usd(t, table.Total.Cost)
}

// play asks the same questions of a house, streamed and not.
func play(t *testing.T, h *house, calls int) {
	t.Helper()
	for i := range calls {
		question := fmt.Sprintf("question %d: how many? %s", i, strings.Repeat("word ", i%17*10))
		if a := h.post("/v1/chat/completions", capped("counting", question, i%2 == 0)); a.status != 200 {
			t.Fatalf("call %d: %d %s", i, a.status, a.body)
		}
	}
}

// TestWhatObserveFoundHoldsOnceEnforced plays the same traffic through a route that is observed and through one where
// the one word of its mode is changed.
func TestWhatObserveFoundHoldsOnceEnforced(t *testing.T) {
	t.Parallel()
	const calls = 160
	after := openBy(t, server.Options{}, strings.Replace(observed("100%"), "mode: observe", "mode: enforce", 1), mixed{})
	play(t, after, calls)
	shares, cost := after.enforced(t)
	if shares["edge"] < 50 || shares["top"] < 20 {
		t.Fatalf("the traffic does not tell the layers apart: %v", shares)
	}
	for _, sample := range []string{"100%", "40%"} {
		t.Run(sample, func(t *testing.T) {
			before := openBy(t, server.Options{Draw: draw(7)}, observed(sample), mixed{})
			play(t, before, calls)
			total, groups := before.observedUsage(t, "route")
			if total.Calls != calls || total.Answered != calls || total.Shadows.Told != total.Shadows.Drawn || len(groups) != 1 ||
				groups[0].Name != "counting" {
				t.Fatalf("%+v", total)
			}
			for _, l := range total.Layers {
				if !l.holds(t, shares[l.Name]) {
					t.Errorf("layer %s: predicted %s [%s, %s], measured %.2f%%", l.Name, l.Part, l.Low, l.High, shares[l.Name])
				}
				if sample == "100%" && percent(t, l.Part) != shares[l.Name] {
					t.Errorf("layer %s: every call was tried: %s, measured %.2f%%", l.Name, l.Part, shares[l.Name])
				}
			}
			w := total.Would
			if low, high := usd(t, w.Low), usd(t, w.High); cost < low || cost > high || w.N != total.Shadows.Told {
				t.Errorf("cost predicted %+v, measured %s", w, cost)
			}
			if exact := sample == "100%"; w.Exact != exact || exact && (usd(t, w.At) != cost || w.At != total.Shadows.Cost) {
				t.Errorf("exact: %+v, measured %s", w, cost)
			}
			// A tenth of the small model's answers pass, and say something else.
			if d := total.Differs; d.N == 0 || percent(t, d.Part) > 25 {
				t.Errorf("answers that differ: %+v", d)
			}
			t.Logf("%s: n=%d, %+v, cost %s [%s, %s], measured %s %v", sample, w.N, total.Layers, w.At, w.Low, w.High, cost, shares)
		})
	}
}

// TestObservedUsageCountsWhatItCannotTell holds that shadows beyond their budget and calls that the cascade would refuse
// are counted, and stand apart from what is known.
func TestObservedUsageCountsWhatItCannotTell(t *testing.T) {
	t.Parallel()
	text := strings.Replace(observed("100%"), "observe/counting, limit: $1/day", "observe/counting, limit: $0.00001/day", 1)
	text = strings.Replace(text, "{name: edge, use: [flash, mini], checks: [number]}", "{name: edge, use: [flash], context: brief}", 1)
	h := openBy(t, server.Options{}, text, fixed{})
	for range 3 {
		if a := h.post("/v1/chat/completions", capped("counting", "how many?", false)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	total, groups := h.observedUsage(t, "key")
	if total.Calls != 3 || total.Shadows.Drawn != 3 || total.Shadows.Budget != 3 || total.Shadows.Told != 0 ||
		total.Would.At != "" || total.Would.N != 0 || len(groups) != 1 {
		t.Errorf("%+v", total)
	}
	if got := h.get(h.admin+"/api/v1/usage/observe?by=model", "Authorization", "Bearer "+h.token()); got.status != 422 {
		t.Errorf("by model: %d %s", got.status, got.body)
	}
}
