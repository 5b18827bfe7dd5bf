package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkKinds are the validators that exist.
const checkKinds = "schema, regex, references, arithmetic, doubt"

func (r *resolver) checks() {
	r.c.Checks = make(map[string]Check, len(r.f.Checks.list))
	for _, e := range r.f.Checks.list {
		v := e.v
		given := 0
		for _, is := range []bool{v.Schema.is(), v.Regex.is(), v.References.is(), v.Arithmetic.is(), v.Doubt.is()} {
			if is {
				given++
			}
		}
		if given != 1 {
			what := map[bool]string{true: "says no kind", false: "says more than one kind"}[given == 0]
			r.p.add(e.at, "a check is exactly one of "+checkKinds+"; a layer may list several checks", "check %s %s", e.name,
				what)
			continue
		}
		c := Check{
			Name: e.name, SchemaPath: v.Schema.v, Regex: v.Regex.v, References: v.References.v,
			Arithmetic: v.Arithmetic.v, Doubt: v.Doubt.v, Early: v.Regex.is() && early(v.Regex.v),
		}
		if v.Arithmetic.is() && !v.Arithmetic.v {
			r.p.add(v.Arithmetic.at, "remove the check, or write true", "check %s: arithmetic is off", e.name)
		}
		for _, t := range []text{v.Regex, v.References} {
			if !t.is() {
				continue
			}
			if _, err := regexp.Compile(t.v); err != nil {
				r.p.add(t.at, "RE2 syntax, in 'single quotes'", "check %s: %v", e.name, err)
			}
		}
		if v.Schema.is() {
			c.Schema = r.schema(e.name, v.Schema)
		}
		r.c.Checks[e.name] = c
	}
}

// schema reads a JSON Schema file and compiles it; references to other files and hosts do not resolve.
func (r *resolver) schema(check string, t text) []byte {
	path := r.path(t.v)
	data, err := readFile(path)
	if err != nil {
		r.p.add(t.at, "paths are relative to the configuration file", "check %s: schema %s: %s", check, t.v, plain(err))
		return nil
	}
	r.c.Files = append(r.c.Files, path)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		c := jsonschema.NewCompiler()
		c.UseLoader(jsonschema.SchemeURLLoader{})
		if err = c.AddResource("weir:schema", doc); err == nil {
			_, err = c.Compile("weir:schema")
		}
	}
	if err != nil {
		r.p.add(t.at, "the schema stands whole in its file: nothing is fetched", "check %s: schema %s: %s", check, t.v,
			schemaFault(err))
		return nil
	}
	return data
}

// schemaFault is the first precise line of the compiler's report.
func schemaFault(err error) string {
	why := err.Error()
	for line := range strings.Lines(why) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "- at '/") && !strings.HasSuffix(line, "failed") {
			return "not a JSON Schema: " + line[2:]
		}
	}
	first, _, _ := strings.Cut(why, "\n")
	return first
}

func (r *resolver) routes() {
	owner := map[string]string{} // name that clients ask for -> route
	for _, e := range r.f.Routes.list {
		v := e.v
		route := Route{Name: e.name, Mode: Mode(v.Mode.v), OnBudget: v.OnBudget.v, Match: []string{e.name}}
		r.claim(owner, e.name, e.name, e.at)
		for _, m := range v.Match.list {
			if !m.is() || m.v == e.name {
				continue
			}
			if r.claim(owner, m.v, e.name, m.at) {
				route.Match = append(route.Match, m.v)
			}
		}
		if len(v.Layers) == 0 && v.At.line > 0 {
			r.p.add(e.at, "add layers: [{name: top, use: [deployment]}]", "route %s has no layer", e.name)
		}
		for i := range v.Layers {
			route.Layers = append(route.Layers, r.layer(e.name, &v.Layers[i], route.Layers))
		}
		route.Sample, route.Shadows = v.Observe.Sample.v, v.Observe.Budget.v
		route.Targets = r.targets(e, route.Layers)
		route.Stream = r.stream(e.name, v.Stream, route.Layers)
		route.Session = r.session(e.name, &v.Session)
		r.c.Routes = append(r.c.Routes, route)
	}
}

// longestHold is the most that a held layer may take: clients wait for about five minutes in all.
const longestHold = 120 * time.Second

