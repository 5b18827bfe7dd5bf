package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// piped is a Dial over in-memory pipes, for tests on synctest's clock.
func piped(script func(n int, c net.Conn, r *bufio.Reader)) DialFunc {
	n := 0
	return func(context.Context, string, string) (net.Conn, error) {
		n++
		number := n
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			script(number, theirs, bufio.NewReader(theirs))
		}()
		return ours, nil
	}
}

func inBubble(t *testing.T, kind string, e Endpoint, dial DialFunc, test func(*testing.T, sender)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e.BaseURL = "http://provider.test/v1"
		s, err := makers[kind](Config{Endpoints: oneEndpoint(e), Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, s)
	})
}

func TestConnectTimeout(t *testing.T) {
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, kind, Endpoint{Connect: 3 * time.Second}, hang, func(t *testing.T, s sender) {
				start := time.Now()
				_, _, err := ask(s, "{}")
				wantError(t, err, llm.CodeTimeout, "no connection within 3s", "providers.google.timeout.connect")
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("gave up after %s, want 3s", took)
				}
				if n := s.Stats().Open.Load(); n != 0 {
					t.Errorf("%d connections open", n)
				}
			})
		})
	}
}

func TestTimeoutsOfAnAnswer(t *testing.T) {
	const sec = time.Second
	for _, tt := range []struct {
		name   string
		script func(c net.Conn)
		after  time.Duration // at least; at most an eighth of idle more
		words  []string
	}{
		{"nothing", func(net.Conn) {}, 20 * sec, []string{"ttft timeout", "within 20s", "providers.google.timeout.ttft"}},
		{"interim answer, then nothing", func(c net.Conn) {
			time.Sleep(5 * sec)
			_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		}, 20 * sec, []string{"ttft timeout"}},
		{"head, then nothing: what is left of ttft", func(c net.Conn) {
			_, _ = io.WriteString(c, okHead+"Content-Length: 5\r\n\r\n")
		}, 20 * sec, []string{"ttft timeout"}},
		{"late head, then nothing: idle", func(c net.Conn) {
			time.Sleep(18 * sec)
			_, _ = io.WriteString(c, okHead+"Content-Length: 5\r\n\r\n")
		}, 26 * sec, []string{"idle timeout", "within 8s", "providers.google.timeout.idle"}},
		{"body, then nothing", func(c net.Conn) {
			_, _ = io.WriteString(c, okHead+"Content-Length: 5\r\n\r\n")
			for range 4 {
				time.Sleep(7 * sec)
				_, _ = io.WriteString(c, "a")
			}
		}, 36 * sec, []string{"idle timeout", "within 8s"}},
		{"chunks, then nothing", func(c net.Conn) {
			_, _ = io.WriteString(c, okHead+"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
			time.Sleep(7 * sec)
			_, _ = io.WriteString(c, "1\r\na\r\n")
		}, 15 * sec, []string{"idle timeout"}},
	} {
		for kind := range makers {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				dial := piped(func(_ int, c net.Conn, r *bufio.Reader) {
					_, _, _ = takeRequest(r)
					tt.script(c)
					_, _ = r.ReadByte()
				})
				inBubble(t, kind, Endpoint{TTFT: 20 * sec, Idle: 8 * sec}, dial, func(t *testing.T, s sender) {
					start := time.Now()
					_, _, err := ask(s, "{}")
					wantError(t, err, llm.CodeTimeout, tt.words...)
					if took := time.Since(start); took < tt.after || took > tt.after+sec {
						t.Errorf("gave up after %s, want %s", took, tt.after)
					}
				})
			})
		}
	}
}

func TestSlowDripIsNoTimeout(t *testing.T) {
	raw := okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunked("abc", "defg")
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			dial := piped(func(_ int, c net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				for i := range len(raw) {
					if kind == "lean" {
						time.Sleep(7 * time.Second)
					} else if i > len(okHead)+30 { // it bounds the whole head by TTFT, and idle to bytes of the body
						time.Sleep(300 * time.Millisecond)
					}
					_, _ = io.WriteString(c, raw[i:i+1])
				}
			})
			inBubble(t, kind, Endpoint{TTFT: 20 * time.Second, Idle: 8 * time.Second}, dial, func(t *testing.T, s sender) {
				if _, body, err := ask(s, "{}"); body != "abcdefg" || err != nil {
					t.Errorf("got %q %v", body, err)
				}
			})
		})
	}
}

