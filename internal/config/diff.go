package config

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/weirhq/weir/internal/models/catalog"
)

// fact is one thing that a configuration says: how to show it, and what tells it from another. For a secret the two
// differ: its value is never shown.
type fact struct {
	show, id string
	whole    bool // stands for a named thing; its parts have paths below its own
}

// Diff says in lines for the log what differs between two configurations, sorted by place. Secrets are never shown.
func Diff(old, next *Config) []string {
	a, b := facts(old), facts(next)
	var paths []string
	for p := range a {
		paths = append(paths, p)
	}
	for p := range b {
		if _, both := a[p]; !both {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var lines []string
	var done []string // named things that came or went: their parts are not told one by one
	for _, p := range paths {
		if slices.ContainsFunc(done, func(d string) bool { return strings.HasPrefix(p, d+".") }) {
			continue
		}
		was, before := a[p]
		is, now := b[p]
		var line string
		switch {
		case !now && was.whole:
			line, done = p+" removed", append(done, p)
		case !before && is.whole:
			line, done = p+" added", append(done, p)
		case !now:
			line = fmt.Sprintf("%s: %s -> none", p, was.show)
		case !before:
			line = fmt.Sprintf("%s: none -> %s", p, is.show)
		case was.id == is.id:
			continue
		case was.show == is.show:
			line = fmt.Sprintf("%s: %s changed", p, is.show)
		default:
			line = fmt.Sprintf("%s: %s -> %s", p, was.show, is.show)
		}
		lines = append(lines, line)
	}
	return lines
}

func facts(c *Config) map[string]fact {
	out := map[string]fact{}
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Path", "Warnings", "Files": // of the reading, not of the content
		case "Models":
			catalogFacts(out, c.Models)
		default:
			walk(out, snake(name), v.Field(i))
		}
	}
	return out
}

func catalogFacts(out map[string]fact, c *catalog.Catalog) {
	for _, m := range c.Models() {
		show := fmt.Sprintf("%s, window %d, max_output %d", m.Tier, m.Window, m.MaxOutput)
		out["models."+m.ID] = fact{show: show, id: fmt.Sprintf("%+v", *m), whole: true}
	}
	for _, b := range c.Books() {
		for _, p := range c.Prices(b.ID) {
			p.Checked = "" // the day of reading, for the file's own prices
			show := fmt.Sprintf("%v", p.Rates)
			out["models."+p.Model+".price."+p.ID] = fact{show: show, id: fmt.Sprintf("%+v", p)}
		}
	}
}

// walk collects the facts of a value under a path.
func walk(out map[string]fact, path string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Secret:
		out[path] = fact{show: x.Ref(), id: fmt.Sprintf("%s %x", x.Ref(), sha256.Sum256([]byte(x.Reveal())))}
		return
	case *catalog.Model:
		if x != nil {
			out[path] = fact{show: x.ID, id: x.ID}
		}
		return
	case *time.Location:
		out[path] = fact{show: x.String(), id: x.String()}
		return
	case []byte:
		out[path] = fact{show: fmt.Sprintf("%d bytes", len(x)), id: string(x)}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			walk(out, path+"."+snake(v.Type().Field(i).Name), v.Field(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			element(out, path+"."+k.String(), v.MapIndex(k))
		}
	case reflect.Slice:
		walkList(out, path, v)
	default:
		s := fmt.Sprint(v.Interface())
		out[path] = fact{show: orEmpty(s), id: s}
	}
}

// walkList goes by the items' own names, so that a moved item is a change of order and not of everything.
func walkList(out map[string]fact, path string, v reflect.Value) {
	var order []string
	for i := range v.Len() {
		item := v.Index(i)
		if item.Kind() != reflect.Struct {
			order = append(order, fmt.Sprint(item.Interface()))
			continue
		}
		name := item.Field(0).String() // Name, Class or Node
		order = append(order, name)
		element(out, path+"."+name, item)
	}
	out[path] = fact{show: "[" + strings.Join(order, ", ") + "]", id: strings.Join(order, "\x00")}
}

func element(out map[string]fact, path string, v reflect.Value) {
	if v.Kind() == reflect.Struct {
		out[path] = fact{whole: true}
	}
	walk(out, path, v)
}

func orEmpty(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// snake writes MaxOutput as max_output and TTFT as ttft.
func snake(s string) string {
	var b strings.Builder
	upper := true // the rune before
	for _, c := range s {
		if unicode.IsUpper(c) && !upper {
			b.WriteByte('_')
		}
		upper = unicode.IsUpper(c)
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
