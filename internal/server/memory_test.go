package server

import (
	"testing"

	"github.com/weirhq/weir/internal/config"
)

func TestMemoryIsWhatLimitsAllow(t *testing.T) {
	for _, tt := range []struct {
		l    config.Limits
		want int64 // MiB
	}{
		{config.Limits{}, 96},
		{config.Limits{Calls: 2048, Connections: 4096, InflightBytes: 256 << 20}, 96 + 192 + 96 + 512},
	} {
		if got := Memory(tt.l); got != tt.want<<20 {
			t.Errorf("%+v: %d MiB, want %d", tt.l, got>>20, tt.want)
		}
	}
}
