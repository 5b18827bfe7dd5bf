package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/server"
)

// patient is a provider that tells of every request and answers it once it may.
func patient(begun chan<- bool, may <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		select {
		case <-may:
			whole(w, "42", 10, 5)
		case <-r.Context().Done():
		}
	}
}

// newKey makes one more key over the control API.
func (h *house) newKey(t *testing.T) string {
	t.Helper()
	made := h.do(http.MethodPost, h.admin+"/api/v1/keys", `{"name":"another"}`, "Authorization", "Bearer "+h.token())
	return made.json(t, "key")
}

// metric waits until a metric has a value.
func (h *house) metric(t *testing.T, name string, want float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s %v", name, want), func() bool {
		return strings.Contains(h.get(h.admin+"/metrics").body, fmt.Sprintf("\n%s %v\n", name, want))
	})
}

// knock sends the header of a call and none of its body, and reads the answer.
func (h *house) knock(t *testing.T, path, key string, length int) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path, key, length)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp
}

// turnedAway holds that an answer is a refusal in its dialect that tells when to come again.
func turnedAway(t *testing.T, path string, resp *http.Response, says string) {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, string(b)}
	var seconds int
	if _, err := fmt.Sscan(a.header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 31 {
		t.Errorf("retry-after %q", a.header.Get("Retry-After"))
	}
	kind := "overloaded_error"
	if path == "/v1/chat/completions" {
		kind = "server_error"
	}
	if a.status != 503 || a.json(t, "error", "type") != kind || !strings.Contains(a.json(t, "error", "message"), says) {
		t.Errorf("%s: %d %s, want 503 with %q", path, a.status, a.body, says)
	}
	if a.header.Get("X-Should-Retry") != "true" || a.header.Get("X-Request-Id") == "" {
		t.Errorf("header %v", a.header)
	}
}

var endpoints = []string{"/v1/chat/completions", "/v1/messages"}

// TestCallsBeyondTheBoundAreTurnedAway fills limits.calls: one key takes seven of eight places, another the last one. Who
// is turned away is told before a byte of the body has come.
func TestCallsBeyondTheBoundAreTurnedAway(t *testing.T) {
	t.Parallel()
	const places = 8
	begun, may := make(chan bool, places), make(chan struct{})
	h := played(t, patient(begun, may), "limits: {", fmt.Sprintf("limits: {calls: %d, ", places))
	other := h.newKey(t)
	answers := make(chan answer, places)
	call := func(key string) {
		go func() {
			answers <- h.post("/v1/chat/completions", chat("gpt", "q", false), "Authorization", "Bearer "+key)
		}()
		<-begun
	}
	for range places - 1 {
		call(h.key)
	}
	for _, path := range endpoints {
		turnedAway(t, path, h.knock(t, path, h.key, 1000), "this key has too many calls under way")
	}
	call(other)
	for _, path := range endpoints {
		turnedAway(t, path, h.knock(t, path, other, 50<<20), "too many calls are under way")
	}
	h.metric(t, "weir_calls_in_flight", places)
	h.metric(t, "weir_calls_in_flight_most_of_one_key", places-1)
	h.metric(t, `weir_refused_total{reason="key"}`, 2)
	h.metric(t, `weir_refused_total{reason="calls"}`, 2)
	close(may)
	for range places {
		if a := <-answers; a.status != 200 {
			t.Errorf("a call that was let in: %d %s", a.status, a.body)
		}
	}
	h.metric(t, "weir_calls_in_flight", 0)
	if a := h.post("/v1/chat/completions", chat("gpt", "q", false)); a.status != 200 {
		t.Errorf("after the places were given back: %d %s", a.status, a.body)
	}
}

