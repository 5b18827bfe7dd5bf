package scenario

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// LeastConfidence is the confidence below which the schema refuses an answer.
const LeastConfidence = 0.75

//go:embed answer.schema.json
var schema []byte

// AnswerSchema is the JSON Schema that a route of this scenario checks answers with. It demands a confidence of at
// least LeastConfidence, which makes a gate on spoken confidence of a plain schema check: low_confidence_wrong
// answers (mean .55, sd .15) are then mostly caught, plausible_wrong ones are not.
func AnswerSchema() jsontext.Value { return bytes.Clone(schema) }

// Outcome is what became of one model's try at one interaction.
type Outcome string

// Outcomes, as procurement.yaml names them. FactsLost is ours: the prompt no longer holds what the answer needs.
const (
	Right              Outcome = "right"
	SchemaViolation    Outcome = "schema_violation"
	RefusalOrHedge     Outcome = "refusal_or_hedge"
	Truncated          Outcome = "truncated"
	LowConfidenceWrong Outcome = "low_confidence_wrong"
	PlausibleWrong     Outcome = "plausible_wrong"
	FactsLost          Outcome = "facts_lost"
)

// Answer is the JSON object that an interaction asks for.
type Answer struct {
	Invoice    string         `json:"invoice"`
	Status     string         `json:"status"`
	Amount     string         `json:"amount"`
	Reason     string         `json:"reason"`
	Confidence jsontext.Value `json:"confidence"`
}

// Expected is the right answer, with no reason and full confidence.
func (it Interaction) Expected() Answer {
	return Answer{
		Invoice: it.Record.Invoice, Status: it.Record.Status, Amount: it.Record.Amount(),
		Confidence: jsontext.Value("1"),
	}
}

// Judge tells whether an answer is right: invoice, status and amount are the record's. Code fences about the object are
// forgiven; anything else that is no such object is not right.
func (it Interaction) Judge(answer string) bool {
	text := strings.TrimSpace(answer)
	if inner, ok := strings.CutPrefix(text, "```"); ok {
		inner = strings.TrimPrefix(inner, "json")
		text = strings.TrimSuffix(strings.TrimSpace(inner), "```")
	}
	var got Answer
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return false
	}
	want := it.Expected()
	return got.Invoice == want.Invoice && got.Status == want.Status && got.Amount == want.Amount
}

// outcome draws what a model of a layer makes of an interaction.
func (a Answers) outcome(r *rand.Rand, layer, needs int) Outcome {
	if layer < needs {
		return a.below(r, true)
	}
	base := a.BaseError.Of(layer)
	at := Share(r.Int64N(int64(whole)))
	switch {
	case at >= base:
		return Right
	case at*2 < base: // half of it plausible
		return PlausibleWrong
	}
	return a.below(r, false)
}

// below draws from the ways to fail; without plausible, from those that a check can see, in the same proportions.
func (a Answers) below(r *rand.Rand, plausible bool) Outcome {
	b := a.BelowNeeded
	ways := []struct {
		of Outcome
		p  Share
	}{
		{SchemaViolation, b.SchemaViolation},
		{RefusalOrHedge, b.RefusalOrHedge},
		{Truncated, b.Truncated},
		{LowConfidenceWrong, b.LowConfidenceWrong},
		{PlausibleWrong, b.PlausibleWrong},
	}
	all := whole
	if !plausible {
		ways, all = ways[:4], whole-b.PlausibleWrong
	}
	at := Share(r.Int64N(int64(all)))
	for _, w := range ways {
		if at -= w.p; at < 0 {
			return w.of
		}
	}
	return ways[len(ways)-1].of
}

// confidence draws what an answer says of itself, to two places, between 0.01 and 0.99.
func (a Answers) confidence(r *rand.Rand, o Outcome) jsontext.Value {
	s, ok := a.Confidence[string(o)]
	if !ok {
		s = a.Confidence[string(Right)]
	}
	c := math.Round(100 * (s.Mean + s.SD*r.NormFloat64()))
	return jsontext.Value(fmt.Sprintf("%.2f", min(max(c, 1), 99)/100))
}

