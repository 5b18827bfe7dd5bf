package crash

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
)

// sound is every text that a provider answers with.
var sound = regexp.MustCompile(`^(42|it is unclear)( and so it is counted)+ *$`)

// message is what is read of an answer, and of a stream's chunk, in both dialects.
type message struct {
	Choices []struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		Finish *string `json:"finish_reason"`
	} `json:"choices"`
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	Delta struct {
		Text string `json:"text"`
	} `json:"delta"`
	Type string `json:"type"`
}

func (m message) text() string {
	s := m.Delta.Text
	for _, c := range m.Choices {
		s += c.Message.Content + c.Delta.Content
	}
	for _, c := range m.Content {
		s += c.Text
	}
	return s
}

// terminal reports whether an agent may act from here on.
func (m message) terminal() bool {
	for _, c := range m.Choices {
		if c.Finish != nil {
			return true
		}
	}
	return m.Type == "message_delta"
}

func readBody(body io.Reader) (text string, whole bool) {
	b, err := io.ReadAll(body)
	var m message
	if err != nil {
		return "", false
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return "unreadable: " + string(b), true
	}
	return m.text(), true
}

// readStream reads a stream to its end and tells at once when its terminal group begins.
func readStream(body io.Reader, tell func()) (text string, released, whole bool) {
	in := bufio.NewScanner(body)
	for in.Scan() {
		line := in.Text()
		data, ok := strings.CutPrefix(line, "data: ")
		if data == "[DONE]" || line == "event: message_stop" {
			whole = true
		}
		if !ok || data == "[DONE]" {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			text += "unreadable: " + data
			continue
		}
		text += m.text()
		if m.terminal() && !released {
			released = true
			tell()
		}
	}
	return text, released, whole
}
