package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// The types below are weir.yaml's shape: the one description that decoding, defaults, the JSON Schema and the reference
// page follow. A field's tags: key (its name in the file), default, enum (a|b), need:"yes" (must be there); what it
// means stands in docs.go.
type file struct {
	At          pos
	Version     integer            `key:"version" need:"yes"`
	Listen      fileListen         `key:"listen"`
	Storage     fileStorage        `key:"storage"`
	Prices      text               `key:"prices" default:"list-2026-08"`
	Limits      fileLimits         `key:"limits"`
	Models      named[fileModel]   `key:"models"`
	Providers   named[provider]    `key:"providers" need:"yes"`
	Deployments named[deployment]  `key:"deployments" need:"yes"`
	Checks      named[fileCheck]   `key:"checks"`
	Routes      named[fileRoute]   `key:"routes" need:"yes"`
	Data        fileData           `key:"data" need:"yes"`
	UseCases    named[fileUseCase] `key:"use_cases"`
	Budgets     []fileBudget       `key:"budgets"`
}

type fileListen struct {
	At    pos
	API   text `key:"api" default:"127.0.0.1:8080"`
	Admin text `key:"admin" default:"127.0.0.1:8081"`
}

type fileStorage struct {
	At  pos
	Dir text `key:"dir" default:"./weir-data"`
}

type fileLimits struct {
	At          pos
	Body        size     `key:"body" default:"64 MiB"`
	Inflight    size     `key:"inflight" default:"256 MiB"`
	Calls       integer  `key:"calls" default:"2048"`
	Connections integer  `key:"connections" default:"4096"`
	Attempts    integer  `key:"attempts" default:"6"`
	Deadline    duration `key:"deadline" default:"300s"`
	Drain       duration `key:"drain" default:"30s"`
	Sessions    integer  `key:"sessions" default:"10000"`
}

type fileModel struct {
	At        pos
	Vendor    text      `key:"vendor"`
	Tier      text      `key:"tier" enum:"frontier|mid|open-weight|edge"`
	Layers    []integer `key:"layers"`
	Window    integer   `key:"window"`
	Effective integer   `key:"effective_window"`
	MaxOutput integer   `key:"max_output"`
	Can       words     `key:"can" enum:"vision|tools|schema|audio|documents"`
	Price     filePrice `key:"price"`
}

type filePrice struct {
	At            pos
	Input         perMillion `key:"input"`
	Output        perMillion `key:"output"`
	CacheRead     perMillion `key:"cache_read"`
	CacheWrite5m  perMillion `key:"cache_write_5m"`
	CacheWrite1h  perMillion `key:"cache_write_1h"`
	GPUHour       dollars    `key:"gpu_hour"`
	TokensPerHour integer    `key:"tokens_per_hour"`
}

type provider struct {
	At      pos
	Preset  text         `key:"preset" need:"yes"`
	URL     text         `key:"url"`
	Key     secretRef    `key:"key"`
	Hosting text         `key:"hosting" enum:"api|cloud|own"`
	Timeout fileTimeouts `key:"timeout"`
}

type fileTimeouts struct {
	At      pos
	Connect duration `key:"connect" default:"5s"`
	TTFT    duration `key:"ttft" default:"60s"`
	Idle    duration `key:"idle" default:"30s"`
}

type deployment struct {
	At       pos
	Model    text `key:"model" need:"yes"`
	Provider text `key:"provider" need:"yes"`
	Region   text `key:"region"`
	Pin      text `key:"pin" enum:"required"`
	WireID   text `key:"wire_id"`
}

type fileCheck struct {
	At         pos
	Schema     text    `key:"schema"`
	Regex      text    `key:"regex"`
	References text    `key:"references"`
	Arithmetic yesNo   `key:"arithmetic"`
	Doubt      percent `key:"doubt"`
}

type fileRoute struct {
	At       pos
	Match    words          `key:"match"`
	Mode     text           `key:"mode" default:"enforce" enum:"enforce|observe"`
	Observe  fileObserve    `key:"observe"`
	Layers   []fileLayer    `key:"layers" need:"yes"`
	OnBudget text           `key:"on_budget" default:"refuse" enum:"refuse|best_effort"`
	Stream   fileStream     `key:"stream"`
	Targets  named[percent] `key:"targets"`
	Session  fileSession    `key:"session"`
}

type fileObserve struct {
	At     pos
	Sample share `key:"sample" need:"yes"`
	Budget text  `key:"budget"`
}

