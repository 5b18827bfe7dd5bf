package gateway

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// roomStep is how much memory a call reserves at a time for what it keeps back.
const roomStep = 4 << 10 // bytes

// keep counts bytes of an answer that stay in memory until the call ends, against what the process may keep.
func (d *dispatch) keep(n int) error {
	d.kept += int64(n)
	if d.kept <= d.room || d.g.Memory == nil {
		return nil
	}
	step := max(roomStep, d.kept-d.room)
	if !d.g.Memory.Take(d.key, d.room, step) {
		return &llm.Error{
			Code: llm.CodeOverload, Message: "too many bytes of requests and answers are in memory", RetryAfter: time.Second,
			Hint: "send the call again later; limits.inflight in weir.yaml is the bound", Err: call.ErrNoRoom,
		}
	}
	d.room += step
	return nil
}

// release gives back what the call reserved.
func (d *dispatch) release() {
	if d.room > 0 {
		d.g.Memory.Give(d.key, d.room)
		d.room = 0
	}
}
