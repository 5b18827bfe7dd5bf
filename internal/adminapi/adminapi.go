// Package adminapi is the control API of those who run Weir: keys, calls, usage and budgets, as JSON under /api/v1. Every
// request needs the admin token that lies in the storage folder. It edits nothing that weir.yaml owns.
package adminapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
)

// Config is what the API shows and changes.
type Config struct {
	Version string
	Token   string // the admin token; must not be empty
	Keys    *identity.Keyring
	Ledger  ledger.Reader
	Budgets *budget.Book
	Known   func(identity.Key) error // refuses a key that names what the configuration lacks
	Targets func() map[string]int    // shares aimed at, in percent, by layer name
	Probe   func(ctx context.Context, deployment string) (call.Attempt, error)
	Now     func() time.Time
	Random  io.Reader
}

// New makes the API's handler, for paths under /api/v1/.
func New(c Config) (http.Handler, error) {
	if c.Token == "" {
		return nil, errors.New("the control API needs an admin token")
	}
	mux := http.NewServeMux()
	conf := huma.DefaultConfig("Weir control API", c.Version)
	conf.OpenAPIPath, conf.DocsPath, conf.SchemasPath, conf.CreateHooks = "/api/v1/openapi", "", "", nil
	conf.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "the admin token: admin.token in storage.dir"},
	}
	conf.Security = []map[string][]string{{"token": {}}}
	api := humago.New(mux, conf)
	a := &admin{Config: c}
	a.keys(api)
	a.calls(api)
	a.usage(api)
	a.outputs(api)
	a.budgets(api)
	a.probes(api)
	return guard(c.Token, mux), nil
}

type admin struct{ Config }

// guard lets only holders of the token in.
func guard(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(shown)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"title":"Unauthorized","status":401,`+
				`"detail":"the admin token is missing or wrong; it lies in admin.token in storage.dir"}`+"\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// problem turns an error into the API's own form (RFC 9457).
func problem(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return huma.NewError(e.Status(), e.Show())
	}
	return huma.Error500InternalServerError("internal error", fmt.Errorf("the server log has the details"))
}
