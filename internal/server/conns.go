package server

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// conns is a listener that bounds how many connections are open, in all and of each address. A new one over the bound
// takes the place of the one that has been without a request for longest; where none is, it is closed.
type conns struct {
	net.Listener
	limit   func() int
	refused func(reason string)

	open pool[netip.Addr]
	mu   sync.Mutex
	idle list.List // of *conn, the longest idle first
}

// reach is how many idle connections are looked at for one of an address.
const reach = 64

// conn is a connection that is counted.
type conn struct {
	*net.TCPConn
	from *conns
	addr netip.Addr
	once sync.Once
	at   *list.Element // in from.idle; under from.mu
}

// origin is the address that a connection counts for: a whole network of IPv6 is one client's.
func origin(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := t.AddrPort().Addr().Unmap()
	if ip.Is4() {
		return ip
	}
	const network = 64
	p, err := ip.WithZone("").Prefix(network)
	if err != nil {
		return ip
	}
	return p.Addr()
}

// Accept waits for a connection that may stay.
func (l *conns) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil
		}
		if in := l.admit(tcp); in != nil {
			return in, nil
		}
		_ = c.Close() // turned away; there is nobody to tell
	}
}

// admit counts a connection, in the place of an idle one if need be; nil = it may not stay.
func (l *conns) admit(c *net.TCPConn) *conn {
	in := &conn{TCPConn: c, from: l, addr: origin(c.RemoteAddr())}
	for {
		why := l.open.take(in.addr, 1, 0, int64(l.limit()))
		if why == granted {
			return in
		}
		old := l.longest(why == unfair, in.addr)
		if old == nil {
			reason := byConnections
			if why == unfair {
				reason = byAddress
			}
			l.refused(reason)
			return nil
		}
		_ = old.Close()
	}
}

// longest takes the longest idle connection out of the list, of one address if only such a one helps.
func (l *conns) longest(only bool, addr netip.Addr) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.idle.Front()
	for n := 0; e != nil && n < reach; n++ {
		if c := e.Value.(*conn); !only || c.addr == addr {
			l.idle.Remove(e)
			c.at = nil
			return c
		}
		e = e.Next()
	}
	return nil
}

// state notes which connections are idle; net/http tells it.
func (l *conns) state(c net.Conn, now http.ConnState) {
	in, ok := c.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.at != nil {
		l.idle.Remove(in.at)
		in.at = nil
	}
	if now == http.StateNew || now == http.StateIdle {
		in.at = l.idle.PushBack(in)
	}
}

// Close gives the connection's place back.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.from.open.give(c.addr, 1)
		c.from.state(c, http.StateClosed)
	})
	return c.TCPConn.Close()
}
