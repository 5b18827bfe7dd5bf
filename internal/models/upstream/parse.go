package upstream

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// answerHead is a parsed head.
type answerHead struct {
	status int
	minor  int // of HTTP/1.minor
	header http.Header
}

// bodyKind says how the end of a body is found (RFC 9112 6.3).
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyToClose
)

// framing is what a head says about the body and about the connection after it.
type framing struct {
	kind   bodyKind
	length int64 // of bodyLength
	keep   bool  // the connection may be used again
}

// parseHead parses a head with its empty line. It is strict: CR LF only, no folded lines, no blank before the colon, no
// control characters. Values keep no blanks at their ends.
func parseHead(b []byte) (answerHead, error) {
	var h answerHead
	text := string(b) // one copy, which all values share
	line, rest, ok := strings.Cut(text, "\r\n")
	if !ok {
		return h, protocolError("no status line")
	}
	if err := h.parseStatus(line); err != nil {
		return h, err
	}
	n := strings.Count(rest, "\r\n")
	h.header = make(http.Header, n)
	values := make([]string, 0, n) // one array for all fields that occur once
	for rest != "" {
		line, rest, ok = strings.Cut(rest, "\r\n")
		if !ok {
			return h, protocolError("a header line does not end in CR LF")
		}
		if line == "" {
			if rest != "" {
				return h, protocolError("bytes follow the head")
			}
			return h, nil
		}
		name, value, err := parseField(line)
		if err != nil {
			return h, err
		}
		key := http.CanonicalHeaderKey(name)
		if old, twice := h.header[key]; twice {
			h.header[key] = append(old, value)
			continue
		}
		values = append(values, value)
		h.header[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return h, protocolError("no empty line after the head")
}

func (h *answerHead) parseStatus(line string) error {
	const least = len("HTTP/1.1 200")
	if len(line) < least || !strings.HasPrefix(line, "HTTP/1.") || line[7] < '0' || line[7] > '1' || line[8] != ' ' {
		return protocolError("bad status line")
	}
	for _, c := range []byte(line[9:least]) {
		if c < '0' || c > '9' {
			return protocolError("bad status code")
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 || h.status > 599 {
		return protocolError("status code out of range")
	}
	reason := line[least:]
	if reason != "" && reason[0] != ' ' {
		return protocolError("bad status line")
	}
	for i := range len(reason) {
		if !valueByte(reason[i]) {
			return protocolError("control character in the status line")
		}
	}
	h.minor = int(line[7] - '0')
	return nil
}

func parseField(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return "", "", protocolError("bad header name")
	}
	value = strings.Trim(value, " \t")
	if !isValue(value) {
		return "", "", protocolError("control character in a header")
	}
	return name, value, nil
}

// frame decides how the body of the answer to a POST ends.
func (h answerHead) frame() (framing, error) {
	f := framing{kind: bodyToClose, keep: h.minor == 1 && !hasToken(h.header["Connection"], "close")}
	for _, name := range h.header["Trailer"] {
		if hasToken([]string{name}, "transfer-encoding", "content-length", "trailer") {
			return f, protocolError("a trailer that would change the framing")
		}
	}
	coding, lengths := h.header["Transfer-Encoding"], h.header["Content-Length"]
	if len(coding) > 0 {
		switch {
		case len(lengths) > 0:
			return f, protocolError("both a length and a transfer coding")
		case h.minor == 0:
			return f, protocolError("a transfer coding in HTTP/1.0")
		case len(coding) > 1 || !strings.EqualFold(coding[0], "chunked"):
			return f, protocolError("an unknown transfer coding")
		}
		f.kind = bodyChunked
	}
	for i, s := range lengths {
		n, err := parseLength(s)
		if err != nil {
			return f, err
		}
		if i > 0 && n != f.length {
			return f, protocolError("differing lengths")
		}
		f.kind, f.length = bodyLength, n
	}
	switch {
	case h.status == http.StatusNoContent || h.status == http.StatusNotModified:
		// 304 may tell the length that a body would have; on 204 it would be a mistake that shifts the next answer.
		f.keep = f.keep && (f.kind == bodyToClose || h.status == http.StatusNotModified)
		f.kind, f.length = bodyNone, 0
	case f.kind == bodyLength && f.length == 0:
		f.kind = bodyNone
	case f.kind == bodyToClose:
		f.keep = false
	}
	return f, nil
}

func parseLength(s string) (int64, error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, protocolError("bad length")
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, protocolError("bad length")
	}
	return n, nil
}

// hasToken reports whether one of the comma-separated lists holds one of the tokens, in any case.
func hasToken(lists []string, tokens ...string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			for _, t := range tokens {
				if strings.EqualFold(strings.Trim(item, " \t"), t) {
					return true
				}
			}
		}
	}
	return false
}

// parseChunkSize parses a chunk size line without its CR LF. Extensions are ignored, blanks at the end allowed, since
// some servers pad the size.
func parseChunkSize(line []byte) (int64, error) {
	line = bytes.TrimRight(line, " \t")
	size, _, _ := bytes.Cut(line, []byte(";"))
	if len(size) == 0 || len(size) > 15 {
		return 0, protocolError("bad chunk size")
	}
	var n int64
	for _, c := range size {
		n <<= 4
		switch {
		case '0' <= c && c <= '9':
			n |= int64(c - '0')
		case 'a' <= c && c <= 'f':
			n |= int64(c-'a') + 10
		case 'A' <= c && c <= 'F':
			n |= int64(c-'A') + 10
		default:
			return 0, protocolError("bad chunk size")
		}
	}
	return n, nil
}