type fileStream struct {
	At        pos
	Keepalive duration `key:"keepalive_after" default:"3s"`
	GiveUp    duration `key:"give_up_after" default:"120s"`
	Release   text     `key:"release" default:"accepted" enum:"accepted|prefix"`
}

type fileSession struct {
	At         pos
	Memory     duration `key:"memory" default:"1h"`
	ProbeEvery integer  `key:"probe_every" default:"10"`
	StallAfter integer  `key:"stall_after" default:"3"`
}

type fileLayer struct {
	At           pos
	Name         text    `key:"name" need:"yes"`
	Use          words   `key:"use" need:"yes"`
	MaxOutput    integer `key:"max_output"`
	Checks       words   `key:"checks"`
	Context      text    `key:"context" enum:"brief"`
	CompressWith words   `key:"compress_with"`
	BriefTokens  integer `key:"brief_tokens"`
}

type fileData struct {
	At         pos
	Unlabelled text              `key:"unlabelled" need:"yes"`
	MayReach   named[fileMayRow] `key:"may_reach" need:"yes"`
}

// fileMayRow is any, none or a set of conditions.
type fileMayRow struct {
	given
	word string
	set  fileConditions
}

type fileConditions struct {
	At      pos
	Hosting words `key:"hosting" enum:"api|cloud|own"`
	Region  words `key:"region"`
	Tier    words `key:"tier" enum:"frontier|mid|open-weight|edge"`
}

func (r *fileMayRow) decode(d *decoder, n ast.Node, what string) {
	r.at = position(n)
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		d.value(n, reflect.ValueOf(&r.set).Elem(), what)
		return
	}
	var t text
	d.leaf(n, &t, what)
	if t.is() && t.v != "any" && t.v != "none" {
		d.p.add(t.at, "write any, none or conditions such as {region: eu} or {hosting: own}", "%s: %q is no rule", what, t.v)
	}
	r.word = t.v
}

func (r *fileMayRow) shape() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"any", "none"}}, shapeOf(reflect.TypeFor[fileConditions]()),
	}}
}

type fileUseCase struct {
	At        pos
	Owner     text `key:"owner" need:"yes"`
	KPI       text `key:"kpi"`
	Stakes    text `key:"stakes" default:"medium" enum:"low|medium|high"`
	Floor     text `key:"floor"`
	Budget    text `key:"budget"`
	Oversight text `key:"oversight"`
	Review    day  `key:"review"`
}

type fileBudget struct {
	At      pos
	Node    text      `key:"node" need:"yes"`
	Limit   limit     `key:"limit" need:"yes"`
	Zone    text      `key:"zone" default:"UTC"`
	OnLimit text      `key:"on_limit" default:"refuse" enum:"refuse"`
	AlertAt []percent `key:"alert_at"`
}

// keyInfo is one key of a set, as its field's tags tell.
type keyInfo struct {
	index         int
	key, doc, def string
	enum          []string
	required      bool
}

func keysOf(t reflect.Type) []keyInfo {
	var out []keyInfo
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key, ok := tag.Lookup("key")
		if !ok {
			continue
		}
		k := keyInfo{
			index: i, key: key, doc: docs[t.Name()+"."+key], def: tag.Get("default"),
			required: tag.Get("need") == "yes",
		}
		if e := tag.Get("enum"); e != "" {
			k.enum = strings.Split(e, "|")
		}
		out = append(out, k)
	}
	return out
}

// check holds values against the enum tag.
func (k keyInfo) check(p *problems, v reflect.Value) {
	if k.enum == nil {
		return
	}
	var list []text
	switch t := v.Addr().Interface().(type) {
	case *text:
		list = []text{*t}
	case *words:
		list = t.list
	}
	for _, t := range list {
		if t.ok() && !slices.Contains(k.enum, t.v) {
			p.add(t.at, suggest(t.v, k.enum, "possible"), "%s: unknown value %q", k.key, t.v)
		}
	}
}

// applyDefaults reads the default tags of a set's keys that the file does not give, and of the sets in it.
func applyDefaults(v reflect.Value) {
	for _, k := range keysOf(v.Type()) {
		f := v.Field(k.index)
		switch to := f.Addr().Interface().(type) {
		case leaf:
			if k.def == "" || to.place().is() {
				continue
			}
			if err := to.read(k.def); err != nil {
				panic(fmt.Sprintf("default of %s: %v", k.key, err))
			}
		case custom:
		default:
			if f.Kind() == reflect.Struct {
				applyDefaults(f)
			}
		}
	}
}
