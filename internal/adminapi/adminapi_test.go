package adminapi

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
)

var update = flag.Bool("update", false, "write golden files anew")

const token = "t0ken-of-this-test"

var noon = time.Date(2026, 8, 30, 12, 0, 0, 0, time.UTC)

// keys is a key store that holds nothing from before and can fail.
type keys struct{ broken error }

func (k *keys) Add(identity.Key) error         { return k.broken }
func (*keys) List() ([]identity.Key, error)    { return nil, nil }
func (k *keys) Revoke(string, time.Time) error { return k.broken }

// rows is a ledger of a few attempts that can fail.
type rows struct {
	entries []ledger.Entry
	broken  error
}

func (r *rows) Entries(_ context.Context, id call.OpID) ([]ledger.Entry, error) {
	var out []ledger.Entry
	for _, e := range r.entries {
		if e.Attempt.Facts.ID == id {
			out = append(out, e)
		}
	}
	return out, r.broken
}

func (r *rows) Scan(_ context.Context, _ ledger.Window, each func(*ledger.Entry) error) error {
	for i := range r.entries {
		if err := each(&r.entries[i]); err != nil {
			return err
		}
	}
	return r.broken
}

func (r *rows) Adjustments(context.Context) ([]ledger.Adjustment, error) { return nil, r.broken }

func (r *rows) Counters(context.Context) (map[string]money.Nano, ledger.LSN, error) {
	return nil, 0, r.broken
}

// disk is a ledger that has every ceiling on disk at once.
type disk struct{}

func (disk) Raise(string, ledger.Period, money.Nano) ledger.LSN { return 1 }
func (disk) Durable(context.Context, ledger.LSN) error          { return nil }
func (disk) Spent(string, ledger.Period) (money.Nano, error)    { return 250_000_000, nil }

// house is an API with all that stands behind it.
type house struct {
	t      *testing.T
	keys   keys
	rows   rows
	probed error
	api    http.Handler
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t}
	ring, err := identity.NewKeyring(&h.keys, bytes.Repeat([]byte("p"), 32))
	if err != nil {
		t.Fatal(err)
	}
	book, err := budget.New(budget.Config{
		Nodes:  []budget.Node{{Name: "use-case/invoices", Limit: 5 * money.USD}},
		NodeOf: func(call.Facts) string { return "" },
	}, disk{}, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	h.api, err = New(Config{
		Version: "1.0.0", Token: token, Keys: ring, Ledger: &h.rows, Budgets: book,
		Known: func(k identity.Key) error {
			if k.UseCase == "unheard-of" {
				return &llm.Error{
					Code: llm.CodeInvalid, Message: "unknown use case unheard-of", Hint: "add it to weir.yaml",
					Err: errors.New("a cause for the log"),
				}
			}
			return nil
		},
		Targets: func() map[string]int { return map[string]int{"first": 80} },
		Probe: func(_ context.Context, deployment string) (call.Attempt, error) {
			return call.Attempt{Served: deployment + "-001", Cost: 7}, h.probed
		},
		Now: func() time.Time { return noon }, Random: bytes.NewReader(bytes.Repeat([]byte{7}, 1<<10)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask makes a request with the token.
func (h *house) ask(method, path, body string) (status int, answer string) {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.api.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestOpenAPIDocument(t *testing.T) {
	status, got := open(t).ask(http.MethodGet, "/api/v1/openapi.json", "")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, got)
	}
	doc := jsontext.Value(got)
	if err := doc.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	text := string(doc) + "\n"
	path := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("the document changed; if that is meant, run with -update (-want +got):\n%s", diff)
	}
}

func TestGuard(t *testing.T) {
	h := open(t)
	for name, tt := range map[string]struct {
		auth string
		want int
	}{
		"the token":            {"Bearer " + token, http.StatusOK},
		"scheme in lower case": {"bearer " + token, http.StatusOK},
		"nothing":              {"", http.StatusUnauthorized},
		"scheme only":          {"Bearer ", http.StatusUnauthorized},
		"bare token":           {token, http.StatusUnauthorized},
		"another scheme":       {"Basic " + token, http.StatusUnauthorized},
		"a prefix":             {"Bearer " + token[:len(token)-1], http.StatusUnauthorized},
		"more than the token":  {"Bearer " + token + "x", http.StatusUnauthorized},
		"in capitals":          {"Bearer " + strings.ToUpper(token), http.StatusUnauthorized},
		"two tokens":           {"Bearer x " + token, http.StatusUnauthorized},
	} {
		for _, path := range []string{"/api/v1/keys", "/api/v1/openapi.json"} {
			t.Run(name+path, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				if tt.auth != "" {
					r.Header.Set("Authorization", tt.auth)
				}
				w := httptest.NewRecorder()
				h.api.ServeHTTP(w, r)
				if w.Code != tt.want {
					t.Fatalf("status %d, want %d: %s", w.Code, tt.want, w.Body)
				}
				if tt.want == http.StatusUnauthorized {
					refused(t, w)
				}
			})
		}
	}
}

func refused(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Header().Get("WWW-Authenticate") != "Bearer" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("header %v", w.Header())
	}
	if p := problemOf(t, w.Body.String()); p.Status != w.Code || !strings.Contains(p.Detail, "admin.token") {
		t.Errorf("problem %+v", p)
	}
	if strings.Contains(w.Body.String(), token) {
		t.Error("the refusal shows the token")
	}
}

