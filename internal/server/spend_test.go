package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/internal/finops/money"
)

func usd(t *testing.T, s string) money.Nano {
	t.Helper()
	n, err := money.ParseUSD(s)
	if err != nil {
		t.Fatalf("amount %q: %v", s, err)
	}
	return n
}

// picture is a chat message with inline media of n bytes.
func picture(n int) string {
	return fmt.Sprintf(`{"role":"user","content":[{"type":"text","text":"see"},`+
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}`,
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x01\x02\x03", n/3))))
}

func TestARefusedConnectionIsNotBilled(t *testing.T) {
	t.Parallel()
	h := played(t, nil)
	a := h.post("/v1/chat/completions", chat("elsewhere", strings.Repeat("word ", 2000), false))
	s := h.story(a)
	if a.status != 502 || len(s.Attempts) == 0 || s.Answered || usd(t, s.Cost) != 0 {
		t.Fatalf("%d, %d attempts, cost $%s: %s", a.status, len(s.Attempts), s.Cost, a.body)
	}
	for _, x := range s.Attempts {
		if x.Settlement != "not_sent" || usd(t, x.Cost) != 0 || x.Usage["input"] != 0 {
			t.Errorf("booked as %s, cost $%s, input %d", x.Settlement, x.Cost, x.Usage["input"])
		}
	}
}

// TestBestEffortDeliversWhatThereIs holds that a call whose escalation the budget refuses is answered with the rejected
// answer, told as a delivery, and costs what its one sent attempt cost.
func TestBestEffortDeliversWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			t.Parallel()
			h := played(t, answering("words", 10, 5), "$1/day", "$0.0015/day")
			a := h.post("/v1/chat/completions", fmt.Sprintf(`{"model":"counting","max_tokens":200,"stream":%v,`+
				`"messages":[{"role":"user","content":"q"}]}`, stream), "X-Weir-Use-Case", "counting")
			s := h.story(a)
			if want := "mini:ok:rejected gpt:refused:errored mini:ok:accepted"; s.path() != want {
				t.Fatalf("%d, attempts %q, want %q", a.status, s.path(), want)
			}
			if a.status != 200 || !strings.Contains(a.body, "words") || !s.Answered {
				t.Errorf("%d, answered %v: %s", a.status, s.Answered, a.body)
			}
			sent, last := s.Attempts[0], s.Attempts[2]
			if last.Purpose != "delivery" || last.Settlement != "not_sent" || !strings.Contains(last.Reason, "best_effort") {
				t.Errorf("the delivery is booked as %+v", last)
			}
			if usd(t, last.Cost) != 0 || usd(t, sent.Cost) == 0 || s.Cost != sent.Cost {
				t.Errorf("call $%s, attempt $%s, delivery $%s", s.Cost, sent.Cost, last.Cost)
			}
			if got := h.spent(t); got != usd(t, sent.Cost) {
				t.Errorf("the budget has spent %s, the attempt cost $%s", got, sent.Cost)
			}
		})
	}
}

// spent is what the budget of use case counting has spent.
func (h *house) spent(t *testing.T) money.Nano {
	t.Helper()
	list := h.get(h.admin+"/api/v1/budgets", "Authorization", "Bearer "+h.token())
	return usd(t, list.json(t, "budgets", "0", "spent_usd"))
}

// TestABriefWithoutTheImageHoldsItsWorst holds that media in a history, which a brief leaves out, makes no hold negative.
func TestABriefWithoutTheImageHoldsItsWorst(t *testing.T) {
	t.Parallel()
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "anthropic") {
			message(w, "480", 5000, 3)
			return
		}
		whole(w, "no number here", 1000, 500)
	}, "$1/day", "$5/day")
	body := `{"model":"briefed","max_tokens":50,"messages":[` + picture(600_000) + `,{"role":"assistant","content":"noted"},` +
		`{"role":"user","content":"How many units are in PO-7731? The order PO-7731 is for 480 units."}]}`
	for _, useCase := range []string{"counting", ""} {
		a := h.post("/v1/chat/completions", body, "X-Weir-Use-Case", useCase)
		s := h.story(a)
		if a.status != 200 || s.path() != "gpt:ok:rejected opus:ok:accepted" {
			t.Errorf("use case %q: %d %s: %s", useCase, a.status, s.path(), a.body)
		}
		for _, x := range s.Attempts {
			if usd(t, x.Held) <= 0 {
				t.Errorf("use case %q: %s held $%s", useCase, x.Deployment, x.Held)
			}
		}
	}
}

func TestAnAnswerToAnImageThatIsCutBooksTheImage(t *testing.T) {
	t.Parallel()
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		bodyOf(t, r)
		sse(w)(chunk(0, "I see", ""), `data: {"bro`)
	})
	a := h.post("/v1/chat/completions", `{"model":"gpt","stream":true,"messages":[`+picture(300_000)+`]}`)
	x := h.story(a).Attempts[0]
	if x.Outcome != "cut" || x.Settlement != "estimated" || x.Usage["input"] < 500 || x.Usage["output"] < 1 {
		t.Errorf("booked as %s, %s, %v", x.Outcome, x.Settlement, x.Usage)
	}
}

