package compress

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

// bulk are requests of about so many bytes, by what they are made of.
func bulk(rows []nqRow, size int) map[string]*llm.Request {
	var prose, mixed, table, log, object strings.Builder
	for i := 0; prose.Len() < size; i++ {
		fmt.Fprintf(&prose, "%s Copy %d.\n\n", rows[i%len(rows)].passage(i), i)
	}
	for i := 0; mixed.Len() < size; i++ {
		fmt.Fprintf(&mixed, "%s\n\nPO-%d;%d.00 EUR;2026-01-%02d\n\n", rows[i%len(rows)].passage(i), i, i, i%28+1)
	}
	table.WriteString("order;supplier;amount;due\n")
	for i := 0; table.Len() < size; i++ {
		fmt.Fprintf(&table, "PO-%d;Supplier %d;%d.50 EUR;2026-01-%02d\n", 7000+i, i%90, 100+i, i%28+1)
	}
	for i := 0; log.Len() < size; i++ {
		level := map[bool]string{true: "ERROR", false: "INFO"}[i%400 == 17]
		fmt.Fprintf(&log, "2026-11-24T10:%02d:%02d.%03dZ %s worker-%d request %d of tenant %d took %d ms\n", i/60%60, i%60, i%1000,
			level, i%8, i, i%31, i%977)
	}
	object.WriteString(`{"orders":[`)
	for i := 0; object.Len() < size; i++ {
		fmt.Fprintf(&object, `{"id":"PO-%d","supplier":{"name":"Supplier %d","city":"Bremen"},"amount":%d.5,"note":"delivered in part"},`,
			7000+i, i%90, 100+i)
	}
	object.WriteString(`{}]}`)
	out := map[string]*llm.Request{}
	for name, doc := range map[string]string{
		"prose": prose.String(), "mixed": mixed.String(), "table": table.String(), "log": log.String(), "json": object.String(),
	} {
		question := rows[0].Question + "? And what of PO-7213, worker-3 and request 817?"
		out[name] = &llm.Request{Messages: []llm.Message{say(llm.User, doc, question)}}
	}
	return out
}

// peakOf runs a function and returns how long it took and how much more memory was live meanwhile, in bytes. The collector
// runs often, so that little of it is garbage.
func peakOf(do func()) (took time.Duration, peak uint64) {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	base := read()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				peak = max(peak, read())
				runtime.Gosched()
			}
		}
	}()
	began := time.Now()
	do()
	took = time.Since(began)
	close(stop)
	<-ended
	return took, peak - min(peak, base)
}

// leastPeakOf repeats peakOf and returns the least of each: what else runs only adds.
func leastPeakOf(times int, do func()) (took time.Duration, peak uint64) {
	took, peak = peakOf(do)
	for range times - 1 {
		t, p := peakOf(do)
		took, peak = min(took, t), min(peak, p)
	}
	return took, peak
}

func TestALongContextTakesLittleMemory(t *testing.T) {
	rows := readNQ(t, "testdata/nq/nq-30.jsonl")
	for name, req := range bulk(rows, 600_000) {
		_, peak := leastPeakOf(5, func() {
			if _, err := Extract(req, Options{}); err != nil {
				t.Error(err)
			}
		})
		if peak > 4*600_000 { // 3 where nothing else runs: see the measuring test
			t.Errorf("%s: %.1f times the request beside it, want 4 at most", name, float64(peak)/600_000)
		}
	}
}
