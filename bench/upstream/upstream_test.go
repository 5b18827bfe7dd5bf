package main

import (
	"net"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/bench/rawhttp"
)

func TestWhatIsSaidParses(t *testing.T) {
	s := newScript(options{chunks: 3})
	body := rawhttp.Answer{Keep: true}
	if n, err := body.Feed(s.answer); err != nil || n != len(s.answer) || !body.Done() || body.Bytes != answerSize {
		t.Fatalf("answer: %d of %d, %d bytes, %v", n, len(s.answer), body.Bytes, err)
	}
	var a struct {
		Choices []struct {
			Message struct{ Content string } `json:"message"`
		} `json:"choices"`
		Usage struct {
			Total int `json:"total_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(body.Body, &a); err != nil || len(a.Choices) != 1 || a.Usage.Total != 430 {
		t.Errorf("answer %+v, %v", a, err)
	}
}

func TestAStreamHasItsChunksItsUsageAndItsEnd(t *testing.T) {
	s := newScript(options{chunks: 3})
	client, server := net.Pipe()
	go func() {
		_ = s.stream(server)
		_ = server.Close()
	}()
	answer, buf := rawhttp.Answer{Keep: true}, make([]byte, 100)
	for !answer.Done() {
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := answer.Feed(buf[:n]); err != nil {
			t.Fatal(err)
		}
	}
	const want = 3 + 3 // the chunks; then finish, usage, [DONE]
	if !answer.Finished() || answer.Events != want {
		t.Errorf("%d events, %d wanted; finished %v", answer.Events, want, answer.Finished())
	}
}

func TestStreamsAreAskedFor(t *testing.T) {
	for body, want := range map[string]bool{
		`{"model":"m","stream":true}`: true, `{"stream": true,"messages":[]}`: true, `{"stream":false}`: false,
		`{"messages":[]}`: false, `{"stream_options":{},"stream":true}`: true,
	} {
		if got := streams([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}