// counted answers with the tokens that a text makes: white space between members makes none. A text of more than
// 5,000 tokens waits for the gate.
func counted(t *testing.T, gate <-chan struct{}, arrived *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tokens := len(strings.ReplaceAll(bodyOf(t, r), "  ", "")) / 4
		if tokens > 5000 {
			arrived.Add(1)
			<-gate
		}
		whole(w, "42", tokens, 1)
	}
}

// padded teaches the gateway, at no one's cost, that requests make few tokens a byte.
func (h *house) padded(t *testing.T) {
	t.Helper()
	body := `{"model":"gpt",` + strings.Repeat("  ", 20_000) + `"max_tokens":1,"messages":[{"role":"user","content":"q"}]}`
	for range 120 {
		if a := h.post("/v1/chat/completions", body); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

func longQuestion() string {
	return `{"model":"gpt","max_tokens":1,"messages":[{"role":"user","content":"` + strings.Repeat("word", 20_000) + `"}]}`
}

// TestPaddingDoesNotShrinkHolds holds that one caller's padded requests do not make another's holds smaller than its cost.
func TestPaddingDoesNotShrinkHolds(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	close(open)
	h := played(t, counted(t, open, new(atomic.Int32)), "$1/day", "$3/day")
	h.padded(t)
	a := h.post("/v1/chat/completions", longQuestion(), "X-Weir-Use-Case", "counting")
	x := h.story(a).Attempts[0]
	if a.status != 200 || usd(t, x.Cost) < 290*money.USD/1000 || usd(t, x.Held) < usd(t, x.Cost) {
		t.Errorf("%d: held $%s, cost $%s", a.status, x.Held, x.Cost)
	}
}

// TestCallsAtOnceStayInTheirBudget makes twenty calls of $0.30 each at once, after another caller's padding, on a budget
// of $1.
func TestCallsAtOnceStayInTheirBudget(t *testing.T) {
	t.Parallel()
	const calls = 20
	gate, arrived := make(chan struct{}), new(atomic.Int32)
	release := sync.OnceFunc(func() { close(gate) })
	h := played(t, counted(t, gate, arrived))
	defer release()
	h.padded(t)
	var answered, refused atomic.Int32
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			switch a := h.post("/v1/chat/completions", longQuestion(), "X-Weir-Use-Case", "counting"); a.status {
			case 200:
				answered.Add(1)
			case 402:
				refused.Add(1)
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	eventually(t, "every call being held or refused", func() bool { return arrived.Load()+refused.Load() == calls })
	release()
	wg.Wait()
	if spent := h.spent(t); answered.Load() == 0 || spent <= 0 || spent > money.USD {
		t.Errorf("%d calls answered, %d refused, %s spent of $1", answered.Load(), refused.Load(), spent)
	}
}

// TestAServiceTierWithoutAPriceIsRefused holds that a request does not change its own price.
func TestAServiceTierWithoutAPriceIsRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.Contains(r.URL.Path, "anthropic") {
			message(w, "42", 5, 3)
			return
		}
		whole(w, "42", 10, 5)
	})
	for _, tc := range []struct {
		path, tier string
		status     int
	}{
		{"/v1/chat/completions", `"priority"`, 400},
		{"/v1/chat/completions", `"flex"`, 400},
		{"/v1/messages", `"priority"`, 400},
		{"/v1/chat/completions", `"auto"`, 200},
		{"/v1/chat/completions", `"default"`, 200},
		{"/v1/messages", `"auto"`, 200},
		{"/v1/messages", `"standard_only"`, 200},
	} {
		model := map[string]string{"/v1/chat/completions": "gpt", "/v1/messages": "sonnet"}[tc.path]
		asked.Store(0)
		a := h.post(tc.path, fmt.Sprintf(`{"model":%q,"service_tier":%s,"max_tokens":9,`+
			`"messages":[{"role":"user","content":"q"}]}`, model, tc.tier))
		if a.status != tc.status || asked.Load() != map[int]int32{200: 1}[tc.status] {
			t.Errorf("%s on %s: %d after %d requests: %s", tc.tier, tc.path, a.status, asked.Load(), a.body)
		}
		if a.status == 400 && !strings.Contains(a.body, "service_tier") {
			t.Errorf("%s on %s does not name the field: %s", tc.tier, tc.path, a.body)
		}
	}
}
