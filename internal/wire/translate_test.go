package wire_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"
	"github.com/weirhq/weir/internal/wire/sse"
)

// front and coder are the halves of a dialect that translation goes through.
type front interface {
	Scan(body []byte) (llm.Envelope, error)
	Decode(body []byte) (*llm.Request, error)
	Response(*llm.Response) ([]byte, error)
	Stream(llm.Envelope) wire.StreamWriter
	Error(e *llm.Error, inBand bool) []byte
}

type coder interface {
	back
	Encode(*llm.Request, call.Order) (call.Wire, error)
}

func noon() time.Time { return time.Unix(1700000000, 0) }

var (
	fronts = map[string]front{"openai": openai.Front{Now: noon}, "anthropic": anthropic.Front{}}
	coders = map[string]coder{"openai": openai.Back{}, "anthropic": anthropic.Back{}, "gemini": gemini.Back{}}
)

// vector is one archive: client.json in the caller's dialect, provider.json as the provider must get it, answer.json or
// answer.sse as the provider gives it, reply.json or reply.sse as the caller must get it. status is the provider's HTTP
// status, 200 without it; wire is the model's wire id, path the endpoint. JSON is compared as values, streams frame by
// frame. A request that cannot be translated has no provider.json.
type vector struct {
	front front
	back  coder
	files map[string]string
}

func readVector(t *testing.T, name string) vector {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(a.Comment)) == 0 {
		t.Error("the archive does not say what it shows")
	}
	from, to, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txtar"), "-")
	to, _, _ = strings.Cut(to, "-")
	v := vector{fronts[from], coders[to], map[string]string{"status": "200", "wire": "model-x", "path": ""}}
	if v.front == nil || v.back == nil {
		t.Fatalf("%s is not named after two dialects", name)
	}
	for _, f := range a.Files {
		switch f.Name {
		case "client.json", "provider.json", "answer.json", "answer.sse", "reply.json", "reply.sse":
			v.files[f.Name] = string(f.Data)
		case "status", "wire", "path":
			v.files[f.Name] = strings.TrimSpace(string(f.Data))
		default:
			t.Fatalf("%s: a file named %s", name, f.Name)
		}
	}
	return v
}

func TestTranslation(t *testing.T) {
	names, err := filepath.Glob("testdata/translate/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { readVector(t, name).run(t) })
	}
	if len(names) < 25 {
		t.Errorf("only %d vectors", len(names))
	}
}

func (v vector) run(t *testing.T) {
	env, w, err := v.request([]byte(v.files["client.json"]))
	if err != nil {
		if v.files["provider.json"] != "" {
			t.Fatalf("the request is refused: %v", err)
		}
		v.reply(t, v.front.Error(llm.AsError(err), false), "reply.json")
		return
	}
	sent := bytes.Join(w.Body, nil)
	if d := cmp.Diff(tidy(t, v.files["provider.json"]), tidy(t, string(sent))); d != "" {
		t.Errorf("the provider gets (-want +got):\n%s", d)
	}
	if want := v.files["path"]; want != "" && w.Path != want {
		t.Errorf("sent to %s, want %s", w.Path, want)
	}
	status, err := strconv.Atoi(v.files["status"])
	switch stream, whole := v.files["answer.sse"], []byte(v.files["answer.json"]); {
	case err != nil:
		t.Fatal(err)
	case status != http.StatusOK:
		v.reply(t, v.front.Error(v.back.Error(status, http.Header{}, whole), false), "reply.json")
	case stream != "":
		v.reply(t, v.stream(t, env, stream), "reply.sse")
	default:
		v.reply(t, v.whole(t, whole), "reply.json")
	}
}

// request translates what the caller sent.
func (v vector) request(body []byte) (llm.Envelope, call.Wire, error) {
	env, err := v.front.Scan(body)
	if err != nil {
		return env, call.Wire{}, err
	}
	q, err := v.front.Decode(body)
	if err != nil {
		return env, call.Wire{}, err
	}
	o := call.Order{Target: call.Target{WireID: v.files["wire"]}, MaxOut: 1000, Stream: env.Stream, N: env.N}
	w, err := v.back.Encode(q, o)
	return env, w, err
}

