package server

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/call"
)

// ids makes call ids: UUIDv7 (RFC 9562), so they sort by time. Random bytes are read in blocks.
type ids struct {
	now  func() time.Time
	mu   sync.Mutex
	rand *bufio.Reader
}

func newIDs(now func() time.Time, random io.Reader) *ids {
	return &ids{now: now, rand: bufio.NewReaderSize(random, 4096)}
}

func (g *ids) next() call.OpID {
	var id call.OpID
	g.mu.Lock()
	_, err := io.ReadFull(g.rand, id[6:])
	g.mu.Unlock()
	if err != nil {
		panic(fmt.Sprintf("the system's random source failed: %v", err)) // crypto/rand never returns an error
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(g.now().UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
