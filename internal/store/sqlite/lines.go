package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/weirhq/weir/internal/finops/money"
)

// meters have a number each, so that a line takes a dozen bytes. Numbers are on disk: append only. A meter that is not
// listed is written as 0 and its name.
var meters = []money.Meter{
	1: money.Input, 2: money.CacheRead, 3: money.CacheWrite5m, 4: money.CacheWrite1h, 5: money.Output,
	6: money.Reasoning, 7: money.Requests,
}

var errLines = errors.New("damaged lines")

// appendLines writes lines as meter, units, rate, amount, all varints.
func appendLines(b []byte, lines []money.Line) []byte {
	for _, l := range lines {
		b = appendMeter(b, l.Meter)
		b = binary.AppendVarint(b, l.Units)
		b = binary.AppendVarint(b, int64(l.Rate))
		b = binary.AppendVarint(b, int64(l.Amount))
	}
	return b
}

func appendMeter(b []byte, m money.Meter) []byte {
	for i := 1; i < len(meters); i++ {
		if meters[i] == m {
			return append(b, byte(i))
		}
	}
	b = binary.AppendUvarint(append(b, 0), uint64(len(m)))
	return append(b, m...)
}

// parseLines reads what appendLines wrote, into lines' memory.
func parseLines(lines []money.Line, b []byte) ([]money.Line, error) {
	for len(b) > 0 {
		var l money.Line
		var err error
		if l.Meter, b, err = parseMeter(b); err != nil {
			return nil, err
		}
		var v [3]int64
		for i := range v {
			value, n := binary.Varint(b)
			if n <= 0 {
				return nil, errLines
			}
			v[i], b = value, b[n:]
		}
		l.Units, l.Rate, l.Amount = v[0], money.Pico(v[1]), money.Nano(v[2])
		lines = append(lines, l)
	}
	return lines, nil
}

func parseMeter(b []byte) (money.Meter, []byte, error) {
	m, b := b[0], b[1:]
	if m != 0 {
		if int(m) >= len(meters) {
			return "", nil, fmt.Errorf("%w: meter %d", errLines, m)
		}
		return meters[m], b, nil
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, errLines
	}
	return money.Meter(b[n : n+int(size)]), b[n+int(size):], nil
}
