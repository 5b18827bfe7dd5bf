package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/bench/cases"
)

func TestTheLatestResultIsShownWithItsDate(t *testing.T) {
	r := results{dir: t.TempDir() + "/results"}
	kills := cases.Case{Name: "kills", About: "1,000 kills", Long: true}
	bars, err := r.latest(kills)
	if err != nil || len(bars) != 1 || bars[0].OK || bars[0].Command != "go run ./bench/show -long -only kills" {
		t.Fatalf("without a file: %+v, %v", bars, err)
	}
	day := time.Date(2026, 11, 24, 21, 0, 0, 0, time.UTC)
	for i, value := range []float64{7, 0} {
		b := cases.Bar{Name: "kills, count", Value: value, Bar: "<= 0", OK: value == 0, Command: "make kill"}
		if err := r.keep("kills", []cases.Bar{b}, day.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	want := []cases.Bar{{Name: "kills, count", Bar: "<= 0", OK: true, Command: "make kill", Date: "2026-11-24T22:00:00Z"}}
	bars, err = r.latest(kills)
	if diff := cmp.Diff(want, bars); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if bars, err = r.latest(cases.Case{Name: "fuzz"}); err != nil || bars[0].OK {
		t.Errorf("another case's file: %+v, %v", bars, err)
	}
}

func TestCasesAreChosenByName(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(cases.All) {
		t.Errorf("%d of %d, %v", len(all), len(cases.All), err)
	}
	two, err := choose("demo,binary")
	if err != nil || len(two) != 2 || two[0].Name != "demo" || two[1].Name != "binary" {
		t.Errorf("%+v, %v", two, err)
	}
	if _, err := choose("demo,no-such"); err == nil {
		t.Error("an unknown case is taken")
	}
}
