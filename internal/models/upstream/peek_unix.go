//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// peeker looks, without waiting, whether a socket has something to read: bytes, an end of stream or an error.
type peeker struct {
	ctl     syscall.RawConn
	look    func(fd uintptr) // kept, so that a look allocates nothing
	pending bool
	buf     [1]byte
}

// newPeeker returns nil for a connection without a file descriptor.
func newPeeker(c net.Conn) *peeker {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	ctl, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &peeker{ctl: ctl}
	p.look = p.peek
	return p
}

func (p *peeker) peek(fd uintptr) {
	for {
		_, _, err := syscall.Recvfrom(int(fd), p.buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			// Only "would block" means that nothing is there: 0 bytes without an error is the end of the stream.
			p.pending = err != syscall.EAGAIN
			return
		}
	}
}

// readable reports whether a read would return at once. Control is used and not Read, which would refuse to look once
// the read deadline of an earlier call has passed.
func (p *peeker) readable() bool {
	if p == nil {
		return false
	}
	if err := p.ctl.Control(p.look); err != nil {
		return true
	}
	return p.pending
}
