package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/models/upstream"
)

// Serve answers calls until ctx ends, then drains: readyz and new calls get 503, calls under way may finish until
// limits.drain and are cut then, the ledger is flushed and marked clean.
func (s *Server) Serve(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go s.lookAfter(background)
	calls, cut := context.WithCancelCause(background)
	defer cut(nil)
	api, admin := s.httpServer(s.apiRoutes()), s.httpServer(s.adminRoutes())
	api.BaseContext = func(net.Listener) context.Context { return calls }
	api.ConnState = s.conns.state
	failed := make(chan error, 2)
	for _, l := range []struct {
		h  *http.Server
		ln net.Listener
	}{{api, s.api}, {admin, s.admin}} {
		go func() {
			if err := l.h.Serve(l.ln); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", l.ln.Addr(), err)
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.drain(background, api, cut)
	_ = admin.Close() // a scrape that is cut comes again
	err = errors.Join(err, s.Close())
	s.opt.Log.Info("stopped; the ledger is flushed")
	return err
}

// drain ends the calls. The listener stays open meanwhile, so that new ones are told to go elsewhere.
func (s *Server) drain(ctx context.Context, api *http.Server, cut context.CancelCauseFunc) {
	most := s.config.Load().Limits.Drain
	shadows, release := context.WithTimeout(ctx, most)
	defer release()
	s.draining.Store(true)
	ended := s.door.calls.close()
	api.SetKeepAlivesEnabled(false)
	s.opt.Log.Info("stopping: no new calls are taken", slog.Duration("drain", most))
	if !within(ended, most) {
		all, _ := s.door.calls.held()
		s.opt.Log.Warn("calls were still under way at the end of limits.drain; they are cut", slog.Int64("calls", all))
		cut(gateway.ErrStopping)
		within(ended, s.opt.Patience.Cut)
	}
	flush, cancel := context.WithTimeout(ctx, s.opt.Patience.Cut)
	defer cancel()
	if err := api.Shutdown(flush); err != nil { // clients that do not take what is left of their answers
		_ = api.Close()
	}
	within(ended, s.opt.Patience.Cut)
	s.gateway.Drain(shadows) // of observed calls
}

// within waits for a channel to be closed.
func within(done <-chan struct{}, most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// httpServer speaks HTTP/1.1 and HTTP/2 without TLS, which a proxy in front may end.
func (s *Server) httpServer(h http.Handler) *http.Server {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: p, ReadHeaderTimeout: s.opt.Patience.Header, IdleTimeout: s.opt.Patience.Idle,
		ReadTimeout:    s.opt.Patience.Pause, // of bodies that nobody reads; those of calls have deadlines of their own
		MaxHeaderBytes: 2 * maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelWarn),
	}
}

// lookAfter reads keys that another process made or revoked, and tells of budgets that pass a mark.
func (s *Server) lookAfter(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	report := time.NewTicker(reportEvery)
	defer report.Stop()
	marks := alerts{}
	for {
		select {
		case <-report.C:
			s.door.report(s.opt.Log)
		case <-tick.C:
			if err := s.keys.Refresh(); err != nil {
				s.opt.Log.Error("keys could not be read again", slog.String("cause", err.Error()))
			}
			for _, a := range marks.passed(s.config.Load().Budgets, s.budgets.Snapshot()) {
				s.opt.Log.Warn("a budget has passed a mark", slog.String("node", a.node), slog.Int("percent", a.percent),
					slog.String("spent", a.spent.String()), slog.String("limit", a.limit.String()))
			}
		case <-ctx.Done():
			return
		}
	}
}

// Reload puts a new configuration in force for the calls that come after; a bad one changes nothing.
func (s *Server) Reload(c *config.Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	old := s.config.Load()
	if c.Listen != old.Listen || c.Storage != old.Storage {
		return errors.New("listen and storage cannot change while running; restart to move them")
	}
	snap, err := Snapshot(c, s.now())
	if err != nil {
		return err
	}
	if err := s.budgets.Reconfigure(budgets(c)); err != nil {
		return err
	}
	if err := s.sender.Update(s.addresses(c)); err != nil {
		return errors.Join(err, s.budgets.Reconfigure(budgets(old)))
	}
	s.config.Store(c)
	s.gateway.Load(snap)
	s.gateway.Sessions.Bound(c.Limits.Sessions)
	for _, line := range config.Diff(old, c) {
		s.opt.Log.Info("configuration changed", slog.String("what", line))
	}
	return nil
}

// addresses are the endpoints of a configuration and those of the one before: calls under way go on with what they came in
// with. Two reloads within one call's time are the limit.
func (s *Server) addresses(c *config.Config) map[string]upstream.Endpoint {
	now := endpoints(c)
	all := maps.Clone(s.before)
	maps.Copy(all, now)
	s.before = now
	return all
}

// Close stops without draining. It flushes the ledger and closes the store; calling it twice is harmless.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

// ended is a context that is over.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (s *Server) close() error {
	var errs []error
	for _, l := range []net.Listener{s.api, s.admin} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.gateway != nil {
		s.gateway.Drain(ended())
	}
	if s.sender != nil {
		s.sender.Close()
	}
	if s.journal != nil {
		flush, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		errs = append(errs, s.journal.Close(flush))
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
