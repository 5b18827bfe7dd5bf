package server

import "github.com/weirhq/weir/internal/config"

// What memory is for, in bytes: the program itself, a call under way, a connection. Bodies count twice: as they came, and
// while they are translated or judged.
const (
	memoryBase       = 96 << 20
	memoryCall       = 96 << 10
	memoryConnection = 24 << 10
	memoryInflight   = 2
)

// Memory is how much a process with these limits may need in all. The garbage collector works harder as it comes near;
// below it, it trades memory for processor time.
func Memory(l config.Limits) int64 {
	return memoryBase + memoryCall*int64(l.Calls) + memoryConnection*int64(l.Connections) + memoryInflight*l.InflightBytes
}