// whole translates an answer that came in one body, and checks that peeking at it tells the same of it.
func (v vector) whole(t *testing.T, body []byte) []byte {
	events, _, peekErr := v.back.Peek(body)
	r, err := v.back.Response(body)
	if (err == nil) != (peekErr == nil) {
		t.Fatalf("Response: %v, Peek: %v", err, peekErr)
	}
	if err != nil {
		return v.front.Error(llm.AsError(err), false)
	}
	if d := cmp.Diff(landmarks(r.Events()), landmarks(events)); d != "" {
		t.Errorf("peeked at, the answer tells (-whole +peeked):\n%s", d)
	}
	out, err := v.front.Response(r)
	if err != nil {
		return v.front.Error(llm.AsError(err), false)
	}
	return out
}

// landmarks are the events that a light look at an answer must tell too.
func landmarks(events []llm.Event) []llm.Event {
	var out []llm.Event
	for _, ev := range events {
		switch ev.Kind {
		case llm.EvStart:
			ev.Fingerprint = ""
		case llm.EvToolStart:
			ev.Opaque = nil
		case llm.EvStop, llm.EvMeter:
		default:
			continue
		}
		out = append(out, ev)
	}
	return out
}

// stream translates a stream frame by frame, the way the gateway's sink does, and checks that a light look at it tells
// the same of stops, tools and usage.
func (v vector) stream(t *testing.T, env llm.Envelope, stream string) (out []byte) {
	full, light := v.back.Stream(wire.StreamOptions{Full: true}), v.back.Stream(wire.StreamOptions{})
	w := v.front.Stream(env)
	ended := false
	var heavy, slim []llm.Event
	frames := sse.NewFramer(strings.NewReader(stream))
	for {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := full.Read(f.Raw)
		if err != nil {
			return append(out, v.front.Error(llm.AsError(err), true)...)
		}
		l, err := light.Read(f.Raw)
		if err != nil {
			t.Fatal(err)
		}
		heavy, slim = append(heavy, d.Events...), append(slim, l.Events...)
		failed := func(ev llm.Event) bool { return ev.Kind == llm.EvError }
		if i := slices.IndexFunc(d.Events, failed); i >= 0 {
			return append(out, v.front.Error(d.Events[i].Err, true)...)
		}
		for _, ev := range d.Events {
			ended = ended || ev.Kind == llm.EvEnd
			out = w.Write(out, ev)
		}
	}
	if _, complete := full.Finish(); !complete {
		t.Error("the stream counts as cut")
	}
	if d := cmp.Diff(lastMeter(landmarks(heavy)), lastMeter(landmarks(slim))); d != "" {
		t.Errorf("read lightly, the stream tells (-full +light):\n%s", d)
	}
	if !ended {
		out = w.Write(out, llm.Event{Kind: llm.EvEnd})
	}
	return out
}

// lastMeter keeps only the last EvMeter, at the end: it alone counts.
func lastMeter(events []llm.Event) []llm.Event {
	var out []llm.Event
	var meter *llm.Event
	for i := range events {
		if events[i].Kind == llm.EvMeter {
			meter = &events[i]
			continue
		}
		out = append(out, events[i])
	}
	if meter != nil {
		out = append(out, *meter)
	}
	return out
}

// reply compares what the caller gets.
func (v vector) reply(t *testing.T, got []byte, file string) {
	t.Helper()
	want, ok := v.files[file]
	if !ok {
		t.Fatalf("there is no %s to compare with:\n%s", file, got)
	}
	if file == "reply.json" {
		want, got = tidy(t, want), []byte(tidy(t, string(got)))
	} else {
		want, got = tidyFrames(t, want), []byte(tidyFrames(t, string(got)))
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("the caller gets (-want +got):\n%s", d)
	}
}

// tidy is a JSON text in one form: equal values are equal texts.
func tidy(t *testing.T, text string) string {
	t.Helper()
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := v.Indent(); err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// tidyFrames is a stream with each frame's data in one form, so that a difference is told by its frame.
func tidyFrames(t *testing.T, stream string) string {
	t.Helper()
	var out strings.Builder
	frames := sse.NewFramer(strings.NewReader(stream))
	for {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		name, data := sse.Fields(f.Raw)
		text := string(data)
		if text != "[DONE]" {
			v := jsontext.Value(text)
			if err := v.Canonicalize(); err != nil {
				t.Fatalf("%v in frame %q", err, f.Raw)
			}
			text = string(v)
		}
		out.WriteString(string(name) + " " + text + "\n")
	}
}