func TestPeerThatDoesNotRead(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			dial := func(context.Context, string, string) (net.Conn, error) {
				ours, _ := net.Pipe()
				return ours, nil
			}
			inBubble(t, kind, Endpoint{TTFT: 20 * time.Second}, dial, func(t *testing.T, s sender) {
				start := time.Now()
				_, _, err := ask(s, string(make([]byte, 100<<10)))
				wantError(t, err, llm.CodeTimeout, "ttft timeout")
				if took := time.Since(start); took != 20*time.Second {
					t.Errorf("gave up after %s, want 20s", took)
				}
			})
		})
	}
}

func TestCancellationTakesNoTime(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			var broken time.Time
			dial := piped(func(_ int, _ net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				_, _ = r.ReadByte()
				broken = time.Now()
			})
			inBubble(t, kind, Endpoint{}, dial, func(t *testing.T, s sender) {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(3*time.Second, cancel)
				start := time.Now()
				_, err := s.Send(ctx, flash, wire("{}"))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want a cancellation", err)
				}
				synctest.Wait()
				if d := broken.Sub(start); d != 3*time.Second {
					t.Errorf("connection broken after %s, want 3s", d)
				}
			})
		})
	}
}

func TestCallDeadline(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			dial := piped(func(_ int, _ net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				_, _ = r.ReadByte()
			})
			inBubble(t, kind, Endpoint{}, dial, func(t *testing.T, s sender) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := s.Send(ctx, flash, wire("{}"))
				wantError(t, err, llm.CodeTimeout, "deadline", "limits.deadline")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want context.DeadlineExceeded", err)
				}
			})
		})
	}
}

// lone is an endpoint with one connection.
var lone = Endpoint{MaxConns: 1, Connect: 4 * time.Second}

func TestNoConnectionComesFree(t *testing.T) {
	inBubble(t, "lean", lone, piped(answering(okHead+length("{}"), true)), func(t *testing.T, s sender) {
		r, err := s.Send(context.Background(), flash, wire("{}"))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, _, err = ask(s, "{}")
		wantError(t, err, llm.CodeOverload, "all 1 connections to provider google are busy")
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("waited %s, want 4s", took)
		}
		_ = r.Body.Close()
		if _, _, err := ask(s, "{}"); err != nil {
			t.Errorf("after the connection came free: %v", err)
		}
	})
}

func TestConnectionComesFree(t *testing.T) {
	answer := answering(okHead+length("{}"), true)
	broken := func(n int, c net.Conn, r *bufio.Reader) {
		if n > 1 {
			answer(n, c, r)
			return
		}
		_, _, _ = takeRequest(r)
		_, _ = io.WriteString(c, okHead+"Content-Length: 9\r\n\r\n{}")
		_, _ = r.ReadByte()
	}
	for _, tt := range []struct {
		name   string
		script func(int, net.Conn, *bufio.Reader)
		free   func(r io.ReadCloser)
		dials  uint64
	}{
		{"handed over", answer, func(r io.ReadCloser) { _, _ = io.ReadAll(r) }, 1},
		{"broken: its place", broken, func(r io.ReadCloser) { _ = r.Close() }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, "lean", lone, piped(tt.script), func(t *testing.T, s sender) {
				r, err := s.Send(context.Background(), flash, wire("{}"))
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Second, func() { tt.free(r.Body) })
				if _, _, err := ask(s, "{}"); err != nil {
					t.Error(err)
				}
				st := s.Stats()
				if st.Dials.Load() != tt.dials || st.Open.Load() != 1 || st.Idle.Load() != 1 {
					t.Errorf("dials %d, open %d, idle %d; want %d, 1, 1", st.Dials.Load(), st.Open.Load(), st.Idle.Load(), tt.dials)
				}
			})
		})
	}
}

