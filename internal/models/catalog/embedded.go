package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

//go:embed data
var data embed.FS

var embedded = sync.OnceValues(func() (*Catalog, error) {
	files, err := fs.Sub(data, "data")
	if err != nil {
		return nil, err
	}
	return read(files)
})

// Embedded is the catalogue that is part of the program: read once, shared. It panics when the embedded files are
// broken, which a test of this package rules out.
func Embedded() *Catalog {
	c, err := embedded()
	if err != nil {
		panic("embedded catalogue: " + err.Error())
	}
	return c
}

// modelFile is models.json.
type modelFile struct {
	Models []modelRow `json:"models"`
}

type modelRow struct {
	ID            string   `json:"id"`
	Vendor        string   `json:"vendor"`
	Tier          Tier     `json:"tier"`
	Layers        []int    `json:"layers"`
	Intelligences []string `json:"intelligences"`
	Window        int      `json:"window"`
	Windows       []Claim  `json:"windows"`
	Effective     int      `json:"effective_window"` // 0 = by the rule
	MaxOutput     int      `json:"max_output"`
	Can           []string `json:"can"`
	SelfHosted    bool     `json:"self_hosted"`
	FixedSampling bool     `json:"fixed_sampling"`
	Lifecycle     string   `json:"lifecycle"`
	Sunset        string   `json:"sunset"`
	Wire          []WireID `json:"wire"`
	Note          string   `json:"note"`
}

// bookFile is one file of books/.
type bookFile struct {
	ID     string     `json:"id"`
	Title  string     `json:"title"`
	Source string     `json:"source"`
	Date   string     `json:"date"`
	Note   string     `json:"note"`
	Prices []priceRow `json:"prices"`
}

// priceRow holds rates as list prices: dollars per 1M tokens, as decimal text.
type priceRow struct {
	Model         string `json:"model"`
	From          string `json:"from"`
	Above         int64  `json:"above"`
	Input         string `json:"input"`
	Output        string `json:"output"`
	CacheRead     string `json:"cache_read"`
	CacheWrite5m  string `json:"cache_write_5m"`
	CacheWrite1h  string `json:"cache_write_1h"`
	GPUHourUSD    string `json:"gpu_hour_usd"`
	TokensPerHour int64  `json:"tokens_per_hour"`
	Source        string `json:"source"`
	Checked       string `json:"checked"`
	Note          string `json:"note"`
}

// read makes a catalogue from models.json and books/*.json. Unknown members are errors.
func read(files fs.FS) (*Catalog, error) {
	var mf modelFile
	if err := readJSON(files, "models.json", &mf); err != nil {
		return nil, err
	}
	models := make([]Model, 0, len(mf.Models))
	for _, r := range mf.Models {
		m, err := r.model()
		if err != nil {
			return nil, fmt.Errorf("models.json: %w", err)
		}
		models = append(models, m)
	}
	names, err := fs.Glob(files, "books/*.json")
	if err != nil {
		return nil, err
	}
	base, prices := &Catalog{}, []Price(nil)
	for _, name := range names {
		var bf bookFile
		if err := readJSON(files, name, &bf); err != nil {
			return nil, err
		}
		base.books = append(base.books, Book{bf.ID, bf.Title, bf.Source, bf.Date, bf.Note})
		for _, r := range bf.Prices {
			p, err := r.price(bf.ID)
			if err != nil {
				return nil, fmt.Errorf("%s: model %s: %w", name, r.Model, err)
			}
			prices = append(prices, p)
		}
	}
	return base.With(models, prices)
}

func readJSON(files fs.FS, name string, into any) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r modelRow) model() (Model, error) {
	can, err := Capabilities(r.Can)
	if err != nil {
		return Model{}, fmt.Errorf("model %s: %w", r.ID, err)
	}
	m := Model{
		ID: r.ID, Vendor: r.Vendor, Tier: r.Tier, Layers: r.Layers, Intelligences: r.Intelligences,
		Window: r.Window, EffectiveWindow: r.Effective, MaxOutput: r.MaxOutput, Can: can, SelfHosted: r.SelfHosted,
		FixedSampling: r.FixedSampling,
		Lifecycle:     r.Lifecycle, Sunset: r.Sunset, Wire: r.Wire, Windows: r.Windows, Note: r.Note,
	}
	if m.EffectiveWindow == 0 {
		m.EffectiveWindow = Effective(m.Window)
	}
	return m, nil
}

// CapabilityNames are the words that Capabilities reads.
func CapabilityNames() []string { return []string{"vision", "tools", "schema", "audio", "documents"} }

// Capabilities reads capability words.
func Capabilities(words []string) (llm.Needs, error) {
	var n llm.Needs
	for _, w := range words {
		switch w {
		case "vision":
			n.Vision = true
		case "tools":
			n.Tools = true
		case "schema":
			n.Schema = true
		case "audio":
			n.Audio = true
		case "documents":
			n.Documents = true
		default:
			return n, fmt.Errorf("unknown capability %q: one of %v", w, CapabilityNames())
		}
	}
	return n, nil
}

func (r priceRow) price(book string) (Price, error) {
	p := Price{
		Book: book, Model: r.Model, Above: r.Above, Rates: map[money.Meter]money.Pico{},
		Source: r.Source, Checked: r.Checked, Note: r.Note, TokensPerHour: r.TokensPerHour,
	}
	if r.From != "" {
		at, err := time.Parse(time.DateOnly, r.From)
		if err != nil {
			return p, fmt.Errorf("from: %w", err)
		}
		p.From = at
	}
	if r.GPUHourUSD != "" {
		return r.allocated(p)
	}
	for _, x := range []struct {
		meter money.Meter
		rate  string
	}{
		{money.Input, r.Input},
		{money.Output, r.Output},
		{money.CacheRead, r.CacheRead},
		{money.CacheWrite5m, r.CacheWrite5m},
		{money.CacheWrite1h, r.CacheWrite1h},
	} {
		if x.rate == "" {
			continue
		}
		rate, err := money.ParseRate(x.rate)
		if err != nil {
			return p, fmt.Errorf("%s: %w", x.meter, err)
		}
		p.Rates[x.meter] = rate
	}
	return p, nil
}

func (r priceRow) allocated(p Price) (Price, error) {
	hour, err := money.ParseUSD(r.GPUHourUSD)
	if err != nil {
		return p, fmt.Errorf("gpu_hour_usd: %w", err)
	}
	if r.TokensPerHour <= 0 {
		return p, fmt.Errorf("gpu_hour_usd needs tokens_per_hour above 0")
	}
	rate := Allocate(hour, r.TokensPerHour)
	p.Allocated, p.GPUHour = true, hour
	p.Rates[money.Input], p.Rates[money.Output] = rate, rate
	return p, nil
}