// speaker writes one answer.
type speaker struct {
	r       *rand.Rand
	answers Answers
	it      Interaction
	shaped  bool // a JSON answer was demanded of the provider: no fences
}

// text is an answer of an outcome, padded to about the drawn output tokens; Truncated is cut to six tenths.
func (s speaker) text(o Outcome) string {
	a := s.it.Expected()
	switch o {
	case RefusalOrHedge, FactsLost:
		return s.hedge(o)
	case PlausibleWrong, LowConfidenceWrong:
		a = s.wrong(a)
	}
	a.Confidence = s.answers.confidence(s.r, o)
	a.Reason = s.reason(s.it.Output - tokens.Count(encode(a)))
	switch o {
	case SchemaViolation:
		return s.violation(a)
	case Truncated:
		text, _ := tokens.Cut(encode(a), max(s.it.Output*6/10, 8))
		return text
	case Right:
		if !s.shaped && s.r.IntN(25) == 0 { // some right answers come fenced, as models do; a repair undoes it
			return "```json\n" + encode(a) + "\n```"
		}
	}
	return encode(a)
}

// wrong mixes an answer up as models do: another status of the kind, or the amount of the vendor's other invoice.
func (s speaker) wrong(a Answer) Answer {
	if s.r.IntN(4) == 0 {
		a.Amount = dollars(s.it.Record.OtherCents)
		return a
	}
	var others []string
	for _, st := range topics[s.it.Topic].statuses {
		if st != a.Status {
			others = append(others, st)
		}
	}
	a.Status = pick(s.r, others)
	return a
}

// violation breaks the schema in a way that no repair of syntax heals: whatever is stripped or closed, a member stays
// missing or wrong.
func (s speaker) violation(a Answer) string {
	switch s.r.IntN(4) {
	case 0:
		return strings.Replace(encode(a), fmt.Sprintf(`"status":%q,`, a.Status), "", 1)
	case 1:
		a.Status = "seems_" + a.Status
		return encode(a)
	case 2:
		a.Amount = "USD " + a.Amount
		return "Here is what I found:\n```json\n" + encode(a) + "\n```\nTell me if you need more."
	}
	return fmt.Sprintf("Invoice: %s\nStatus: %s\nAmount: USD %s\n\n%s", a.Invoice, a.Status, a.Amount, a.Reason)
}

func (s speaker) hedge(o Outcome) string {
	if o == FactsLost {
		return "The context I was given does not hold the entry for " + s.it.Record.Invoice +
			", so I cannot answer from the records."
	}
	return pick(s.r, []string{
		"I'm not able to determine this from the records. Please contact accounts payable about " + s.it.Record.Invoice + ".",
		"I cannot give a reliable answer here; the documents seem to allow more than one reading.",
		"I'm sorry, but I can't make this decision. A specialist should review " + s.it.Record.Invoice + ".",
	})
}

// reason is text of so many tokens, at least one sentence.
func (s speaker) reason(room int) string {
	rec := s.it.Record
	sentences := topics[s.it.Topic].reasons
	names := strings.NewReplacer("{invoice}", rec.Invoice, "{order}", rec.Order, "{vendor}", rec.Vendor, "{amount}",
		rec.Amount())
	i := s.r.IntN(len(sentences))
	text := names.Replace(sentences[i])
	used := tokens.Count(text)
	for {
		i++
		next := " " + names.Replace(sentences[i%len(sentences)])
		n := tokens.Count(next)
		if used+n > room {
			return text + closing(room-used)
		}
		text, used = text+next, used+n
	}
}

// closers fill a reason up to its size, the longest that fits first.
var closers = []string{
	" Both sides of the entry were read once more before this answer was given, and nothing new was found.",
	" Nothing else in the records speaks for another answer.", " No other document was used.", " Nothing else applies.",
	" Checked.",
}

// closing is closers of at most so many tokens.
func closing(room int) string {
	text := ""
	for _, c := range closers {
		for n := tokens.Count(c); n <= room; room -= n {
			text += c
		}
	}
	return text
}

func encode(a Answer) string {
	b, err := json.Marshal(a)
	if err != nil {
		panic("scenario: encoding its own answer: " + err.Error()) // plain strings and a number
	}
	return string(b)
}
