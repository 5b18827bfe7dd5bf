package cascade

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/validate"
)

// conversation writes random conversations of agents and people, with what they hold that must reach the top.
type conversation struct {
	*rand.Rand
	req   *llm.Request
	must  []string // sentences and facts that a brief must have
	calls int
}

func (c *conversation) pick(words ...string) string { return words[c.IntN(len(words))] }

func (c *conversation) say(role llm.Role, parts ...llm.Part) {
	c.req.Messages = append(c.req.Messages, llm.Message{Role: role, Parts: parts})
}

func text(s string) llm.Part { return llm.Part{Text: s} }

// sentence is one of many kinds; a rule in a turn must survive.
func (c *conversation) sentence(turn bool) string {
	n := c.IntN(90_000) + 1
	noun := c.pick("crane", "harbour", "supplier", "contract", "deposit", "audit", "warehouse", "pallet")
	switch c.IntN(9) {
	case 0:
		return fmt.Sprintf("The %s costs $%d.%02d.", noun, n, n%100)
	case 1:
		return fmt.Sprintf("The %s INV-%05d is due on 2026-%02d-%02d.", noun, n, n%12+1, n%28+1)
	case 2:
		s := fmt.Sprintf("You must not pay the %s before May %d, 2026.", noun, n%28+1)
		if turn {
			c.must = append(c.must, s)
		}
		return s
	case 3:
		return fmt.Sprintf("Write to clerk%d@acme.example about %d%% of the %s.", n, n%100, noun)
	case 4:
		return fmt.Sprintf("DE%02d 3704 0044 0532 %04d 00 is the account of the %s, said Dr. No. %d.", n%90+10, n%9000+1000, noun, n)
	}
	return fmt.Sprintf("The %s near the %s was seen by the %s.", noun, c.pick("pier", "gate"), c.pick("clerk", "crew", "guard"))
}

func (c *conversation) prose(most int, turn bool) string {
	var b strings.Builder
	for range c.IntN(most) + 1 {
		b.WriteString(c.sentence(turn) + c.pick(" ", " ", "\n", "\n\n"))
	}
	return b.String()
}

// output is what a tool may give: text, a log, a table, JSON whole or cut off, nothing.
func (c *conversation) output() string {
	var b strings.Builder
	rows := c.IntN(40) + 1
	switch c.IntN(6) {
	case 0:
		return ""
	case 1:
		for i := range rows {
			fmt.Fprintf(&b, "2026-11-24T10:%02d:%02dZ %s unit %d of %d, %d ms\n", i%60, c.IntN(60), c.pick("INFO", "INFO", "ERROR"), i, rows, c.IntN(900))
		}
	case 2:
		b.WriteString("order;supplier;sum\n")
		for i := range rows {
			fmt.Fprintf(&b, "PO-%d;Supplier %d;%d.50 EUR\n", 1000+i, i, c.IntN(9000))
		}
	case 3:
		b.WriteString(`{"rows":[`)
		for i := range rows {
			fmt.Fprintf(&b, `{"id":"C-%d","list":[%d,%d,%d],"note":"%s"},`, i, i, i+1, c.IntN(9), strings.ReplaceAll(c.sentence(false), `"`, ""))
		}
		b.WriteString(`{}]}`)
		if c.IntN(3) == 0 {
			return b.String()[:b.Len()*2/3]
		}
	default:
		return c.prose(30, false)
	}
	return b.String()
}

// exchange adds calls, in parallel, and what came of them: now and then a result is missing, or its call.
func (c *conversation) exchange(whole bool) {
	var calls, results []llm.Part
	if c.IntN(3) == 0 {
		calls = append(calls, llm.Part{Kind: llm.Reasoning, Text: "secret thoughts", Opaque: []byte(`"sig"`)})
	}
	for range c.IntN(3) + 1 {
		c.calls++
		id := fmt.Sprint("call-", c.calls)
		args := fmt.Appendf(nil, `{"id":"INV-%05d","n":%d}`, c.IntN(90_000), c.calls)
		calls = append(calls, llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: c.pick("lookup", "read"), Args: args}})
		if whole || c.IntN(12) > 0 {
			content := []llm.Part{text(c.output())}
			if c.IntN(10) == 0 {
				content = append(content, llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}})
			}
			results = append(results, llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: id, Content: content, IsError: c.IntN(8) == 0}})
		}
	}
	if whole || c.IntN(15) > 0 {
		c.say(llm.Assistant, calls...)
	}
	if c.IntN(6) == 0 {
		results = append(results, text("<system-reminder>Mind the list of things to do.</system-reminder>"))
	}
	if len(results) > 0 {
		c.say(llm.User, results...)
	}
}

// converse writes one conversation from a seed.
func converse(seed uint64) *conversation {
	c := &conversation{Rand: rand.New(rand.NewPCG(seed, 7)), req: &llm.Request{System: []llm.Part{text("You are careful.")}}}
	for range c.IntN(6) {
		c.say(llm.User, text(c.prose(12, true)))
		for range c.IntN(3) {
			c.exchange(false)
		}
		if c.IntN(9) > 0 {
			c.say(llm.Assistant, text(c.prose(6, true)))
		}
	}
	if c.IntN(2) == 0 { // a fact that the question is about
		id := fmt.Sprintf("ZX-%06d", c.IntN(900_000)+100_000)
		fact := fmt.Sprintf("$%d.07", c.IntN(90_000)+1)
		c.must = append(c.must, fact)
		c.say(llm.User, text(c.prose(4, true)+"The price of "+id+" is "+fact+"."))
		c.say(llm.Assistant, text("Noted."))
		c.say(llm.User, text("What is the price of "+id+"?"))
	} else {
		c.say(llm.User, text("Is it so? "+c.sentence(false)))
	}
	for range c.IntN(3) {
		c.exchange(c.IntN(4) > 0)
	}
	return c
}

