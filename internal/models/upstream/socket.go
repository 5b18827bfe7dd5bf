package upstream

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// phase says how far an answer has come, which decides the deadline of a read.
type phase uint8

const (
	phaseFree    phase = iota // no call, or a handshake: no deadline of ours
	phaseWaiting              // no byte of a head yet: TTFT
	phaseHead                 // head under way: the later of TTFT and idle
	phaseFirst                // head complete, no byte of the body yet: the same
	phaseBody                 // idle
	phaseLook                 // idle connection, looked into: nothing is read from the socket
)

const (
	// largeRequest is the size from which a write looks up now and then for an answer that came early. Less than this
	// fits the socket buffers, so such a write does not wait for the peer.
	largeRequest = 16 << 10
	// lookUp is how long a large write waits before it looks.
	lookUp = 200 * time.Millisecond
)

// errEarly is returned by a write that stopped because the peer answers already.
var errEarly = errors.New("the peer answered before the request was written")

// socket puts a call's deadlines on a connection. It lies below TLS, so that TLS never sees a deadline pass that is not
// the end of the call: after such a one it refuses all further writes.
type socket struct {
	net.Conn
	now    func() time.Time
	peek   *peeker
	phase  phase
	large  bool          // the request is a large one
	by     time.Time     // end of the TTFT timeout
	idle   time.Duration // idle timeout
	readBy time.Time     // read deadline that is set; zero = unknown
	ended  bool          // the peer has closed the connection
}

// begin sets the deadlines for one call.
func (s *socket) begin(ttft, idle time.Duration, size int) {
	s.phase, s.large = phaseWaiting, size > largeRequest
	s.by, s.idle = s.now().Add(ttft), idle
	s.readBy = time.Time{}
}

// Read reads under the deadline of the phase.
func (s *socket) Read(p []byte) (int, error) {
	if s.phase == phaseLook {
		return 0, os.ErrDeadlineExceeded
	}
	if s.phase != phaseFree {
		if err := s.armRead(); err != nil {
			return 0, err
		}
	}
	n, err := s.Conn.Read(p)
	if err == io.EOF {
		s.ended = true
	}
	return n, err
}

func (s *socket) armRead() error {
	by := s.by
	if s.phase != phaseWaiting {
		now := s.now()
		// A deadline is a timer to move. In a fast stream it is moved only once it would come too early, and then an
		// eighth too far, so that most reads leave it alone.
		if left := s.readBy.Sub(now); s.phase == phaseBody && left >= s.idle && left <= s.idle+s.idle/8 {
			return nil
		}
		idle := now.Add(s.idle)
		if s.phase == phaseBody {
			idle = idle.Add(s.idle / 8)
		}
		if s.phase == phaseBody || idle.After(by) {
			by = idle
		}
	}
	if s.readBy.Equal(by) {
		return nil
	}
	s.readBy = by
	return s.SetReadDeadline(by)
}

// waitingFor is the timeout that a read which timed out has run into.
func (s *socket) waitingFor() timeoutKind {
	if s.phase == phaseWaiting || s.phase != phaseBody && s.readBy.Equal(s.by) {
		return timeoutTTFT
	}
	return timeoutIdle
}

// Write writes all of p, or stops with errEarly.
func (s *socket) Write(p []byte) (int, error) {
	n := 0
	for {
		if err := s.armWrite(); err != nil {
			return n, err
		}
		m, err := s.Conn.Write(p[n:])
		n += m
		if !s.writeOn(err) {
			return n, s.early(err)
		}
	}
}

// writev writes all of bufs in as few system calls as there can be, or stops with errEarly.
func (s *socket) writev(bufs *net.Buffers) error {
	for {
		if err := s.armWrite(); err != nil {
			return err
		}
		_, err := bufs.WriteTo(s.Conn)
		if !s.writeOn(err) {
			return s.early(err)
		}
	}
}

func (s *socket) armWrite() error {
	if s.phase == phaseFree {
		return nil
	}
	by := s.by
	if s.phase != phaseWaiting { // TLS answering the peer in the middle of a body
		return s.SetWriteDeadline(s.now().Add(s.idle))
	}
	if s.large {
		if look := s.now().Add(lookUp); look.Before(by) {
			by = look
		}
	}
	return s.SetWriteDeadline(by)
}

// writeOn reports whether a write that ended with err only paused to look up and found no answer.
func (s *socket) writeOn(err error) bool {
	return s.looked(err) && !s.peek.readable()
}

// early turns the pause of a write that found an answer into errEarly.
func (s *socket) early(err error) error {
	if s.looked(err) {
		return errEarly
	}
	return err
}

func (s *socket) looked(err error) bool {
	return err != nil && s.large && errors.Is(err, os.ErrDeadlineExceeded) && s.now().Before(s.by)
}
