package gateway

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
)

// Tap is a wire between one client and the gateway. Every byte and every end passes through it unchanged, and what the
// gateway sent is kept.
type Tap struct {
	ln   net.Listener
	to   string
	wg   sync.WaitGroup
	mu   sync.Mutex
	sent []*lines // by connection
	open map[net.Conn]bool
}

// Listen lays a wire to the gateway, on a free port.
func (g *Gateway) Listen() (*Tap, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &Tap{ln: ln, to: strings.TrimPrefix(g.API, "http://"), open: map[net.Conn]bool{}}
	t.wg.Go(t.accept)
	return t, nil
}

// URL is where the client finds the gateway.
func (t *Tap) URL() string { return "http://" + t.ln.Addr().String() }

// Close cuts the wire.
func (t *Tap) Close() {
	_ = t.ln.Close()
	t.mu.Lock()
	for c := range t.open {
		_ = c.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

func (t *Tap) accept() {
	for {
		in, err := t.ln.Accept()
		if err != nil {
			return // closed
		}
		out, err := net.Dial("tcp", t.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		heard := new(lines)
		t.mu.Lock()
		t.sent = append(t.sent, heard)
		t.open[in], t.open[out] = true, true
		t.mu.Unlock()
		t.wg.Go(func() { pass(out, in, io.Discard) })
		t.wg.Go(func() { pass(in, out, heard) })
	}
}

// pass copies one direction until either side ends; then both have.
func pass(to, from net.Conn, kept io.Writer) {
	_, _ = io.Copy(io.MultiWriter(kept, to), from) // however it ended, it ended
	_ = to.Close()
	_ = from.Close()
}

// Sent is all that the gateway sent.
func (t *Tap) Sent() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	for _, l := range t.sent {
		b.WriteString(l.String())
	}
	return b.String()
}

// IDs are the x-request-id of all answers, in order.
func (t *Tap) IDs() (ids []string) {
	for line := range strings.Lines(t.Sent()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && strings.EqualFold(name, "x-request-id") {
			ids = append(ids, value)
		}
	}
	return ids
}
