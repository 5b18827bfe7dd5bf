package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// The two models, as weir.yaml names them.
const (
	cheap  = "mixtral-8x7b"
	strong = "gpt-4-1106-preview"
)

// question is one word problem with what each model answered to it, and whether that was right.
type question struct {
	Prompt  string             `json:"prompt"`
	Answers map[string]verdict `json:"answers"` // by model
}

type verdict struct {
	Text    string `json:"text"`
	Correct bool   `json:"correct"`
}

// questions reads all of the recording, or the slice.
func (o options) questions() ([]question, error) {
	if o.shared == "" {
		return readSlice(filepath.Join(o.here, "testdata", "gsm8k-100.jsonl"))
	}
	return readCSV(filepath.Join(o.shared, "data", "routellm", "gsm8k", "gsm8k_responses.csv"))
}

// header is RouteLLM's.
var header = []string{
	"prompt", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview",
	"mistralai/Mixtral-8x7B-Instruct-v0.1_response", "gpt-4-1106-preview_response",
}

// readCSV reads RouteLLM's recording.
func readCSV(path string) ([]question, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	in := csv.NewReader(f)
	in.FieldsPerRecord = len(header)
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	if len(rows) < 2 {
		return nil, errors.New("the recording has no rows")
	}
	for i, name := range header {
		if rows[0][i] != name {
			return nil, fmt.Errorf("column %d of the recording is %q, not %q", i+1, rows[0][i], name)
		}
	}
	var all []question
	for i, r := range rows[1:] {
		for _, c := range r[1:3] {
			if c != "True" && c != "False" {
				return nil, fmt.Errorf("row %d of the recording says %q where True or False must stand", i+1, c)
			}
		}
		all = append(all, question{Prompt: r[0], Answers: map[string]verdict{
			cheap: {r[3], r[1] == "True"}, strong: {r[4], r[2] == "True"},
		}})
	}
	return all, nil
}

// readSlice reads questions as JSON lines.
func readSlice(path string) ([]question, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the questions: %w", err)
	}
	var all []question
	for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var q question
		if err := json.Unmarshal(line, &q, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("line %d of the questions: %w", i+1, err)
		}
		if q.Prompt == "" || len(q.Answers) != 2 {
			return nil, fmt.Errorf("line %d of the questions lacks a prompt or an answer of each model", i+1)
		}
		all = append(all, q)
	}
	return all, nil
}

// spread takes n questions at even distances, by their place alone.
func spread(all []question, n int) []question {
	out := make([]question, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// jsonl writes values as JSON lines.
func jsonl[T any](values []T) ([]byte, error) {
	var b bytes.Buffer
	for _, v := range values {
		line, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("write JSON lines: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes(), nil
}

// recorded is one line of what weir sim --answers reads.
type recorded struct {
	Prompt string `json:"prompt"`
	Model  string `json:"model"`
	Answer string `json:"answer"`
}

// record writes every answer for weir sim.
func record(all []question) ([]byte, error) {
	lines := make([]recorded, 0, 2*len(all))
	for _, q := range all {
		for _, model := range []string{cheap, strong} {
			lines = append(lines, recorded{q.Prompt, model, q.Answers[model].Text})
		}
	}
	return jsonl(lines)
}
