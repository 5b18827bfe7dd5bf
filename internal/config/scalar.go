package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
)

// leaf is one value of the file. It is read from the text that stands there, never through a float.
type leaf interface {
	read(raw string) error
	place() *given
	// shape is the value's JSON Schema.
	shape() map[string]any
}

// given is where a leaf stands; not given, it holds its default or its zero value.
type given struct {
	at  pos
	bad bool // there, but not readable: told already
}

func (g *given) place() *given { return g }

// is reports whether the file gives the value.
func (g *given) is() bool { return g.at.line > 0 }

// ok reports whether the file gives the value and it could be read.
func (g *given) ok() bool { return g.is() && !g.bad }

type text struct {
	given
	v string
}

func (t *text) read(raw string) error { t.v = raw; return nil }
func (*text) shape() map[string]any   { return map[string]any{"type": "string"} }

type integer struct {
	given
	v int
}

func (n *integer) read(raw string) error {
	v, err := strconv.Atoi(raw)
	if err != nil || v < 1 || v > 1<<40 {
		return fmt.Errorf("%q is not a whole number above 0", raw)
	}
	n.v = v
	return nil
}
func (*integer) shape() map[string]any { return map[string]any{"type": "integer", "minimum": 1} }

type yesNo struct {
	given
	v bool
}

func (f *yesNo) read(raw string) error {
	if raw != "true" && raw != "false" {
		return fmt.Errorf("%q is neither true nor false", raw)
	}
	f.v = raw == "true"
	return nil
}
func (*yesNo) shape() map[string]any { return map[string]any{"type": "boolean"} }

type duration struct {
	given
	v time.Duration
}

func (d *duration) read(raw string) error {
	v, err := time.ParseDuration(raw)
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a duration above 0 (write 500ms, 3s or 2m)", raw)
	}
	d.v = v
	return nil
}

func (*duration) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": `^([0-9.]+(ns|us|ms|s|m|h))+$`}
}

type size struct {
	given
	v int64
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,9}) ?(KiB|MiB|GiB)$`)

func (s *size) read(raw string) error {
	m := sizeForm.FindStringSubmatch(raw)
	if m == nil {
		return fmt.Errorf("%q is not a size (write 512 KiB, 64 MiB or 1 GiB)", raw)
	}
	v, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || v == 0 {
		return fmt.Errorf("size %q is 0", raw)
	}
	s.v = v << map[string]int{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	return nil
}

func (*size) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": sizeForm.String()}
}

type percent struct {
	given
	v int
}

func (p *percent) read(raw string) error {
	v, err := strconv.Atoi(strings.TrimSuffix(raw, "%"))
	if err != nil || !strings.HasSuffix(raw, "%") || v < 1 || v > 100 {
		return fmt.Errorf("%q is not a share (write 1%% to 100%%)", raw)
	}
	p.v = v
	return nil
}

func (*percent) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": `^(100|[1-9][0-9]?)%$`}
}

// share is a part of a whole, in parts per million.
type share struct {
	given
	v int
}

var shareForm = regexp.MustCompile(`^(100|[0-9]{1,2})(?:\.([0-9]{1,4}))?%$`)

func (s *share) read(raw string) error {
	m := shareForm.FindStringSubmatch(raw)
	if m == nil {
		return fmt.Errorf("%q is not a share (write 5%%, or 0.5%%)", raw)
	}
	whole, err := strconv.Atoi(m[1])
	part, partErr := strconv.Atoi((m[2] + "0000")[:4])
	if s.v = whole*10_000 + part; err != nil || partErr != nil || s.v > 1_000_000 {
		return fmt.Errorf("share %q is more than 100%%", raw)
	}
	return nil
}

func (*share) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": shareForm.String()}
}

type day struct {
	given
	v string
}

func (d *day) read(raw string) error {
	if _, err := time.Parse(time.DateOnly, raw); err != nil {
		return fmt.Errorf("%q is not a date (write 2027-01-31)", raw)
	}
	d.v = raw
	return nil
}
func (*day) shape() map[string]any { return map[string]any{"type": "string", "format": "date"} }

// perMillion is a list price in dollars per 1M tokens.
type perMillion struct {
	given
	v money.Pico
}

func (p *perMillion) read(raw string) (err error) {
	p.v, err = money.ParseRate(strings.TrimPrefix(raw, "$"))
	return err
}

func (*perMillion) shape() map[string]any {
	return map[string]any{"type": []string{"string", "number"}, "description": "US dollars per 1M tokens"}
}

// dollars is an amount.
type dollars struct {
	given
	v money.Nano
}

func (d *dollars) read(raw string) (err error) {
	d.v, err = money.ParseUSD(raw)
	if err == nil && d.v == 0 {
		err = fmt.Errorf("amount %q is 0", raw)
	}
	return err
}

func (*dollars) shape() map[string]any { return map[string]any{"type": []string{"string", "number"}} }

// limit is an amount per period.
type limit struct {
	given
	v      money.Nano
	period string
}

func (l *limit) read(raw string) error {
	amount, period, _ := strings.Cut(raw, "/")
	v, err := money.ParseUSD(amount)
	switch {
	case err != nil:
		return fmt.Errorf("%w (write $1400/day, $20,000/month or $500/total)", err)
	case v == 0:
		return fmt.Errorf("limit %q is 0", raw)
	case period != "day" && period != "month" && period != "total":
		return fmt.Errorf("limit %q: period %q is not one of day, month, total (write $1400/day)", raw, period)
	}
	l.v, l.period = v, period
	return nil
}

func (*limit) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": `^\$?[0-9,]+(\.[0-9]+)?/(day|month|total)$`}
}

// secretRef is where a credential comes from. What stands there may be the credential itself, by mistake: no message
// quotes it.
type secretRef struct {
	given
	scheme, name string
}

func (s *secretRef) read(raw string) error {
	scheme, name, _ := strings.Cut(raw, ":")
	if (scheme != "env" && scheme != "file") || name == "" {
		return fmt.Errorf("a secret does not stand in this file: write env:NAME or file:PATH")
	}
	s.scheme, s.name = scheme, name
	return nil
}

func (*secretRef) shape() map[string]any {
	return map[string]any{"type": "string", "pattern": `^(env|file):.+`}
}
