package compress

import (
	"context"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Rates tell what tokens cost. Whoever joins the rooms implements it.
type Rates interface {
	// Cost is the price of a call: a prompt of so many tokens, cached of which are read from the provider's cache, and so
	// many of output.
	Cost(t call.Target, prompt, cached, output int, at time.Time) (money.Nano, error)
}

// Writer asks a model for a text: one attempt like any other, permitted, held and booked.
type Writer interface {
	Write(context.Context, Commission) (string, error)
}

// Commission is one text to be written.
type Commission struct {
	By      call.Target
	Request *llm.Request
	MaxOut  int
	Gate    Gate // why it is worth it
	// Accept says what is wrong with an answer. Such an answer is booked as rejected, and its error returned.
	Accept func(*llm.Response) error
}

// Job is one brief to make.
type Job struct {
	Options
	For     call.Target   // the model that the brief is for
	By      []call.Target // models that may summarise, in order; none = extractive only
	Rates   Rates         // nil = no price is known, so no model is asked
	At      time.Time     // whose prices count
	Left    int           // attempts that may be spent on summaries
	Window  int           // tokens that the model is trusted with, answer included; 0 = no bound
	MaxOut  int           // tokens of its answer
	Summary Writer
}

// Story tells how a brief came about.
type Story struct {
	// Need says why a summary was thought of; "" = there was no reason.
	Need string
	// Gates are the reckonings, one for each model that was thought of.
	Gates []Gate
	// Prompt is the tokens of the request that carries the brief, estimated.
	Prompt int
}

// Gate is one reckoning: what a model would save on reading, against what its summary costs.
type Gate struct {
	Deployment string
	Need       string     // why a summary was thought of
	Prompt     int        // tokens of the source
	Cached     int        // of these, read from the provider's cache if they were sent as they are
	Brief      int        // tokens that the summary should have
	Raw        money.Nano // price of reading the source
	Read       money.Nano // price of reading the summary
	Write      money.Nano // price of writing it
	Pays       bool
	Failed     string // why it was not used although it pays; "" = it was used, or does not pay
}

// Make makes a brief. A model summarises where words of the source cannot do (see need), where that pays at the route's
// prices, and where its summary passes the same check; else the brief is extractive, or there is none.
func Make(ctx context.Context, req *llm.Request, j Job) (b call.Brief, s Story, err error) {
	f, err := frameOf(req, j.Options)
	if err != nil {
		return call.Brief{}, Story{}, err
	}
	fixed := f.fixed(j.Options)
	if j.Window > 0 {
		j.Room = max(j.Window-fixed-j.MaxOut, leastTarget)
	}
	defer func() { s.Prompt = fixed + b.Fidelity().BriefTokens }()
	if !f.whole(j.Options) && len(j.By) > 0 && j.Rates != nil && j.Summary != nil {
		s.Need = f.need(j.Options)
	}
	if s.Need != "" {
		for _, t := range j.By {
			g := f.gate(t, j)
			g.Need = s.Need
			if g.Pays {
				if b, err = f.summarise(ctx, g, t, j); err != nil {
					g.Failed = reasonOf(err)
				}
			}
			s.Gates = append(s.Gates, g)
			if g.Pays && err == nil {
				return b, s, nil
			}
		}
	}
	b, err = f.extract(j.Options)
	return b, s, err
}

// reasonOf is what a record may keep of a failure: never a provider's or a model's words.
func reasonOf(err error) string {
	e := llm.AsError(err)
	if e.Upstream > 0 || e.Code != llm.CodeUnaccepted {
		return string(e.Code)
	}
	return e.Message
}

// pastExtraction is the factor beyond which words of the source keep too little of it.
const pastExtraction = 10

// need says why words of the source would not do: the brief must be a tenth of it or less, the question is about the
// whole, or no word of the question occurs. "" = they would.
func (f *frame) need(o Options) string {
	size := f.size(o)
	switch {
	case o.target(size)*pastExtraction < size:
		return "less than a tenth of the source fits"
	case wholeTask(plainText(f.ask)):
		return "the question is about the whole"
	case !f.hits():
		return "no word of the question occurs in the source"
	}
	return ""
}

// wholeTasks are words by which a question asks about all of a text, in normal form.
var wholeTasks = []string{
	" summary ", " summarise", " summarize", " summaries ", " tl;dr", " tldr ", " overview ", " key points ", " main points ",
	" key takeaways ", " outline the ", " gist ", " in a nutshell ", " decide whether ", " decide if ", " overall ", " recap ",
	" what is this about", " what are the main ", " zusammenfass", " zusammengefasst", " überblick ", " resume el ", " résum",
}

// wholeTask reports whether a question is about the whole of what it is asked about.
func wholeTask(question string) bool {
	q := " " + normal(marks.Replace(question)) + " "
	for _, w := range wholeTasks {
		if strings.Contains(q, strings.ReplaceAll(w, ";", " ")) {
			return true
		}
	}
	return false
}

// hits reports whether a word of the question occurs in the source.
func (f *frame) hits() bool {
	q := queryTerms(f.query)
	hit := false
	for _, p := range f.pieces {
		words(p.text, func(w []byte) {
			if _, ok := q[string(w)]; ok {
				hit = true
			}
		})
		if hit {
			return true
		}
	}
	return false
}

// gate reckons whether a model's summary pays: reading the source, less what a cache would spare, must cost more than
// writing the summary and reading it.
func (f *frame) gate(by call.Target, j Job) Gate {
	g := Gate{Deployment: by.Deployment, Prompt: f.size(j.Options), Cached: f.cached(j.Options)}
	g.Brief = j.target(g.Prompt)
	fixed := f.fixed(j.Options)
	var errs [3]error
	g.Raw, errs[0] = j.Rates.Cost(j.For, fixed+g.Prompt, g.Cached, 0, j.At)
	g.Read, errs[1] = j.Rates.Cost(j.For, fixed+g.Brief, 0, 0, j.At)
	chunks := f.chunks(by, j)
	g.Write, errs[2] = j.Rates.Cost(by, g.Prompt+chunks*instructed, 0, g.Brief, j.At)
	for _, err := range errs {
		if err != nil { // a price that is not known cannot pay
			g.Failed = "a price is not known"
			return g
		}
	}
	g.Pays = g.Raw-g.Read > g.Write
	return g
}

// fixed is the tokens that go with every form of the context: instructions, tools, the question and what stays verbatim
// after it.
func (f *frame) fixed(o Options) int {
	n := o.tokens(plainText(f.req.System)) + o.tokens(plainText(f.rules)) + o.tokens(plainText(f.ask))
	for _, t := range f.req.Tools {
		n += o.tokens(t.Name) + o.tokens(t.Description) + o.tokens(string(t.Schema))
	}
	for _, m := range f.tail {
		n += o.tokens(plainText(m.Parts))
		for _, p := range m.Parts {
			switch {
			case p.Tool != nil:
				n += o.tokens(string(p.Tool.Args))
			case p.Result != nil:
				n += o.tokens(plainText(p.Result.Content))
			}
		}
	}
	return n
}

// cached is how many tokens of the source a provider's cache would spare: in a conversation that goes on, all that was
// there before the turn to be answered. A document that comes with its question has been read by nobody.
func (f *frame) cached(o Options) int {
	last := -1
	for i, p := range f.pieces {
		if p.label == string(llm.Assistant) || strings.HasPrefix(p.label, "tool call ") {
			last = i
		}
	}
	n := 0
	for _, p := range f.pieces[:last+1] {
		n += o.tokens(p.text)
	}
	return min(n, f.size(o))
}
