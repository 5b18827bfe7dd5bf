package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestBodiesAndStreamsPass(t *testing.T) {
	sent := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, r.URL.Path+" "+string(b)+"\n")
		w.(http.Flusher).Flush()
		<-sent // the first line must not wait for this
		_, _ = io.WriteString(w, "end\n")
	}))
	defer up.Close()
	to, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	gate := httptest.NewServer(proxy(to))
	defer gate.Close()
	r, err := http.Post(gate.URL+"/v1/x", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	lines := bufio.NewReader(r.Body)
	if l, err := lines.ReadString('\n'); err != nil || l != "/v1/x {}\n" {
		t.Errorf("%q, %v", l, err)
	}
	close(sent)
	if l, err := lines.ReadString('\n'); err != nil || l != "end\n" {
		t.Errorf("%q, %v", l, err)
	}
}

func TestATargetIsNeeded(t *testing.T) {
	for _, args := range [][2]string{{"127.0.0.1:0", ""}, {"127.0.0.1:0", "::"}, {"0.0.0.0:0", "http://127.0.0.1:1"}} {
		if err := run(args[0], args[1], 0); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
