package validate

import (
	"regexp"

	"github.com/weirhq/weir/internal/llm"
)

// Spec describes one configured check. Exactly one of schema, regex, references and
// arithmetic is set.
type Spec struct {
	Name       string
	Schema     []byte // JSON Schema that the answer's text, read as JSON, must match
	Regex      string // RE2 pattern that must match somewhere in the answer's text
	Early      bool   // beside Regex: a match in the beginning of a text is one in the whole
	References string // RE2 pattern: every match in the answer must occur in the request
	Arithmetic bool   // every calculation that the answer states must hold
	Doubt      int    // percent of doubt up to which an answer passes, 1 to 100
}

// Compile makes the check that a spec describes. Its error is an *llm.Error of code invalid_request that names the
// check and the field.
func Compile(s Spec) (Check, error) {
	if s.Name == "" {
		return nil, specError(s, "name", "a check needs a name", nil)
	}
	set := 0
	for _, has := range []bool{len(s.Schema) > 0, s.Regex != "", s.References != "", s.Arithmetic, s.Doubt != 0} {
		if has {
			set++
		}
	}
	if set != 1 {
		return nil, specError(s, "", "exactly one of schema, regex, references, arithmetic, doubt must be set", nil)
	}
	switch {
	case len(s.Schema) > 0:
		schema, err := compileSchema(s.Schema)
		if err != nil {
			return nil, specError(s, "schema", "the JSON Schema does not compile", err)
		}
		return schemaCheck(s.Name, schema), nil
	case s.Regex != "":
		re, err := regexp.Compile(s.Regex)
		if err != nil {
			return nil, specError(s, "regex", "the pattern does not compile", err)
		}
		return regexCheck(s.Name, re, s.Early), nil
	case s.References != "":
		re, err := regexp.Compile(s.References)
		if err != nil {
			return nil, specError(s, "references", "the pattern does not compile", err)
		}
		return referenceCheck(s.Name, re)
	case s.Doubt < 0 || s.Doubt > 100:
		return nil, specError(s, "doubt", "the limit is a share of 1 to 100 percent", nil)
	case s.Doubt > 0:
		return doubtCheck(s.Name, s.Doubt), nil
	}
	return arithmeticCheck(s.Name), nil
}

func specError(s Spec, field, msg string, err error) error {
	return &llm.Error{
		Code: llm.CodeInvalid, Message: "check " + quote(s.Name) + ": " + msg, Param: field, Err: err,
		Hint: "checks are defined under checks: in weir.yaml",
	}
}

// regexCheck wants a match of re somewhere in the answer's text.
func regexCheck(name string, re *regexp.Regexp, early bool) Check {
	r := rule{name, func(s Subject) string {
		if s.toolsOnly() || re.MatchString(s.text()) {
			return ""
		}
		return "the text does not match the pattern of check " + quote(name)
	}}
	if early {
		return earlyRule{r, re.MatchString}
	}
	return r
}
