package server

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// ListenError is an address that cannot be listened on. It names no flag: every command has its own.
type ListenError struct {
	Name string // of the address in the configuration's listen: api or admin
	Addr string
	Err  error
}

// Error says why.
func (e *ListenError) Error() string {
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		return e.Addr + " is taken"
	}
	return fmt.Sprintf("listen on %s: %v", e.Addr, e.Err)
}

// Unwrap returns what the system said.
func (e *ListenError) Unwrap() error { return e.Err }

func (s *Server) listen() error {
	c := s.config.Load()
	for _, l := range []struct {
		to   *net.Listener
		addr string
		name string
	}{{&s.api, c.Listen.API, "api"}, {&s.admin, c.Listen.Admin, "admin"}} {
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return &ListenError{Name: l.name, Addr: l.addr, Err: err}
		}
		*l.to = ln
	}
	s.conns = &conns{
		Listener: s.api, limit: func() int { return s.config.Load().Limits.Connections },
		refused: func(reason string) { s.door.refused.WithLabelValues(reason).Inc() },
	}
	s.api = s.conns
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