// TestARefusedClientKeepsItsConnection makes refused calls and then a good one over one connection: what was sent of a
// body that nobody read is not taken for a request.
func TestARefusedClientKeepsItsConnection(t *testing.T) {
	t.Parallel()
	begun, may := make(chan bool, 2), make(chan struct{})
	h := played(t, patient(begun, may), "limits: {", "limits: {calls: 1, ")
	done := make(chan answer)
	go func() { done <- h.post("/v1/chat/completions", chat("gpt", "q", false)) }()
	<-begun
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	ask := func(size int) int {
		body := chat("gpt", strings.Repeat("q", size), false)
		go func() {
			_, _ = fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
				h.key, len(body), body) // what does not arrive is seen by its answer
		}()
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	for _, size := range []int{10, 100_000, 10, 200_000} {
		if status := ask(size); status != 503 {
			t.Errorf("%d bytes while full: %d", size, status)
		}
	}
	close(may)
	if a := <-done; a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.metric(t, "weir_calls_in_flight", 0)
	if status := ask(10); status != 200 {
		t.Errorf("over the same connection, once there is room: %d", status)
	}
}

// TestStrangersTakeNoPlace holds that a call without a key in force is refused before it takes one, without its body.
func TestStrangersTakeNoPlace(t *testing.T) {
	t.Parallel()
	begun, may := make(chan bool, 1), make(chan struct{})
	close(may)
	h := played(t, patient(begun, may), "limits: {", "limits: {calls: 1, ")
	for _, path := range endpoints {
		for _, key := range []string{"", "wr_nothing", h.key + "x"} {
			for range 3 {
				if resp := h.knock(t, path, key, 1000); resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("key %q: %d", key, resp.StatusCode)
				}
			}
		}
	}
	h.metric(t, "weir_calls_in_flight", 0)
	if a := h.post("/v1/chat/completions", chat("gpt", "q", false)); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestOneKeysBodiesLeaveRoom lets one key announce bodies until limits.inflight has no more for it; another key is served.
func TestOneKeysBodiesLeaveRoom(t *testing.T) {
	t.Parallel()
	const announced = 7 // of 256 KiB each; an eighth would leave nothing
	h := played(t, answering("42", 10, 5), "limits: {", "limits: {body: 1 MiB, inflight: 2 MiB, ")
	other := h.newKey(t)
	for range announced {
		h.announce(t, 1<<20-1)
	}
	h.inflight(t, announced*256<<10)
	turnedAway(t, endpoints[0], h.knock(t, endpoints[0], h.key, 1<<20-1), "limits.inflight is kept for other keys")
	if a := h.post("/v1/chat/completions", chat("gpt", "q", false), "Authorization", "Bearer "+other); a.status != 200 {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
	h.metric(t, `weir_refused_total{reason="key_bytes"}`, 1)
}

// hoarding is a provider whose streams begin with as many bytes as their question says, and go on once they may.
func hoarding(t *testing.T, begun chan<- bool, may <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(regexp.MustCompile(`size-(\d+)`).FindStringSubmatch(bodyOf(t, r))[1])
		if err != nil {
			t.Error(err)
		}
		put := sse(w)
		put(chunk(0, strings.Repeat("4", size), ""))
		begun <- true
		select {
		case <-may:
			put(chunk(0, "2", "stop"), usageChunk, doneChunk)
		case <-r.Context().Done():
		}
	}
}

// TestOneKeysHeldAnswersLeaveRoom lets one key keep two large answers back: for a third there is no more room, but for one
// of another key there is.
func TestOneKeysHeldAnswersLeaveRoom(t *testing.T) {
	t.Parallel()
	begun, may := make(chan bool, 8), make(chan struct{})
	h := played(t, hoarding(t, begun, may), "limits: {", "limits: {body: 64 KiB, inflight: 1 MiB, ")
	other := h.newKey(t)
	answers := make(chan answer, 3)
	hold := func(key string, size int) {
		answers <- h.post(endpoints[0], chat("counting", fmt.Sprintf("size-%d", size), true), "Authorization", "Bearer "+key)
	}
	const large, small = 200 << 10, 60 << 10 // held, they count twice
	for n := range 2 {
		go hold(h.key, large)
		<-begun
		h.atLeastInFlight(t, 2*(n+1)*large)
	}
	a := h.post(endpoints[0], chat("counting", fmt.Sprintf("size-%d", small), true))
	if a.status != 503 || !strings.Contains(a.body, "limits.inflight") {
		t.Errorf("a third held answer of the same key: %d %.300s", a.status, a.body)
	}
	for range len(begun) {
		<-begun
	}
	go hold(other, small)
	<-begun
	h.atLeastInFlight(t, 2*(2*large+small))
	close(may)
	for range 3 {
		if a := <-answers; a.status != 200 || !strings.HasSuffix(a.body, doneChunk) {
			t.Errorf("%d %.300s", a.status, a.body)
		}
	}
	h.inflight(t, 0)
}

