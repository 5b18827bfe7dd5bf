package sqlite_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/store/sqlite"
)

func openKeys(t *testing.T, dir string) *sqlite.Keys {
	t.Helper()
	k, err := sqlite.OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestKeysAreSharedBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	server, cli := openKeys(t, dir), openKeys(t, dir)
	at := time.Date(2026, 6, 1, 12, 0, 0, 7, time.UTC)
	full := identity.Key{
		ID: "K7D2Q5XH3MBA", Hash: [32]byte{1, 31: 2}, Name: "ap agent", Team: "ap", UseCase: "invoice-status",
		Routes: []string{"procurement", "a,b\"c"}, Floor: "internal", RawContext: true, Created: at,
	}
	bare := identity.Key{ID: "AAAAAAAAAAAA", Created: at.Add(time.Second)}
	for _, k := range []identity.Key{bare, full} {
		if err := cli.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := cli.Add(full); err == nil {
		t.Error("an id was taken twice")
	}
	list := func(want ...identity.Key) {
		t.Helper()
		got, err := server.List()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("keys (-want +got):\n%s", d)
		}
	}
	list(full, bare)

	if err := cli.Revoke(full.ID, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := cli.Revoke(full.ID, at.Add(time.Hour)); err != nil {
		t.Errorf("revoked twice: %v", err)
	}
	if err := cli.Revoke("ZZZZZZZZZZZZ", at); err == nil {
		t.Error("an unknown key was revoked")
	}
	full.Revoked = at.Add(time.Minute)
	list(full, bare)
}

func TestKeysOpenBesideAServerOfTheirDirectory(t *testing.T) {
	dir := t.TempDir()
	db := filled(t, dir, 1)
	cli := openKeys(t, dir)
	if err := cli.Add(identity.Key{ID: "K7D2Q5XH3MBA", Created: time.Unix(1, 0).UTC()}); err != nil {
		t.Fatal(err)
	}
	keys, err := db.Keys().List()
	if err != nil || len(keys) != 1 {
		t.Errorf("the server sees %v, %v", keys, err)
	}
}
