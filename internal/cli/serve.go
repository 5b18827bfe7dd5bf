package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/telemetry"
)

// gcPercent trades memory for CPU: the heap of a gateway is small beside what it carries.
const gcPercent = 400

func (a *app) serve() *cobra.Command {
	var api, admin string
	var quiet bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer calls: the gateway itself",
		Long: `Answers calls by weir.yaml until it is told to stop (SIGTERM, Ctrl-C): then /readyz says 503 and calls under
way may finish. SIGHUP and a change of the file reload it; a file with errors changes nothing.

Without any key, serve makes one and prints it once, unless other machines can reach listen.api.
The access log goes to standard output, one JSON line a call, without content.`,
		Example: `  weir serve
  weir serve --config /etc/weir/weir.yaml --listen-api 0.0.0.0:8080
  curl http://127.0.0.1:8080/v1/chat/completions -H "authorization: Bearer $WEIR_KEY" \
    -d '{"model":"procurement","messages":[{"role":"user","content":"Has Invoice #402 been approved?"}]}'`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runServe(cmd.Context(), api, admin, quiet)
		},
	}
	c.Flags().StringVar(&api, "listen-api", "", "address for clients, over listen.api")
	c.Flags().StringVar(&admin, "listen-admin", "", "address for health, metrics and the control API, over listen.admin")
	c.Flags().BoolVar(&quiet, "quiet", false, "no access log")
	c.Flags().BoolVar(&a.json, "json", false, "announce the addresses and the first key as one JSON line")
	return c
}

func (a *app) runServe(ctx context.Context, api, admin string, quiet bool) error {
	load := func() (*config.Config, error) {
		c, err := a.load()
		if err != nil {
			return nil, err
		}
		if api != "" {
			c.Listen.API = api
		}
		if admin != "" {
			c.Listen.Admin = admin
		}
		return c, nil
	}
	c, err := load()
	if err != nil {
		return err
	}
	tune()
	bound(c)
	logs, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	access, errs := telemetry.NewLines(logs, a.Out), telemetry.NewLines(logs, a.Err)
	defer func() {
		stop()
		access.Wait()
		errs.Wait()
	}()
	opt := server.Options{
		Config: c, Version: versionString(), Log: telemetry.Logger(errs, slog.LevelInfo),
		DroppedLines: func() uint64 { return access.Dropped() + errs.Dropped() },
	}
	if !quiet {
		opt.Access = telemetry.Logger(access, slog.LevelInfo)
	}
	s, err := server.New(opt)
	if err != nil {
		return startHint(err)
	}
	if err := a.announce(s); err != nil {
		return err
	}
	go a.reload(ctx, s, load, opt.Log)
	return s.Serve(ctx)
}

// startHint adds to an error of starting what to do about it.
func startHint(err error) error {
	var (
		listen *server.ListenError
		file   *os.PathError
		typed  *llm.Error
	)
	switch {
	case errors.As(err, &typed):
		return err
	case errors.As(err, &listen):
		return &hinted{err, fmt.Sprintf(
			"weir serve --listen-%s HOST:PORT chooses another address, as listen.%s in weir.yaml does; port 0 takes a free one",
			listen.Name, listen.Name)}
	case errors.As(err, &file):
		return &hinted{err, storageHint}
	}
	return err
}

// tune sets what the runtime cannot know. A blocking sync of the ledger would keep a lone processor from everything
// else.
func tune() {
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// bound lets the collector keep to the memory that the limits imply.
func bound(c *config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(server.Memory(c.Limits))
	}
}

// announcement is what serve says once it answers.
type announcement struct {
	API   string `json:"api"`
	Admin string `json:"admin"`
	Key   string `json:"key,omitzero"`
}

func (a *app) announce(s *server.Server) error {
	said := announcement{API: "http://" + s.API(), Admin: "http://" + s.Admin(), Key: s.FirstKey}
	if a.json {
		b, err := json.Marshal(said)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.Out, "%s\n", b)
		return err
	}
	fmt.Fprintf(a.Err, "weir answers on %s (health, metrics, control: %s)\n", said.API, said.Admin)
	if r := s.Recovery; !r.Clean {
		fmt.Fprintf(a.Err, "the last stop was unclean: %d attempts booked as presumed, %d budgets adjusted\n",
			len(r.Presumed), len(r.Adjusted))
	}
	if said.Key != "" {
		fmt.Fprintf(a.Err, "there was no key, so one was made; it is shown only now:\n\n  export WEIR_KEY=%s\n\n", said.Key)
	}
	return nil
}

// settle is how long the file must be quiet before it is read again.
const settle = 100 * time.Millisecond

// reload reads the file again on SIGHUP and when it, or a file that it names, changes.
func (a *app) reload(ctx context.Context, s *server.Server, load func() (*config.Config, error), log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	type read struct {
		c   *config.Config
		err error
	}
	changed := make(chan read)
	go func() {
		err := config.Watch(ctx, a.file, settle, load, func(c *config.Config, err error) {
			select {
			case changed <- read{c, err}:
			case <-ctx.Done():
			}
		})
		if err != nil {
			log.Warn("the configuration is not watched; send SIGHUP after a change", slog.String("cause", err.Error()))
		}
	}()
	for {
		var r read
		select {
		case <-ctx.Done():
			return
		case <-hup:
			r.c, r.err = load()
		case r = <-changed:
		}
		if r.err == nil {
			r.err = s.Reload(r.c)
		}
		if r.err == nil {
			bound(r.c)
		}
		if r.err != nil {
			log.Error("the configuration was not reloaded; the one before stays in force", slog.String("cause", r.err.Error()))
			continue
		}
		log.Info("configuration reloaded", slog.String("file", a.file))
	}
}