func (r *resolver) stream(route string, v fileStream, layers []Layer) Stream {
	s := Stream{KeepaliveAfter: v.Keepalive.v, GiveUpAfter: v.GiveUp.v, Prefix: v.Release.v == "prefix"}
	if s.KeepaliveAfter < 50*time.Millisecond {
		r.p.add(v.Keepalive.at, "write at least 50ms", "route %s: keepalive_after %s is too short", route, s.KeepaliveAfter)
	}
	if s.GiveUpAfter <= 0 || s.GiveUpAfter > longestHold {
		r.p.add(v.GiveUp.at, "write at most 120s: clients give up after 300s, and a cascade has several layers",
			"route %s: give_up_after %s is out of range", route, s.GiveUpAfter)
	}
	if !s.Prefix {
		return s
	}
	for _, l := range layers {
		for _, name := range l.Checks {
			if c, known := r.c.Checks[name]; known && !c.Early {
				r.p.add(v.Release.at, "a regex without $ and \\b can; or write release: accepted",
					"route %s: the beginning of an answer cannot decide check %s of layer %s", route, name, l.Name)
			}
		}
	}
	return s
}

// claim takes a name for a route. A name that an earlier pattern takes already is only warned of.
func (r *resolver) claim(owner map[string]string, name, route string, at pos) bool {
	if has, taken := owner[name]; taken {
		r.p.add(at, "a name can lead to one route only: remove it from one of them",
			"routes %s and %s both match %q", has, route, name)
		return false
	}
	for _, earlier := range r.c.Routes {
		for _, m := range earlier.Match {
			if strings.Contains(m, "*") && !strings.Contains(name, "*") && glob(m, name) {
				r.p.warn("route %s: %q goes to route %s, whose pattern %q comes first", route, name, earlier.Name, m)
			}
		}
	}
	owner[name] = route
	return true
}

// glob reports whether a pattern with * matches a name.
func glob(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return name == ""
}

func (r *resolver) layer(route string, v *fileLayer, before []Layer) Layer {
	l := Layer{
		Name: v.Name.v, MaxOutput: v.MaxOutput.v, Brief: v.Context.v == "brief", Compress: v.CompressWith.strings(),
	}
	if slices.ContainsFunc(before, func(b Layer) bool { return b.Name == l.Name && l.Name != "" }) {
		r.p.add(v.Name.at, "give each layer its own name", "route %s has two layers named %q", route, l.Name)
	}
	if v.Use.is() && len(v.Use.list) == 0 {
		r.p.add(v.Use.at, "name at least one deployment", "layer %s of route %s uses no deployment", l.Name, route)
	}
	for i, t := range v.Use.list {
		d, known := r.c.Deployments[t.v]
		switch {
		case !t.is():
			continue
		case !known:
			r.p.add(t.at, suggest(t.v, r.f.Deployments.names(), "deployments"),
				"layer %s of route %s: unknown deployment %q", l.Name, route, t.v)
		case slices.Contains(v.Use.strings()[:i], t.v):
			r.p.add(t.at, "remove one", "layer %s of route %s: deployment %q is there twice", l.Name, route, t.v)
		case d.Model != nil && l.MaxOutput > d.Model.MaxOutput:
			r.p.add(v.MaxOutput.at, "lower it, or remove it: then the model's own applies",
				"layer %s of route %s: max_output %d is more than %s of model %s can answer (%d)",
				l.Name, route, l.MaxOutput, t.v, d.Model.ID, d.Model.MaxOutput)
		}
		l.Use = append(l.Use, t.v)
	}
	for _, t := range v.Checks.list {
		if _, known := r.f.check(t.v); !known && t.is() {
			r.p.add(t.at, suggest(t.v, r.f.Checks.names(), "checks"), "layer %s of route %s: unknown check %q", l.Name, route,
				t.v)
		}
		l.Checks = append(l.Checks, t.v)
	}
	r.brief(route, v, &l)
	return l
}

// mostStalls bounds stall_after: twice as many calls of a conversation are looked at.
const mostStalls = 16

func (r *resolver) session(route string, v *fileSession) Session {
	if v.StallAfter.v > mostStalls {
		r.p.add(v.StallAfter.at, "write a number from 1 to 16", "route %s: stall_after %d is too many", route, v.StallAfter.v)
	}
	return Session{Memory: v.Memory.v, ProbeEvery: v.ProbeEvery.v, StallAfter: v.StallAfter.v}
}

func (f *file) check(name string) (fileCheck, bool) {
	i := slices.Index(f.Checks.names(), name)
	if i < 0 {
		return fileCheck{}, false
	}
	return f.Checks.list[i].v, true
}

func (r *resolver) targets(e entry[fileRoute], layers []Layer) map[string]int {
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	var out map[string]int
	sum := 0
	for _, t := range e.v.Targets.list {
		if !slices.Contains(names, t.name) {
			r.p.add(t.at, suggest(t.name, names, "layers"), "route %s: target for unknown layer %q", e.name, t.name)
			continue
		}
		if out == nil {
			out = map[string]int{}
		}
		out[t.name] = t.v.v
		sum += t.v.v
	}
	if sum > 100 {
		r.p.add(e.v.Targets.at, "shares of one whole", "route %s: its targets add up to %d%%", e.name, sum)
	}
	return out
}
