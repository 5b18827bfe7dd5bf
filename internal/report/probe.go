package report

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Probe is what came of one tiny call to a deployment.
type Probe struct {
	Deployment string  `json:"deployment"`
	OK         bool    `json:"ok"`
	Served     string  `json:"served"` // the model as the provider names it
	Answered   float64 `json:"answered_ms"`
	Cost       string  `json:"cost_usd"`
	Error      string  `json:"error,omitempty"`
}

// ProbeOf tells a probe by its row and error.
func ProbeOf(deployment string, row call.Attempt, err error) Probe {
	p := Probe{Deployment: deployment, OK: err == nil, Served: row.Served, Cost: row.Cost.Decimal()}
	if err != nil {
		p.Error = llm.AsError(err).Message
		return p
	}
	took := row.Clocks.End - row.Clocks.Sent
	p.Answered = float64(took.Round(10*time.Microsecond).Microseconds()) / 1000
	return p
}
