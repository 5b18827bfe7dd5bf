package session

import (
	"container/list"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/call"
)

// Bounds of what one session keeps beside its tool loops: about 1 KiB.
const (
	keptWarm = 4   // providers
	longest  = 200 // bytes of a reason
)

// Store holds the sessions. Its fields are set before the first call. Safe for concurrent use.
type Store struct {
	Now func() time.Time

	mu   sync.Mutex
	most int
	byID map[ID]*list.Element
	used list.List // of *state; the front was used last
}

// NewStore makes a store of at most so many sessions, at least one.
func NewStore(most int, now func() time.Time) *Store {
	return &Store{Now: now, most: max(most, 1), byID: map[ID]*list.Element{}}
}

// Bound sets how many sessions are kept from now on.
func (s *Store) Bound(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = max(most, 1)
	s.trim(s.Now())
}

// Len is how many sessions are kept.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used.Len()
}

// state is what is kept of one session.
type state struct {
	id    ID
	until time.Time // forgotten after

	layer   int    // number at which user turns begin; 0 = the route's first
	need    int    // number at which the next user turn must begin; 0 = none
	why     string // it must
	probing bool   // the user turn under way began below layer
	good    int    // user turns that went well since the last probe or escalation
	turns   int    // messages of the latest request that began a user turn: the same again is a repetition

	home  Writer // wrote the latest answer
	since int    // messages before its first
	warm  [keptWarm]warmth
	loops []loop // the oldest first
	calls int    // of all loops
}

// warmth is a provider that holds the conversation's beginning in its cache.
type warmth struct {
	by          Writer
	used, until time.Time
}

// get finds or makes the state of a session. The lock is held.
func (s *Store) get(id ID, memory time.Duration, now time.Time) *state {
	if e := s.byID[id]; e != nil {
		st := e.Value.(*state)
		if now.After(st.until) {
			*st = state{id: id}
		}
		st.until = now.Add(memory)
		s.used.MoveToFront(e)
		return st
	}
	st := &state{id: id, until: now.Add(memory)}
	s.byID[id] = s.used.PushFront(st)
	s.trim(now)
	return st
}

// swept bounds how many forgotten sessions one new one clears away.
const swept = 4

// trim removes what is over the bound, and some of what is forgotten.
func (s *Store) trim(now time.Time) {
	for n := 0; s.used.Len() > 1; n++ {
		last := s.used.Back()
		st := last.Value.(*state)
		if s.used.Len() <= s.most && (n >= swept || !now.After(st.until)) {
			return
		}
		s.used.Remove(last)
		delete(s.byID, st.id)
	}
}

// warmAt is when a writer's cache was last used, if it still holds; the zero time otherwise.
func (st *state) warmAt(w Writer, now time.Time) time.Time {
	for _, x := range st.warm {
		if x.by == w && now.Before(x.until) {
			return x.used
		}
	}
	return time.Time{}
}

// Lifetimes of what providers keep of a prompt: at least five minutes after its last use, an hour where the caller asked
// and paid for that. Shorter prompts than least are not kept by any of them.
const (
	shortLife   = 5 * time.Minute
	longLife    = time.Hour
	leastPrompt = 1024
)

// heat remembers that a writer has just read the conversation.
func (st *state) heat(w Writer, a call.Attempt, now time.Time) {
	if a.Usage.Prompt() < leastPrompt {
		return
	}
	life, at := shortLife, 0
	for i, x := range st.warm {
		if x.by == w {
			at = i
			if x.until.Sub(x.used) > life && now.Before(x.until) && a.Usage.CacheRead > 0 {
				life = longLife
			}
			break
		}
		if x.used.Before(st.warm[at].used) {
			at = i
		}
	}
	if a.Usage.CacheWrite1h > 0 {
		life = longLife
	}
	st.warm[at] = warmth{by: w, used: now, until: now.Add(life)}
}
