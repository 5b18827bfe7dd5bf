package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// thought is a thinking block of a request.
type thought struct {
	turn, block             int
	text, signature, sealed string
}

// thinking is Anthropic's setting. enabled demands thinking before the calls of an open tool loop; adaptive does not.
type thinking struct {
	Type   string `json:"type"`
	Budget int    `json:"budget_tokens"`
}

// leastBudget is the smallest budget_tokens that Anthropic takes.
const leastBudget = 1024

func anthropicThinking(m map[string]jsontext.Value, a *ask) *failure {
	var t thinking
	if f := field(m, "thinking", &t); f != nil {
		return f
	}
	switch t.Type {
	case "", "disabled":
		return nil
	case "adaptive":
	case "enabled":
		a.demands = true
		switch {
		case t.Budget < leastBudget:
			return invalid("", "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
		case t.Budget >= a.max:
			return invalid("", "`max_tokens` must be greater than `thinking.budget_tokens`.")
		}
	default:
		return invalidf("", "thinking: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'adaptive', 'disabled', 'enabled'", t.Type)
	}
	if a.Force != "" && a.Force != "none" {
		return invalid("", "Thinking may not be enabled when tool_choice forces tool use.")
	}
	a.Thinks = true
	return nil
}

// sign is the signature of what a model thought: nobody else can write it, and no other model takes it.
func (s *Sim) sign(model, text string) string {
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], s.cfg.Seed)
	mac := hmac.New(sha256.New, append([]byte("thinking"), key[:]...))
	fmt.Fprintf(mac, "%d:%s%s", len(model), model, text)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// seal is thinking that the client may not read.
func (s *Sim) seal(model, text string) string {
	return base64.StdEncoding.EncodeToString([]byte(s.sign(model, text) + "." + text))
}

// thoughts checks that what a model thought comes back as it was said: unchanged, from the model itself, and before the
// calls of an open tool loop.
func (s *Sim) thoughts(a *ask) *failure {
	if !a.model.Thinks {
		return nil
	}
	for _, t := range a.thoughts {
		if t.sealed != "" {
			raw, err := base64.StdEncoding.DecodeString(t.sealed)
			_, text, _ := strings.Cut(string(raw), ".")
			if err != nil || s.seal(a.model.ID, text) != t.sealed {
				return invalidf("", "messages.%d.content.%d: Invalid `data` in `redacted_thinking` block", t.turn, t.block)
			}
			continue
		}
		if t.signature != s.sign(a.model.ID, t.text) {
			return invalidf("", "messages.%d.content.%d: Invalid `signature` in `thinking` block", t.turn, t.block)
		}
	}
	if a.demands && a.lacks != "" {
		//nolint:misspell // Anthropic's own spelling
		return invalidf("", "messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When "+
			"`thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost "+
			"set of `tool_use` and `tool_result` blocks).", a.lacksAt, a.lacks)
	}
	return nil
}
