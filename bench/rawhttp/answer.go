// Package rawhttp is the little HTTP/1.1 that the null upstream and the load generator speak, so that what they cost
// stays small beside what is measured. It is strict about framing and knows nothing of headers but lengths; it is no
// client or server for anything else.
package rawhttp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxHead bounds the head of an answer.
const maxHead = 16 << 10

var (
	headEnd = []byte("\r\n\r\n")
	lineEnd = []byte("\r\n")
	blank   = []byte("\n\n")
	done    = []byte("data: [DONE]\n\n")
)

type state int

const (
	inHead state = iota
	inBody
	inSize  // the line that says how long a chunk is
	inChunk // a chunk's bytes
	inGap   // the line end after a chunk
	inTail  // trailer lines after the last chunk
	ended
)

// Answer parses one HTTP/1.1 answer that comes in pieces. The zero Answer is ready; Reset makes it so again.
type Answer struct {
	Status int
	Bytes  int64 // of the body, framing taken off
	Events int   // of a server-sent stream: blocks that end in a blank line
	Body   []byte
	Close  bool // the connection ends after it
	// Keep makes Feed copy the body into Body.
	Keep bool

	state state
	head  []byte // head or size line under way
	left  int64
	last  byte
	tail  []byte // last bytes of the body
}

// Reset prepares for the next answer on the connection.
func (a *Answer) Reset() {
	*a = Answer{Keep: a.Keep, Body: a.Body[:0], head: a.head[:0], tail: a.tail[:0]}
}

// Done reports whether the answer is complete.
func (a *Answer) Done() bool { return a.state == ended }

// Finished reports whether a complete stream ended with OpenAI's [DONE].
func (a *Answer) Finished() bool { return a.Done() && bytes.Equal(a.tail, done) }

// Feed takes the next bytes of the connection and returns how many belong to this answer.
func (a *Answer) Feed(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 && a.state != ended {
		n, err := a.step(b)
		if err != nil {
			return total - len(b), err
		}
		b = b[n:]
	}
	return total - len(b), nil
}

func (a *Answer) step(b []byte) (int, error) {
	switch a.state {
	case inHead:
		n, full, err := a.until(b, headEnd)
		if err != nil || !full {
			return n, err
		}
		return n, a.parseHead()
	case inBody, inChunk:
		n := int(min(a.left, int64(len(b))))
		a.take(b[:n])
		if a.left -= int64(n); a.left == 0 {
			a.state = map[state]state{inBody: ended, inChunk: inGap}[a.state]
		}
		return n, nil
	case inSize:
		n, full, err := a.until(b, lineEnd)
		if err != nil || !full {
			return n, err
		}
		return n, a.parseSize()
	case inGap:
		n, full, err := a.until(b, lineEnd)
		if full && len(a.head) != len(lineEnd) {
			return n, errors.New("chunk is longer than it said")
		}
		if full {
			a.state, a.head = inSize, a.head[:0]
		}
		return n, err
	}
	n, full, err := a.until(b, lineEnd)
	if full {
		if len(a.head) == len(lineEnd) {
			a.state = ended
		}
		a.head = a.head[:0]
	}
	return n, err
}

// until gathers bytes in head up to and with a mark.
func (a *Answer) until(b, mark []byte) (n int, full bool, err error) {
	had := len(a.head)
	from := max(0, had-len(mark)+1)
	a.head = append(a.head, b...)
	i := bytes.Index(a.head[from:], mark)
	if i < 0 {
		if len(a.head) > maxHead {
			return 0, false, fmt.Errorf("no %q within %d bytes", mark, maxHead)
		}
		return len(b), false, nil
	}
	end := from + i + len(mark)
	a.head = a.head[:end]
	return end - had, true, nil
}

func (a *Answer) parseHead() error {
	status, rest, _ := bytes.Cut(a.head, lineEnd)
	if len(status) < 12 || !bytes.HasPrefix(status, []byte("HTTP/1.1 ")) {
		return fmt.Errorf("status line %q", status)
	}
	var err error
	if a.Status, err = strconv.Atoi(string(status[9:12])); err != nil {
		return fmt.Errorf("status line %q", status)
	}
	length, chunked, last, err := framing(rest)
	if err != nil {
		return err
	}
	a.Close = last
	switch {
	case chunked:
		a.state = inSize
	case length < 0:
		return errors.New("the answer has no length")
	case length == 0:
		a.state = ended
	default:
		a.state, a.left = inBody, length
	}
	a.head = a.head[:0]
	return nil
}

// framing finds how long a message is, and whether it is the connection's last; length is -1 when no header tells.
func framing(lines []byte) (length int64, chunked, last bool, err error) {
	length = -1
	for line := range bytes.SplitSeq(lines, lineEnd) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, false, false, fmt.Errorf("content-length %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	return length, chunked, last, nil
}

func (a *Answer) parseSize() error {
	hex, _, _ := bytes.Cut(bytes.TrimSuffix(a.head, lineEnd), []byte(";"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(hex)), 16, 63)
	if err != nil || n < 0 {
		return fmt.Errorf("chunk size %q", hex)
	}
	a.head = a.head[:0]
	if a.state, a.left = inChunk, n; n == 0 {
		a.state = inTail
	}
	return nil
}

// take notes bytes of the body.
func (a *Answer) take(b []byte) {
	if len(b) == 0 {
		return
	}
	a.Bytes += int64(len(b))
	if a.last == '\n' && b[0] == '\n' {
		a.Events++
	}
	a.Events += bytes.Count(b, blank)
	a.last = b[len(b)-1]
	if len(b) >= len(done) {
		a.tail = append(a.tail[:0], b[len(b)-len(done):]...)
	} else {
		a.tail = append(a.tail, b...)
		if over := len(a.tail) - len(done); over > 0 {
			a.tail = append(a.tail[:0], a.tail[over:]...)
		}
	}
	if a.Keep {
		a.Body = append(a.Body, b...)
	}
}
