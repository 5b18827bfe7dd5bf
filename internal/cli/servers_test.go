package cli_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weirhq/weir/internal/config"
)

// stage is what runs beside a scenario.
type stage struct {
	processes map[string]*process
	stopLoad  func() (int, error)
	answered  int // calls of post and load
}

type stageKey struct{}

func stageOf(ts *testscript.TestScript) *stage {
	s, ok := ts.Value(stageKey{}).(*stage)
	if !ok {
		ts.Fatalf("the scenario has no stage")
	}
	return s
}

// process is a weir in the background. Its standard error is in NAME.err, its standard output, after the announcement,
// in NAME.out.
type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// strike ends what a scenario left running.
func (s *stage) strike() {
	if s.stopLoad != nil {
		_, _ = s.stopLoad() // the scenario has ended
	}
	for _, p := range s.processes {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}

// environment is what a scenario's background processes see: what it has set, by the names that matter.
func environment(ts *testscript.TestScript) []string {
	names := []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "GORACE", "PROVIDER_KEY"}
	for _, p := range config.Presets() {
		names = append(names, p.Env...)
	}
	var all []string
	for _, name := range names {
		if v := ts.Getenv(name); v != "" {
			all = append(all, name+"="+v)
		}
	}
	return all
}

// start runs weir in the background and returns what it announces: one JSON line on standard output, kept in NAME.json.
func start(ts *testscript.TestScript, name string, args ...string) map[string]string {
	s := stageOf(ts)
	if s.processes[name] != nil {
		ts.Fatalf("%s is running already", name)
	}
	program, err := exec.LookPath("weir")
	ts.Check(err)
	p := &process{cmd: exec.Command(program, args...), ended: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environment(ts)
	errs, err := os.Create(filepath.Join(ts.Getenv("WORK"), name+".err"))
	ts.Check(err)
	out, err := os.Create(filepath.Join(ts.Getenv("WORK"), name+".out"))
	ts.Check(err)
	p.cmd.Stderr = errs
	pipe, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	s.processes[name] = p
	first := make(chan string, 1)
	go func() {
		r := bufio.NewReader(pipe)
		line, _ := r.ReadString('\n') // cut short: the reader of first tells
		first <- line
		_, copied := io.Copy(out, r)
		p.ended <- firstOf(p.cmd.Wait(), copied, out.Close(), errs.Close())
	}()
	var line string
	select {
	case line = <-first:
	case <-time.After(within):
	}
	said := map[string]string{}
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		told, _ := os.ReadFile(errs.Name()) // the failure is told anyway
		ts.Fatalf("weir %s announced %q: %v\n%s", strings.Join(args, " "), line, err, told)
	}
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), name+".json"), []byte(line), 0o600))
	return said
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// startSim runs weir sim, with more flags, and sets $SIM to its URL, $SIM_ADDRESS to what it listens on.
func startSim(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: startsim flags...")
	}
	said := start(ts, "sim", append([]string{"sim", "--json", "--listen", "127.0.0.1:0", "--speed", "1000"}, args...)...)
	ts.Setenv("SIM", said["url"])
	ts.Setenv("SIM_ADDRESS", strings.TrimPrefix(said["url"], "http://"))
}

// startServe runs weir serve, with more flags, and sets $API and $ADMIN to its URLs, $API_ADDRESS and $ADMIN_ADDRESS to
// what they listen on and, when it made a first key, $KEY.
func startServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: startserve flags...")
	}
	said := start(ts, "serve", append([]string{
		"serve", "--json", "--listen-api", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0",
	}, args...)...)
	ts.Setenv("API", said["api"])
	ts.Setenv("ADMIN", said["admin"])
	for name, url := range map[string]string{"API_ADDRESS": said["api"], "ADMIN_ADDRESS": said["admin"]} {
		ts.Setenv(name, strings.TrimPrefix(url, "http://"))
	}
	if said["key"] != "" {
		ts.Setenv("KEY", said["key"])
	}
}

// terminate stops background processes as an operator does, and demands that they end well: terminate sim serve.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: terminate names...")
	}
	s := stageOf(ts)
	for _, name := range args {
		p := s.processes[name]
		if p == nil {
			ts.Fatalf("%s is not running", name)
		}
		ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
		select {
		case err := <-p.ended:
			delete(s.processes, name)
			if err != nil {
				ts.Fatalf("%s ended with %v\n%s", name, err, ts.ReadFile(name+".err"))
			}
		case <-time.After(within):
			ts.Fatalf("%s did not end", name)
		}
	}
}

