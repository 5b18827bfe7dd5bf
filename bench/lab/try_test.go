package lab

import ("testing";"os")

func TestTry(t *testing.T) {
	l, err := New(os.Stderr)
	if err != nil { t.Fatal(err) }
	defer l.Close()
	up, err := l.Upstream()
	if err != nil { t.Fatal(err) }
	defer up.Stop()
	w, err := l.Fresh(up.Addr)
	if err != nil { t.Fatal(err) }
	defer w.Stop()
	r, err := l.Load(w.Addr, w.Key, "-calls", "100")
	t.Logf("%+v %v", r, err)
	b, err := l.Baseline(up.Addr)
	if err != nil { t.Fatal(err) }
	defer b.Stop()
	sub := func(name string, pid int, addr, key string) Subject {
		return Subject{name, pid, func() (int64, error) { r, err := l.Load(addr, key, "-for", "2s"); return r.Calls, err }}
	}
	c, err := l.Interleave(Rounds{Want: 2, Accept: true}, sub("weir", w.PID(), w.Addr, w.Key), sub("base", b.PID(), b.Addr, ""))
	t.Logf("%+v %v", c, err)
}
