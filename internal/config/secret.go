package config

import (
	"slices"
	"strings"
)

// Secret is a credential read from the environment (env:NAME) or a file (file:PATH). It never prints itself.
type Secret struct {
	value string
	ref   string // env:NAME or file:PATH, safe to show
}

// Reveal returns the credential, "" when it was not looked up (Read). Only the sender of requests calls it.
func (s Secret) Reveal() string { return s.value }

// Ref is where the secret comes from, safe to show.
func (s Secret) Ref() string { return s.ref }

// String shows the reference, never the value.
func (s Secret) String() string { return s.ref }

// GoString shows the reference, never the value.
func (s Secret) GoString() string { return s.ref }

// Same reports whether two secrets hold the same credential.
func (s Secret) Same(o Secret) bool { return s.value == o.value }

// shortestSecret is the fewest characters a credential may have.
const shortestSecret = 8

// defaults are parts of credentials that were never replaced.
var defaults = []string{
	"changeme", "change-me", "change_me", "xxxxx", "your-", "your_", "<", ">", "placeholder", "dummy", "replace", "todo",
	"example", "password", "secret", "12345678",
}

// credential resolves a provider's key. No message holds the value.
func (r *resolver) credential(e entry[provider], p *Provider, preset Preset) {
	key := e.v.Key
	if !key.is() {
		if len(preset.Env) > 0 && !e.v.URL.is() {
			r.p.add(e.at, "add key: env:"+preset.Env[0], "provider %s: preset %s needs a key", e.name, preset.Name)
		}
		return
	}
	if !key.ok() {
		return
	}
	ref := key.scheme + ":" + key.name
	if r.sealed {
		p.Key = Secret{ref: ref}
		return
	}
	var value string
	switch key.scheme {
	case "env":
		v, ok := r.env(key.name)
		if !ok {
			r.p.add(key.at, "export "+key.name+"=...", "provider %s: environment variable %s is not set", e.name, key.name)
			return
		}
		value = v
	case "file":
		path := r.path(key.name)
		b, err := readFile(path)
		if err != nil {
			r.p.add(key.at, "write the key into that file, mode 600", "provider %s: key file %s: %s", e.name, key.name,
				plain(err))
			return
		}
		r.c.Files = append(r.c.Files, path)
		value = string(b)
	}
	value = strings.TrimSpace(value)
	switch bad := unfitSecret(value); {
	case bad != "":
		r.p.add(key.at, "put the real key there", "provider %s: %s %s", e.name, ref, bad)
	default:
		p.Key = Secret{value: value, ref: ref}
	}
}

// unfitSecret says why a credential cannot be real; "" = it can.
func unfitSecret(v string) string {
	low := strings.ToLower(v)
	switch {
	case v == "":
		return "is empty"
	case len(v) < shortestSecret:
		return "is shorter than 8 characters"
	case strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "holds spaces, line breaks or characters that no HTTP header takes"
	case slices.ContainsFunc(defaults, func(d string) bool { return strings.Contains(low, d) }):
		return "looks like a default that nobody replaced"
	case strings.Count(v, v[:1]) == len(v):
		return "is one character repeated"
	}
	return ""
}
