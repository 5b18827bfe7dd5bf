package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/weirhq/weir/test/conformance/client"
	"github.com/weirhq/weir/test/conformance/script"
)

// limit is after how long a call hangs, in milliseconds. The scripts take less than two seconds, on a machine that
// does nothing else.
const limit = 60_000

// TestStreamTruth plays every script of every dialect to every SDK, and compares what they make of it with what is
// written down. It judges no SDK: it is what Weir's own streams are built on.
func TestStreamTruth(t *testing.T) {
	server := script.Start()
	t.Cleanup(server.Close)
	for _, d := range script.Dialects() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			outcomes := &results{}
			for _, lang := range languages() {
				if r := runner(t, lang); r != nil {
					played(t, server, r, &d, outcomes)
				}
			}
			golden(t, "truth-"+d.Name+".txt", outcomes)
		})
	}
}

// played plays a dialect's scripts to the SDKs of one language.
func played(t *testing.T, server *script.Server, r *client.Runner, d *script.Dialect, into *results) {
	t.Helper()
	var jobs []client.Job
	for _, c := range clients[r.Name][d.Name] {
		for _, cell := range d.Cells() {
			id := name(d, c, cell)
			jobs = append(jobs, client.Job{
				ID: id, Client: c, API: d.Name, Base: server.Put(id, cell.Script), Key: "k", Model: "m", Prompt: "Where does water go?",
				Stream: true, Limit: limit,
			})
		}
	}
	seen, err := r.Run(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clients[r.Name][d.Name] {
		for _, cell := range d.Cells() {
			id := name(d, c, cell)
			s := seen[id]
			text := outcome(&s)
			if n := server.Asked(id); n != 1 {
				text += fmt.Sprintf(", asked %d times", n)
			}
			into.add(cell.Name, c, text)
		}
	}
}

// name is a script's address: one for each client.
func name(d *script.Dialect, client string, cell script.Cell) string {
	return strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(d.Name + "-" + client + "-" + cell.ID())
}

// outcome is what a client saw, in words.
func outcome(s *client.Seen) string {
	text := "part of the text, "
	switch s.Text {
	case "":
		text = "no text, "
	case script.Said:
		text = "the text, "
	}
	switch {
	case s.Crash != "":
		return "crashes: " + steady(s.Crash)
	case s.Hang:
		return text + "hangs"
	case s.Error != nil && strings.Contains(s.Error.Message, script.Refusal):
		return text + "raises " + s.Error.Type + " with our words"
	case s.Error != nil:
		return text + "raises " + s.Error.Type + ": " + steady(s.Error.Message)
	case s.Text == script.Said && s.Input == script.Input && s.Output == script.Output && s.Finish != "":
		return "ok"
	case s.Text == script.Said:
		return fmt.Sprintf("the text, %d tokens in, %d out, finish %q", s.Input, s.Output, s.Finish)
	}
	return text + "no error"
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// steady is one line of a message, short, without what differs from run to run.
func steady(s string) string {
	s = port.ReplaceAllString(strings.Join(strings.Fields(s), " "), "HOST")
	return s[:min(len(s), 100)]
}