// configure writes weir.yaml from the template named, by default testdata/house.yaml, where $SIM, $SIM_ADDRESS and
// $ADMIN_ADDRESS are those of what runs.
func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: configure [template]")
	}
	text, err := os.ReadFile("testdata/house.yaml")
	if len(args) == 1 {
		text, err = os.ReadFile(ts.MkAbs(args[0]))
	}
	ts.Check(err)
	sim := ts.Getenv("SIM")
	if sim == "" {
		sim = "http://127.0.0.1:1" // nothing will be asked
	}
	filled := strings.NewReplacer(
		"$SIM_ADDRESS", ts.Getenv("SIM_ADDRESS"), "$SIM", sim, "$ADMIN_ADDRESS", ts.Getenv("ADMIN_ADDRESS"),
	).Replace(string(text))
	ts.Check(os.WriteFile(ts.MkAbs("weir.yaml"), []byte(filled), 0o600))
}

// redirect points the providers of a configuration elsewhere: redirect FILE PRESET=URL...
func redirect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: redirect file preset=url...")
	}
	text := ts.ReadFile(args[0])
	for _, arg := range args[1:] {
		preset, url, _ := strings.Cut(arg, "=")
		from := "{preset: " + preset + ", "
		if !strings.Contains(text, from) {
			ts.Fatalf("%s has no provider with preset %s", args[0], preset)
		}
		text = strings.ReplaceAll(text, from, fmt.Sprintf("%surl: %q, ", from, url))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// absent demands that no file of a folder has a text: absent TEXT FOLDER.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[0] == "" {
		ts.Fatalf("usage: absent text folder")
	}
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if n++; bytes.Contains(b, []byte(args[0])) {
			ts.Fatalf("%s has %s", path, args[0])
		}
		return err
	}))
	if n == 0 {
		ts.Fatalf("%s has no files", args[1])
	}
}

// ask posts a body and returns the status, the call's id and the answer.
func ask(url, key, body string) (status int, id string, answer []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	c := http.Client{Timeout: within}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("X-Request-Id"), answer, err
}

// post asks the running server, prints the answer and sets $ID to the call's id:
// post [-key KEY] [-status 200] [-eventually] PATH BODY.
func post(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("post", flag.ContinueOnError)
	key := f.String("key", ts.Getenv("KEY"), "")
	status := f.Int("status", http.StatusOK, "")
	again := f.Bool("eventually", false, "")
	ts.Check(f.Parse(args))
	if neg || f.NArg() != 2 {
		ts.Fatalf("usage: post [-key key] [-status code] [-eventually] path body")
	}
	var got int
	var answer []byte
	try := func() bool {
		var id string
		var err error
		got, id, answer, err = ask(ts.Getenv("API")+f.Arg(0), *key, f.Arg(1))
		ts.Check(err)
		ts.Setenv("ID", id)
		return got == *status
	}
	if *again {
		eventually(ts, fmt.Sprintf("status %d", *status), try)
	} else if !try() {
		ts.Fatalf("status %d, not %d: %s", got, *status, answer)
	}
	if got == http.StatusOK {
		stageOf(ts).answered++
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", answer)
}

// load keeps posting a body until it is stopped, which sets $ANSWERED to how many of the calls were answered, those of
// post too:
// load start PATH BODY, load stop.
func load(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	switch {
	case !neg && len(args) == 3 && args[0] == "start" && s.stopLoad == nil:
		s.stopLoad = keepAsking(ts.Getenv("API")+args[1], ts.Getenv("KEY"), args[2])
	case !neg && len(args) == 1 && args[0] == "stop" && s.stopLoad != nil:
		n, err := s.stopLoad()
		s.stopLoad = nil
		ts.Check(err)
		s.answered += n
		ts.Setenv("ANSWERED", fmt.Sprint(s.answered))
	default:
		ts.Fatalf("usage: load start path body | load stop")
	}
}

func keepAsking(url, key, body string) (stop func() (int, error)) {
	type result struct {
		n   int
		err error
	}
	end, done := make(chan struct{}), make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		for {
			select {
			case <-end:
				return
			default:
			}
			status, _, answer, err := ask(url, key, body)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d: %s", status, answer)
			}
			if err != nil {
				r.err = err
				return
			}
			r.n++
		}
	}()
	return func() (int, error) {
		close(end)
		r := <-done
		return r.n, r.err
	}
}
