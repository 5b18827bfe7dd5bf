package config

import (
	_ "embed" // presets.yaml
	"slices"
	"sync"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Preset is a known kind of endpoint.
type Preset struct {
	Name       string
	Dialect    llm.Dialect
	URL        string // base URL without a trailing slash; "" = the file must give one
	AuthHeader string // header that carries the credential
	AuthPrefix string // what stands before it there, e.g. "Bearer "
	OutputKey  string // OpenAI dialect: max_tokens or max_completion_tokens; "" elsewhere
	Env        []string
	Hosting    call.Hosting
	AnyName    bool     // serves one model under whatever name: the catalogue id will do
	Names      []string // what clients of this vendor ask for, patterns with *
}

type presetFile struct {
	At      pos
	Presets named[presetRow] `key:"presets" need:"yes"`
}

type presetRow struct {
	At         pos
	Dialect    text  `key:"dialect" need:"yes" enum:"openai|anthropic|gemini"`
	URL        text  `key:"url"`
	AuthHeader text  `key:"auth_header" need:"yes"`
	AuthPrefix text  `key:"auth_prefix"`
	OutputKey  text  `key:"output_key" enum:"max_tokens|max_completion_tokens"`
	Env        words `key:"env"`
	Hosting    text  `key:"hosting" default:"api" enum:"api|cloud|own"`
	AnyName    yesNo `key:"any_name"`
	Names      words `key:"names"`
}

//go:embed presets.yaml
var presetData []byte

var presets = sync.OnceValue(func() []Preset {
	var f presetFile
	var p problems
	decode(presetData, &f, &p)
	if err := p.err("presets.yaml", presetData); err != nil {
		panic(err)
	}
	out := make([]Preset, 0, len(f.Presets.list))
	for _, e := range f.Presets.list {
		r := e.v
		one := Preset{
			Name: e.name, Dialect: llm.Dialect(r.Dialect.v), URL: r.URL.v, AuthHeader: r.AuthHeader.v,
			AuthPrefix: r.AuthPrefix.v, OutputKey: r.OutputKey.v, Env: r.Env.strings(),
			Hosting: call.Hosting(r.Hosting.v), AnyName: r.AnyName.v, Names: r.Names.strings(),
		}
		if one.Dialect == llm.OpenAI && one.OutputKey == "" {
			one.OutputKey = "max_tokens"
		}
		out = append(out, one)
	}
	return out
})

// Presets lists the known kinds of endpoints.
func Presets() []Preset { return slices.Clone(presets()) }

func presetNamed(name string) (Preset, bool) {
	i := slices.IndexFunc(presets(), func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return presets()[i], true
}

func presetNames() []string {
	var out []string
	for _, p := range presets() {
		out = append(out, p.Name)
	}
	return out
}
