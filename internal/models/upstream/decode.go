package upstream

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// decoded undoes a content coding. None is asked for, but some gateways in front of providers compress anyway; gzip is
// understood, others are an error. The caller must bound what it reads: a small gzip body can be large decoded.
func decoded(r *call.Reply, at where) (*call.Reply, error) {
	codings := r.Header["Content-Encoding"]
	coding := ""
	if len(codings) > 0 {
		coding = strings.ToLower(strings.Join(codings, ","))
	}
	switch coding {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
		if r.Status != http.StatusNoContent && r.Status != http.StatusNotModified {
			r.Body = &inflater{body: r.Body, at: at}
		}
		return r, nil
	}
	_ = r.Body.Close()
	return nil, at.fail(llm.CodeUpstream, "the provider's answer is compressed in a way that was not asked for",
		"look at what stands before the provider: identity was asked for", fmt.Errorf("content-encoding %q", coding))
}

// inflater reads a gzip body. It begins to read only when it is read, since a stream's first bytes may be far off.
type inflater struct {
	body io.ReadCloser
	at   where
	zip  *gzip.Reader
	err  error
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.err != nil || len(p) == 0 {
		return 0, f.err
	}
	n, err := f.inflate(p)
	if err == nil {
		return n, nil
	}
	var told *llm.Error
	switch {
	case errors.Is(err, io.EOF) && f.zip != nil, errors.As(err, &told), errors.Is(err, http.ErrBodyReadAfterClose):
		f.err = err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.err = f.at.fail(llm.CodeUpstream, "the provider's compressed answer is incomplete", "", io.ErrUnexpectedEOF)
	default:
		f.err = f.at.fail(llm.CodeUpstream, "the provider's answer is not the gzip it says it is", "", err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, f.err
}

func (f *inflater) inflate(p []byte) (int, error) {
	if f.zip == nil {
		zip, err := gzip.NewReader(f.body)
		if err != nil {
			return 0, err
		}
		f.zip = zip
	}
	return f.zip.Read(p)
}

func (f *inflater) Close() error { return f.body.Close() }
