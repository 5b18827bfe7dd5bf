package anthropic

import (
	"bytes"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

// FuzzScanMessages: whatever Scan accepts is JSON whose spans lie in the body, and what Forward makes of it is JSON
// that Scan reads as the same request with another model.
func FuzzScanMessages(f *testing.F) {
	f.Add([]byte(fullRequest))
	f.Add([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`))
	f.Add([]byte(`{"model":"m","max_tokens":10,"metadata":{"agent":"a"},"stream":null,"messages":[{"content":[],` +
		`"role":"user"}]}`))
	f.Add([]byte(`{"model":"m","max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user",` +
		`"content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"s"} , {"type":"tool_use",` +
		`"id":"t","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"} ]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		env, err := Front{}.Scan(body)
		if err != nil {
			if llm.AsError(err).Code != llm.CodeInvalid {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !jsontext.Value(body).IsValid() {
			t.Fatal("accepted what is no strict JSON")
		}
		for _, s := range env.Texts {
			if s.Span.Start < 1 || s.Span.End >= len(body) || body[s.Span.Start-1] != '"' || body[s.Span.End] != '"' {
				t.Fatalf("text span %v is not inside quotes", s.Span)
			}
			if s.Role == speaker {
				t.Fatal("a text has no speaker")
			}
		}
		checkTalk(t, body, env)
		o := call.Order{Stream: true, MaxOut: 3, Target: call.Target{WireID: "w"}}
		w, err := Back{}.Forward(call.NewRaw(body, env, Front{}.Decode), o)
		if err != nil {
			return
		}
		out := bytes.Join(w.Body, nil)
		again, err := Front{}.Scan(out)
		if err != nil {
			t.Fatalf("forwarded %q: %v", out, err)
		}
		if again.Model != "w" || !again.Stream || again.MaxOutput > 3 || again.Turns != env.Turns ||
			again.Needs != env.Needs {
			t.Fatalf("forwarded %q reads as %+v", out, again)
		}
		if q, err := (Front{}).Decode(body); err == nil && len(q.Messages) > env.Turns {
			t.Fatalf("Decode sees %d messages, Scan %d", len(q.Messages), env.Turns)
		}
	})
}

func valid(t *testing.T, u *llm.Usage) {
	if u != nil && (u.Input < 0 || u.CacheRead < 0 || u.CacheWrite5m < 0 || u.CacheWrite1h < 0 || u.Output < 0 ||
		u.Reasoning < 0) {
		t.Fatalf("negative usage %+v", u)
	}
}

// FuzzResponse: Response and Peek agree, and what Front writes of an answer reads as the same answer.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(fullAnswer))
	f.Add([]byte(`{"content":[{"type":"redacted_thinking","data":"x"},{"type":"web_search_tool_result","content":[]}]}`))
	f.Add([]byte(`{"type":"error","error":{"type":"api_error","message":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Back{}.Response(body)
		events, n, peekErr := Back{}.Peek(body)
		if (err == nil) != (peekErr == nil) {
			t.Fatalf("Response: %v, Peek: %v", err, peekErr)
		}
		if err != nil {
			return
		}
		valid(t, r.Usage)
		if n < 0 || n > len(body) || events[0].ID != r.ID {
			t.Fatalf("Peek: %d bytes, events %+v", n, events)
		}
		out, err := Front{}.Response(r)
		if err != nil {
			return
		}
		if again, err := (Back{}).Response(out); err != nil || again.Text(0) != r.Text(0) {
			t.Fatalf("written %q: %v", out, err)
		}
	})
}

// FuzzStream: a reader never fails but with an *llm.Error, live and full agree, and a written stream is well formed.
func FuzzStream(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add([]byte(frame("error", `{"type":"error","error":{"type":"overloaded_error"}}`)))
	f.Add([]byte(opening + block1("0", `"type":"text","text":"a"`) + closing("end_turn", someUsage)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		full, live := Back{}.Stream(wire.StreamOptions{Full: true}), Back{}.Stream(wire.StreamOptions{})
		w := Front{}.Stream(llm.Envelope{})
		var out []byte
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
				out = w.Write(out, ev)
			}
		}
		answer, complete := full.Finish()
		if _, c := live.Finish(); c != complete || answer == nil || (failed && complete) {
			t.Fatalf("complete: full %v, live %v, failed %v", complete, c, failed)
		}
		again := Back{}.Stream(wire.StreamOptions{Full: true})
		readAll(t, again, string(out))
		second, _ := again.Finish()
		if second.Text(0) != answer.Text(0) && complete {
			t.Fatalf("text %q was written as %q", answer.Text(0), second.Text(0))
		}
	})
}
