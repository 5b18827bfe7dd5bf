package cases

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/bench/lab"
)

// peakLimit is the memory that no single request may drive the gateway beyond: limits.inflight, which is 256 MiB.
const peakLimit = 256

// bad is a request that must be refused.
type bad struct {
	name    string
	headers string
	body    func(w io.Writer) error
	length  int // of the body; -1 = chunked
	want    []int
	heavy   bool // its peak memory is a bar of its own
	noKey   bool
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// chunked writes pieces as one chunked body.
func chunked(piece string, times int) func(io.Writer) error {
	return func(w io.Writer) error {
		framed := fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		for range times {
			if _, err := io.WriteString(w, framed); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "0\r\n\r\n")
		return err
	}
}

// said is a bad request whose body is one text.
func said(name, body string, want ...int) bad {
	return bad{name: name, body: text(body), length: len(body), want: want}
}

func heavy(b bad) bad {
	b.heavy = true
	return b
}

func badInputs() []bad {
	const ask = `{"model":"bench","messages":[{"role":"user","content":"hi"}]`
	noKey := said("bad key", ask+"}", 401)
	noKey.noKey = true
	oversize := said("oversize header", ask+"}", 400, 431)
	oversize.headers = "X-Filler: " + strings.Repeat("a", 1<<20) + "\r\n"
	return []bad{
		heavy(bad{name: "1 GB body", body: chunked(strings.Repeat("a", mb), 1024), length: -1, want: []int{400, 413}}),
		heavy(said("depth 100,000", strings.Repeat("[", 100_000), 400)),
		heavy(said("depth 100,000 inside a call", ask+`,"x":`+strings.Repeat(`{"a":`, 100_000), 400)),
		heavy(said("1,000,000 duplicate keys", ask+strings.Repeat(`,"a":1`, 1_000_000)+"}", 400)),
		heavy(said("1,000,000 different keys, then a duplicate", ask+manyKeys(1_000_000)+`,"k0":1}`, 400)),
		said("broken JSON", `{"model":"bench","messages":[`, 400),
		said("not JSON at all", "hello", 400),
		said("empty body", "", 400),
		said("trailing data", ask+"}{}", 400),
		said("wrong types", `{"model":7,"messages":"hi"}`, 400),
		said("duplicate key", `{"model":"bench","model":"other","messages":[{"role":"user","content":"hi"}]}`, 400),
		said("key of another case", `{"Model":"bench","messages":[{"role":"user","content":"hi"}]}`, 400),
		said("bad UTF-8", "{\"model\":\"bench\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}", 400),
		said("unknown model", `{"model":"no-such","messages":[{"role":"user","content":"hi"}]}`, 404),
		said("empty messages", `{"model":"bench","messages":[]}`, 400),
		noKey, oversize,
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()
}

// badInput sends what no client should. The gateway must refuse it in the dialect and answer the next call; what drives
// memory has a gateway of its own, since memory that was used once is given back late.
func badInput(s *Settings) ([]Bar, error) {
	up, err := s.Lab.Upstream()
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	var light []bad
	var bars []Bar
	wrong := map[string]string{}
	all := badInputs()
	for _, b := range all {
		if !b.heavy {
			light = append(light, b)
			continue
		}
		peak, err := refuse(s, up.Addr, wrong, b)
		if err != nil {
			return nil, err
		}
		bars = append(bars, most("bad input: "+b.name+": peak memory, MB", peak, peakLimit, nil))
	}
	if _, err := refuse(s, up.Addr, wrong, light...); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("bad input: of %d kinds, not refused clearly, count", len(all))
	var detail any
	if len(wrong) > 0 {
		detail = wrong
	}
	return append(bars, most(name, float64(len(wrong)), 0, detail)), nil
}

// refuse sends bad requests to a fresh gateway, a good call after each, and returns its peak memory in MB.
func refuse(s *Settings, upstream string, wrong map[string]string, all ...bad) (peak float64, err error) {
	w, err := s.Lab.Fresh(upstream)
	if err != nil {
		return 0, err
	}
	defer w.Stop()
	for _, b := range all {
		if err := b.send(w); err != nil {
			wrong[b.name] = err.Error()
		}
		if status, body, err := w.Call(); err != nil || status != http.StatusOK {
			return 0, fmt.Errorf("after %s a good call gets %d %.200s %w", b.name, status, body, err)
		}
	}
	n, err := lab.PeakRSS(w.PID())
	return float64(n) / mb, err
}

// send sends the request and tells why its answer is not a clear refusal; nil = it is one.
func (b bad) send(w *lab.Weir) error {
	c, err := net.Dial("tcp", w.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return err
	}
	key, framing := w.Key, fmt.Sprintf("Content-Length: %d", b.length)
	if b.noKey {
		key = "sk-weir-no-such-key"
	}
	if b.length < 0 {
		framing = "Transfer-Encoding: chunked"
	}
	go func() { // the answer may come before the request is through; then writing fails, and that is fine
		_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\n%s%s\r\n\r\n", key, b.headers, framing)
		if err == nil {
			_ = b.body(c)
		}
	}()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("the answer is cut: %w", err)
	}
	return b.judge(r.StatusCode, body)
}

func (b bad) judge(status int, body []byte) error {
	var e struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	known := false
	for _, s := range b.want {
		known = known || s == status
	}
	switch {
	case !known:
		return fmt.Errorf("status %d: %.200s", status, body)
	case status == http.StatusRequestHeaderFieldsTooLarge: // the server's own word, before any dialect is known
		return nil
	case json.Unmarshal(body, &e) != nil || e.Error.Type == "":
		return fmt.Errorf("not in the dialect: %.200s", body)
	case e.Error.Message == "":
		return errors.New("the error says nothing")
	}
	return nil
}