// atLeastInFlight waits until so many bytes are counted.
func (h *house) atLeastInFlight(t *testing.T, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d bytes in flight", want), func() bool {
		_, text, _ := strings.Cut(h.get(h.admin+"/metrics").body, "\nweir_inflight_bytes ")
		var n float64
		_, err := fmt.Sscan(text, &n)
		return err == nil && n >= float64(want)
	})
}

// dialFrom connects from one of loopback's many addresses.
func (h *house) dialFrom(t *testing.T, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// occupy begins a stream over a connection.
func (h *house) occupy(t *testing.T, c net.Conn, begun <-chan bool) {
	t.Helper()
	body := chat("gpt", "q", true)
	_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		h.key, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-begun:
	case <-timer.C:
		got := make([]byte, 1<<10)
		n, err := c.Read(got)
		t.Fatalf("no stream has begun after %v: %s, %v", patience, got[:n], err)
	}
}

// closed waits until the server closes a connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, c); n > 0 {
		t.Errorf("%d bytes before the end, %v", n, err)
	}
}

// TestConnectionsAreBounded holds that one address leaves room for others, and that all together are bounded.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 4
	begun := make(chan bool, most)
	h := playedBy(t, endless(begun), server.Options{}, "limits: {", fmt.Sprintf("limits: {connections: %d, ", most))
	var first net.Conn
	for i := range most - 1 {
		c := h.dialFrom(t, "127.0.0.1")
		h.occupy(t, c, begun)
		if i == 0 {
			first = c
		}
	}
	closed(t, h.dialFrom(t, "127.0.0.1"))
	h.metric(t, `weir_refused_total{reason="connections_one"}`, 1)
	h.occupy(t, h.dialFrom(t, "127.0.0.2"), begun)
	h.metric(t, "weir_connections", most)
	closed(t, h.dialFrom(t, "127.0.0.3"))
	h.metric(t, `weir_refused_total{reason="connections"}`, 1)
	_ = first.Close()
	h.metric(t, "weir_connections", most-1)
	h.occupy(t, h.dialFrom(t, "127.0.0.3"), begun)
}

// TestIdleConnectionsMakeWay fills limits.connections with connections that ask nothing: new ones take their places, the
// longest idle first, and those with a call under way keep theirs.
func TestIdleConnectionsMakeWay(t *testing.T) {
	t.Parallel()
	const most = 4
	begun := make(chan bool, 2*most)
	h := playedBy(t, endless(begun), server.Options{}, "limits: {", fmt.Sprintf("limits: {connections: %d, ", most))
	busy := h.dialFrom(t, "127.0.0.1")
	h.occupy(t, busy, begun)
	var idle []net.Conn
	for n := 2; n <= most; n++ {
		idle = append(idle, h.dialFrom(t, fmt.Sprintf("127.0.0.%d", n)))
		h.metric(t, "weir_connections", float64(n))
	}
	for i := range idle {
		h.occupy(t, h.dialFrom(t, fmt.Sprintf("127.0.0.%d", 10+i)), begun)
		closed(t, idle[i])
	}
	h.metric(t, "weir_connections", most)
	h.metric(t, `weir_refused_total{reason="connections"}`, 0)
	if _, err := busy.Read(make([]byte, 1)); err != nil {
		t.Errorf("the connection with a call under way: %v", err)
	}
}
