// Package identity says who calls: virtual keys, the callers they stand for, and what a caller may claim about itself.
// A key is shown once, when it is made; only its HMAC-SHA-256 under a server-side pepper is kept, so neither the store
// nor a backup of it opens the gateway. Lookup is in memory, in constant time for a known id, and a revoked key stops
// at once. It is not sign-on for people and decides nothing about data or models.
package identity

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Key is one virtual key without its secret. Immutable once stored, except for Revoked.
type Key struct {
	ID         string    // 12 characters, public: shown in lists, ledger rows and logs
	Hash       [32]byte  // HMAC-SHA-256 of the whole presented key under the pepper
	Name       string    // free words, for people
	Team       string    // whose calls these are; "" = none
	UseCase    string    // the calls' use case; "" = the caller may name one of the registry
	Routes     []string  // routes the key may ask for; empty = every route
	Floor      string    // lowest data class of its calls; "" = the policy's own default
	RawContext bool      // may name a context: brief model directly
	Created    time.Time // UTC
	Revoked    time.Time // UTC; zero = in force
}

// InForce reports whether the key opens the gateway.
func (k *Key) InForce() bool { return k.Revoked.IsZero() }

// Caller says on whose behalf a call with this key is made. What the key says wins; hints fill only what it leaves
// open:
//
//   - the team is the key's, always;
//   - a key bound to a use case serves that one: a hint that names another is an error, since it would move spending
//     and floors; a key without one takes the hint, and whoever knows the registry refuses names that are not in it;
//   - workflow, agent and session are the caller's own words, up to 200 bytes each.
//
// The error is an *llm.Error.
func (k *Key) Caller(h llm.Hints) (call.Caller, error) {
	if k.UseCase != "" && h.UseCase != "" && h.UseCase != k.UseCase {
		return call.Caller{}, &llm.Error{
			Code:    llm.CodeUnauthorized,
			Message: fmt.Sprintf("this key is bound to use case %s and cannot call for another", k.UseCase),
			Hint:    "leave x-weir-use-case out, or create a key for the other use case: weir key create --use-case NAME",
			Param:   "x-weir-use-case",
		}
	}
	for _, f := range []struct{ name, value string }{
		{"x-weir-use-case", h.UseCase},
		{"x-weir-workflow", h.Workflow},
		{"x-weir-agent", h.Agent},
		{"x-weir-session", h.Session},
	} {
		if len(f.value) > longestHint {
			return call.Caller{}, &llm.Error{
				Code: llm.CodeInvalid, Message: fmt.Sprintf("%s is longer than %d bytes", f.name, longestHint),
				Hint: "send a shorter identifier", Param: f.name,
			}
		}
	}
	c := call.Caller{
		KeyID: k.ID, Team: k.Team, UseCase: k.UseCase, RawContext: k.RawContext,
		Workflow: h.Workflow, Agent: h.Agent, Session: h.Session,
	}
	if c.UseCase == "" {
		c.UseCase = h.UseCase
	}
	return c, nil
}

// longestHint bounds what one call may write into ledger rows and metrics.
const longestHint = 200

// Store keeps keys. Implementations are safe for concurrent use.
type Store interface {
	// Add keeps a new key. An id that exists is an error.
	Add(Key) error
	// List returns every key, revoked ones too, oldest first.
	List() ([]Key, error)
	// Revoke marks a key as revoked from at on. A key already revoked keeps its first time; an unknown id is an error.
	Revoke(id string, at time.Time) error
}
