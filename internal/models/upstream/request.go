package upstream

import (
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

const userAgent = "weir"

// ownFields are the header fields that only the sender may write: framing, routing and what it negotiates itself.
var ownFields = [...]string{
	"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
	"proxy-authorization", "proxy-connection", "accept-encoding", "content-encoding", "content-type", "accept",
	"user-agent",
}

func ownField(name string) bool {
	for _, f := range ownFields {
		if strings.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// checkWire refuses what must not get onto a connection: a value that would end the line, a field that would change
// how the request is framed or whose credential it carries. It returns the credential's value, "" for none.
func (ep *endpoint) checkWire(w call.Wire, at where) (string, error) {
	if w.Path == "" || w.Path[0] != '/' || !isPath(w.Path) {
		return "", at.fail(llm.CodeInvalid, "the request's path holds a character that HTTP does not allow",
			"look at the deployment's model name", nil)
	}
	for _, f := range w.Header {
		if !isToken(f.Name) || !isValue(f.Value) {
			return "", at.fail(llm.CodeInvalid, "header "+strconv.Quote(f.Name)+" holds a character that HTTP does not allow",
				"send it without control characters", nil)
		}
		if ownField(f.Name) || strings.EqualFold(f.Name, ep.Auth.Header) {
			return "", at.fail(llm.CodeInvalid, "header "+strconv.Quote(f.Name)+" cannot be forwarded",
				"Weir writes it itself; leave it out", nil)
		}
	}
	if ep.Auth.Secret == nil {
		return "", nil
	}
	secret := ep.Auth.Secret()
	if secret == "" {
		return "", nil
	}
	credential := ep.Auth.Prefix + secret
	if !isValue(credential) {
		return "", at.fail(llm.CodeUpstream, "the provider's credential holds a character that HTTP does not allow",
			"look for a line end or a space in providers."+ep.name+".key", nil)
	}
	return credential, nil
}

func accept(w call.Wire) string {
	if w.Stream {
		return "text/event-stream"
	}
	return "application/json"
}

// appendHead appends the request line and header fields, up to and with the empty line.
func (ep *endpoint) appendHead(b []byte, w call.Wire, credential string) []byte {
	b = append(b, "POST "...)
	b = append(b, ep.path...)
	b = append(b, w.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, ep.host...)
	b = append(b, "\r\nUser-Agent: "+userAgent+"\r\nContent-Type: application/json\r\nAccept: "...)
	b = append(b, accept(w)...)
	b = append(b, "\r\nAccept-Encoding: identity\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(w.Size()), 10)
	b = append(b, "\r\n"...)
	if credential != "" {
		b = appendField(b, ep.Auth.Header, credential)
	}
	for _, f := range w.Header {
		b = appendField(b, f.Name, f.Value)
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// isPath reports whether s can stand in a request line: visible ASCII without a fragment mark.
func isPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// isToken reports whether s is a field name (RFC 9110 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func tokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isValue reports whether s can be a field's value: no control character but the tab, no blank at either end.
func isValue(s string) bool {
	for i := range len(s) {
		if !valueByte(s[i]) {
			return false
		}
	}
	return strings.Trim(s, " \t") == s
}

func valueByte(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }
