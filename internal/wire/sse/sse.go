// Package sse cuts a stream of server-sent events into frames, byte for byte: what comes out, joined, is what went in.
// A frame is what lies up to and with a blank line. Lines end in LF, CRLF or CR, mixed as they come.
//
// It does not parse events beyond Fields, knows no dialect, and never waits for more bytes than a frame needs. How the
// reader happens to split the bytes has no influence on the frames.
//
// Source: HTML Standard, section 9.2.6 "Interpreting an event stream".
package sse

import (
	"bytes"
	"io"

	"github.com/weirhq/weir/internal/llm"
)

// MaxFrame is the longest frame in bytes that is read; a longer one is an error.
const MaxFrame = 16 << 20

const firstBuffer = 8 << 10

// Frame is one event as it lies on the wire.
type Frame struct {
	Raw []byte // with its blank line; valid until the next call of Next
	Cut bool   // the bytes ended before the blank line
}

// Framer reads frames. Not safe for concurrent use.
type Framer struct {
	r          io.Reader
	buf        []byte
	start, end int   // bytes not handed out yet: buf[start:end]
	err        error // of the reader; told once the bytes before it are used up

	// The search for the blank line goes on where it stopped: nothing is looked at twice.
	line int  // where the line under way begins
	look int  // no line end lies in buf[line:look]
	lf   int  // first LF at or after look; behind look when not known
	lfTo int  // there is no LF in buf[look:lfTo]
	crlf bool // the line before ended in CRLF: after a CR now an LF will come
	half bool // the frame before ended in CR: an LF at start is the other half of that line end
}

// NewFramer reads frames from r.
func NewFramer(r io.Reader) *Framer { return &Framer{r: r, lf: -1} }

// Next returns the next frame. At the end of the bytes a last frame without its blank line is returned with Cut set,
// and only then the reader's error, io.EOF at a plain end. A frame above MaxFrame is an *llm.Error.
func (f *Framer) Next() (Frame, error) {
	for {
		n := f.find() - f.start
		if n > MaxFrame || f.end-f.start > MaxFrame && n <= 0 {
			return Frame{}, &llm.Error{Code: llm.CodeUpstream, Message: "the provider sent a stream frame of more than 16 MB"}
		}
		if n > 0 {
			return f.take(f.start+n, false), nil
		}
		if f.err != nil {
			if f.start == f.end {
				return Frame{}, f.err
			}
			// One LF that is the second half of the last frame's CRLF is no frame that was cut.
			tail := f.end == f.start+1 && f.line == f.end
			return f.take(f.end, !tail), nil
		}
		f.fill()
	}
}

// Ready reports whether a whole frame has been read already, so that Next will not wait.
func (f *Framer) Ready() bool { return f.find() > f.start }

// take hands out buf[start:to].
func (f *Framer) take(to int, cut bool) Frame {
	raw := f.buf[f.start:to:to]
	f.start, f.line, f.look = to, to, to
	f.crlf = bytes.HasSuffix(raw, []byte("\r\n"))
	f.half = raw[len(raw)-1] == '\r'
	return Frame{Raw: raw, Cut: cut}
}

// find returns the end of the first whole frame in the buffer, or 0.
func (f *Framer) find() int {
	if f.half && f.end > f.start {
		f.half = false
		if f.buf[f.start] == '\n' {
			f.line, f.look = f.start+1, f.start+1
		}
	}
	for {
		at := f.lineEnd()
		if at < 0 {
			f.look = f.end
			return 0
		}
		after, blank, crlf := at+1, at == f.line, false
		if f.buf[at] == '\r' {
			if blank && !f.crlf {
				return after // no waiting for an LF: should one follow, it leads the next frame
			}
			if after == f.end && f.err == nil {
				f.look = at
				return 0 // an LF may follow
			}
			if after < f.end && f.buf[after] == '\n' {
				after, crlf = after+1, true
			}
		}
		if blank {
			return after
		}
		f.line, f.look, f.crlf = after, after, crlf
	}
}

// lineEnd is the offset of the first CR or LF at or after look, or -1.
func (f *Framer) lineEnd() int {
	if f.lf < f.look {
		f.lf = -1
		from := max(f.look, f.lfTo)
		if i := bytes.IndexByte(f.buf[from:f.end], '\n'); i >= 0 {
			f.lf = from + i
		} else {
			f.lfTo = f.end
		}
	}
	to := f.lf
	if to < 0 {
		to = f.end
	}
	if i := bytes.IndexByte(f.buf[f.look:to], '\r'); i >= 0 {
		return f.look + i
	}
	return f.lf
}

// fill reads once, after making room.
func (f *Framer) fill() {
	if f.start > 0 {
		n := copy(f.buf, f.buf[f.start:f.end])
		d := f.start
		f.start, f.end, f.line, f.look, f.lfTo = 0, n, f.line-d, f.look-d, max(f.lfTo-d, 0)
		if f.lf >= 0 {
			f.lf -= d
		}
	}
	if f.end == len(f.buf) {
		grown := make([]byte, max(firstBuffer, 2*len(f.buf)))
		copy(grown, f.buf[:f.end])
		f.buf = grown
	}
	for range 100 {
		n, err := f.r.Read(f.buf[f.end:])
		f.end += n
		f.err = err
		if n > 0 || err != nil {
			return
		}
	}
	f.err = io.ErrNoProgress
}

var bom = []byte("\xef\xbb\xbf")

// Fields returns the event name and the data of a frame. Both alias the frame, except that data of several lines is
// joined with LF in new memory. data is nil when the frame has no data line (a comment, a bare blank line).
func Fields(raw []byte) (event, data []byte) {
	raw = bytes.TrimPrefix(raw, bom)
	lines := 0
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line = raw[:i]
		}
		if i := bytes.IndexByte(line, '\r'); i >= 0 {
			line = line[:i]
		}
		raw = raw[min(len(line)+1, len(raw)):]
		switch name, value := field(line); string(name) {
		case "event":
			event = value
		case "data":
			switch lines {
			case 0:
				data = value
			case 1:
				data = append(append(append(make([]byte, 0, len(data)+len(value)+1), data...), '\n'), value...)
			default:
				data = append(append(data, '\n'), value...)
			}
			lines++
		}
	}
	return event, data
}

// field splits "name: value"; one space after the colon is not part of the value. The name of a comment is empty.
func field(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, line[len(line):]
	}
	value = line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:i], value
}
