package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

// frames reads all of r; a cut frame has "!" before it.
func frames(t testing.TB, r io.Reader) []string {
	t.Helper()
	f := NewFramer(r)
	var out []string
	for {
		fr, err := f.Next()
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			return out
		}
		s := string(fr.Raw)
		if fr.Cut {
			s = "!" + s
		}
		out = append(out, s)
	}
}

func TestFramesAreCutAtBlankLines(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"LF", "data: a\n\ndata: b\n\n", []string{"data: a\n\n", "data: b\n\n"}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"data: a\r\n\r\n", "data: b\r\n\r\n"}},
		{"CR", "data: a\r\rdata: b\r\r", []string{"data: a\r\r", "data: b\r\r"}},
		{"LF then CRLF", "data: a\n\r\ndata: b\n\n", []string{"data: a\n\r", "\ndata: b\n\n"}},
		{"CRLF then LF", "data: a\r\n\ndata: b\n\n", []string{"data: a\r\n\n", "data: b\n\n"}},
		{"CR then CRLF at the end", "data: a\r\r\n", []string{"data: a\r\r", "\n"}},
		{"several lines", "event: x\ndata: a\ndata: b\n\n", []string{"event: x\ndata: a\ndata: b\n\n"}},
		{"comment", ": hi\n\ndata: a\n\n", []string{": hi\n\n", "data: a\n\n"}},
		{"bare blank lines", "\n\ndata: a\n\n\n", []string{"\n", "\n", "data: a\n\n", "\n"}},
		{
			"bare blank CRLF lines", "data: a\r\n\r\n\r\ndata: b\r\n\r\n",
			[]string{"data: a\r\n\r\n", "\r\n", "data: b\r\n\r\n"},
		},
		{"cut after a line", "data: a\n\ndata: b\n", []string{"data: a\n\n", "!data: b\n"}},
		{"cut inside a line", "data: a\n\ndata: b", []string{"data: a\n\n", "!data: b"}},
		{"cut after CR", "data: a\r", []string{"!data: a\r"}},
		{"cut inside the last CRLF", "data: a\r\n\r", []string{"data: a\r\n\r"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, frames(t, strings.NewReader(tc.in))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tc.want, frames(t, iotest.OneByteReader(strings.NewReader(tc.in)))); d != "" {
				t.Error("byte by byte:", d)
			}
		})
	}
}

func TestFrameComesWithoutWaitingForMore(t *testing.T) {
	for _, in := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"} {
		more := errors.New("asked for more")
		f := NewFramer(io.MultiReader(strings.NewReader(in), iotest.ErrReader(more)))
		fr, err := f.Next()
		if err != nil || string(fr.Raw) != in || fr.Cut {
			t.Errorf("%q: got %q, %v", in, fr.Raw, err)
		}
		if f.err != nil {
			t.Errorf("%q: the framer read on before it gave the frame", in)
		}
	}
}

func TestReaderErrorComesAfterTheBytes(t *testing.T) {
	broken := errors.New("connection reset")
	f := NewFramer(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)))
	var got []string
	for {
		fr, err := f.Next()
		if err != nil {
			if !errors.Is(err, broken) {
				t.Fatal(err)
			}
			break
		}
		got = append(got, string(fr.Raw))
	}
	if d := cmp.Diff([]string{"data: a\n\n", "data: b"}, got); d != "" {
		t.Error(d)
	}
	if _, err := f.Next(); !errors.Is(err, broken) {
		t.Errorf("the error did not stay: %v", err)
	}
}

func TestLongFrames(t *testing.T) {
	long := "data: " + strings.Repeat("x", MaxFrame-8) + "\n\n"
	got := frames(t, strings.NewReader(long+"data: b\n\n"))
	if len(got) != 2 || got[0] != long || got[1] != "data: b\n\n" {
		t.Fatalf("got %d frames", len(got))
	}
	for _, over := range []string{"data: x" + long[6:], strings.Repeat("x", MaxFrame+1)} {
		f := NewFramer(strings.NewReader(over))
		_, err := f.Next()
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUpstream {
			t.Errorf("a frame of %d bytes: %v", len(over), err)
		}
	}
}

func TestReaderThatNeverReads(t *testing.T) {
	f := NewFramer(idle{})
	if _, err := f.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestFields(t *testing.T) {
	for _, tc := range []struct {
		in, event, data string
		none            bool
	}{
		{in: "data: {\"a\":1}\n\n", data: `{"a":1}`},
		{in: "data:{\"a\":1}\r\n\r\n", data: `{"a":1}`},
		{in: "data: a\r\r", data: "a"},
		{in: "event: ping\ndata: {}\n\n", event: "ping", data: "{}"},
		{in: "data:  two spaces\n\n", data: " two spaces"},
		{in: "data: a\ndata: b\r\ndata: c\rdata\n\n", data: "a\nb\nc\n"},
		{in: "data\n\n", data: ""},
		{in: "id: 7\nretry: 10\n: note\n\n", none: true},
		{in: "\n", none: true},
		{in: "\ndata: after half a line end\n\n", data: "after half a line end"},
		{in: "\xef\xbb\xbfdata: bom\n\n", data: "bom"},
		{in: "database: no\n\n", none: true},
		{in: "data: cut", data: "cut"},
	} {
		event, data := Fields([]byte(tc.in))
		if string(event) != tc.event || string(data) != tc.data || (data == nil) != tc.none {
			t.Errorf("%q: event %q, data %q, nil %v", tc.in, event, data, data == nil)
		}
	}
}

func TestFieldsLeaveTheFrameAlone(t *testing.T) {
	in := []byte("data: a\ndata: b\ndata: c\n\n")
	was := bytes.Clone(in)
	Fields(in)
	if !bytes.Equal(in, was) {
		t.Errorf("the frame became %q", in)
	}
}

// pieces reads text in pieces whose sizes cuts tell.
type pieces struct {
	text, cuts []byte
	i          int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := len(p.text)
	if len(p.cuts) > 0 {
		n = min(n, 1+int(p.cuts[p.i%len(p.cuts)])%16)
		p.i++
	}
	n = copy(b, p.text[:n])
	p.text = p.text[n:]
	return n, nil
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte("data: a\n\nevent: b\ndata: c\r\n\r\ndata: d\r\rdata: e\n\r\n\r\n"), []byte{0, 3, 1})
	f.Add([]byte("\r\n\r\r\n\n\r"), []byte{0})
	f.Add([]byte(strings.Repeat("data: {\"x\":\"0123456789\"}\n\n", 400)), []byte{15, 2})
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		whole := frames(t, bytes.NewReader(text))
		split := frames(t, &pieces{text: text, cuts: cuts})
		if d := cmp.Diff(whole, split); d != "" {
			t.Fatalf("the split of reads shows: %s", d)
		}
		for _, s := range whole {
			Fields([]byte(s))
		}
		// A last frame that was cut is told by a leading "!", which a frame may also begin with by itself.
		plain, last := strings.Join(whole, ""), len(whole)-1
		if plain == string(text) || last < 0 && len(text) == 0 {
			return
		}
		if last < 0 || strings.Join(whole[:last], "")+strings.TrimPrefix(whole[last], "!") != string(text) {
			t.Fatalf("bytes changed: %q became %q", text, whole)
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	frame := "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + strings.Repeat("x",
		230) + "\"}}]}\n\n"
	text := []byte(strings.Repeat(frame, 1000))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f := NewFramer(bytes.NewReader(text))
		for {
			if _, err := f.Next(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/frame")
}
