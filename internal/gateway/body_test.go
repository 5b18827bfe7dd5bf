package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirhq/weir/internal/llm"
)

// TestAnswersAreReadWhateverTheHeaderTells: a length is a hint of how much room to make, never of how much to read.
func TestAnswersAreReadWhateverTheHeaderTells(t *testing.T) {
	for _, size := range []int{0, 1, leastRoom - 1, leastRoom, leastRoom + 1, 100_000, sizedAhead, sizedAhead + 1, 3*sizedAhead + 7} {
		text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		for _, told := range []string{
			"", strconv.Itoa(size), strconv.Itoa(size / 2), strconv.Itoa(2*size + 1), "0", "-1", "many", "99999999999999999999",
		} {
			h := http.Header{}
			if told != "" {
				h["Content-Length"] = []string{told}
			}
			for name, src := range map[string]io.Reader{
				"all at once": strings.NewReader(text),
				"in halves":   iotest.HalfReader(strings.NewReader(text)),
				"with EOF":    iotest.DataErrReader(strings.NewReader(text)),
			} {
				got, err := readAnswer(src, h, unbounded)
				if err != nil || string(got) != text {
					t.Errorf("%d bytes, told %q, %s: read %d, %v", size, told, name, len(got), err)
				}
			}
		}
	}
}

func TestALengthReservesAtMostOneMiB(t *testing.T) {
	for told, want := range map[string]int{"1000": 1001, "1048576": sizedAhead + 1, "67108864": sizedAhead + 1, "0": leastRoom} {
		got, err := readAnswer(strings.NewReader("{}"), http.Header{"Content-Length": {told}}, unbounded)
		if err != nil || cap(got) != want {
			t.Errorf("told %s: room for %d, want %d (%v)", told, cap(got), want, err)
		}
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	for size, tooLarge := range map[int]bool{maxAnswer: false, maxAnswer + 1: true, maxAnswer + 5<<20: true} {
		b, err := readAnswer(bytes.NewReader(make([]byte, size)), nil, unbounded)
		if (err != nil) != tooLarge || !tooLarge && len(b) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(b), err)
		}
		var e *llm.Error
		if tooLarge && (!errors.As(err, &e) || e.Code != llm.CodeUpstream) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestAnAnswerThatIsCutIsAnError(t *testing.T) {
	broken := io.MultiReader(strings.NewReader(`{"id":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	if b, err := readAnswer(broken, http.Header{"Content-Length": {"100"}}, unbounded); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", b, err)
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	for _, size := range []int{1150, 20_000} {
		text := make([]byte, size)
		h := http.Header{"Content-Length": {strconv.Itoa(size)}}
		for _, tt := range []struct {
			name string
			read func(io.Reader) ([]byte, error)
		}{
			{"told", func(r io.Reader) ([]byte, error) { return readAnswer(r, h, unbounded) }},
			{"untold", func(r io.Reader) ([]byte, error) { return readAnswer(r, nil, unbounded) }},
			{"ReadAll", func(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxAnswer+1)) }},
		} {
			b.Run(strconv.Itoa(size)+"/"+tt.name, func(b *testing.B) {
				b.ReportAllocs()
				var src bytes.Reader
				for b.Loop() {
					src.Reset(text)
					if _, err := tt.read(&src); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// unbounded is a memory that has room for all.
func unbounded(int) error { return nil }

func TestABodyIsCountedAsItComes(t *testing.T) {
	full, counted := errors.New("full"), 0
	b, err := readAnswer(bytes.NewReader(make([]byte, 1<<20)), nil, func(n int) error {
		if counted += n; counted > 64<<10 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || b != nil || counted > 256<<10 {
		t.Errorf("%d bytes, %v, after %d were counted", len(b), err, counted)
	}
}
