package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// client asks the gateway as an application would: OpenAI's Chat Completions, streamed.
type client struct {
	url, key string
	http     *http.Client
}

func newClient(url, key string) *client {
	return &client{url: url, key: key, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: workers, MaxIdleConns: workers, DisableCompression: true,
	}}}
}

// played is one call as the client saw it.
type played struct {
	id     call.OpID
	index  int
	kind   string
	answer string
	failed string // the error's text; "" = answered
	right  bool
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chatRequest struct {
	Model    string        `json:"model"`
	Stream   bool          `json:"stream"`
	Messages []chatMessage `json:"messages"`
}

// ask plays one interaction on a route, booked to a use case.
func (c *client) ask(ctx context.Context, it scenario.Interaction, route, useCase string) (played, error) {
	q := chatRequest{Model: route, Stream: true, Messages: []chatMessage{{"system", it.System}}}
	for _, t := range it.History {
		q.Messages = append(q.Messages, chatMessage{t.Role, t.Text})
	}
	q.Messages = append(q.Messages, chatMessage{"user", it.Question})
	body, err := json.Marshal(q)
	if err != nil {
		return played{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return played{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Weir-Use-Case", useCase)
	resp, err := c.http.Do(req)
	if err != nil {
		return played{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	p := played{index: it.Index, kind: it.Kind}
	if p.id, err = call.ParseOpID(resp.Header.Get("X-Request-Id")); err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(resp.Body)
		p.failed = string(text)
		return p, err
	}
	p.answer, err = readStream(resp.Body)
	p.right = it.Judge(p.answer)
	return p, err
}

// chunk is what the client reads of a stream's frame.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
			Refusal string `json:"refusal"`
		} `json:"delta"`
	} `json:"choices"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// readStream joins a stream's text.
func readStream(r io.Reader) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok || bytes.Equal(data, []byte("[DONE]")) {
			continue
		}
		var c chunk
		if err := json.Unmarshal(data, &c); err != nil {
			return "", fmt.Errorf("read a frame of the answer: %w", err)
		}
		if c.Error != nil {
			return "", fmt.Errorf("the answer broke off: %s", c.Error.Message)
		}
		for _, ch := range c.Choices {
			text.WriteString(ch.Delta.Content + ch.Delta.Refusal)
		}
	}
	return text.String(), lines.Err()
}
