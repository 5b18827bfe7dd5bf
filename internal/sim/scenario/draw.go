package scenario

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// Interaction is one thing that someone asks the procurement agent.
type Interaction struct {
	Ref      string // "QM-000123": profile and index, told in the question
	Profile  string
	Index    int
	Kind     string // as the profile names it
	Topic    string // what it is about; the kind, except for kind "any"
	Needs    int    // the lowest layer whose models can answer it
	Input    int    // drawn tokens of the prompt: system, history, question and four a message
	Output   int    // drawn tokens of the answer
	Long     bool   // a 300-page manifest
	Record   Record // the truth
	System   string
	History  []Turn // exchanges, a user's and an assistant's message in turn
	Question string
	Tool     string // the action that the answer may take, "" = none
}

// Turn is one message.
type Turn struct{ Role, Text string }

// Record is what is true about an interaction; the expected answer follows from it.
type Record struct {
	Invoice, Order, Contract string
	Vendor, Buyer            string
	Cents                    int64 // amount in dispute or asked for
	Issued, Due              string
	Status                   string // the right one
	OtherInvoice, OtherOrder string // of the same vendor: what a wrong answer mixes up
	OtherCents               int64
}

// Amount is the record's amount as it stands in prompts and answers: "1240.00".
func (r Record) Amount() string { return dollars(r.Cents) }

