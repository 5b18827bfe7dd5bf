package upstream

import (
	"math"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseHead(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		status     int
		header     http.Header
		err        string
	}{
		{
			name: "whole", head: "HTTP/1.1 200 OK\r\nA: 1\r\nb-c:\t2 3 \r\nA: 4\r\nEmpty:\r\n\r\n", status: 200,
			header: http.Header{"A": {"1", "4"}, "B-C": {"2 3"}, "Empty": {""}},
		},
		{name: "no fields", head: "HTTP/1.0 599\r\n\r\n", status: 599, header: http.Header{}},
		{
			name: "bytes beyond ASCII in a value", head: "HTTP/1.1 200 OK\r\nA: \xc3\xa9\r\n\r\n", status: 200,
			header: http.Header{"A": {"\xc3\xa9"}},
		},
		{
			name: "tab within a value", head: "HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\n", status: 200,
			header: http.Header{"A": {"b\tc"}},
		},
		{name: "HTTP/2", head: "HTTP/2.0 200 OK\r\n\r\n", err: "bad status line"},
		{name: "HTTP/1.2", head: "HTTP/1.2 200 OK\r\n\r\n", err: "bad status line"},
		{name: "short", head: "HTTP/1.1 20\r\n\r\n", err: "bad status line"},
		{name: "two blanks", head: "HTTP/1.1  200 OK\r\n\r\n", err: "bad status code"},
		{name: "four digits", head: "HTTP/1.1 2000 OK\r\n\r\n", err: "bad status line"},
		{name: "letters", head: "HTTP/1.1 2x0 OK\r\n\r\n", err: "bad status code"},
		{name: "099", head: "HTTP/1.1 099 OK\r\n\r\n", err: "status code out of range"},
		{name: "600", head: "HTTP/1.1 600 OK\r\n\r\n", err: "status code out of range"},
		{
			name: "control character in the reason", head: "HTTP/1.1 200 O\x00K\r\n\r\n",
			err: "control character in the status line",
		},
		{name: "no colon", head: "HTTP/1.1 200 OK\r\nA\r\n\r\n", err: "bad header name"},
		{name: "no name", head: "HTTP/1.1 200 OK\r\n: a\r\n\r\n", err: "bad header name"},
		{name: "blank before the colon", head: "HTTP/1.1 200 OK\r\nA : a\r\n\r\n", err: "bad header name"},
		{name: "folded", head: "HTTP/1.1 200 OK\r\nA: a\r\n b: c\r\n\r\n", err: "bad header name"},
		{name: "bare CR", head: "HTTP/1.1 200 OK\r\nA: a\rb\r\n\r\n", err: "control character in a header"},
		{name: "bare LF", head: "HTTP/1.1 200 OK\r\nA: a\nB: c\r\n\r\n", err: "control character in a header"},
		{name: "NUL", head: "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", err: "control character in a header"},
		{name: "DEL", head: "HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n", err: "control character in a header"},
		{name: "no empty line", head: "HTTP/1.1 200 OK\r\nA: a\r\n", err: "no empty line after the head"},
		{name: "bytes after", head: "HTTP/1.1 200 OK\r\n\r\nx", err: "bytes follow the head"},
		{name: "cut line", head: "HTTP/1.1 200 OK\r\nA: a", err: "a header line does not end in CR LF"},
		{name: "nothing", head: "", err: "no status line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := parseHead([]byte(tt.head))
			if errText(err) != tt.err {
				t.Fatalf("error %q, want %q", errText(err), tt.err)
			}
			if err == nil && (h.status != tt.status || !cmp.Equal(h.header, tt.header)) {
				t.Errorf("got %d %v, want %d %v", h.status, h.header, tt.status, tt.header)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAppendingToOneFieldLeavesTheNextAlone(t *testing.T) {
	h, err := parseHead([]byte("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	h.header.Add("A", "x") // both values lie in one array
	if h.header.Get("B") != "2" {
		t.Errorf("B = %q after adding to A", h.header.Get("B"))
	}
}

func TestFrame(t *testing.T) {
	type fields = http.Header
	for _, tt := range []struct {
		name   string
		status int
		minor  int
		header fields
		want   framing
		err    string
	}{
		{"length", 200, 1, fields{"Content-Length": {"12"}}, framing{bodyLength, 12, true}, ""},
		{"length 0", 200, 1, fields{"Content-Length": {"0"}}, framing{bodyNone, 0, true}, ""},
		{
			"largest length", 200, 1,
			fields{"Content-Length": {"9223372036854775807"}},
			framing{bodyLength, math.MaxInt64, true},
			"",
		},
		{"too large", 200, 1, fields{"Content-Length": {"9223372036854775808"}}, framing{}, "bad length"},
		{"empty length", 200, 1, fields{"Content-Length": {""}}, framing{}, "bad length"},
		{"signed length", 200, 1, fields{"Content-Length": {"+1"}}, framing{}, "bad length"},
		{"list of lengths", 200, 1, fields{"Content-Length": {"1, 1"}}, framing{}, "bad length"},
		{"equal lengths", 200, 1, fields{"Content-Length": {"7", "7"}}, framing{bodyLength, 7, true}, ""},
		{"differing lengths", 200, 1, fields{"Content-Length": {"7", "8"}}, framing{}, "differing lengths"},
		{"chunked", 200, 1, fields{"Transfer-Encoding": {"CHUNKED"}}, framing{bodyChunked, 0, true}, ""},
		{
			"chunked twice", 200, 1,
			fields{"Transfer-Encoding": {"chunked", "chunked"}},
			framing{},
			"an unknown transfer coding",
		},
		{
			"identity", 200, 1,
			fields{"Transfer-Encoding": {"identity"}},
			framing{},
			"an unknown transfer coding",
		},
		{
			"chunked in HTTP/1.0", 200, 0,
			fields{"Transfer-Encoding": {"chunked"}},
			framing{},
			"a transfer coding in HTTP/1.0",
		},
		{
			"both", 200, 1,
			fields{"Transfer-Encoding": {"chunked"}, "Content-Length": {"1"}},
			framing{},
			"both a length and a transfer coding",
		},
		{
			"framing in a trailer", 200, 1,
			fields{"Trailer": {"X, content-length"}},
			framing{},
			"a trailer that would change the framing",
		},
		{"neither", 200, 1, nil, framing{bodyToClose, 0, false}, ""},
		{
			"close", 200, 1,
			fields{"Content-Length": {"1"}, "Connection": {"x, Close"}},
			framing{bodyLength, 1, false},
			"",
		},
		{"HTTP/1.0", 200, 0, fields{"Content-Length": {"1"}}, framing{bodyLength, 1, false}, ""},
		{"204", 204, 1, nil, framing{bodyNone, 0, true}, ""},
		{"204 with a length", 204, 1, fields{"Content-Length": {"5"}}, framing{bodyNone, 0, false}, ""},
		{"204 chunked", 204, 1, fields{"Transfer-Encoding": {"chunked"}}, framing{bodyNone, 0, false}, ""},
		{"304 with a length", 304, 1, fields{"Content-Length": {"5"}}, framing{bodyNone, 0, true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := answerHead{tt.status, tt.minor, tt.header}.frame()
			if errText(err) != tt.err {
				t.Fatalf("error %q, want %q", errText(err), tt.err)
			}
			if err == nil && got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestParseChunkSize(t *testing.T) {
	for line, want := range map[string]int64{
		"0": 0, "a": 10, "A": 10, "00ff": 255, "1;a=b": 1, "10  ": 16, "10\t": 16, "7fffffffffffff": 0x7fffffffffffff,
		"": -1, ";a": -1, " 1": -1, "1 ;a": -1, "0x1": -1, "-1": -1, "+1": -1, "1_0": -1, "g": -1, "1234567890123456": -1,
	} {
		got, err := parseChunkSize([]byte(line))
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("parseChunkSize(%q) = %d, want %d", line, got, want)
		}
	}
}
