package budget

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
)

func TestBadConfigsAreRefusedAndChangeNothing(t *testing.T) {
	all := func(call.Facts) string { return node }
	for _, tt := range []struct {
		want  string
		nodes []Node
	}{
		{"without a name", []Node{{Limit: 1}}},
		{"negative", []Node{{Name: "a", Limit: -1}}},
		{"week", []Node{{Name: "a", Period: "week"}}},
		{"twice", []Node{{Name: "a"}, {Name: "a"}}},
	} {
		inBubble(t, newVault(), one(1000, Day), func(t *testing.T, b *Book) {
			hold(t, b, 10)
			synctest.Wait() // the ceiling that the hold asked for
			before := state(b)
			err := b.Reconfigure(Config{Nodes: tt.nodes, NodeOf: all})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if after := state(b); after != before {
				t.Errorf("%+v became %+v", before, after)
			}
		})
	}
	if _, err := New(Config{Nodes: []Node{{Name: "a"}}}, newVault(), nil); err == nil {
		t.Error("budgets without a rule which calls they count")
	}
	if b, err := New(Config{}, newVault(), nil); err != nil || len(b.Snapshot()) != 0 {
		t.Errorf("no budgets at all: %v", err)
	}
}

func TestAReloadKeepsWhatWasSpentAndHeld(t *testing.T) {
	inBubble(t, newVault(), one(1000, Day), func(t *testing.T, b *Book) {
		hold(t, b, 500).Settle(400)
		open := hold(t, b, 100)
		c := one(2000, Day)
		c.Nodes = append(c.Nodes, Node{Name: "team/ap", Limit: 5})
		if err := b.Reconfigure(c); err != nil {
			t.Fatal(err)
		}
		if s := state(b); s.Limit != 2000 || s.Spent != 400 || s.Held != 100 {
			t.Errorf("raised: %+v", s)
		}
		if err := b.Reconfigure(one(450, Day)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Hold(t.Context(), facts(time.Now()), 1); err == nil {
			t.Error("held above the lowered limit")
		}
		open.Settle(20)
		hold(t, b, 30)
		// A budget that is taken out and put back has not forgotten.
		if err := b.Reconfigure(Config{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Reconfigure(one(1000, Day)); err != nil {
			t.Fatal(err)
		}
		if s := state(b); s.Spent != 420 || s.Held != 30 {
			t.Errorf("put back: %+v", s)
		}
	})
}

func TestANewPeriodOnReloadTakesWhatTheLedgerKnowsAndWhatItDoesNotYet(t *testing.T) {
	v := newVault()
	inBubble(t, v, one(1000, Day), func(t *testing.T, b *Book) {
		time.Sleep(40 * 24 * time.Hour)
		hold(t, b, 300).Settle(300) // of which the ledger has 100
		open := hold(t, b, 50)
		now := time.Now()
		v.spent[node+Node{Period: Day, Zone: time.UTC}.at(now).Start.String()] = 100
		v.spent[node+Node{Period: Month, Zone: time.UTC}.at(now).Start.String()] = 600
		if err := b.Reconfigure(one(1000, Month)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s := state(b)
		if s.Spent != 800 || s.Held != 50 || s.Ceiling < 850 {
			t.Errorf("%+v, want 600 + 200 spent, 50 held, and a ceiling above", s)
		}
		open.Settle(40)
		if s := state(b); s.Spent != 840 || s.Held != 0 {
			t.Errorf("%+v", s)
		}
		month := Node{Period: Month, Zone: time.UTC}.at(now)
		day := Node{Period: Day, Zone: time.UTC}.at(now)
		if v.ceiling(node, day) != 0 || v.ceiling(node, month) < 850 {
			t.Errorf("on disk: day %d, month %d", v.ceiling(node, day), v.ceiling(node, month))
		}
	})
}

func must(t *testing.T, zone string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Skip("no time zone data: ", err)
	}
	return z
}

func TestPeriods(t *testing.T) {
	berlin := must(t, "Europe/Berlin")
	for _, tt := range []struct {
		name       string
		n          Node
		at         string
		start, end string
	}{
		{
			"a day",
			Node{Period: Day, Zone: time.UTC},
			"2026-06-01T23:59:59Z",
			"2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z",
		},
		{
			"a day in a zone",
			Node{Period: Day, Zone: berlin},
			"2026-06-01T22:00:00Z",
			"2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z",
		},
		{
			"the short day",
			Node{Period: Day, Zone: berlin},
			"2026-03-29T12:00:00Z",
			"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
		},
		{
			"the long day",
			Node{Period: Day, Zone: berlin},
			"2026-10-25T12:00:00Z",
			"2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z",
		},
		{
			"a month",
			Node{Period: Month, Zone: berlin},
			"2026-03-31T21:59:59Z",
			"2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z",
		},
		{
			"december",
			Node{Period: Month, Zone: time.UTC},
			"2026-12-31T12:00:00Z",
			"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z",
		},
		{
			"a day without midnight",
			Node{Period: Day, Zone: must(t, "America/Sao_Paulo")},
			"2018-11-04T12:00:00Z",
			"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z",
		},
		{
			"a day with two midnights",
			Node{Period: Day, Zone: must(t, "America/Havana")},
			"2026-11-01T12:00:00Z",
			"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z",
		},
		{
			"a total",
			Node{Period: Total, Zone: berlin},
			"2026-06-01T12:00:00Z",
			"1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z",
		},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		p := tt.n.at(at)
		if got := p.Start.Format(time.RFC3339); got != tt.start {
			t.Errorf("%s starts %s, want %s", tt.name, got, tt.start)
		}
		if got := p.End.Format(time.RFC3339); got != tt.end {
			t.Errorf("%s ends %s, want %s", tt.name, got, tt.end)
		}
	}
}

func TestPeriodsAreSeamlessAndLieOnSlots(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana",
		"Asia/Beirut", "Pacific/Chatham", "America/Santiago", "Africa/Cairo", "Asia/Tehran", "America/Asuncion",
	}
	for _, zone := range zones {
		for _, period := range []Period{Day, Month} {
			n := Node{Period: period, Zone: must(t, zone)}
			p := n.at(time.Date(2015, 1, 15, 12, 0, 0, 0, time.UTC))
			for p.End.Year() < 2030 {
				if !p.Start.Before(p.End) || p.Start.Unix()%900 != 0 {
					t.Fatalf("%s: period %v", zone, p)
				}
				if got := n.at(p.Start); got != p {
					t.Fatalf("%s: the start of %v lies in %v", zone, p, got)
				}
				if got := n.at(p.End.Add(-time.Nanosecond)); got != p {
					t.Fatalf("%s: the end of %v lies in %v", zone, p, got)
				}
				next := n.at(p.End)
				if !next.Start.Equal(p.End) {
					t.Fatalf("%s: %v is followed by %v", zone, p, next)
				}
				p = next
			}
		}
	}
}
