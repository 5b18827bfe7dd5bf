package eval

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// promptNames are what a column or member with the question may be called.
var promptNames = []string{"prompt", "question", "query", "input"}

// beside are how columns are called that tell more of a model than its grade, after the model's name.
var beside = []struct{ suffix, what string }{
	{"_response", "text"},
	{"|model_response", "text"},
	{"_answer", "text"},
	{" response", "text"},
	{"|total_cost", "cost"},
	{"_cost", "cost"},
}

// table is which column of a CSV file is what.
type table struct {
	prompt int
	grades map[string]int // by model
	texts  map[string]int
}

// csv reads a table with a column for the question and, for each model, one of grades; its answers may stand in another
// column, named like the model's with an ending.
func (r *reader) csv(folder, name string, f *os.File) error {
	in := csv.NewReader(f)
	in.ReuseRecord = false
	all, err := in.ReadAll()
	if errors.Is(err, io.EOF) || err == nil && len(all) < 2 {
		r.not(name, "no rows")
		return nil
	}
	if err != nil {
		return err
	}
	t := tableOf(all[0], all[1:])
	switch {
	case t.prompt < 0:
		r.not(name, "no column named "+strings.Join(promptNames, ", "))
		return nil
	case len(t.grades) == 0:
		r.not(name, "no column that says of every row whether an answer is right (True or False, or 0 to 1)")
		return nil
	case len(t.grades) == 1:
		for model := range t.grades {
			r.not(name, "answers of one model only, "+model)
		}
		return nil
	}
	var models []string
	for m := range t.grades {
		models = append(models, m)
	}
	rows := make([]Row, 0, len(all)-1)
	for _, rec := range all[1:] {
		rows = append(rows, t.row(rec))
	}
	r.add(folder, name, models, rows)
	return nil
}

func (t table) row(rec []string) Row {
	row := Row{Prompt: valid(rec[t.prompt]), Answers: map[string]Answer{}}
	for model, c := range t.grades {
		g, ok := gradeOf(rec[c])
		if !ok {
			continue
		}
		a := Answer{Grade: g}
		if at, has := t.texts[model]; has {
			a.Text, a.Said = valid(rec[at]), true
		}
		row.Answers[model] = a
	}
	return row
}

// valid replaces what is no UTF-8, as it could go into no request.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// tableOf finds out which column is what from the names and from what stands in the columns.
func tableOf(head []string, rows [][]string) table {
	t := table{prompt: -1, grades: map[string]int{}, texts: map[string]int{}}
	for _, name := range promptNames {
		if t.prompt < 0 {
			t.prompt = slices.IndexFunc(head, func(h string) bool { return strings.EqualFold(h, name) })
		}
	}
	for c, name := range head {
		if c == t.prompt || name == "" || besideAnother(head, name) || !grades(rows, c) {
			continue
		}
		t.grades[name] = c
		for _, b := range beside {
			if at := slices.Index(head, name+b.suffix); at >= 0 && b.what == "text" {
				t.texts[name] = at
				break
			}
		}
	}
	return t
}

// besideAnother reports whether a column tells more of a model that has a column of its own.
func besideAnother(head []string, name string) bool {
	return slices.ContainsFunc(beside, func(b struct{ suffix, what string }) bool {
		model, ok := strings.CutSuffix(name, b.suffix)
		return ok && slices.Contains(head, model)
	})
}

// grades reports whether a column holds nothing but grades, and any.
func grades(rows [][]string, c int) bool {
	found := false
	for _, rec := range rows {
		if rec[c] == "" {
			continue
		}
		if _, ok := gradeOf(rec[c]); !ok {
			return false
		}
		found = true
	}
	return found
}

// gradeOf reads True, False or a number from 0 to 1.
func gradeOf(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true":
		return 1, true
	case "false":
		return 0, true
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && v >= 0 && v <= 1
}