func TestNoTokenNoAPI(t *testing.T) {
	if api, err := New(Config{Version: "1"}); err == nil || api != nil {
		t.Errorf("an API without a token opened: %v", err)
	}
}

// problemDoc is what RFC 9457 says of an error.
type problemDoc struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func problemOf(t *testing.T, body string) problemDoc {
	t.Helper()
	var p problemDoc
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v: %q", err, body)
	}
	return p
}

func TestProblems(t *testing.T) {
	disk := fmt.Errorf("open /var/lib/weir/ledger.db: %w", os.ErrPermission)
	id := strings.Repeat("0a", 16)
	for _, tt := range []struct {
		name               string
		method, path, body string
		spoil              func(*house)
		status             int
		detail             string
	}{
		{
			"our own error: its status, message and hint", http.MethodPost, "/api/v1/keys", `{"name":"a","use_case":"unheard-of"}`,
			nil, http.StatusBadRequest, "unknown use case unheard-of (add it to weir.yaml)",
		},
		{
			"a stranger's error: no detail", http.MethodPost, "/api/v1/keys", `{"name":"a"}`,
			func(h *house) { h.keys.broken = disk }, http.StatusInternalServerError, "internal error",
		},
		{"no such key", http.MethodDelete, "/api/v1/keys/none", "", nil, http.StatusBadRequest, `there is no key "none"`},
		{"key without a name", http.MethodPost, "/api/v1/keys", `{}`, nil, http.StatusUnprocessableEntity, "validation failed"},
		{
			"misspelt member", http.MethodPost, "/api/v1/keys", `{"name":"a","usecase":"b"}`,
			nil, http.StatusUnprocessableEntity, "validation failed",
		},
		{"no call id", http.MethodGet, "/api/v1/calls/7", "", nil, http.StatusUnprocessableEntity, "want 32 hex digits"},
		{"unknown call", http.MethodGet, "/api/v1/calls/" + id, "", nil, http.StatusNotFound, "the ledger has no call " + id},
		{
			"ledger that cannot be read", http.MethodGet, "/api/v1/calls/" + id, "",
			func(h *house) { h.rows.broken = disk }, http.StatusInternalServerError, "internal error",
		},
		{"unknown grouping", http.MethodGet, "/api/v1/usage?by=colour", "", nil, http.StatusUnprocessableEntity, "validation failed"},
		{"time without a zone", http.MethodGet, "/api/v1/usage?since=2026-08-01", "", nil, http.StatusUnprocessableEntity, "validation failed"},
		{
			"usage of a ledger that cannot be read", http.MethodGet, "/api/v1/usage", "",
			func(h *house) { h.rows.broken = disk }, http.StatusInternalServerError, "internal error",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := open(t)
			if tt.spoil != nil {
				tt.spoil(h)
			}
			status, body := h.ask(tt.method, tt.path, tt.body)
			if status != tt.status {
				t.Fatalf("status %d, want %d: %s", status, tt.status, body)
			}
			if p := problemOf(t, body); p.Status != tt.status || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("problem %+v, want %q", p, tt.detail)
			}
			if strings.Contains(body, "/var/lib") || strings.Contains(body, "for the log") {
				t.Errorf("the problem shows what is for the log only: %s", body)
			}
		})
	}
}
