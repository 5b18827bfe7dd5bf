package server

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/models/catalog"
)

func answered() gateway.Head {
	return gateway.Head{
		Target: call.Target{Model: &catalog.Model{ID: "mini", Tier: catalog.Edge}, Layer: 1}, Rule: "data.may_reach.internal",
		Class: "internal", Attempts: 2, Complete: true, Cost: 1_500_000, Overhead: 123_000,
	}
}

func TestHeadersOfAnAnswer(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &answerWriter{w: rec, stall: 1e9}
	w.Head(answered())
	want := http.Header{
		"Content-Type": {"application/json"}, "X-Weir-Model": {"mini"}, "X-Weir-Tier": {string(catalog.Edge)},
		"X-Weir-Layer": {"1"}, "X-Weir-Attempts": {"2"}, "X-Weir-Policy": {"data.may_reach.internal"},
		"X-Weir-Data-Class": {"internal"}, "X-Weir-Cost-Usd": {"0.0015"}, "X-Weir-Cost-Estimated": {"false"},
		"X-Weir-Overhead-Us": {"123"},
	}
	if diff := cmp.Diff(want, rec.Header()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	// The lists lie beside each other: one that grows must not reach into its neighbour.
	for name, values := range rec.Header() {
		_ = append(values, "more of "+name)
	}
	if diff := cmp.Diff(want, rec.Header()); diff != "" {
		t.Errorf("a list grew into another (-want +got):\n%s", diff)
	}
}

func TestMoreHeadersThanThereIsRoomFor(t *testing.T) {
	var w answerWriter
	var lists [][]string
	for i := range len(w.values) + 3 {
		lists = append(lists, w.list(strconv.Itoa(i)))
	}
	for i, l := range lists {
		if len(l) != 1 || cap(l) != 1 || l[0] != strconv.Itoa(i) {
			t.Errorf("list %d is %q", i, l)
		}
	}
}

func BenchmarkHead(b *testing.B) {
	rec, head := httptest.NewRecorder(), answered()
	b.ReportAllocs()
	for b.Loop() {
		clear(rec.Header())
		w := &answerWriter{w: rec, stall: 1e9}
		w.Head(head)
	}
}
