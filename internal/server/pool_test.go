package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAPoolGivesByTheRule(t *testing.T) {
	for _, tt := range []struct {
		name        string
		others, own int64 // held before by another owner, and by the one who asks
		n, thing    int64
		limit       int64
		want        grant
	}{
		{"the first of all", 0, 0, 1, 0, 8, granted},
		{"the only place", 0, 0, 1, 0, 1, granted},
		{"more than there is", 0, 0, 9, 0, 8, full},
		{"all at once, by who has nothing", 0, 0, 8, 0, 8, granted},
		{"the last place, by who has nothing", 7, 0, 1, 0, 8, granted},
		{"no place left", 8, 0, 1, 0, 8, full},
		{"seven of eight", 0, 6, 1, 0, 8, granted},
		{"eight of eight", 0, 7, 1, 0, 8, unfair},
		{"seven times what is left", 57, 6, 1, 0, 65, granted},
		{"more than seven times what is left", 57, 7, 1, 0, 65, unfair},
		{"a thing that grows and is all the owner has", 0, 60, 4, 60, 64, granted},
		{"a thing that grows beside another", 0, 60, 4, 59, 64, unfair},
	} {
		var p pool[string]
		for who, n := range map[string]int64{"others": tt.others, "own": tt.own} {
			if n > 0 && p.take(who, n, 0, 1<<40) != granted {
				t.Fatal(tt.name)
			}
		}
		if got := p.take("own", tt.n, tt.thing, tt.limit); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// flood lets owners ask for places until none gets any more.
func flood(p *pool[int], limit int64, owners ...int) {
	for more := true; more; {
		more = false
		for _, who := range owners {
			more = p.take(who, 1, 0, limit) == granted || more
		}
	}
}

func TestThoseThatFloodGetEqualPartsAndLeaveRoom(t *testing.T) {
	for _, keys := range []int{1, 2, 5, 20} {
		const limit = 2048
		var p pool[int]
		var owners []int
		for k := range keys {
			owners = append(owners, k)
		}
		flood(&p, limit, owners...)
		all, most := p.held()
		least := most
		for _, k := range owners {
			least = min(least, p.of[k])
		}
		if left := limit - all; left < limit/int64(1+fair*keys) || most-least > 1 {
			t.Errorf("%d keys: %d places left, from %d to %d a key", keys, left, least, most)
		}
		if p.take(keys, 1, 0, limit) != granted {
			t.Errorf("%d keys flood, and another gets no place", keys)
		}
	}
}

// TestAFloodMakesWay holds that the first to flood ends with no more than the second, as its calls end, although it asks
// first for every place that is left.
func TestAFloodMakesWay(t *testing.T) {
	const limit = 800
	var p pool[int]
	flood(&p, limit, 1)
	steps := 0
	for ; p.of[1] > p.of[2]+fair; steps++ {
		p.give(1, 1)
		flood(&p, limit, 1)
		flood(&p, limit, 2)
		if steps > limit {
			t.Fatalf("the first key keeps %d of %d places, the second has %d", p.of[1], limit, p.of[2])
		}
	}
	if steps > limit/2 {
		t.Errorf("it took %d calls of the first key to end", steps)
	}
}

// TestNoOrderOfEventsBreaksAPool: never more than the limit, never all for one while others may come, nothing forgotten.
func TestNoOrderOfEventsBreaksAPool(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		limit := int64(1 + dice.IntN(100))
		var p pool[int]
		var held []int
		for range 500 {
			who := dice.IntN(6)
			if dice.IntN(3) == 0 && len(held) > 0 {
				i := dice.IntN(len(held))
				p.give(held[i], 1)
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
			} else if p.take(who, 1, 0, limit) == granted {
				held = append(held, who)
			}
			all, most := p.held()
			if all != int64(len(held)) || all > limit || limit > 1 && most == limit {
				t.Fatalf("limit %d: %d held, %d are; one has %d", limit, all, len(held), most)
			}
		}
		done := p.close()
		if p.take(1, 1, 0, limit) != shut {
			t.Fatal("a closed pool gives")
		}
		for _, who := range held {
			p.give(who, 1)
		}
		<-done
		if len(p.of) > 0 {
			t.Fatalf("owners are remembered: %v", p.of)
		}
	}
}

// TestTheTurnedAwayComeBackOverTheTimeThatServesThem: nine in ten are turned away, so they are told to come within nine
// seconds, not all at once.
func TestTheTurnedAwayComeBackOverTheTimeThatServesThem(t *testing.T) {
	now := time.Unix(1000, 0)
	var asked []int64
	d := newDoor(func() time.Time { return now }, func(below int64) int64 { asked = append(asked, below); return below - 1 })
	second := func(ended, turned int) {
		for i := range ended {
			if d.enter("k", 1<<20) != nil {
				t.Fatal(i)
			}
			d.leave("k")
		}
		for range turned {
			_ = d.turned("k", byCalls, "", "")
		}
		now = now.Add(time.Second)
	}
	second(10, 90)
	second(10, 5)
	second(0, 1)
	second(0, 500)
	second(0, 1)
	want := fmt.Sprint(asked[:90], asked[90:95], asked[95], asked[96], asked[len(asked)-1])
	if got := fmt.Sprint(times(2, 90), times(9, 5), 2, 2, 30); got != want {
		t.Errorf("spread over %s, want %s", want, got)
	}
}

// TestAStormIsCalmed lets clients ask again as soon as they may: after two seconds they are turned away at a rate that is
// bearable, and when they have gone, nobody rests any more.
func TestAStormIsCalmed(t *testing.T) {
	for _, clients := range []int{50, 200, 1000, 4000} {
		const costs = 25 * time.Microsecond // of one refusal: the most that can be made is 40,000 a second
		now, turned := time.Unix(1000, 0), 0
		var s storm
		for free := make([]time.Time, clients); now.Before(time.Unix(1004, 0)); {
			for i := range free {
				if free[i].After(now) {
					continue
				}
				now = now.Add(costs)
				s.turned(now)
				free[i] = now.Add(s.rest)
				if !now.Before(time.Unix(1002, 0)) {
					turned++
				}
			}
			now = now.Add(costs) // for whoever is answered
		}
		if rate := turned / 2; rate < calm/2 || rate > 2*calm {
			t.Errorf("%d clients are turned away %d times a second, resting %v", clients, rate, s.rest)
		}
		s.turned(now.Add(2 * time.Second))
		if s.rest != 0 {
			t.Errorf("%v of rest long after the storm", s.rest)
		}
	}
}

func TestWithoutAStormNobodyRests(t *testing.T) {
	var s storm
	now := time.Unix(1000, 0)
	for range 3 * calm {
		now = now.Add(time.Second / (calm * 9 / 10))
		if s.turned(now); s.rest != 0 {
			t.Fatalf("%v of rest", s.rest)
		}
	}
}

func times(v int64, n int) []int64 {
	vs := make([]int64, n)
	for i := range vs {
		vs[i] = v
	}
	return vs
}

func BenchmarkPool(b *testing.B) {
	var p pool[string]
	keys := make([]string, 64)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%011d", i)
		p.take(keys[i], 4, 0, 2048)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if k := keys[i%len(keys)]; p.take(k, 1, 0, 2048) == granted {
			p.give(k, 1)
		}
	}
}
