package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/store/sqlite"
)

// form is what decides whether a ledger written before still fits.
var form = []string{
	"internal/store/sqlite/migrations/*/*.sql", "internal/store/sqlite/words.go", "internal/store/sqlite/dims.go",
	"internal/store/sqlite/lines.go", "bench/lab/filled.go",
}

// Filled is a fresh folder whose ledger has rows already, all of the budget and the use case that calls are measured
// with. The first time it is written, which takes a while; then it is copied from the user's cache.
func (l *Lab) Filled(rows int) (dir string, err error) {
	cache, err := l.cached(rows)
	if err != nil {
		return "", err
	}
	if dir, err = l.Folder(); err != nil {
		return "", err
	}
	return dir, os.CopyFS(filepath.Join(dir, "data"), os.DirFS(cache))
}

func (l *Lab) cached(rows int) (string, error) {
	h := sha256.New()
	for _, pattern := range form {
		names, err := filepath.Glob(filepath.Join(l.Root, pattern))
		if err != nil || len(names) == 0 {
			return "", fmt.Errorf("no file %s: %w", pattern, errors.Join(err, os.ErrNotExist))
		}
		for _, name := range names {
			if err := hash(h, name); err != nil {
				return "", err
			}
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "weir-bench")
	dir := filepath.Join(home, fmt.Sprintf("ledger-%d-%x", rows, h.Sum(nil)[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	old, err := filepath.Glob(filepath.Join(home, fmt.Sprintf("ledger-%d-*", rows)))
	if err != nil {
		return "", err
	}
	for _, o := range old { // of another form: nobody will use them again
		if err := os.RemoveAll(o); err != nil {
			return "", err
		}
	}
	l.Say("writing a ledger of %d rows; kept in %s for the next time", rows, home)
	draft, err := l.Folder()
	if err != nil {
		return "", err
	}
	if err := fill(draft, rows); err != nil {
		return "", fmt.Errorf("fill a ledger: %w", err)
	}
	if err := os.CopyFS(dir+".part", os.DirFS(draft)); err != nil {
		return "", err
	}
	return dir, os.Rename(dir+".part", dir)
}

func hash(w io.Writer, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// fill writes rows in big batches, the latest a minute ago and each 50 ms after the one before.
func fill(dir string, rows int) error {
	st, err := sqlite.Open(dir)
	if err != nil {
		return err
	}
	model, ok := catalog.Embedded().Model(Model)
	if !ok {
		return errors.Join(fmt.Errorf("the catalogue has no %s", Model), st.Close())
	}
	const size, apart = 5000, 50 * time.Millisecond
	first := time.Now().UTC().Add(-time.Minute - time.Duration(rows)*apart)
	for at := 0; at < rows; at += size {
		b := ledger.Batch{Entries: make([]ledger.Entry, min(size, rows-at))}
		for i := range b.Entries {
			t := first.Add(time.Duration(at+i) * apart)
			b.Entries[i] = ledger.Entry{LSN: ledger.LSN(at + i + 1), Booked: t.Truncate(time.Millisecond), Attempt: sample(model, at+i, t)}
		}
		if err := st.Append(&b); err != nil {
			return errors.Join(err, st.Close())
		}
	}
	return errors.Join(st.Append(&ledger.Batch{Mark: ledger.Clean}), st.Close())
}

// sample is an attempt as a call of the benchmark leaves it.
func sample(m *catalog.Model, n int, at time.Time) call.Attempt {
	u := llm.Usage{Input: 250, Output: 180}
	lines := []money.Line{money.NewLine(money.Input, u.Input, 5_000_000), money.NewLine(money.Output, u.Output, 30_000_000)}
	var id call.OpID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], uint64(n+1)*0x9E3779B97F4A7C15)
	return call.Attempt{
		Facts: call.Facts{
			ID:     id,
			Caller: call.Caller{KeyID: "k7d2f0a91b3c", Team: UseCase, UseCase: UseCase, Session: fmt.Sprintf("s-%d", n%5000)},
			Class:  call.NewClass(1, "internal"), Route: "bench", Dialect: llm.OpenAI, Start: at,
		},
		N: 1,
		Order: call.Order{
			Purpose: call.Answer, Prompt: 300, MaxOut: 200, N: 1,
			Target: call.Target{
				Deployment: "only", Provider: "upstream", Dialect: llm.OpenAI, WireID: Model, Model: m, Hosting: call.API,
				Region: "eu", Layer: 1, LayerName: "only",
			},
		},
		Rule: "data.may_reach.internal", Served: "null-1", Fingerprint: "fp_bench", Usage: u, Lines: lines, Cost: money.Sum(lines),
		Held: 7_500_000, Budget: Node, Baseline: money.Sum(lines), PriceRow: "list-2026-08/" + Model,
		Clocks: call.Clocks{
			Sent: 100 * time.Microsecond, ProviderTTF: time.Duration(150+n%400) * time.Millisecond,
			FirstByte: time.Duration(151+n%400) * time.Millisecond, Accepted: time.Duration(151+n%400) * time.Millisecond,
			End: time.Duration(900+n%900) * time.Millisecond,
		},
		Outcome: call.OK, Settlement: call.Settled, Verdict: call.Verdict{Result: call.Accepted, Final: true},
	}
}
