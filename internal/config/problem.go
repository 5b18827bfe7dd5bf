package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// pos is a place in the file: line and column from 1, in characters. The zero pos means that the file does not say it.
type pos struct{ line, col, width int }

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line, Column int    // from 1
	Message      string // what is wrong, lower case
	Hint         string // what to do; "" = nothing to add

	width int
}

// Errors is everything that is wrong with a file, in the file's order. It is an error.
type Errors struct {
	Path     string
	Problems []Problem

	lines []string
}

// mostShown bounds what Error shows; Problems has them all.
const mostShown = 100

// Error shows the problems as path:line:column, the line with a caret under it, and what to do. Secrets that stand in
// the shown lines are masked.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n")
		}
		if i == mostShown {
			fmt.Fprintf(&b, "%s: and %d more", e.Path, len(e.Problems)-i)
			break
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", e.Path, p.Line, p.Column, maskLooks(p.Message))
		if p.Line <= len(e.lines) && strings.TrimSpace(e.lines[p.Line-1]) != "" {
			b.WriteString(e.excerpt(p))
		}
		if p.Hint != "" {
			b.WriteString("\n       " + maskLooks(p.Hint))
		}
	}
	return b.String()
}

// excerpt shows the problem's line with a caret under the place.
func (e *Errors) excerpt(p Problem) string {
	line := mask(strings.ReplaceAll(e.lines[p.Line-1], "\t", " "))
	runes := []rune(line)
	col := min(p.Column, len(runes)+1)
	width := max(1, min(p.width, len(runes)-col+1))
	from := 0
	if len(runes) > 100 { // a long line is shown around the place
		from = max(0, col-40)
		runes = runes[from:min(len(runes), from+100)]
		width = max(1, min(width, len(runes)-(col-from)+1))
	}
	return fmt.Sprintf("\n%5d | %s\n      | %s%s", p.Line, strings.TrimRight(string(runes), " \r"),
		strings.Repeat(" ", col-1-from), strings.Repeat("^", width))
}

var (
	secretValue = regexp.MustCompile(`(?i)((?:key|secret|token|password)["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^,}\s#]+)`)
	secretLook  = regexp.MustCompile(`\b(?:sk[-_]|pk[-_]|rk[-_]|xai-|gsk_|hf_|wr_|AIza)[-_A-Za-z0-9]{12,}`)
	urlUser     = regexp.MustCompile(`://(?:[^/\s"']+|[^/\s"':@]+:[^\s"']+)@`)
)

// mask blots out of a line of the file what is or looks like a credential; references (env:, file:) stay. The text
// keeps its length, so that a caret under it stays in place.
func mask(line string) string {
	line = secretValue.ReplaceAllStringFunc(line, func(m string) string {
		at := secretValue.FindStringSubmatchIndex(m)
		name, value := m[:at[3]], m[at[4]:]
		bare := strings.Trim(value, `"'`)
		if strings.HasPrefix(bare, "env:") || strings.HasPrefix(bare, "file:") {
			return m
		}
		return name + blot(value)
	})
	return maskLooks(line)
}

// maskLooks blots out what looks like a credential by itself: vendors' key forms, and the user, the values
// of the query and the fragment of a URL.
func maskLooks(text string) string {
	text = urlUser.ReplaceAllStringFunc(text, func(m string) string { return "://" + blot(m[3:len(m)-1]) + "@" })
	return secretLook.ReplaceAllStringFunc(maskQueries(text), blot)
}

// maskQueries blots out the values in the queries of a text's URLs, and their fragments.
func maskQueries(text string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, "://")
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := urlEnd(text, at)
		url, fragment, hash := strings.Cut(text[at:end], "#")
		path, query, mark := strings.Cut(url, "?")
		b.WriteString(text[:at] + path)
		if mark {
			b.WriteString("?" + maskPairs(query))
		}
		if hash {
			b.WriteString("#" + blot(fragment))
		}
		text = text[end:]
	}
}

// maskPairs blots out the values of a query. What has no name is a value.
func maskPairs(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name := strings.IndexByte(pair, '=') + 1
		pairs[i] = pair[:name] + blot(pair[name:])
	}
	return strings.Join(pairs, "&")
}

// urlEnd is where the URL with its colon at i ends: at the quote that opened before it, or else at a space or quote.
func urlEnd(text string, i int) int {
	before := strings.TrimRight(text[:i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")
	stop := " \t\"'"
	quoted := strings.HasSuffix(before, `"`) || strings.HasSuffix(before, "'")
	if quoted {
		stop = before[len(before)-1:]
	}
	end := strings.IndexAny(text[i:], stop)
	if end < 0 {
		end = len(text) - i
	}
	if quoted {
		return i + end
	}
	return i + len(strings.TrimRight(text[i:i+end], ",}]")) // of the YAML around it
}

func blot(s string) string { return strings.Repeat("*", utf8.RuneCountInString(s)) }

// problems collects what is wrong, and what is only worth a warning.
type problems struct {
	list     []Problem
	warnings []string
}

// add notes a problem at a place; hint says what to do.
func (p *problems) add(at pos, hint, format string, args ...any) {
	p.list = append(p.list, Problem{
		Line: max(1, at.line), Column: max(1, at.col), width: at.width, Hint: hint, Message: fmt.Sprintf(format, args...),
	})
}

func (p *problems) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// err is nil or the *Errors of all that was noted.
func (p *problems) err(path string, data []byte) error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Errors{Path: path, Problems: p.list, lines: strings.Split(string(data), "\n")}
}

// thousands is what YAML makes a key of when an amount with a comma stands unquoted inside braces: $1,000/day.
var thousands = regexp.MustCompile(`^[0-9]{3}(?:\.[0-9]+)?(?:/[a-z]+)?$`)

// nearest is the known word that was probably meant; "" = none.
func nearest(word string, known []string) string {
	best, dist := "", len(word)/3+2
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < dist {
			best, dist = k, d
		}
	}
	return best
}

// suggest says which of the known words was probably meant, else lists them.
func suggest(word string, known []string, what string) string {
	if thousands.MatchString(word) {
		return fmt.Sprintf(`"%s" looks like the end of an amount: inside { } a comma ends a value, so quote the amount, `+
			`such as "$1,%[1]s", or leave its comma out`, word)
	}
	switch best := nearest(word, known); {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return fmt.Sprintf("the file has no %s yet", what)
	}
	return fmt.Sprintf("%s: %s", what, strings.Join(known, ", "))
}

// distance is the number of single edits (insert, delete, change, swap of neighbours) between two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			same := 1
			if x[i-1] == y[j-1] {
				same = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
