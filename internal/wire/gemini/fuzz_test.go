package gemini

import (
	"bytes"
	"io"
	"testing"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

func valid(t *testing.T, u *llm.Usage) {
	if u != nil && (u.Input < 0 || u.CacheRead < 0 || u.Output < 0 || u.Reasoning < 0) {
		t.Fatalf("negative usage %+v", u)
	}
}

// FuzzResponse: Response and Peek agree, and an answer goes back into a request.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(fullAnswer))
	f.Add([]byte(`{"promptFeedback":{"blockReason":"SAFETY"}}`))
	f.Add([]byte(`{"error":{"code":429,"details":[{"retryDelay":"3s"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Back{}.Response(body)
		events, n, peekErr := Back{}.Peek(body)
		if (err == nil) != (peekErr == nil) {
			t.Fatalf("Response: %v, Peek: %v", err, peekErr)
		}
		if err != nil {
			_ = Back{}.Error(429, nil, body)
			return
		}
		valid(t, r.Usage)
		if n < 0 || n > len(body) || events[0].ID != r.ID || len(r.Choices) == 0 {
			t.Fatalf("Peek: %d bytes, events %+v", n, events)
		}
		var tools, stops int
		for _, ev := range events {
			switch ev.Kind {
			case llm.EvToolStart:
				tools++
			case llm.EvStop:
				stops++
			}
		}
		q := llm.Request{Messages: []llm.Message{user(text("q"))}}
		for _, ch := range r.Choices {
			q.Messages = append(q.Messages, model(ch.Parts...))
			for _, p := range ch.Parts {
				if p.Kind == llm.ToolUse {
					tools--
				}
			}
		}
		if tools != 0 || stops != len(r.Choices) {
			t.Fatalf("Peek and Response count calls or stops differently: %d, %d of %d", tools, stops, len(r.Choices))
		}
		if _, err := (Back{}).Encode(&q, order("gemini-3-pro")); err != nil && llm.AsError(err).Code != llm.CodeUnfit {
			t.Fatal(err)
		}
	})
}

// FuzzStream: a reader never fails but with an *llm.Error, and live and full agree.
func FuzzStream(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add([]byte("data: {\"error\":{\"code\":500}}\n\n"))
	f.Add([]byte(chunk(`"promptFeedback":{"blockReason":"SAFETY"}`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		full, live := Back{}.Stream(wire.StreamOptions{Full: true}), Back{}.Stream(wire.StreamOptions{})
		said := ""
		failed := false
		for fr := sse.NewFramer(bytes.NewReader(stream)); ; {
			next, err := fr.Next()
			if err == io.EOF {
				break
			}
			d, err := full.Read(next.Raw)
			l, liveErr := live.Read(next.Raw)
			if (err == nil) != (liveErr == nil) || d.Terminal != l.Terminal || d.Bytes != l.Bytes {
				t.Fatalf("%q: full %v %v, live %v %v", next.Raw, d, err, l, liveErr)
			}
			if err != nil && llm.AsError(err).Code != llm.CodeUpstream {
				t.Fatal(err)
			}
			for _, ev := range d.Events {
				failed = failed || ev.Kind == llm.EvError
				valid(t, ev.Usage)
				if ev.Kind == llm.EvText && ev.Choice == 0 {
					said += ev.Text
				}
			}
		}
		answer, complete := full.Finish()
		if _, c := live.Finish(); c != complete || (failed && complete) {
			t.Fatalf("complete: full %v, live %v, failed %v", complete, c, failed)
		}
		if answer.Text(0) != said {
			t.Fatalf("events say %q, the answer %q", said, answer.Text(0))
		}
	})
}
