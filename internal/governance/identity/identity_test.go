package identity

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// memory is a Store in memory, as another process would see it.
type memory struct {
	mu   sync.Mutex
	keys []Key
	fail error
}

var _ Store = (*memory)(nil)

func (m *memory) Add(k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = append(m.keys, k)
	return m.fail
}

func (m *memory) List() ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Key(nil), m.keys...), m.fail
}

func (m *memory) Revoke(id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.keys {
		if m.keys[i].ID == id && m.keys[i].Revoked.IsZero() {
			m.keys[i].Revoked = at
		}
	}
	return m.fail
}

func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func ring(t testing.TB, s Store) *Keyring {
	t.Helper()
	r, err := NewKeyring(s, bytes.Repeat([]byte{7}, pepperLen))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAKeyOpensUntilItIsRevoked(t *testing.T) {
	r := ring(t, &memory{})
	made := Key{
		Name: "ci", Team: "ap", UseCase: "invoice-status", Routes: []string{"procurement"}, Floor: "internal",
		RawContext: true,
	}
	presented, err := r.Create(made, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	k, err := r.Lookup(presented)
	if err != nil {
		t.Fatal(err)
	}
	made.ID, made.Hash, made.Created = k.ID, k.Hash, noon
	if diff := cmp.Diff(made, *k); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(presented, "wr_"+k.ID+"_") || len(k.ID) != 12 || len(strings.Split(presented, "_")[2]) != 32 {
		t.Errorf("form of %q", presented)
	}
	if r.Len() != 1 {
		t.Errorf("%d keys in force", r.Len())
	}
	if err := r.Revoke(k.ID, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lookup(presented); err == nil || llm.AsError(err).Message != "the API key was revoked" {
		t.Errorf("after revocation: %v", err)
	}
	if got := r.List(); r.Len() != 0 || len(got) != 1 || !got[0].Revoked.Equal(noon.Add(time.Hour)) {
		t.Errorf("list after revocation: %+v", got)
	}
	if err := r.Revoke(k.ID, noon.Add(2*time.Hour)); err != nil || !r.List()[0].Revoked.Equal(noon.Add(time.Hour)) {
		t.Errorf("revoking twice: %v", err)
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	r := ring(t, &memory{})
	good, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := newPresented(random(2))
	if err != nil {
		t.Fatal(err)
	}
	body := good[:len("wr_")+idLen+1] + strings.Repeat("a", secret)
	forged := body + "_" + string(appendCheck(nil, body))
	tests := []struct{ name, presented, message string }{
		{"none", "", "no API key was sent"},
		{"another vendor's", "sk-proj-1234567890", "the API key is malformed"},
		{"cut off", good[:len(good)-1], "the API key is malformed"},
		{"one character mistyped", flip(good, 20), "the API key is malformed"},
		{"upper case", strings.ToUpper(good), "the API key is malformed"},
		{"of another installation", other, "the API key is unknown"},
		{"known id, guessed secret", forged, "the API key is unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Lookup(tt.presented)
			e := llm.AsError(err)
			if err == nil || e.Code != llm.CodeKey || e.Status() != 401 || e.Message != tt.message {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(e.Hint, "weir key create") {
				t.Errorf("hint %q names no command", e.Hint)
			}
			if tt.presented != "" && strings.Contains(e.Error()+e.Show(), tt.presented) {
				t.Error("the error shows what was presented")
			}
		})
	}
}

func flip(s string, i int) string {
	c := byte('a')
	if s[i] == c {
		c = 'b'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestAnotherPepperOpensNothing(t *testing.T) {
	store := &memory{}
	presented, err := ring(t, store).Create(Key{}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKeyring(store, bytes.Repeat([]byte{8}, pepperLen))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Lookup(presented); err == nil {
		t.Error("a key opens under another pepper")
	}
	if _, err := NewKeyring(store, nil); err == nil {
		t.Error("no pepper is accepted")
	}
}

func TestKeysOfAnotherProcess(t *testing.T) {
	store := &memory{}
	a, b := ring(t, store), ring(t, store)
	presented, err := a.Create(Key{Name: "late"}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lookup(presented); err == nil {
		t.Fatal("known before a refresh")
	}
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	k, err := b.Lookup(presented)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(k.ID, noon); err != nil {
		t.Fatal(err)
	}
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lookup(presented); err == nil {
		t.Error("revoked elsewhere, and still open after a refresh")
	}
}

func TestAFailingStore(t *testing.T) {
	store := &memory{}
	r := ring(t, store)
	presented, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	store.fail = errors.New("disk")
	if err := r.Refresh(); !errors.Is(err, store.fail) {
		t.Errorf("refresh: %v", err)
	}
	k, err := r.Lookup(presented)
	if err != nil {
		t.Errorf("a failed refresh closes the door: %v", err)
	}
	if _, err := r.Create(Key{}, random(2), noon); !errors.Is(err, store.fail) || r.Len() != 1 {
		t.Errorf("a key that was not kept: %v, %d in force", err, r.Len())
	}
	if err := r.Revoke(k.ID, noon); !errors.Is(err, store.fail) {
		t.Errorf("revoke: %v", err)
	}
	if _, err := r.Lookup(presented); err == nil {
		t.Error("revoked here, the store failed, and the key is open")
	}
	store.fail = nil
	store.keys[0].Revoked = time.Time{}
	if err := r.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lookup(presented); err == nil {
		t.Error("a lagging store brought a revoked key back")
	}
	if err := r.Revoke("nosuchkey", noon); err == nil || !strings.Contains(llm.AsError(err).Hint, "weir key list") {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := r.Create(Key{}, strings.NewReader("short"), noon); err == nil {
		t.Error("a key without randomness")
	}
}

func TestTheCheckIsACRC32(t *testing.T) {
	sum := crc32.ChecksumIEEE([]byte("wr_body"))
	want := string([]byte{alphabet[sum&31], alphabet[sum>>5&31], alphabet[sum>>10&31], alphabet[sum>>15&31]})
	if got := string(appendCheck(nil, "wr_body")); got != want {
		t.Errorf("check %q, want %q", got, want)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	r := ring(t, &memory{})
	presented, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := r.Lookup(presented); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLookupsBesideChanges(t *testing.T) {
	r := ring(t, &memory{})
	presented, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := r.Lookup(presented); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			if _, err := r.Create(Key{}, random(byte(10+i)), noon); err != nil {
				t.Error(err)
			}
			if err := r.Refresh(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r.Len() != 5 {
		t.Errorf("%d keys, want 5", r.Len())
	}
}

func TestCaller(t *testing.T) {
	bound := Key{ID: "k1", Team: "ap", UseCase: "invoice-status", RawContext: true}
	free := Key{ID: "k2", Team: "lab"}
	tests := []struct {
		name  string
		key   Key
		hints llm.Hints
		want  call.Caller
		code  llm.Code
	}{
		{
			"no hints", bound,
			llm.Hints{},
			call.Caller{KeyID: "k1", Team: "ap", UseCase: "invoice-status", RawContext: true},
			"",
		},
		{
			"the same use case", bound,
			llm.Hints{UseCase: "invoice-status", Agent: "a", Session: "s", Workflow: "w"},
			call.Caller{
				KeyID: "k1", Team: "ap", UseCase: "invoice-status", Agent: "a", Session: "s", Workflow: "w",
				RawContext: true,
			},
			"",
		},
		{"another key's use case", bound, llm.Hints{UseCase: "hiring"}, call.Caller{}, llm.CodeUnauthorized},
		{"a free key takes the hint", free, llm.Hints{UseCase: "hiring"}, call.Caller{
			KeyID: "k2", Team: "lab",
			UseCase: "hiring",
		}, ""},
		{"a free key without hint", free, llm.Hints{}, call.Caller{KeyID: "k2", Team: "lab"}, ""},
		{"a hint like a book", free, llm.Hints{Session: strings.Repeat("x", 201)}, call.Caller{}, llm.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.key.Caller(tt.hints)
			if tt.code != "" {
				if err == nil || llm.AsError(err).Code != tt.code || llm.AsError(err).Hint == "" {
					t.Errorf("error %v, want code %s", err, tt.code)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestPepperIsMadeOnceForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir-data", "key.pepper")
	first, err := Pepper(path, random(1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Pepper(path, random(2))
	if err != nil || !bytes.Equal(first, again) || len(first) != pepperLen {
		t.Errorf("second start: %v, the same %t", err, bytes.Equal(first, again))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestPepperOfManyProcessesIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pepper")
	got := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			b, err := Pepper(path, random(byte(i)))
			if err != nil {
				t.Error(err)
			}
			got[i] = b
		})
	}
	wg.Wait()
	for _, b := range got {
		if !bytes.Equal(b, got[0]) {
			t.Error("two peppers")
		}
	}
}

func TestPepperRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n int, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, make([]byte, n), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	tests := []struct{ path, hint string }{
		{write("open", pepperLen, 0o644), "chmod 600"},
		{write("short", 5, 0o600), "backup"},
		{write("empty", 0, 0o600), "backup"},
	}
	for _, tt := range tests {
		if _, err := Pepper(tt.path, random(1)); err == nil || !strings.Contains(llm.AsError(err).Hint, tt.hint) {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
	if _, err := Pepper(filepath.Join(dir, "new"), strings.NewReader("short")); err == nil {
		t.Error("a pepper without randomness")
	}
}

func FuzzLookup(f *testing.F) {
	r := ring(f, &memory{})
	good, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("wr_")
	f.Add(strings.Repeat("_", keyLen))
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := r.Lookup(s); (err == nil) != (s == good) || (err == nil) != (k != nil) {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	r := ring(b, &memory{})
	presented, err := r.Create(Key{}, random(1), noon)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Lookup(presented); err != nil {
			b.Fatal(err)
		}
	}
}
