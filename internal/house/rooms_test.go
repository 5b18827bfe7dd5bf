package house

import (
	"slices"
	"strings"
)

// room says what the files of a folder and its sub-folders may import of ours. Own sub-folders are always allowed. The
// longest matching path is the room of a file; a folder in no room is itself a finding.
type room struct {
	path  string
	may   []string // folders, with all that lies in them
	tests []string // what tests may import besides
	why   string
}

// values are the rooms that hold values only and that every room after them may use.
var values = []string{"internal/llm", "internal/finops/money", "internal/models/catalog", "internal/call"}

// families are the rooms that gateway joins.
var families = []string{
	"internal/wire", "internal/routing", "internal/governance", "internal/finops", "internal/models",
	"internal/mcp", "internal/telemetry",
}

const (
	joined = "families do not import each other: only gateway joins them, through a call.Dispatcher"
	above  = "imports go one way, and this room stands above"
)

// props are what tests of any room may import.
var props = []string{"internal/testkit", "internal/sim"}

var rooms = []room{
	{path: "internal/llm", why: "the vocabulary imports nothing of ours, so that everyone may import it"},
	{path: "internal/finops/money", may: values[:1], why: "money is arithmetic: it knows no model and no call"},
	{path: "internal/models/catalog", may: values[:2], why: "the catalogue is data: it knows no call"},
	{path: "internal/call", may: values[:3], why: "call holds values only: it knows no room"},
	{
		path: "internal/wire", may: []string{"internal/llm", "internal/call"},
		tests: []string{"internal/models/catalog"}, // a call.Target holds a model
		why:   "wire knows dialects, no policy and no price",
	},
	{path: "internal/routing", may: values, why: joined},
	{path: "internal/governance", may: values, why: joined},
	{path: "internal/finops", may: values, why: joined},
	{path: "internal/models", may: values, why: joined},
	{path: "internal/mcp", may: values, why: joined},
	{path: "internal/telemetry", may: values, why: joined},
	{path: "internal/config", may: values, why: "config reads a file; who uses it turns it into the rooms' own values"},
	{
		path: "internal/store", may: slices.Concat(values, []string{"internal/finops", "internal/governance"}),
		why: "store satisfies interfaces that its users declare, and knows no more than those users",
	},
	{
		path: "internal/gateway", may: slices.Concat(values, families),
		tests: []string{"internal/store", "internal/config"},
		why:   "gateway joins the families; " + above,
	},
	{
		path: "internal/report", may: slices.Concat(values, []string{"internal/finops"}),
		why: "report shapes what the ledger holds, whoever asks",
	},
	{
		path: "internal/adminapi",
		may:  slices.Concat(values, []string{"internal/finops", "internal/governance", "internal/models", "internal/report"}),
		why:  "the control API takes the rooms' values from server, and never the way of a call",
	},
	{
		path: "internal/server",
		may: slices.Concat(values, families, []string{
			"internal/gateway", "internal/config", "internal/store", "internal/report", "internal/adminapi",
		}),
		why: "server knows every room of the product; " + above,
	},
	{
		path: "internal/cli",
		may: slices.Concat(values, families, []string{
			"internal/gateway", "internal/config", "internal/store", "internal/server", "internal/sim", "internal/report",
			"internal/demo", "internal/eval",
		}),
		why: "cli stands on top; tests' props are not for users",
	},
	{
		path: "internal/client", may: []string{"internal/report"},
		why: "a client knows what the wire says, and how the ledger's answers are shaped",
	},
	{
		path: "internal/eval",
		may: slices.Concat(values, []string{
			"internal/client", "internal/config", "internal/server", "internal/sim", "internal/report", "internal/finops",
			"internal/routing", "internal/wire",
		}),
		why: "eval plays recorded answers to the production cascade, in process or as a client of a running gateway",
	},
	{
		path: "internal/demo",
		may: slices.Concat(values, []string{
			"internal/client", "internal/config", "internal/server", "internal/sim", "internal/report", "internal/finops",
		}),
		why: "demo starts a server and a simulator and is then a client like any other: it reaches into no room",
	},
	{
		path: "internal/sim", may: []string{"internal/finops/money", "internal/models/catalog"},
		why: "the simulator is a referee: it writes the dialects and counts tokens a second time, on its own",
	},
	{path: "internal/testkit", may: values, why: "testkit serves every room's tests, so it may import none"},
	{
		path: "internal/testkit/agent", may: []string{"internal/sim"},
		why: "the agent brings the script that the simulated model plays",
	},
	{path: "internal/house", why: "the rules read files; they run nothing of ours"},
	{path: "cmd/weir", may: []string{"internal/cli"}, why: "main is context and exit code"},
	{path: "bench", may: []string{"internal"}, why: "benchmarks stand outside the product"},
	{path: "test", may: []string{"internal"}, why: "whole-system tests stand outside the product"},
}

// roomOf is the room with the longest path that holds a folder; nil = none.
func roomOf(dir string) *room {
	var best *room
	for i := range rooms {
		r := &rooms[i]
		if under(dir, r.path) && (best == nil || len(r.path) > len(best.path)) {
			best = r
		}
	}
	return best
}

// permits tells whether a file of the room may import a folder of ours.
func (r *room) permits(dir string, test bool) bool {
	in := func(folders []string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return under(dir, f) })
	}
	// A room inside a room, like money inside finops, is not part of the outer one: it must be listed.
	if to := roomOf(dir); to != nil && to.path == r.path {
		return true
	}
	return in(r.may) || test && (in(r.tests) || in(props))
}

func checkRooms(t *tree) (bad []finding) {
	homeless := map[string]bool{}
	for _, f := range t.parsed() {
		from := roomOf(f.dir())
		if from == nil {
			if !homeless[f.dir()] {
				homeless[f.dir()] = true
				bad = append(bad, finding{f.dir(), 0, "is no room: say in internal/house what it may import, and why"})
			}
			continue
		}
		for p, spec := range f.imports() {
			dir, ours := strings.CutPrefix(p, module+"/")
			if ours && !from.permits(dir, f.test) {
				bad = append(bad, t.at(f, spec, "%s must not import %s: %s", from.path, dir, from.why))
			}
		}
	}
	return sortFindings(bad)
}
