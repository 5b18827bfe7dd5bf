package validate

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/wholeword"
)

// referenceCheck wants every match of re in the answer (text and tool arguments) to occur in the request: in its
// system text, its turns or its tool results. Case, kinds of dash and runs of space do not matter; an id that is
// only part of a longer one does not count. References are looked up in what the pattern finds in the request, so the
// cost is linear in both; the few that the pattern does not find there are searched for.
func referenceCheck(name string, re *regexp.Regexp) (Check, error) {
	anyCase, err := regexp.Compile("(?i:" + re.String() + ")")
	if err != nil {
		return nil, err
	}
	return rule{name, func(s Subject) string { return judgeReferences(s, re, anyCase) }}, nil
}

const (
	maxSearched = 256 // distinct references that are searched for; an answer with more of them is rejected
	maxSought   = 256 // bytes of a reference that is searched for
)

// search is a variable so that a test can count its calls.
var search = wholeword.In

func judgeReferences(s Subject, re, anyCase *regexp.Regexp) string {
	c := s.choice()
	if c == nil {
		return ""
	}
	answer := said(c.Parts)
	found := re.FindAllStringIndex(answer, -1)
	if len(found) == 0 {
		return ""
	}
	text := invisible.Replace(requestText(s.Request))
	source := normal(text)
	known := references(text, re)
	maps.Copy(known, references(source, anyCase))
	searched := 0
	for i, span := range found {
		ref := normal(answer[span[0]:span[1]])
		if ref == "" {
			continue
		}
		if known[ref] {
			continue
		}
		if searched++; searched > maxSearched {
			return fmt.Sprintf("too many references that the pattern does not find in the request (%d of %d judged)",
				i, len(found))
		}
		known[ref] = len(ref) <= maxSought && search(source, ref)
		if !known[ref] {
			return fmt.Sprintf("reference %d of %d (at byte %d) does not occur in the request", i+1, len(found), span[0])
		}
	}
	return ""
}

// references is the set of what re finds in a text, standing alone, in normal form.
func references(text string, re *regexp.Regexp) map[string]bool {
	out := map[string]bool{}
	for _, span := range re.FindAllStringIndex(text, -1) {
		if wholeword.At(text, span[0], span[1]) {
			out[normal(text[span[0]:span[1]])] = true
		}
	}
	return out
}

// invisible characters are as if they were not there.
var invisible = strings.NewReplacer("\u00ad", "", "\u200b", "", "\ufeff", "")

// said is what an answer states: its text and its tool arguments.
func said(parts []llm.Part) string {
	var b strings.Builder
	b.WriteString(joinText(parts))
	for _, p := range parts {
		if p.Kind == llm.ToolUse && p.Tool != nil {
			b.WriteByte('\n')
			b.Write(p.Tool.Args)
		}
	}
	return b.String()
}

// requestText is all text of a request that an answer may refer to.
func requestText(req *llm.Request) string {
	if req == nil {
		return ""
	}
	var b strings.Builder
	appendParts(&b, req.System)
	for _, m := range req.Messages {
		appendParts(&b, m.Parts)
	}
	return b.String()
}

func appendParts(b *strings.Builder, parts []llm.Part) {
	for _, p := range parts {
		switch {
		case p.Kind == llm.ToolUse && p.Tool != nil:
			b.Write(p.Tool.Args)
		case p.Kind == llm.ToolResult && p.Result != nil:
			appendParts(b, p.Result.Content)
		default:
			b.WriteString(p.Text)
		}
		b.WriteByte('\n')
	}
}

// normal lowers case, writes every dash as '-' and every run of space as one ' '.
func normal(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := true // also trims the left
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && r > ' ':
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
				space = true
			}
			continue
		case unicode.Is(unicode.Pd, r) || r == '\u2212': // minus sign
			r = '-'
		case r == '\u00ad' || r == '\u200b' || r == '\ufeff': // invisible
			continue
		default:
			r = unicode.ToLower(r)
		}
		space = false
		b.WriteRune(r)
	}
	return strings.TrimSuffix(b.String(), " ")
}