func dollars(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// Day is one profile drawn with one seed.
type Day struct {
	scenario *Scenario
	profile  string
	seed     uint64
}

// Day chooses a profile. The error names the profiles there are.
func (s *Scenario) Day(profile string, seed uint64) (Day, error) {
	if _, ok := s.Profiles[profile]; !ok {
		return Day{}, fmt.Errorf("unknown profile %q (%s)", profile, strings.Join(s.Names(), ", "))
	}
	return Day{s, profile, seed}, nil
}

// Draw draws the first n interactions of a profile, texts included.
func (s *Scenario) Draw(profile string, n int, seed uint64) ([]Interaction, error) {
	d, err := s.Day(profile, seed)
	if err != nil {
		return nil, err
	}
	out := make([]Interaction, n)
	for i := range out {
		out[i] = d.At(i)
	}
	return out, nil
}

// rng is the random source of one purpose: nothing else draws from it.
func rng(seed uint64, parts ...string) *rand.Rand {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	h.Write(b[:])
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	first := h.Sum64()
	h.Write([]byte("second"))
	return rand.New(rand.NewPCG(first, h.Sum64()))
}

func (d Day) rng(i int, purpose ...string) *rand.Rand {
	return rng(d.seed, append([]string{d.profile, strconv.Itoa(i)}, purpose...)...)
}

// At draws interaction i (from 0) with its texts.
func (d Day) At(i int) Interaction {
	it := d.sketch(i)
	d.write(&it)
	return it
}

// sketch draws all but the long texts, which is what answering needs.
func (d Day) sketch(i int) Interaction {
	r := d.rng(i, "shape")
	kind := d.kind(r, i)
	topic := kind
	switch {
	case i == 0:
		topic = d.scenario.topicKind(statusKind)
	case kind.Name == anyKind:
		topic = pick(r, d.scenario.Profiles[mixedName].Kinds)
	}
	it := Interaction{Profile: d.profile, Index: i, Kind: kind.Name, Topic: topic.Name, Ref: ref(d.profile, i)}
	it.Needs = needs(r, kind.Needs)
	it.Input, it.Output = size(r, kind.Input), size(r, kind.Output)
	if i == 0 { // the walk-through starts with a question that the cheapest layer can answer
		it.Needs = 1
	}
	if kind.Name == manifestKind && r.IntN(longIn) == 0 {
		it.Long, it.Input = true, size(r, longTokens)
	}
	if topic.Action != nil {
		it.Tool = topic.Action.Tool
	}
	it.Record = record(d.rng(i, "record"), topics[it.Topic], topic.Action)
	if i == 0 {
		it.Record.Invoice = fmt.Sprintf("INV-%04d", firstQuestion)
	}
	it.Question = topics[it.Topic].question(it.Record) + "\nRef: " + it.Ref
	return it
}

func (d Day) kind(r *rand.Rand, i int) Kind {
	kinds := d.scenario.Profiles[d.profile].Kinds
	at := Share(r.Int64N(int64(whole)))
	for _, k := range kinds {
		if i == 0 && k.Name == statusKind {
			return k
		}
		if at -= k.Share; at < 0 && i > 0 {
			return k
		}
	}
	return kinds[0]
}

// topicKind is what the mixed profile says about a kind; every topic stands in it.
func (s *Scenario) topicKind(name string) Kind {
	for _, k := range s.Profiles[mixedName].Kinds {
		if k.Name == name {
			return k
		}
	}
	return Kind{Name: name}
}

func needs(r *rand.Rand, shares map[int]Share) int {
	at := Share(r.Int64N(int64(whole)))
	for layer := 1; layer < 3; layer++ {
		if at -= shares[layer]; at < 0 {
			return layer
		}
	}
	return 3
}

// size draws a log-normal size whose mean is the one given.
func size(r *rand.Rand, mean int64) int {
	mu := math.Log(float64(mean)) - sizeSigma*sizeSigma/2
	return max(1, int(math.Round(math.Exp(mu+sizeSigma*r.NormFloat64()))))
}

// money between two amounts, evenly on a logarithmic scale, in cents.
func amount(r *rand.Rand, low, high int64) int64 {
	l, h := math.Log(float64(low)*100), math.Log(float64(high)*100)
	return int64(math.Round(math.Exp(l + (h-l)*r.Float64())))
}

func record(r *rand.Rand, t *topic, a *Action) Record {
	low, high := int64(120), int64(48_000)
	if a != nil {
		low, high = a.Amount[0], a.Amount[1]
	}
	month, day := 1+r.IntN(10), 1+r.IntN(28)
	rec := Record{
		Invoice: fmt.Sprintf("INV-%04d", 1000+r.IntN(9000)), Order: fmt.Sprintf("PO-%05d", 10000+r.IntN(90000)),
		Contract: fmt.Sprintf("C-%d-%03d", 2023+r.IntN(4), r.IntN(1000)), Vendor: pick(r, vendors), Buyer: pick(r, people),
		Cents: amount(r, low, high), Issued: fmt.Sprintf("2026-%02d-%02d", month, day),
		Due: fmt.Sprintf("2026-%02d-%02d", month+1, day), Status: pick(r, t.statuses),
		OtherInvoice: fmt.Sprintf("INV-%04d", 1000+r.IntN(9000)), OtherOrder: fmt.Sprintf("PO-%05d", 10000+r.IntN(90000)),
		OtherCents: amount(r, low, high),
	}
	if rec.OtherInvoice == rec.Invoice {
		rec.OtherInvoice = "INV-0999"
	}
	if rec.OtherCents == rec.Cents {
		rec.OtherCents++
	}
	return rec
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func ref(profile string, i int) string {
	return fmt.Sprintf("Q%s-%06d", strings.ToUpper(profile[:1]), i)
}

var refPattern = regexp.MustCompile(`Ref: Q([A-Z])-(\d{6,9})`)

// locate finds the interaction that a question refers to.
func (s *Scenario) locate(seed uint64, question string) (Day, Interaction, bool) {
	m := refPattern.FindStringSubmatch(question)
	if m == nil {
		return Day{}, Interaction{}, false
	}
	i, err := strconv.Atoi(m[2])
	if err != nil {
		return Day{}, Interaction{}, false
	}
	for _, name := range s.Names() {
		if ref(name, i) == "Q"+m[1]+"-"+m[2] {
			d := Day{s, name, seed}
			return d, d.sketch(i), true
		}
	}
	return Day{}, Interaction{}, false
}

// Walkthrough are the two interactions that a newcomer is walked through: "Has Invoice #402 been approved?" and the
// first payment dispute of the mixed day that needs the top layer.
func (s *Scenario) Walkthrough(seed uint64) (status, dispute Interaction) {
	d := Day{s, mixedName, seed}
	for i := 1; ; i++ {
		if it := d.sketch(i); it.Topic == disputeKind && it.Needs == 3 {
			return d.At(0), d.At(i)
		}
	}
}

// messageTokens is what providers count for the frame of one message.
const messageTokens = 4

// Prompt counts an interaction's prompt as the simulated providers do, without schema or tools.
func (it Interaction) Prompt() int {
	n := tokens.Count(it.System) + tokens.Count(it.Question) + 2*messageTokens
	for _, t := range it.History {
		n += tokens.Count(t.Text) + messageTokens
	}
	return n
}