func TestCallerGoesWhileWaitingForAConnection(t *testing.T) {
	inBubble(t, "lean", lone, piped(answering(okHead+length("{}"), true)), func(t *testing.T, s sender) {
		r, err := s.Send(context.Background(), flash, wire("{}"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Send(ctx, flash, wire("{}")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want a cancellation", err)
		}
		_, _ = io.ReadAll(r.Body)
		if _, _, err := ask(s, "{}"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestIdleConnectionsGo(t *testing.T) {
	answer := answering(okHead+length("{}"), true)
	inBubble(t, "lean", Endpoint{}, piped(answer), func(t *testing.T, s sender) {
		a, err := s.Send(context.Background(), flash, wire("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ask(s, "{}"); err != nil { // a second connection, idle from now on
			t.Fatal(err)
		}
		time.Sleep(idleTTL / 2)
		_, _ = io.ReadAll(a.Body)
		st := s.Stats()
		for _, step := range []struct {
			wait time.Duration
			open int64
		}{{0, 2}, {idleTTL/2 - time.Second, 2}, {2 * time.Second, 1}, {idleTTL/2 + time.Second, 0}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if st.Open.Load() != step.open || st.Idle.Load() != step.open {
				t.Errorf("open %d, idle %d; want %d", st.Open.Load(), st.Idle.Load(), step.open)
			}
		}
	})
}

func TestUpdate(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			release := make(chan struct{})
			script := func(_ int, c net.Conn, r *bufio.Reader) {
				for {
					_, body, ok := takeRequest(r)
					if !ok {
						return
					}
					_, _ = io.WriteString(c, okHead+"Content-Length: 4\r\n\r\nan")
					if body == "hold" {
						<-release
					}
					_, _ = io.WriteString(c, "sw")
				}
			}
			p, q := newPeer(t, script), newPeer(t, script)
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			running, err := s.Send(context.Background(), flash, wire("hold"))
			if err != nil {
				t.Fatal(err)
			}
			dials := func(want uint64, when string) {
				t.Helper()
				if _, body, err := ask(s, "{}"); body != "answ" || err != nil {
					t.Errorf("%s: got %q %v", when, body, err)
				}
				if n := s.Stats().Dials.Load(); n != want {
					t.Errorf("%s: %d dials, want %d", when, n, want)
				}
			}
			dials(2, "before")
			if err := s.Update(oneEndpoint(Endpoint{BaseURL: p.url, Idle: time.Minute})); err != nil {
				t.Fatal(err)
			}
			dials(2, "same base URL")
			if err := s.Update(oneEndpoint(Endpoint{BaseURL: "nonsense"})); err == nil {
				t.Error("a broken endpoint was taken")
			}
			dials(2, "after a refused update")
			if err := s.Update(oneEndpoint(Endpoint{BaseURL: q.url})); err != nil {
				t.Fatal(err)
			}
			dials(3, "another base URL")
			close(release)
			if body, err := readAll(running); body != "answ" || err != nil {
				t.Errorf("the running answer ended with %q %v", body, err)
			}
			if err := s.Update(nil); err != nil {
				t.Fatal(err)
			}
			_, _, err = ask(s, "{}")
			wantError(t, err, llm.CodeUpstream, "not configured")
			if n := s.Stats().Open.Load(); kind == "lean" && n != 0 {
				t.Errorf("%d connections open without an endpoint", n)
			}
		})
	}
}

func TestAWholeAnswerMayTakeLonger(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			dial := piped(func(_ int, _ net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				_, _ = r.ReadByte()
			})
			inBubble(t, kind, Endpoint{TTFT: 20 * time.Second}, dial, func(t *testing.T, s sender) {
				start := time.Now()
				_, err := s.Send(t.Context(), flash, call.Wire{Path: "/x", Body: [][]byte{[]byte("{}")}})
				wantError(t, err, llm.CodeTimeout, "ttft timeout", "within 1m40s")
				if errors.Is(err, call.ErrNotSent) || time.Since(start) != WholeFactor*20*time.Second {
					t.Errorf("after %s: %v", time.Since(start), err)
				}
			})
		})
	}
}

func TestWhatWasNotSentSaysSo(t *testing.T) {
	refused := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, kind, Endpoint{}, refused, func(t *testing.T, s sender) {
				for _, to := range []call.Target{flash, {Deployment: "x", Provider: "unknown"}} {
					if _, err := s.Send(t.Context(), to, call.Wire{Path: "/x"}); !errors.Is(err, call.ErrNotSent) {
						t.Errorf("to %s: %v", to.Provider, err)
					}
				}
				if _, err := s.Send(t.Context(), flash, call.Wire{Path: "no slash"}); !errors.Is(err, call.ErrNotSent) {
					t.Errorf("a path that is refused: %v", err)
				}
			})
		})
	}
}
