package wire

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

var (
	faultKeys  = scan.NewKeys("error", "message", "detail", "type", "param", "code", "status", "details")
	detailKeys = scan.NewKeys("@type", "reason", "domain", "metadata", "retryDelay", "violations")
	quotaKeys  = scan.NewKeys("quotaId", "quotaMetric", "quotaDimensions", "quotaValue", "subject", "description")
)

// ReadError reads a provider's error answer; now is the clock for RetryAfter. What the header says of when to come back
// counts before what the body says.
func ReadError(status int, header http.Header, body []byte, now func() time.Time) *llm.Error {
	f := ReadFault(body)
	f.Status = status
	if d := RetryAfter(header, now); d > 0 {
		f.Wait = d
	}
	return f.Error()
}

// ReadFault reads an error body. Providers and what stands before them do not keep to one shape, so that all dialects
// read all of them: {"error":{...}} or {"error":"..."}, the same in an array (Google), and the error's members bare
// (Mistral, vLLM, {"detail":"..."}). Of another body it tells nothing.
func ReadFault(body []byte) Fault {
	c := scan.Open(body)
	defer c.Close()
	var f Fault
	switch c.Kind() {
	case scan.Object:
		f = FaultAt(c, body)
	case scan.Array:
		for c.Array(); c.More(); {
			if c.Kind() == scan.Object && f == (Fault{}) {
				f = FaultAt(c, body)
			}
		}
	}
	if c.End() != nil {
		return Fault{}
	}
	return f
}

// FaultAt reads the error that comes next in text: an object, or a string that is the message. Its Status is 0.
func FaultAt(c *scan.Cursor, text []byte) Fault {
	var f, inner Fault
	switch c.Kind() {
	case scan.String:
		f.Message = c.String().Text(text)
		return f
	case scan.Object:
	default:
		c.Skip()
		return f
	}
	for c.Object(faultKeys); c.Next(); {
		switch key := c.Key(); key {
		case "error":
			inner = FaultAt(c, text)
		case "message", "detail":
			if s := word(c, text); s != "" {
				f.Message = s
			}
		case "type", "status":
			if s := word(c, text); s != "" {
				f.Kind = s
			}
		case "param":
			f.Param = word(c, text)
		case "code":
			f.Code = word(c, text)
		case "details":
			f.details(c, text)
		}
	}
	if inner != (Fault{}) {
		return inner
	}
	return f
}

// word reads a string or the text of a number; other values are "".
func word(c *scan.Cursor, text []byte) string {
	switch c.Kind() {
	case scan.String:
		return c.String().Text(text)
	case scan.Number:
		v := c.Skip()
		return string(text[v.Start:v.End])
	}
	c.Skip()
	return ""
}

// details reads Google's list of google.rpc messages: ErrorInfo, RetryInfo, QuotaFailure.
func (f *Fault) details(c *scan.Cursor, text []byte) {
	if c.Kind() != scan.Array {
		return
	}
	for c.Array(); c.More(); {
		if c.Kind() != scan.Object {
			continue
		}
		for c.Object(detailKeys); c.Next(); {
			switch c.Key() {
			case "reason":
				f.Reason = word(c, text)
			case "retryDelay":
				if d, err := time.ParseDuration(word(c, text)); err == nil {
					f.Wait = min(max(d, 0), longestWait)
				}
			case "violations":
				f.violations(c, text)
			}
		}
	}
}

// violations reads which quotas were used up. One for a day is not there again in a minute, whatever retryDelay says.
func (f *Fault) violations(c *scan.Cursor, text []byte) {
	if c.Kind() != scan.Array {
		return
	}
	for c.Array(); c.More(); {
		if c.Kind() != scan.Object {
			continue
		}
		for c.Object(quotaKeys); c.Next(); {
			if c.Key() == "quotaId" && strings.Contains(word(c, text), "PerDay") {
				f.Spent = true
			}
		}
	}
}

// longestWait bounds what a provider may ask for; what is longer is no advice for a call.
const longestWait = 24 * time.Hour

// RetryAfter reads retry-after-ms, or Retry-After in seconds or as a date; 0 = not told, or past. A nil clock ignores
// dates.
func RetryAfter(h http.Header, now func() time.Time) time.Duration {
	if d, ok := wait(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	v := h.Get("Retry-After")
	if d, ok := wait(v, time.Second); ok {
		return d
	}
	at, err := http.ParseTime(v)
	if err != nil || now == nil {
		return 0
	}
	return min(max(at.Sub(now()), 0), longestWait)
}

func wait(s string, unit time.Duration) (time.Duration, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || f < 0 {
		return 0, false
	}
	return time.Duration(min(f*float64(unit), float64(longestWait))), true
}
