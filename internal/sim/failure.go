package sim

import (
	"fmt"
	"net/http"
	"strconv"
)

// failKind is why a request is refused. Each dialect has its own words for it.
type failKind int

const (
	failInvalid failKind = iota // message says what
	failNoKey
	failBadKey
	failPermission
	failModel
	failUnrecorded // message says what
	failTooLarge
	failWindow
	failRate
	failServer
	failUnavailable
	failOverloaded
)

// statuses are the HTTP statuses that the providers share; a dialect may differ (Gemini answers a bad key with 400).
var statuses = map[failKind]int{
	failInvalid: 400, failNoKey: 401, failBadKey: 401, failPermission: 403, failModel: 404, failUnrecorded: 404,
	failTooLarge: 413, failWindow: 400, failRate: 429, failServer: 500, failUnavailable: 503, failOverloaded: 529,
}

// failure is a refusal, in no dialect.
type failure struct {
	kind    failKind
	message string // "" = the dialect's standard text
	param   string
	code    string // OpenAI's error code, if not the kind's
	model   string
	prompt  int
	window  int
	after   int // seconds to wait; 0 = not told
	status  int // set by the dialect
}

func invalid(param, message string) *failure {
	return &failure{kind: failInvalid, param: param, message: message}
}

func invalidf(param, format string, args ...any) *failure {
	return invalid(param, fmt.Sprintf(format, args...))
}

func invalidCode(param, code, message string) *failure {
	return &failure{kind: failInvalid, param: param, code: code, message: message}
}

// text is the failure's own message or the standard one.
func (f *failure) text(standard string) string {
	if f.message != "" {
		return f.message
	}
	return standard
}

// refuse writes a failure as the provider's error.
func (s *Sim) refuse(w http.ResponseWriter, r *http.Request, d dialect, a *ask, f *failure) {
	id := requestID(r, a)
	f.status = statuses[f.kind]
	body := d.failure(f, id)
	h := w.Header()
	setIDs(h, id)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.after > 0 {
		h.Set("Retry-After", strconv.Itoa(f.after))
	}
	s.book.add(Request{ID: id, Status: f.status}.of(a)) // first, so that the client that reads it finds it counted
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
}

// requestID echoes the request's own id, or makes one from its content.
func requestID(r *http.Request, a *ask) string {
	if id := r.Header.Get("X-Request-Id"); id != "" {
		return id
	}
	if a == nil {
		return "req_unread"
	}
	return fmt.Sprintf("req_%016x%04x", a.Seed, a.occurrence&0xffff)
}

// setIDs tells the request's id under both names that providers use.
func setIDs(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("Request-Id", id)
}
