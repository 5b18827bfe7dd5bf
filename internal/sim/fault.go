package sim

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
)

// Fault is something that goes wrong. As text (header x-sim-fault, marker): KIND, then optionally xTIMES (only the
// first so many times that the same content comes) and @ARG: "429", "429x2@3", "cut@5".
type Fault struct {
	Kind  string
	Times int // 0 = always
	Arg   int // by kind, see kinds; 0 = its default
}

// kinds are the faults and what Arg means for each.
var kinds = map[string]struct {
	arg  int // default
	fail failKind
	what string
}{
	"400": {0, failInvalid, "refused as invalid"},
	"401": {0, failBadKey, "the key is not taken"},
	"403": {0, failPermission, "the key may not"},
	"404": {0, failModel, "the model is gone"},
	"429": {1, failRate, "rate limited; Arg: Retry-After seconds"},
	"500": {0, failServer, "internal error"},
	"503": {0, failUnavailable, "unavailable; Arg: Retry-After seconds"},
	"529": {0, failOverloaded, "overloaded; Arg: Retry-After seconds"},

	"cut":       {3, -1, "the connection breaks; Arg: after so many frames of a stream, half of a body"},
	"stall":     {0, -1, "silence until the client leaves; Arg: after so many frames"},
	"drip":      {1000, -1, "every frame (or tenth of a body) comes Arg milliseconds late, whatever Speed says"},
	"garbage":   {3, -1, "a frame that is no JSON after Arg frames; a body that is HTML"},
	"error200":  {0, -1, "status 200 with an error as the body or first frame"},
	"inband":    {3, -1, "an error frame after Arg frames, then the end"},
	"truncated": {3, -1, "JSON that stops in the middle and an orderly end; Arg: after so many frames"},
	"nousage":   {0, -1, "no usage is told"},
	"schema":    {0, -1, "the response schema is refused with 400; no fault without one"},
}

var (
	faultPattern  = regexp.MustCompile(`^([a-z0-9]+?)(?:x(\d{1,6}))?(?:@(\d{1,6}))?$`)
	markerPattern = regexp.MustCompile(`\[\[sim:([a-z0-9@]{1,24})\]\]`)
)

// ParseFault reads a fault as text. "" and "none" are no fault.
func ParseFault(s string) (Fault, error) {
	if s == "" || s == "none" {
		return Fault{}, nil
	}
	m := faultPattern.FindStringSubmatch(s)
	if m == nil {
		return Fault{}, fmt.Errorf("fault %q is not KIND[xTIMES][@ARG]", s)
	}
	if _, ok := kinds[m[1]]; !ok {
		return Fault{}, fmt.Errorf("unknown fault %q", m[1])
	}
	f := Fault{Kind: m[1]}
	f.Times, _ = strconv.Atoi(m[2]) // digits, at most six: cannot fail but for "", which is 0
	f.Arg, _ = strconv.Atoi(m[3])
	return f, nil
}

func (f Fault) arg() int {
	if f.Arg > 0 {
		return f.Arg
	}
	return kinds[f.Kind].arg
}

// fault decides what goes wrong with a request: its header first, then a marker, then the model's rates.
func (s *Sim) fault(a *ask, name string) (Fault, *failure) {
	text := a.wish
	if text == "" && s.cfg.Markers {
		for _, where := range []string{name, a.LastUser()} {
			if m := markerPattern.FindStringSubmatch(where); m != nil {
				text = m[1]
				break
			}
		}
	}
	if text == "" {
		return s.drawn(a), nil
	}
	f, err := ParseFault(text)
	if err != nil {
		return Fault{}, invalid("x-sim-fault", err.Error())
	}
	if f.Times > 0 && a.occurrence >= f.Times || f.Kind == "schema" && a.Schema == nil {
		return Fault{}, nil
	}
	return f, nil
}

// drawn draws from the model's rates, anew for each occurrence of the same content, so that a retry can succeed.
func (s *Sim) drawn(a *ask) Fault {
	if len(a.model.Faults) == 0 {
		return Fault{}
	}
	n := rand.New(rand.NewPCG(a.Seed, uint64(a.occurrence)+1)).IntN(10000)
	for _, r := range a.model.Faults {
		if n < r.In10000 {
			return r.Fault
		}
		n -= r.In10000
	}
	return Fault{}
}

// refusal is the failure that a fault answers with instead of an answer, nil when the fault spoils the answer itself.
func (f Fault) refusal(a *ask) *failure {
	if f.Kind == "schema" {
		return invalid("response_format", "Invalid schema for response_format: the schema is not supported.")
	}
	k, ok := kinds[f.Kind]
	if !ok || k.fail < 0 {
		return nil
	}
	fail := &failure{kind: k.fail, model: a.Model, after: f.arg()}
	if k.fail == failInvalid {
		fail.message = "Invalid request (simulated fault)."
	}
	return fail
}
