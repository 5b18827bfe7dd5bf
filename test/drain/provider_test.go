package drain

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// provider plays OpenAI and Anthropic: it says a word of every answer, tells so, and says the rest once it may.
type provider struct {
	url   string
	begun chan bool
	may   chan struct{}
}

func play(t *testing.T, streams int) *provider {
	t.Helper()
	p := &provider{begun: make(chan bool, streams), may: make(chan struct{})}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

const (
	chatWord = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{"content":"%s"},"finish_reason":null}]}` + "\n\n"
	chatRest = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\ndata: [DONE]\n\n"
	messageStart = "event: message_start\n" + `data: {"type":"message_start","message":{"id":"m","type":"message",` +
		`"role":"assistant","model":"s","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}` +
		"\n\nevent: content_block_start\n" +
		`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n"
	messageWord = "event: content_block_delta\n" +
		`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}` + "\n\n"
	messageRest = "event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n" +
		"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}` +
		"\n\nevent: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n"
)

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	head, word, rest := "", chatWord, chatRest
	if strings.HasPrefix(r.URL.Path, "/anthropic") {
		head, word, rest = messageStart, messageWord, messageRest
	}
	w.Header().Set("Content-Type", "text/event-stream")
	put := func(text string) {
		_, _ = io.WriteString(w, text) // a gateway that is gone is the test's business
		_ = http.NewResponseController(w).Flush()
	}
	put(head + fmt.Sprintf(word, "4"))
	p.begun <- true
	select {
	case <-p.may:
		put(fmt.Sprintf(word, "2") + rest)
	case <-r.Context().Done():
	}
}
