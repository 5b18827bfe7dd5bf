package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/test/conformance/client"
	"github.com/weirhq/weir/test/conformance/gateway"
)

// provider is where the models of a run stand: its dialect is the caller's or another.
type provider struct{ name, edge, top string }

var providers = []provider{{"openai", "gpt-4o-mini-2024-07-18", "gpt-5.5-2026-04-23"}, {"claude", "claude-sonnet-4-6", "claude-opus-4-6"}}

// scenario is one thing that can happen to a call, and what must come of it.
type scenario struct {
	name  string
	route string // without its provider
	fault string // that the simulated provider is asked for
	body  bool   // not streamed
	abort bool   // the client leaves at the first piece of text
	leave bool   // the client leaves after two keep-alives
	alive bool   // keep-alives are seen
	tool  bool   // a tool is offered, and called
	rows  string // layers and verdicts of the ledger's rows, in order
	judge func(*cell) string
}

var scenarios = []scenario{
	{name: "fast accept", route: "accept", rows: "edge accepted", judge: answered},
	{name: "slow accept with keep-alives", route: "accept", fault: "drip@120", alive: true, rows: "edge accepted", judge: answered},
	{name: "escalate", route: "escalate", fault: "drip@120", alive: true, rows: "edge rejected, top accepted", judge: answered},
	{name: "tool call, held", route: "tools", fault: "drip@120", alive: true, tool: true, rows: "edge accepted", judge: toolCalled},
	{name: "tool call, live", route: "live", tool: true, rows: "live accepted", judge: toolCalled},
	{name: "refuse after commit", route: "refuse", fault: "drip@120", alive: true, rows: "edge rejected, top rejected", judge: refused},
	{name: "give up after commit", route: "giveup", fault: "stall@1", alive: true, rows: "edge errored, top errored", judge: refused},
	{name: "accept by its beginning", route: "prefix", fault: "drip@120", rows: "edge accepted", judge: answered},
	{name: "upstream cut, held", route: "accept", fault: "cutx1@6", rows: "edge errored, edge accepted", judge: answered},
	{name: "upstream cut", route: "live", fault: "cut@6", rows: "live errored", judge: refused},
	{name: "client abort", route: "live", fault: "stall@5", abort: true, rows: "live errored", judge: aborted},
	{name: "client abort, held", route: "accept", fault: "stall@1", leave: true, alive: true, rows: "edge errored", judge: aborted},
	{name: "body, fast accept", route: "accept", body: true, rows: "edge accepted", judge: answered},
	{name: "body, escalate", route: "escalate", body: true, rows: "edge rejected, top accepted", judge: answered},
	{name: "body, refuse", route: "refuse", body: true, rows: "edge rejected, top rejected", judge: refused},
}

// cell is one call, and what both sides and the ledger know of it.
type cell struct {
	*scenario
	provider provider
	client   string
	api      string
	prompt   string
	tap      *gateway.Tap
	seen     client.Seen
	call     *gateway.Call
}