// figures lists the runs of digits in a text.
func figures(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// heard joins all that a message holds.
func heard(b *strings.Builder, parts []llm.Part) {
	for _, p := range parts {
		b.WriteString(" " + p.Text + " ")
		if p.Tool != nil {
			b.WriteString(p.Tool.Name + " " + string(p.Tool.Args))
		}
		if p.Result != nil {
			heard(b, p.Result.Content)
		}
	}
}

// faultOf says what is wrong with what a brief layer was sent; "" = nothing.
func faultOf(c *conversation, sent call.Payload) string {
	b, ok := sent.(call.Brief)
	if !ok {
		return fmt.Sprintf("the brief layer was sent a %T", sent)
	}
	f := b.Fidelity()
	if f.Kept != f.Pinned || f.Invented != 0 {
		return fmt.Sprintf("fidelity %+v", f)
	}
	msgs := b.Request().Messages
	if why := rawTurn(c.req.Messages, msgs); why != "" {
		return why
	}
	if why := loosePair(msgs); why != "" {
		return why
	}
	var before, after strings.Builder
	heard(&before, c.req.System)
	for _, m := range c.req.Messages {
		heard(&before, m.Parts)
	}
	for _, m := range msgs {
		heard(&after, m.Parts)
	}
	known := map[string]bool{}
	for _, n := range figures(before.String()) {
		known[n] = true
	}
	for _, n := range figures(after.String()) {
		if !known[n] {
			return "the figure " + n + " is nowhere in the conversation"
		}
	}
	text := strings.Join(strings.Fields(after.String()), " ")
	for _, m := range c.must {
		if !strings.Contains(text, m) {
			return fmt.Sprintf("%q is lost", m)
		}
	}
	return ""
}

// rawTurn finds a turn before the last question, or of a closed exchange, that was sent as a message.
func rawTurn(had, sent []llm.Message) string {
	last := len(had) - 1
	for last >= 0 && had[last].Role == llm.User {
		last--
	}
	for i, m := range sent {
		if slices.ContainsFunc(m.Parts, func(p llm.Part) bool { return p.Kind == llm.Reasoning }) {
			return "reasoning was sent"
		}
		if i == 0 && m.Role == llm.User {
			continue // the brief
		}
		if m.Role == llm.Assistant && i != 1 {
			return "an assistant turn of the history was sent as a message"
		}
		for _, p := range m.Parts {
			if p.Tool == nil {
				continue
			}
			if last < 0 || !slices.ContainsFunc(had[last].Parts, func(q llm.Part) bool { return q.Tool != nil && q.Tool.ID == p.Tool.ID }) {
				return "a call of a closed exchange was sent as a message: " + p.Tool.ID
			}
		}
	}
	return ""
}

// loosePair finds a call without its result in the next message, or a result without its call in the message before.
func loosePair(msgs []llm.Message) string {
	open := map[string]bool{}
	for _, m := range msgs {
		for _, p := range m.Parts {
			if p.Result != nil && !open[p.Result.ID] {
				return "a result without its call: " + p.Result.ID
			}
			if p.Result != nil {
				delete(open, p.Result.ID)
			}
		}
		if len(open) > 0 {
			return fmt.Sprintf("calls without results: %v", open)
		}
		for _, p := range m.Parts {
			if p.Tool != nil {
				open[p.Tool.ID] = true
			}
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("calls without results: %v", open)
	}
	return ""
}

// TestNoTalkReachesABriefLayerRaw sends random conversations through a cascade whose edge fails. WEIR_TALKS says how many.
func TestNoTalkReachesABriefLayerRaw(t *testing.T) {
	talks := 1500
	if s := os.Getenv("WEIR_TALKS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		talks = n
	}
	digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
	answer := `{"order":"ZX-1","note":"made up 77777777"}`
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	faults := make([]int, workers)
	for w := range workers {
		wg.Go(func() {
			for seed := w; seed < talks; seed += workers {
				top := layer(2, nil, "gpt")
				top.Brief, top.BriefTokens = true, []int{0, 0, 1, 200, 5000}[seed%5]
				c := converse(uint64(seed))
				d := &scripted{t: t, lines: []reply{{text: answer}, {text: "7"}}}
				p := Plan{Layers: []Layer{layer(1, digits, "flash"), top}, Attempts: 6, N: 1}
				err := (&Cascade{}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, asking(c.req), &caller{})
				var why string
				if err != nil || len(d.load) != 2 {
					why = fmt.Sprintf("%v after %v", err, d.seen)
				} else {
					why = faultOf(c, d.load[1])
				}
				if why != "" {
					faults[w]++
					t.Errorf("conversation %d: %s", seed, why)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range faults {
		sum += n
	}
	if os.Getenv("WEIR_TALKS") != "" {
		fmt.Printf(`{"name":"brief: faults in random conversations, count","value":%d,"bar":"<= 0","ok":%v,"figures":{"conversations":%d}}`+"\n",
			sum, sum == 0 && talks >= 100_000, talks)
	}
}
