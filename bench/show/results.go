package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/bench/cases"
)

// results are files of figures that took long to measure, named CASE-DATE.json.
type results struct{ dir string }

// kept is one such file.
type kept struct {
	Case string      `json:"case"`
	Date string      `json:"date"` // RFC 3339, UTC
	Bars []cases.Bar `json:"bars"`
}

// keep writes a file.
func (r results) keep(name string, bars []cases.Bar, now time.Time) error {
	date := now.UTC().Format(time.RFC3339)
	b, err := json.Marshal(kept{name, date, bars}, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil { //nolint:gosec // figures are for everyone
		return err
	}
	path := filepath.Join(r.dir, name+"-"+now.UTC().Format("20060102T150405Z")+".json")
	return os.WriteFile(path, append(b, '\n'), 0o644) //nolint:gosec // as above
}

// latest reads a case's newest file; without one the bar is not held.
func (r results) latest(c cases.Case) ([]cases.Bar, error) {
	names, err := filepath.Glob(filepath.Join(r.dir, c.Name+"-*.json"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return []cases.Bar{{
			Name: c.Name + ": " + c.About, Bar: "measured", Command: "go run ./bench/show -long -only " + c.Name,
			Detail: "not measured yet",
		}}, nil
	}
	name := slices.Max(names)
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range k.Bars {
		k.Bars[i].Date = k.Date
	}
	return k.Bars, nil
}
