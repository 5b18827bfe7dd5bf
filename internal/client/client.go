// Package client asks a running gateway as an application would: over HTTP, OpenAI's Chat Completions, streamed or not,
// and afterwards what the ledger tells of a call. It is for what Weir shows of itself; it reaches into no room.
package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/report"
)

// Client asks one gateway with one key. Safe for concurrent use.
type Client struct {
	url, key string
	http     *http.Client
}

// New makes a client of the gateway at a URL that keeps up to so many connections.
func New(url, key string, connections int) *Client {
	return &Client{url: url, key: key, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, MaxIdleConns: connections, DisableCompression: true,
	}}}
}

// Message is one turn.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Chat is one question.
type Chat struct {
	Model    string    `json:"model"`
	Stream   bool      `json:"stream"`
	Messages []Message `json:"messages"`
	UseCase  string    `json:"-"` // that the call is booked to; "" = the key's
}

// Reply is one answer as the client saw it.
type Reply struct {
	ID     string // x-request-id
	Model  string // x-weir-model
	Text   string
	Failed string // the error's body, or its status; "" = answered
	Busy   bool   // the error is that the gateway takes no calls just now (503)
}

// Ask asks one question. An answer that is an error is no error of Ask.
func (c *Client) Ask(ctx context.Context, q Chat) (Reply, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return Reply{}, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/chat/completions", bytes.NewReader(body), q.UseCase)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	r := Reply{ID: resp.Header.Get("X-Request-Id"), Model: resp.Header.Get("X-Weir-Model")}
	switch {
	case resp.StatusCode != http.StatusOK:
		text, err := io.ReadAll(resp.Body)
		r.Failed, r.Busy = cmp.Or(string(text), resp.Status), resp.StatusCode == http.StatusServiceUnavailable
		return r, err
	case q.Stream:
		r.Text, err = readStream(resp.Body)
	default:
		r.Text, err = readBody(resp.Body)
	}
	return r, err
}

// Call is what the ledger tells of a call of this client's key.
func (c *Client) Call(ctx context.Context, id string) (report.Call, error) {
	var told report.Call
	resp, err := c.do(ctx, http.MethodGet, "/api/v1/calls/"+id, nil, "")
	if err != nil {
		return told, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return told, err
	}
	if resp.StatusCode != http.StatusOK {
		return told, fmt.Errorf("ask for call %s: status %d: %s", id, resp.StatusCode, body)
	}
	return told, json.Unmarshal(body, &told)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, useCase string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	if useCase != "" {
		req.Header.Set("X-Weir-Use-Case", useCase)
	}
	return c.http.Do(req)
}

// said is one choice's content, of a body or of a frame.
type said struct {
	Content string `json:"content"`
	Refusal string `json:"refusal"`
}

// answer is what the client reads of a body, or of a stream's frame.
type answer struct {
	Choices []struct {
		Message said `json:"message"`
		Delta   said `json:"delta"`
	} `json:"choices"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (a answer) text() string {
	var b strings.Builder
	for _, c := range a.Choices {
		b.WriteString(c.Message.Content + c.Message.Refusal + c.Delta.Content + c.Delta.Refusal)
	}
	return b.String()
}

func readBody(r io.Reader) (string, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return a.text(), nil
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
		var a answer
		if err := json.Unmarshal(data, &a); err != nil {
			return "", fmt.Errorf("read a frame of the answer: %w", err)
		}
		if a.Error != nil {
			return "", fmt.Errorf("the answer broke off: %s", a.Error.Message)
		}
		text.WriteString(a.text())
	}
	return text.String(), lines.Err()
}
