package config

// Secret is a credential read from the environment (env:NAME) or a file (file:PATH). It never prints itself.
type Secret struct {
	value string
	ref   string // env:NAME or file:PATH, safe to show
}

// Reveal returns the credential. Only the sender of requests calls it.
func (s Secret) Reveal() string { return s.value }

// Ref is where the secret comes from, safe to show.
func (s Secret) Ref() string { return s.ref }

// String shows the reference, never the value.
func (s Secret) String() string { return s.ref }

// GoString shows the reference, never the value.
func (s Secret) GoString() string { return s.ref }