// TestSDKMatrix lets every SDK call a running Weir, in every scenario and in front of both providers. A cell is green when
// the SDK saw the right text and usage, or an error of its own with Weir's words, in one call, and the ledger has exactly
// the rows that belong to it.
func TestSDKMatrix(t *testing.T) {
	conf, err := os.ReadFile(filepath.Join("testdata", "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Start(t.Context(), filepath.Join("..", ".."), t.TempDir(), string(conf))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var all []*cell
	var wg sync.WaitGroup
	failed := make(chan error, len(languages()))
	for _, lang := range languages() {
		r := runner(t, lang)
		if r == nil {
			continue
		}
		cells := cellsOf(t, g, r)
		all = append(all, cells...)
		wg.Go(func() {
			if err := call(t.Context(), g, r, cells); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
	outcomes, green, left := &results{}, 0, 0
	for _, c := range all {
		wrong := c.wrong(t.Context(), g)
		if wrong == "" {
			green++
		} else {
			t.Errorf("%s, %s, %s: %s; it %s", c.client, c.name, c.provider.name, wrong, c.words())
		}
		if c.call != nil {
			for _, a := range c.call.Attempts {
				if a.Outcome == "aborted" {
					left++
				}
			}
		}
		outcomes.add(c.name+", "+c.provider.name, c.client, cmp.Or(wrong, "green")+"; "+c.words())
	}
	golden(t, "matrix.txt", outcomes)
	if err := gateway.Until(t.Context(), patience, func() (bool, error) {
		n, err := g.Left(t.Context())
		return n == left, err
	}); err != nil {
		n, _ := g.Left(t.Context())
		t.Errorf("the ledger has %d attempts that were left, and the providers saw %d leave: %v", left, n, err)
	}
	t.Logf(`{"name":"SDK cells green, share","value":%.4f,"bar":">= 1","ok":%t,"figures":{"cells":%d,"green":%d}}`,
		float64(green)/float64(len(all)), green == len(all), len(all), green)
}

// patience bounds waiting for what must happen.
const patience = time.Minute

// cellsOf are all cells of one language, each with a wire of its own.
func cellsOf(t *testing.T, g *gateway.Gateway, r *client.Runner) (cells []*cell) {
	t.Helper()
	for _, api := range []string{"chat", "messages"} {
		for _, name := range clients[r.Name][api] {
			for _, p := range providers {
				for i := range scenarios {
					c := &cell{scenario: &scenarios[i], provider: p, client: name, api: api}
					c.prompt = fmt.Sprintf("%d: where does %s's water go?", len(cells), r.Name)
					if c.body && strings.Contains(name, "stream()") {
						continue // a helper for streams
					}
					if c.tool {
						c.prompt += " Ask find_water."
					}
					if c.fault != "" {
						c.prompt += " [[sim:" + c.fault + "]]"
					}
					var err error
					if c.tap, err = g.Listen(); err != nil {
						t.Fatal(err)
					}
					t.Cleanup(c.tap.Close)
					cells = append(cells, c)
				}
			}
		}
	}
	return cells
}

// call makes the calls of one language.
func call(ctx context.Context, g *gateway.Gateway, r *client.Runner, cells []*cell) error {
	// The clients that leave are told when: they ask, and are answered after the second keep-alive.
	bell := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err == nil {
			_ = gateway.Until(r.Context(), patience, func() (bool, error) { return cells[i].keepAlives() >= 2, nil })
		}
	}))
	defer bell.Close()
	jobs := make([]client.Job, len(cells))
	for i, c := range cells {
		jobs[i] = client.Job{
			ID: strconv.Itoa(i), Client: c.client, API: c.api, Base: c.tap.URL(), Key: g.Key, Model: c.route + "-" + c.provider.name,
			Prompt: c.prompt, Stream: !c.body, Abort: c.abort, Tool: c.tool, Limit: limit,
		}
		if c.leave {
			jobs[i].Leave = fmt.Sprintf("%s/%d", bell.URL, i)
		}
	}
	seen, err := r.Run(ctx, jobs)
	if err != nil {
		return err
	}
	for i, c := range cells {
		c.seen = seen[strconv.Itoa(i)]
	}
	return nil
}

// wrong is what is wrong with a cell, "" = nothing.
func (c *cell) wrong(ctx context.Context, g *gateway.Gateway) string {
	ids := c.tap.IDs()
	switch {
	case c.seen.Crash != "":
		return "crashes"
	case c.seen.Hang:
		return "hangs"
	case len(ids) != 1:
		return fmt.Sprintf("asked %d times", len(ids))
	case c.alive && c.keepAlives() == 0:
		return "no keep-alive was sent"
	}
	err := gateway.Until(ctx, patience, func() (bool, error) {
		var err error
		c.call, err = g.Call(ctx, ids[0])
		if errors.Is(err, gateway.ErrUnknown) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return "no ledger row: " + err.Error()
	}
	var rows []string
	for _, a := range c.call.Attempts {
		rows = append(rows, a.Layer+" "+a.Verdict)
	}
	if got := strings.Join(rows, ", "); got != c.rows {
		return "the ledger has " + got
	}
	return c.judge(c)
}

// keepAlives counts the gateway's own: providers ping too, but not before they begin.
func (c *cell) keepAlives() int {
	if c.api == "messages" {
		held, _, _ := strings.Cut(c.tap.Sent(), "event: message_start")
		return strings.Count(held, "event: ping\n")
	}
	return strings.Count(c.tap.Sent(), ": weir\n")
}

// message is the text of an error that the gateway sent.
var message = regexp.MustCompile(`"error":\{[^{}]*"message":("(?:[^"\\]|\\.)*")`)

// ours is what the gateway said went wrong, "" if nothing.
func (c *cell) ours() (text string) {
	m := message.FindStringSubmatch(c.tap.Sent())
	if m != nil && json.Unmarshal([]byte(m[1]), &text) != nil {
		return ""
	}
	return text
}

// quoting is what languages put into a text when they quote it.
var quoting = strings.NewReplacer(`\`, "", `"`, "", `'`, "")

// tells is whether the error that the SDK raised has what the gateway said.
func (c *cell) tells() bool {
	ours := quoting.Replace(c.ours())
	return ours != "" && c.seen.Error != nil && strings.Contains(quoting.Replace(c.seen.Error.Message), ours)
}

// words is what the client saw, without what differs from run to run.
func (c *cell) words() string {
	switch {
	case c.seen.Error == nil:
		return "no error"
	case c.tells():
		return "raises " + c.seen.Error.Type + " with Weir's words"
	}
	return "raises " + c.seen.Error.Type + ": " + steady(c.seen.Error.Message)
}

// toolCalled: the tool's call with the arguments that the simulated model makes up, and the usage.
func toolCalled(c *cell) string {
	last := c.call.Attempts[len(c.call.Attempts)-1]
	switch want := `find_water {"place":"lorem ipsum"}`; {
	case c.seen.Error != nil:
		return "an error"
	case c.seen.Call != want:
		return fmt.Sprintf("the call is %q", c.seen.Call)
	case c.seen.Finish == "":
		return "no finish reason"
	}
	return c.miscounted(&last)
}

// miscounted compares the usage that the client was told with the ledger's.
func (c *cell) miscounted(row *gateway.Attempt) string {
	if c.seen.Input == row.Usage.Input && c.seen.Output == row.Usage.Output {
		return ""
	}
	return fmt.Sprintf("it was told %d tokens in and %d out, the ledger has %d and %d",
		c.seen.Input, c.seen.Output, row.Usage.Input, row.Usage.Output)
}

// answered: the right model's text and usage, and no error.
func answered(c *cell) string {
	last := c.call.Attempts[len(c.call.Attempts)-1]
	model := c.provider.edge
	if last.Layer == "top" {
		model = c.provider.top
	}
	switch want := model + " heard you say: "; {
	case c.seen.Error != nil:
		return "an error"
	case !strings.HasPrefix(c.seen.Text, want+c.prompt):
		return fmt.Sprintf("the text is %q", c.seen.Text)
	case c.seen.Finish == "":
		return "no finish reason"
	}
	return c.miscounted(&last)
}

// refused: an error with the gateway's words, and never the text of a rejected answer.
func refused(c *cell) string {
	whole := strings.Contains(c.seen.Text, c.prompt)
	switch ours := c.ours(); {
	case ours == "":
		return "no error was sent"
	case c.seen.Error == nil:
		return "no error was raised"
	case !c.tells():
		return "the error lacks what was sent: " + ours
	case whole || c.route != "live" && c.seen.Text != "":
		return fmt.Sprintf("the text is %q", c.seen.Text)
	case c.call.Answered:
		return "the ledger says it was answered"
	}
	return ""
}

// aborted: the attempt that was under way ended with its client.
func aborted(c *cell) string {
	if o := c.call.Attempts[0].Outcome; o != "aborted" {
		return "the row says " + o
	}
	return ""
}
