package server_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAPackedBodyIsRead(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(chat("counting", "q", false))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if a := h.post("/v1/chat/completions", packed.String(), "Content-Encoding", "gzip"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestABodyThatUnpacksTooFarIsCut(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	var bomb strings.Builder
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 80 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if a := h.post("/v1/chat/completions", bomb.String(), "Content-Encoding", "gzip"); a.status != 413 {
		t.Errorf("80 MiB out of %d KiB: %d %s", bomb.Len()>>10, a.status, a.body)
	}
	h.inflight(t, 0)
}

// announce begins a call with a body of so many bytes and sends the first of them.
func (h *house) announce(t *testing.T, bytes int) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n{", h.key, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inflight waits until so many bytes of bodies are counted.
func (h *house) inflight(t *testing.T, want float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v bytes in flight", want), func() bool {
		return strings.Contains(h.get(h.admin+"/metrics").body, fmt.Sprintf("\nweir_inflight_bytes %v\n", want))
	})
}

// TestAnnouncedBodiesDoNotTakeThePlaceOfCalls holds that a length that a client only announces reserves little: four bodies
// of 64 MiB, whose bytes do not come, would fill limits.inflight_bytes.
func TestAnnouncedBodiesDoNotTakeThePlaceOfCalls(t *testing.T) {
	t.Parallel()
	const clients, reserved = 4, 256 << 10
	h := played(t, answering("42", 10, 5))
	for range clients {
		h.announce(t, 64<<20-1)
	}
	h.inflight(t, clients*reserved)
	for range 3 {
		if a := h.post("/v1/chat/completions", chat("gpt", "q", false)); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestAClientThatLeavesInItsBodyGivesItsPlaceBack holds that what a body reserved is given back when its client leaves.
func TestAClientThatLeavesInItsBodyGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	h := played(t, answering("42", 10, 5))
	c := h.announce(t, 1<<20)
	h.inflight(t, 256<<10)
	_ = c.Close()
	h.inflight(t, 0)
}

// TestBodiesBeyondTheBoundAreTurnedAway fills limits.inflight with a body whose bytes did come.
func TestBodiesBeyondTheBoundAreTurnedAway(t *testing.T) {
	t.Parallel()
	const most = 3 << 20
	h := played(t, answering("42", 10, 5), "limits: {", "limits: {body: 3 MiB, inflight: 6 MiB, ")
	c := h.announce(t, most)
	if _, err := c.Write(make([]byte, most-2)); err != nil { // all but the last byte
		t.Fatal(err)
	}
	h.inflight(t, most+1)
	large := chat("gpt", strings.Repeat("word", 700_000), false)
	a := h.post("/v1/chat/completions", large)
	if a.status != 503 || !slices.Contains([]string{"1", "2"}, a.header.Get("Retry-After")) || !strings.Contains(a.body, "limits.inflight") {
		t.Errorf("%d, retry-after %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	if _, err := c.Write([]byte("}")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest { // zeros are no JSON
		t.Errorf("the body that had its place: %d", resp.StatusCode)
	}
	h.inflight(t, 0)
	if a := h.post("/v1/chat/completions", large); a.status != 200 {
		t.Errorf("after the place was given back: %d %s", a.status, a.body)
	}
}
