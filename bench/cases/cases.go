// Package cases holds the bars that Weir sets itself: what is measured, and the figure that it must reach. bench/ratio
// and bench/show run them; how things are measured is bench/lab's.
package cases

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weirhq/weir/bench/lab"
)

// Bar is one claim with what was measured. The name ends in the unit of the value.
type Bar struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Bar     string  `json:"bar"`
	OK      bool    `json:"ok"`
	Command string  `json:"command"` // measures it again
	Detail  any     `json:"detail,omitempty"`
	Date    string  `json:"date,omitempty"` // when, if not now
}

// reported is the bar of a figure that nothing is demanded of.
const reported = "reported"

func most(name string, value, limit float64, detail any) Bar {
	return Bar{
		Name: name, Value: lab.Round(value), Bar: fmt.Sprintf("<= %g", limit), OK: value <= limit && !math.IsNaN(value), Detail: detail,
	}
}

func least(name string, value, limit float64, detail any) Bar {
	return Bar{
		Name: name, Value: lab.Round(value), Bar: fmt.Sprintf(">= %g", limit), OK: value >= limit, Detail: detail,
	}
}

func report(name string, value float64, detail any) Bar {
	return Bar{Name: name, Value: lab.Round(value), Bar: reported, OK: true, Detail: detail}
}

// Settings say how thoroughly to measure.
type Settings struct {
	Lab     *lab.Lab
	Rounds  lab.Rounds
	Run     time.Duration // of one run of the load
	Streams int           // held
	Rows    int           // of a grown ledger
	Nginx   string        // path of nginx; "" = leave it out
	Shared  string        // folder of shared data; "" = the slices that the project ships
	Short   bool          // enough to see that everything works; figures are rough
}

// Thorough are the settings of a measurement that counts.
func Thorough(l *lab.Lab) *Settings {
	return &Settings{Lab: l, Rounds: lab.Rounds{Want: 5}, Run: 3 * time.Second, Streams: 3000, Rows: 1_000_000}
}

// Brief are the settings of a check: one round whatever the noise.
func Brief(l *lab.Lab) *Settings {
	return &Settings{
		Lab: l, Rounds: lab.Rounds{Want: 1, Accept: true}, Run: time.Second, Streams: 500, Rows: 20_000, Short: true,
	}
}

// Case is a measurement of one or more bars.
type Case struct {
	Name  string
	About string
	Run   func(*Settings) ([]Bar, error)
	// Long cases take minutes: they run when asked for, and leave a dated file in bench/results.
	Long bool
	// Command, when set, measures the bars again; default `go run ./bench/show -only NAME`.
	Command string
}

// ErrAbsent says that what a case runs is not part of this tree.
var ErrAbsent = errors.New("is not there")

// Measure runs a case. What is absent is a bar that does not hold, any other error is the caller's.
func (c Case) Measure(s *Settings) ([]Bar, error) {
	bars, err := c.Run(s)
	if errors.Is(err, ErrAbsent) {
		bars, err = []Bar{{Name: c.Name, Bar: "measured", Detail: err.Error()}}, nil
	}
	command := c.Command
	if command == "" {
		command = "go run ./bench/show -only " + c.Name
	}
	if c.Long {
		command += " -long"
	}
	for i := range bars {
		if bars[i].Command == "" {
			bars[i].Command = command
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Name, err)
	}
	return bars, err
}

// Ratios are measured against the baseline by the rules of bench/ratio.
var Ratios = []Case{
	{Name: "call-1k", About: "CPU of a 1 KB call at saturation against ReverseProxy", Run: smallCall},
	{Name: "call-100k", About: "CPU of a 100 KB call at saturation against ReverseProxy", Run: largeCall},
	{Name: "chunk", About: "CPU of a streamed chunk in bursts against ReverseProxy", Run: chunk},
	{Name: "held", About: "memory of a held stream", Run: held},
	{Name: "rows", About: "CPU of a call on a grown ledger against an empty one", Run: grown},
	{Name: "one", About: "latency added to one call at a time", Run: oneAtATime},
	{Name: "open", About: "500 calls a second: latency added, and CPU a call", Run: openLoop},
}

// All are the bars of the project, in the order in which they are shown.
var All = append(Ratios[:len(Ratios):len(Ratios)],
	Case{Name: "observe", About: "CPU of a call in observe mode against a plain route", Run: observing},
	Case{Name: "durable", About: "durable attempts a second with 256 waiters", Run: durable},
	Case{Name: "binary", About: "size of the binary", Run: binary},
	Case{Name: "start", About: "start to the first answer, idle memory", Run: start},
	Case{Name: "restart", About: "restart after kill -9 on a grown ledger", Run: restart},
	Case{Name: "overload", About: "five times the load that limits.calls carries: goodput, refusals, fairness, memory", Run: overload},
	Case{Name: "abort", About: "clients killed at every frame of streams", Run: aborts},
	Case{Name: "input", About: "bad input: memory and errors", Run: badInput},
	Case{Name: "agent", About: "a coding agent's session through three layers", Run: coding},
	Case{Name: "demo", About: "the demo on the built binary", Run: demo},
	Case{Name: "sdk", About: "clients' SDKs through the gateway, in every scenario", Run: clientSDKs},
	Case{Name: "eval", About: "recorded answers of real models through a running gateway", Run: evaluation},
	Case{Name: "brief", About: "briefs: answers that survive compression, time, memory", Run: briefFigures},
	Case{Name: "crash", About: "kill -9 and power cuts under load, as in CI", Run: crashes},
	Case{Name: "talks", About: "100,000 random conversations into brief layers", Run: briefTalks, Long: true},
	Case{Name: "kills", About: "1,000 times kill -9 under load", Run: kills, Long: true},
	Case{Name: "fuzz", About: "10 CPU-minutes of fuzzing", Run: fuzz, Long: true},
)
