// Package session remembers what a conversation must not lose when models change: which model wrote the open tool loop,
// at which layer the last answers were good, which providers still hold its beginning in their caches, and whether the
// agent goes in circles. From that it decides, for each call, where the cascade starts, in which order it tries the
// targets, and which signed pieces are foreign to a target.
//
// It sends nothing, reads no clock and knows no dialect: requests come as spans that a scan found, time is handed in.
//
// Invariants: a session belongs to one key, and no name or content that another key sends reaches it. What is kept is
// bounded, per session and in all; the session that was used longest ago goes first. The same calls at the same times
// give the same decisions.
package session

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// ID names a session.
type ID struct {
	key, route string
	named      bool
	sum        [16]byte
}

// Writer is what can read a signed piece: a model at a provider's endpoint, with the organisation's credential.
type Writer struct{ Endpoint, Model string }

// WriterOf is who answers at a target.
func WriterOf(t call.Target) Writer {
	w := Writer{Endpoint: t.Endpoint}
	if t.Model != nil {
		w.Model = t.Model.ID
	}
	return w
}

// Signed is a piece of a request that only its writer can read.
type Signed = llm.Signed

// Rules are a route's settings. The zero value remembers nothing.
type Rules struct {
	Memory     time.Duration // how long an idle session is kept; 0 = no sessions
	ProbeEvery int           // user turns that went well before a lower layer is tried again; 0 = never
	StallAfter int           // repetitions of a tool call, of the last twice as many, that are a stall; 0 = never
}

// Layer is one layer that a call may use.
type Layer struct {
	Number  int  // in the route, from 1
	Held    bool // its answers are judged before they leave
	Brief   bool // it gets no history, only a brief of it
	Targets []call.Target
}

// Event is what a session did to a call, for metrics.
type Event string

// Events.
const (
	Pinned     Event = "pinned"     // an open tool loop stays with the model that wrote it
	Bent       Event = "bent"       // it did not: that model was not permitted, failed, was refused or went in circles
	Escalated  Event = "escalated"  // a user turn began at a higher layer, for what happened in the one before
	Remembered Event = "remembered" // a user turn began at the layer that answered well before
	Probed     Event = "probed"     // a user turn began one layer lower, to see whether that is enough again
	Lowered    Event = "lowered"    // a probe went well
	Stalled    Event = "stalled"    // the agent goes in circles
	Warmed     Event = "warmed"     // a target went first because its provider holds the conversation's beginning
)

// Note is what an attempt's row tells of its session.
type Note struct {
	Pinned  string `json:"pinned,omitzero"`  // deployment that wrote the open tool loop
	Bent    string `json:"bent,omitzero"`    // why it did not answer
	Start   int    `json:"start,omitzero"`   // layer at which the call began
	Why     string `json:"why,omitzero"`     // why there
	Stalled string `json:"stalled,omitzero"` // what the agent repeats
	Warm    string `json:"warm,omitzero"`    // deployment that went first for the sake of its provider's cache
	Dropped int    `json:"dropped,omitzero"` // signed pieces of other models that this attempt left out
}

// Of finds the session of a call: named by the caller, else by what its client puts into the body, else by how the
// conversation begins. named says that it may hold several conversations.
func Of(f call.Facts, env *llm.Envelope, body []byte) (id ID, named bool) {
	id = ID{key: f.Caller.KeyID, route: f.Route}
	name := f.Caller.Session
	if name == "" {
		name = clientSession(env.User)
	}
	h := sha256.New()
	put := func(whole int, part []byte) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(whole))
		h.Write(n[:])
		h.Write(part)
	}
	put(len(f.Caller.Agent), []byte(f.Caller.Agent))
	if named = name != ""; named {
		put(len(name), []byte(name))
	} else {
		t := &env.Talk
		put(len(t.CacheKey), []byte(t.CacheKey))
		for _, s := range []llm.Span{t.System, t.First} {
			put(s.End-s.Start, body[s.Start:min(s.End, s.Start+headBytes)])
		}
	}
	var sum [sha256.Size]byte
	copy(id.sum[:], h.Sum(sum[:0]))
	id.named = named
	return id, named
}

// headBytes of a text, and its length, tell one beginning from another.
const headBytes = 1024

// longestUser bounds the user id in which a session is looked for.
const longestUser = 1 << 10

// clientSession is the session in metadata.user_id, in the forms that Claude Code has written:
// user_HASH_account_UUID_session_UUID, and an object with session_id as its JSON text.
func clientSession(user string) string {
	if len(user) > longestUser {
		return ""
	}
	if strings.HasPrefix(user, "{") {
		var id struct {
			Session string `json:"session_id"`
		}
		if json.Unmarshal([]byte(user), &id) != nil {
			return ""
		}
		return id.Session
	}
	if _, s, ok := strings.Cut(user, "_session_"); ok && strings.HasPrefix(user, "user_") {
		return s
	}
	return ""
}
