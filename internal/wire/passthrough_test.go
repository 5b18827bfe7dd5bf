package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"
	"github.com/weirhq/weir/internal/wire/sse"
)

// pieces is a reader that gives its bytes in pieces of drawn sizes, as networks do.
type pieces struct {
	rest []byte
	size func() int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(len(p.rest), p.size())])
	p.rest = p.rest[n:]
	return n, nil
}

// split is stream in pieces that rapid draws.
func split(rt *rapid.T, stream []byte) io.Reader {
	most := rapid.SampledFrom([]int{1, 2, 7, 60, 4000}).Draw(rt, "largest piece")
	sizes := rapid.SliceOfN(rapid.IntRange(1, most), 1, 20).Draw(rt, "pieces")
	i := 0
	return &pieces{stream, func() int { i++; return sizes[i%len(sizes)] }}
}

// forwarded is what a client gets of a stream that is passed on live.
func forwarded(rt *rapid.T, b back, o wire.StreamOptions, from io.Reader) []byte {
	r := b.Stream(o)
	frames := sse.NewFramer(from)
	var out []byte
	for {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rt.Fatal(err)
		}
		d, err := r.Read(f.Raw)
		if err != nil {
			rt.Fatal(err)
		}
		out = append(out, d.Raw...)
	}
	if _, complete := r.Finish(); !complete {
		rt.Fatalf("the stream counts as cut: %q", out)
	}
	return out
}

// written is a stream that a front writes of events.
func written(f front, env llm.Envelope, events []llm.Event) []byte {
	w := f.Stream(env)
	var out []byte
	for _, ev := range events {
		out = w.Write(out, ev)
	}
	return out
}

// However the network cuts a stream, and whichever line ends it has, a live client gets its bytes.
func TestLiveStreamsPassByteForByte(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawResponse(rt, 2)
		one := &llm.Response{ID: r.ID, Model: r.Model, Choices: r.Choices[:1], Usage: &llm.Usage{Output: 1}}
		streams := map[llm.Dialect][]byte{
			llm.OpenAI:    written(openai.Front{Now: noon}, llm.Envelope{IncludeUsage: true}, drawEvents(rt, r)),
			llm.Anthropic: written(anthropic.Front{}, llm.Envelope{}, drawEvents(rt, one)),
			llm.Gemini:    geminiStream(rt, drawGemini(rt)),
		}
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(rt, "line end")
		note := rapid.SampledFrom([]string{"", ": keep-alive\n\n", "\n", ":\n"}).Draw(rt, "comment")
		for dialect, stream := range streams {
			stream = []byte(note + strings.ReplaceAll(string(stream), "\n", end))
			got := forwarded(rt, backs[dialect], wire.StreamOptions{}, split(rt, stream))
			if !bytes.Equal(got, stream) {
				rt.Fatalf("%s: %q is passed on as %q", dialect, stream, got)
			}
		}
	})
}

// The usage that only Weir asked for leaves no trace: the client gets the very bytes of a stream without it.
func TestStrippedStreamsAreThoseWithoutUsage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawResponse(rt, 3)
		events := drawEvents(rt, r)
		asked := written(openai.Front{Now: noon}, llm.Envelope{IncludeUsage: true}, events)
		want := written(openai.Front{Now: noon}, llm.Envelope{}, events)
		got := forwarded(rt, openai.Back{}, wire.StreamOptions{StripUsage: true}, split(rt, asked))
		if !bytes.Equal(got, want) {
			rt.Fatalf("%q\nwithout usage is\n%q, want\n%q", asked, got, want)
		}
	})
}

// A stream that is cut anywhere before its end is never complete, in any dialect.
func TestCutStreamsAreNeverComplete(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawResponse(rt, 1)
		r.Usage = &llm.Usage{Output: 1}
		for dialect, stream := range map[llm.Dialect][]byte{
			llm.OpenAI:    written(openai.Front{Now: noon}, llm.Envelope{}, drawEvents(rt, r)),
			llm.Anthropic: written(anthropic.Front{}, llm.Envelope{}, drawEvents(rt, r)),
			llm.Gemini:    geminiStream(rt, drawGemini(rt)),
		} {
			mark := map[llm.Dialect]string{
				llm.OpenAI: `"finish_reason":"`, llm.Anthropic: "event: message_stop", llm.Gemini: `"finishReason"`,
			}[dialect]
			last := bytes.LastIndex(stream, []byte(mark))
			cut := stream[:rapid.IntRange(0, last).Draw(rt, "cut")]
			reader := backs[dialect].Stream(wire.StreamOptions{})
			frames := sse.NewFramer(split(rt, cut))
			for {
				f, err := frames.Next()
				if err != nil || f.Cut {
					break
				}
				if _, err := reader.Read(f.Raw); err != nil {
					rt.Fatal(err)
				}
			}
			if _, complete := reader.Finish(); complete {
				rt.Fatalf("%s: complete after %q", dialect, cut)
			}
		}
	})
}

// A live frame of text costs no memory: there are thousands a second.
func TestLiveFramesDoNotAllocate(t *testing.T) {
	for dialect, tt := range map[llm.Dialect]struct {
		b            back
		first, frame string
	}{
		llm.OpenAI: {
			openai.Back{},
			`data: {"id":"c","model":"gpt","choices":[{"index":0,"delta":{"role":"assistant"}}]}` + "\n\n",
			`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt","choices":[{"index":0,"delta":` +
				`{"content":" a \"few\" words"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n",
		},
		llm.Anthropic: {
			anthropic.Back{},
			"event: content_block_start\n" +
				`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n",
			"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",` +
				`"text":" a \"few\" words"}}` + "\n\n",
		},
		llm.Gemini: {
			gemini.Back{},
			`data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"responseId":"r"}` + "\n\n",
			`data: {"candidates":[{"content":{"role":"model","parts":[{"text":" a \"few\" words"}]},"index":0}],` +
				`"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12},"modelVersion":"g",` +
				`"responseId":"r"}` + "\n\n",
		},
	} {
		r := tt.b.Stream(wire.StreamOptions{StripUsage: true})
		frame := []byte(tt.frame)
		if _, err := r.Read([]byte(tt.first)); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(200, func() {
			if d, err := r.Read(frame); err != nil || len(d.Raw) == 0 {
				t.Fatal(fmt.Sprint(d, err))
			}
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations a frame", dialect, allocs)
		}
	}
}
