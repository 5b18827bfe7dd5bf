package cases

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
)

// The recording of word problems: where it lies below the folder of shared data, and the slice that is shipped.
const (
	sharedRecording = "data/routellm/gsm8k"
	shippedSlice    = "internal/eval/testdata/gsm8k"
)

// recordedPrices are what RouteLLM reckoned with, in dollars per 1M tokens (arXiv 2406.18665).
var recordedPrices = []string{
	"--price", "gpt-4-1106-preview=24.7", "--price", "mistralai/Mixtral-8x7B-Instruct-v0.1=0.24",
}

// evaluated is what is read of weir eval --json.
type evaluated struct {
	Sets []struct {
		Rows    int            `json:"rows"`
		LeftOut map[string]int `json:"left_out"`
		Routers []struct {
			Name   string   `json:"name"`
			Learnt bool     `json:"learnt"`
			APGR   float64  `json:"apgr"`
			CPT50  *float64 `json:"cpt50_percent"`
			CPT80  *float64 `json:"cpt80_percent"`
			Whole  struct {
				APGR  [2]float64 `json:"apgr_95"`
				CPT50 [2]float64 `json:"cpt50_95"`
			} `json:"whole_curve"`
		} `json:"routers"`
		Cascade struct {
			Strong   float64 `json:"strong_calls_percent"`
			Gap      float64 `json:"gap_recovered_percent"`
			OfStrong float64 `json:"cost_percent_of_strong"`
			PerM     string  `json:"tc_per_1m_usd"`
		} `json:"cascade"`
		Wrapper struct {
			Stripped  float64 `json:"stripped_percent"`
			Scrambled float64 `json:"scrambled_percent"`
		} `json:"wrapper"`
	} `json:"sets"`
}

// evalRuns are the ways to play a recording; their figures must be the same.
var evalRuns = [][]string{{"--wire"}, {"--wire", "--stream"}, nil}

// evaluation plays real models' recorded answers to the built binary: over the wire, streamed, and in process.
func evaluation(s *Settings) ([]Bar, error) {
	if err := s.Lab.Build(); err != nil {
		return nil, err
	}
	data, detail := filepath.Join(s.Lab.Root, shippedSlice), map[string]any{"data": "the slice of 100 rows that is shipped: rough"}
	if s.Shared != "" {
		data, detail = filepath.Join(s.Shared, sharedRecording), map[string]any{"data": "all rows of the shared recording"}
	}
	var first evaluated
	differ, slowest := 0, 0.0
	for i, flags := range evalRuns {
		began := time.Now()
		r, err := evaluate(s, data, flags...)
		if err != nil {
			return nil, err
		}
		slowest = max(slowest, time.Since(began).Seconds())
		if i == 0 {
			first = r
		} else if !reflect.DeepEqual(first, r) {
			differ++
		}
	}
	held, err := evaluate(s, data, "--part", "held")
	if err != nil {
		return nil, err
	}
	bars := first.bars(detail)
	return append(bars,
		most("eval: runs whose figures differ from those over the wire (streamed, in process), count", float64(differ), 0, nil),
		most("eval: the slowest run, seconds", slowest, 60, nil),
		report("eval: APGR on the fifth of the rows that was kept back from the design", held.Sets[0].Routers[0].APGR, held.Sets[0].Routers),
	), nil
}

func evaluate(s *Settings, data string, flags ...string) (evaluated, error) {
	var r evaluated
	args := append(append([]string{s.Lab.Bin("weir"), "eval", "--data", data, "--json"}, recordedPrices...), flags...)
	out, err := s.Lab.Output(context.Background(), nil, args...)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("weir eval --json: %w", err)
	}
	if len(r.Sets) != 1 || len(r.Sets[0].Routers) == 0 {
		return r, fmt.Errorf("weir eval found %d sets in %s", len(r.Sets), data)
	}
	return r, nil
}

// bars are the claims about what the check's grade is worth.
func (r evaluated) bars(detail map[string]any) []Bar {
	set := r.Sets[0]
	detail["rows"], detail["left_out"], detail["routers"], detail["cascade"] = set.Rows, set.LeftOut, set.Routers, set.Cascade
	doubt := set.Routers[0]
	cpt50 := 100.0
	if doubt.CPT50 != nil {
		cpt50 = *doubt.CPT50
	}
	return []Bar{
		most("eval over the wire: CPT50 of the checks on the cheap answer, percent of calls", cpt50, 20, detail),
		least("eval over the wire: APGR of the checks on the cheap answer", doubt.APGR, 0.70, nil),
		most("eval over the wire: decisions that the words around a question change, percent",
			max(set.Wrapper.Stripped, set.Wrapper.Scrambled), 5, nil),
	}
}
