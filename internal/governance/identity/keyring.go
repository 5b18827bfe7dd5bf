package identity

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

// Keyring answers which key was presented, from memory. Lookup is safe beside everything else.
type Keyring struct {
	store  Store
	macs   sync.Pool // of *mac
	snap   atomic.Pointer[map[string]*Key]
	change sync.Mutex // one change of the snapshot at a time
}

// mac is a reusable HMAC with room for one presented key and one sum.
type mac struct {
	h   hash.Hash
	in  [keyLen]byte
	sum [sha256.Size]byte
}

// NewKeyring reads the store's keys. The pepper must be the one that they were made with.
func NewKeyring(store Store, pepper []byte) (*Keyring, error) {
	if len(pepper) != pepperLen {
		return nil, fmt.Errorf("pepper of %d bytes, want %d", len(pepper), pepperLen)
	}
	own := slices.Clone(pepper)
	r := &Keyring{store: store}
	r.macs.New = func() any { return &mac{h: hmac.New(sha256.New, own)} }
	return r, r.Refresh()
}

// Refresh reads the store again, so that keys which another process made or revoked take effect. Call it every second
// at least. On an error the keys in memory stay in force.
func (r *Keyring) Refresh() error {
	r.change.Lock()
	defer r.change.Unlock()
	keys, err := r.store.List()
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	next := make(map[string]*Key, len(keys))
	for _, k := range keys {
		next[k.ID] = &k
	}
	if held := r.snap.Load(); held != nil {
		for id, k := range *held { // what was revoked here never comes back, whatever a lagging store says
			if n, ok := next[id]; ok && n.InForce() && !k.InForce() {
				n.Revoked = k.Revoked
			}
		}
	}
	r.snap.Store(&next)
	return nil
}

// Lookup finds the key that a caller presents. The key is shared: do not change it. The error is an *llm.Error that
// says nothing of what was presented. It does not allocate when the key is good.
func (r *Keyring) Lookup(presented string) (*Key, error) {
	if presented == "" {
		return nil, refused("no API key was sent", "send Authorization: Bearer <key>; weir key create makes one")
	}
	id, ok := idOf(presented)
	if !ok {
		return nil, refused("the API key is malformed", "Weir's keys begin with wr_; weir key create makes one")
	}
	k, known := (*r.snap.Load())[id]
	if !known {
		return nil, refused("the API key is unknown", "weir key list shows the keys in force; weir key create makes one")
	}
	m := r.macs.Get().(*mac)
	same := hmac.Equal(m.of(presented), k.Hash[:])
	r.macs.Put(m)
	if !same {
		return nil, refused("the API key is unknown", "weir key list shows the keys in force; weir key create makes one")
	}
	if !k.InForce() {
		return nil, refused("the API key was revoked", "weir key create makes a new one")
	}
	return k, nil
}

// of is the HMAC of a presented key, valid until the mac's next use.
func (m *mac) of(presented string) []byte {
	n := copy(m.in[:], presented)
	m.h.Reset()
	m.h.Write(m.in[:n])
	clear(m.in[:])
	return m.h.Sum(m.sum[:0])
}

func refused(message, hint string) error {
	return &llm.Error{Code: llm.CodeKey, Message: message, Hint: hint}
}

// Create makes a key with k's name, team, use case, routes, floor and permission, keeps its hash and returns what the
// caller presents. That string exists nowhere else and cannot be had again.
func (r *Keyring) Create(k Key, random io.Reader, now time.Time) (presented string, err error) {
	presented, k.ID, err = newPresented(random)
	if err != nil {
		return "", err
	}
	m := r.macs.Get().(*mac)
	copy(k.Hash[:], m.of(presented))
	r.macs.Put(m)
	k.Routes, k.Created, k.Revoked = slices.Clone(k.Routes), now.UTC(), time.Time{}
	if err := r.store.Add(k); err != nil {
		return "", fmt.Errorf("keep key: %w", err)
	}
	r.put(&k)
	return presented, nil
}

// Revoke ends a key for good. It stops at once in this process, and at the next Refresh in others.
func (r *Keyring) Revoke(id string, now time.Time) error {
	k, known := (*r.snap.Load())[id]
	if !known {
		return &llm.Error{
			Code: llm.CodeInvalid, Message: fmt.Sprintf("there is no key %q", id),
			Hint: "weir key list shows the ids",
		}
	}
	if !k.InForce() {
		return nil
	}
	ended := *k
	ended.Revoked = now.UTC()
	r.put(&ended) // first here: a store that fails must not keep a key alive that its owner wants dead
	if err := r.store.Revoke(id, ended.Revoked); err != nil {
		return fmt.Errorf("revoke key %s in the store (this process refuses it already): %w", id, err)
	}
	return nil
}

// put swaps in a snapshot with k in it.
func (r *Keyring) put(k *Key) {
	r.change.Lock()
	defer r.change.Unlock()
	held := *r.snap.Load()
	next := make(map[string]*Key, len(held)+1)
	for id, old := range held {
		next[id] = old
	}
	next[k.ID] = k
	r.snap.Store(&next)
}

// List returns every key, revoked ones too, oldest first.
func (r *Keyring) List() []Key {
	var out []Key
	for _, k := range *r.snap.Load() {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b Key) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Len is the number of keys in force.
func (r *Keyring) Len() int {
	n := 0
	for _, k := range *r.snap.Load() {
		if k.InForce() {
			n++
		}
	}
	return n
}
