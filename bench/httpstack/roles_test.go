package httpstack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// roleVar names the part that a process plays; unset = the tests and the gateway.
const roleVar = "HTTPSTACK_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "provider":
		provide()
	case "load":
		load(os.Stdin, os.Stdout)
	default:
		os.Exit(m.Run())
	}
}

// child is this test binary in another role, spoken to line by line.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(tb testing.TB, role string) *child {
	tb.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), roleVar+"="+role)
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { // a child ends with its input
		_ = c.in.Close()
		_ = c.cmd.Wait()
	})
	return c
}

// line reads the child's next line.
func (c *child) line(tb testing.TB) string {
	tb.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		tb.Fatalf("child ended: %v", err)
	}
	return strings.TrimSpace(s)
}

// tell sends a command and returns the answer.
func (c *child) tell(tb testing.TB, format string, args ...any) string {
	tb.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		tb.Fatal(err)
	}
	return c.line(tb)
}

var (
	answerBody = `{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("word ", 200) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":200}}`
	answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\n"+
		"Date: Mon, 01 Jun 2026 00:00:00 GMT\r\nServer: mock\r\nContent-Length: %d\r\n\r\n%s", len(answerBody), answerBody)
	streamHead  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	event       = `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("w", 230) + `"}}]}` + "\n\n"
	streamChunk = fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
	streamEnd   = "0\r\n\r\n"
)

const chunksPerStream = 100

// provide is the provider: it says its address and serves until its input ends.
func provide() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ln.Addr())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go provideOn(c)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func provideOn(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 4<<10)
	for {
		path, err := skipRequest(r)
		if err != nil {
			return
		}
		switch path {
		case "/stream":
			_, err = io.WriteString(c, streamHead)
			for i := 0; i < chunksPerStream && err == nil; i++ {
				_, err = io.WriteString(c, streamChunk)
			}
			if err == nil {
				_, err = io.WriteString(c, streamEnd)
			}
		case "/hold":
			_, _ = io.WriteString(c, streamHead+streamChunk)
			_, _ = r.ReadByte()
			return
		default:
			_, err = io.WriteString(c, answer)
		}
		if err != nil {
			return
		}
	}
}

// skipRequest reads a request over and returns its path.
func skipRequest(r *bufio.Reader) (string, error) {
	path, length, chunked := "", 0, false
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if first {
			if f := bytes.Fields(line); len(f) > 1 {
				path = string(f[1])
			}
			continue
		}
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		switch {
		case len(name) == 0:
			if chunked {
				return path, fmt.Errorf("the gateway sent a chunked request")
			}
			_, err := r.Discard(length)
			return path, err
		case bytes.EqualFold(name, []byte("content-length")):
			_, _ = fmt.Sscan(string(value), &length)
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		}
	}
}

// load is the client side. Commands, one a line, each answered by one line:
//
//	run ADDR PATH CONNS CALLS BYTES    make the calls, over kept connections
//	hold ADDR CONNS                    open streams and wait for the first event of each
//	drop                               close what hold opened
func load(in io.Reader, out io.Writer) {
	var held []net.Conn
	kept := map[string]net.Conn{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var addr, path string
		var conns, calls, size int
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "run "):
			_, _ = fmt.Sscan(line[4:], &addr, &path, &conns, &calls, &size)
			fmt.Fprintln(out, run(kept, addr, path, conns, calls, size))
		case strings.HasPrefix(line, "hold "):
			_, _ = fmt.Sscan(line[5:], &addr, &conns)
			for range conns {
				c, err := net.Dial("tcp", addr)
				if err == nil {
					_, err = c.Write(request("/hold", 100))
				}
				if err == nil {
					err = awaitEvent(c)
				}
				if err != nil {
					fmt.Fprintln(out, "error:", err)
					return
				}
				held = append(held, c)
			}
			fmt.Fprintln(out, "ok")
		case line == "drop":
			for _, c := range held {
				_ = c.Close()
			}
			held = nil
			fmt.Fprintln(out, "ok")
		}
	}
}

func request(path string, size int) []byte {
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("p", size) + `"}]}`
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nAccept: */*\r\n"+
		"Authorization: Bearer key\r\nUser-Agent: load\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func awaitEvent(c net.Conn) error {
	var seen []byte
	buf := make([]byte, 2<<10)
	for !bytes.Contains(seen, []byte("\n\n\r\n")) {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		seen = append(seen, buf[:n]...)
	}
	return nil
}

func run(kept map[string]net.Conn, addr, path string, conns, calls, size int) string {
	req := request(path, size)
	var left atomic.Int64
	left.Store(int64(calls))
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for i := range conns {
		key := fmt.Sprint(addr, i)
		if kept[key] == nil {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return "error: " + err.Error()
			}
			kept[key] = c
		}
		wg.Go(func() {
			c := kept[key]
			r := bufio.NewReaderSize(c, 32<<10)
			for left.Add(-1) >= 0 {
				_, err := c.Write(req)
				if err == nil {
					err = skipAnswer(r)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return "error: " + err.Error()
	default:
		return "ok"
	}
}

// skipAnswer reads an answer over, and checks that it is whole.
func skipAnswer(r *bufio.Reader) error {
	status, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.Contains(status, " 200 ") {
		return fmt.Errorf("status line %q", status)
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if !ok {
			break
		}
		if bytes.EqualFold(name, []byte("content-length")) {
			_, _ = fmt.Sscan(string(value), &length)
		}
	}
	if length >= 0 {
		if length != len(answerBody) {
			return fmt.Errorf("answer of %d bytes, want %d", length, len(answerBody))
		}
		_, err := r.Discard(length)
		return err
	}
	return skipChunks(r)
}

func skipChunks(r *bufio.Reader) error {
	total := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		size := 0
		if _, err := fmt.Sscanf(string(line), "%x", &size); err != nil {
			return err
		}
		if _, err := r.Discard(size + 2); err != nil {
			return err
		}
		if total += size; size > 0 {
			continue
		}
		if want := chunksPerStream * len(event); total != want {
			return fmt.Errorf("stream of %d bytes, want %d", total, want)
		}
		return nil
	}
}
