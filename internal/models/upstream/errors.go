package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// protocolError is an answer that breaks HTTP's rules. It holds none of the answer's bytes.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// timeoutKind names one of the three timeouts by its config key.
type timeoutKind string

const (
	timeoutConnect timeoutKind = "connect"
	timeoutTTFT    timeoutKind = "ttft"
	timeoutIdle    timeoutKind = "idle"
)

// where says which attempt an error is about.
type where struct{ deployment, provider string }

func whereOf(t call.Target) where { return where{t.Deployment, t.Provider} }

func (w where) fail(code llm.Code, what, hint string, err error) *llm.Error {
	return &llm.Error{Code: code, Message: fmt.Sprintf("deployment %s: %s", w.deployment, what), Hint: hint, Err: err}
}

func (w where) noEndpoint() error {
	return w.fail(llm.CodeUpstream, "provider "+w.provider+" is not configured",
		"add providers."+w.provider+" to weir.yaml, or take the deployment out", nil)
}

func (w where) timeout(kind timeoutKind, after time.Duration, err error) error {
	what := map[timeoutKind]string{
		timeoutConnect: "no connection",
		timeoutTTFT:    "no first byte of an answer",
		timeoutIdle:    "the answer went silent: nothing more",
	}[kind]
	return w.fail(llm.CodeTimeout, fmt.Sprintf("%s within %s (%s timeout)", what, after, kind),
		fmt.Sprintf("raise providers.%s.timeout.%s in weir.yaml, or give the layer another deployment", w.provider, kind),
		err)
}

// ended is the error after the send's own context has ended.
func (w where) ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return w.fail(llm.CodeTimeout, "the call's deadline passed before the answer was complete",
			"raise limits.deadline in weir.yaml, or give the call fewer attempts", err)
	}
	return w.fail(llm.CodeUpstream, "the call was canceled", "", err)
}

// connecting maps what went wrong before a connection was there. ctx is the send's, without the connect timeout.
func (w where) connecting(ctx context.Context, ep *endpoint, err error) error {
	if ctx.Err() != nil {
		return w.ended(ctx)
	}
	if errors.Is(err, errBusy) {
		return w.fail(llm.CodeOverload, fmt.Sprintf("all %d connections to provider %s are busy", ep.MaxConns, ep.name),
			"send fewer calls at once, or allow more connections", err)
	}
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout() {
		return w.timeout(timeoutConnect, ep.Connect, fmt.Errorf("connect to %s: %w", ep.addr, err))
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return w.fail(llm.CodeUpstream, "the certificate of provider "+ep.name+" is not trusted",
			"look at the host name in providers."+ep.name+".url and at this machine's CA certificates",
			fmt.Errorf("connect to %s: %w", ep.addr, err))
	}
	return w.fail(llm.CodeUpstream, "cannot connect to provider "+ep.name,
		"look at providers."+ep.name+".url and whether its host can be reached from here",
		fmt.Errorf("connect to %s: %w", ep.addr, err))
}

// notSent marks the error of an attempt of which no byte left.
func notSent(err error) error {
	var e *llm.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", call.ErrNotSent, err)
	}
	marked := *e
	marked.Err = call.ErrNotSent
	if e.Err != nil {
		marked.Err = fmt.Errorf("%w: %w", call.ErrNotSent, e.Err)
	}
	return &marked
}

// broken maps what went wrong on a connection that was there. kind is the timeout that was running.
func (w where) broken(ctx context.Context, ep *endpoint, doing string, kind timeoutKind, err error) error {
	var told *llm.Error
	if errors.As(err, &told) {
		return err
	}
	if ctx.Err() != nil {
		return w.ended(ctx)
	}
	err = fmt.Errorf("%s %s: %w", doing, ep.addr, err)
	var p protocolError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		after := ep.TTFT
		if kind == timeoutIdle {
			after = ep.Idle
		}
		return w.timeout(kind, after, err)
	case errors.As(err, &p):
		return w.fail(llm.CodeUpstream, "the provider's answer is not valid HTTP: "+p.Error(),
			"look at what stands at providers."+ep.name+".url", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return w.fail(llm.CodeUpstream, "the provider closed the connection before the answer was complete", "", err)
	}
	return w.fail(llm.CodeUpstream, "the connection to the provider broke", "", err)
}
