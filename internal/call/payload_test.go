package call

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

// asked is a body whose one text is a user's, and its envelope.
func asked(t testing.TB, text string) ([]byte, llm.Envelope) {
	t.Helper()
	const head, tail = `{"messages":[{"role":"user","content":"`, `"}],"model":"m"}`
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	inner := string(quoted[1 : len(quoted)-1])
	span := llm.Span{Start: len(head), End: len(head) + len(inner)}
	body := head + inner + tail
	return []byte(body), llm.Envelope{
		LastUser: span, BodyBytes: len(body), Texts: []llm.Segment{{Span: span, Role: llm.User}},
		ModelSpan: llm.Span{Start: len(body) - 4, End: len(body) - 1},
	}
}

// readContent decodes a body of asked: the user's text as the one text of the request.
func readContent(b []byte) (*llm.Request, error) {
	var body struct {
		Messages []struct {
			Role, Content string
		}
		Model string
	}
	if err := json.Unmarshal(b, &body, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	part := llm.Part{Text: body.Messages[0].Content}
	return &llm.Request{Model: body.Model, Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{part}}}}, nil
}

func TestNotedAppendsTheNoteAndKeepsTheJSON(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringN(1, 40, -1).Draw(r, "text")
		note := rapid.String().Draw(r, "note")
		body, env := asked(t, text)
		raw := NewRaw(body, env, readContent)
		raw.Forward = []Field{{"anthropic-beta", "x"}}
		noted := raw.Noted(note)
		q, err := noted.Request()
		if err != nil {
			r.Fatalf("%q is no JSON: %v", noted.Body, err)
		}
		if got := q.Messages[0].Parts[0].Text; got != text+note {
			r.Fatalf("text = %q, want %q", got, text+note)
		}
		e := noted.Envelope
		if got := string(noted.Body[e.ModelSpan.Start:e.ModelSpan.End]); got != `"m"` {
			r.Fatalf("the model's span covers %q", got)
		}
		span := noted.Body[e.LastUser.Start-1 : e.LastUser.End+1]
		if inside, err := jsontext.AppendUnquote(nil, span); err != nil || string(inside) != text+note {
			r.Fatalf("the last user's span covers %q (%v)", span, err)
		}
		if e.BodyBytes != len(noted.Body) || len(noted.Forward) != 1 {
			r.Fatalf("body of %d bytes told as %d; %d headers", len(noted.Body), e.BodyBytes, len(noted.Forward))
		}
		if before, _ := asked(t, text); string(before) != string(raw.Body) {
			r.Fatal("the caller's own bytes were changed")
		}
	})
}

func TestNotedTwice(t *testing.T) {
	body, env := asked(t, "Pay?")
	q, err := NewRaw(body, env, readContent).Noted(" One \"more\".").Noted("\n\xff!").Request()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := q.Messages[0].Parts[0].Text, "Pay? One \"more\".\n\ufffd!"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
}

func TestNotedWithoutAUserText(t *testing.T) {
	raw := NewRaw([]byte(`{"messages":[]}`), llm.Envelope{}, readContent)
	if raw.Noted("note") != raw {
		t.Error("a request without a user's text was changed")
	}
}

func TestRawIsDecodedOnce(t *testing.T) {
	n := 0
	raw := NewRaw([]byte("{}"), llm.Envelope{}, func([]byte) (*llm.Request, error) {
		n++
		return new(llm.Request), nil
	})
	a, _ := raw.Request()
	if b, err := raw.Request(); err != nil || a != b || n != 1 {
		t.Errorf("decoded %d times, %v", n, err)
	}
	broken := errors.New("no")
	raw = NewRaw([]byte("{"), llm.Envelope{}, func([]byte) (*llm.Request, error) { return nil, broken })
	if q, err := raw.Request(); q != nil || !errors.Is(err, broken) {
		t.Errorf("a broken body = %v, %v", q, err)
	}
}

func TestBriefNeedsAPassedFidelityOfItsOwnText(t *testing.T) {
	const text = "Invoice INV-402 over $1,250.00 must not be paid."
	good := Fidelity{
		Pinned: 3, Kept: 3, SourceSHA: sha256.Sum256([]byte("the source")), BriefSHA: sha256.Sum256([]byte(text)),
	}
	req := &llm.Request{Model: "m"}
	b, err := NewBrief(req, text, good)
	if err != nil || b.Request() != req || b.Text() != text || b.Fidelity() != good {
		t.Fatalf("a passed brief = %+v, %v", b, err)
	}
	for name, tt := range map[string]struct {
		text  string
		spoil func(*Fidelity)
		want  string
	}{
		"a fact is lost":       {text, func(f *Fidelity) { f.Kept = 2 }, "2 of 3 pinned facts kept"},
		"a number is invented": {text, func(f *Fidelity) { f.Invented = 1 }, "1 invented"},
		"never checked":        {text, func(f *Fidelity) { *f = Fidelity{} }, "refused"},
		"no source":            {text, func(f *Fidelity) { f.SourceSHA = [32]byte{} }, "refused"},
		"another text":         {text + " ", func(*Fidelity) {}, "another text"},
		"edited after":         {strings.Replace(text, "not ", "", 1), func(*Fidelity) {}, "another text"},
	} {
		t.Run(name, func(t *testing.T) {
			f := good
			tt.spoil(&f)
			b, err := NewBrief(req, tt.text, f)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if b.Request() != nil || b.Text() != "" {
				t.Error("a refused brief holds a request all the same")
			}
		})
	}
}

func TestWireSize(t *testing.T) {
	if n := (Wire{Body: [][]byte{[]byte("ab"), nil, []byte("cde")}}).Size(); n != 5 {
		t.Errorf("size = %d, want 5", n)
	}
}
