package validate

import "strings"

// latex are spellings that models use inside formulas, and Markdown's escapes.
var latex = strings.NewReplacer(
	`\times`, "*", `\cdot`, "*", `\div`, "/", `\left(`, "(", `\right)`, ")", `\$`, "$", `\%`, "%", `\,`, "", `\;`, " ",
	`\(`, " ", `\)`, " ", `\[`, "\n", `\]`, "\n", `\\`, "\n", "&=", "=",
	`\*`, "*", `\-`, "-", `\_`, "_", `\#`, "#",
)

// maxNote is how long, in bytes, an annotation may be.
const maxNote = 300

// sheets takes calculator annotations (<<16-3=13>>) out of a text. It returns the rest, in which they are blank, and
// their contents in order. Annotations repeat the calculation that stands around them without its units and are
// calculations of their own.
func sheets(text string) (rest string, notes []string) {
	if !strings.Contains(text, "<<") {
		return text, nil
	}
	var b strings.Builder
	for {
		open := strings.Index(text, "<<")
		if open < 0 {
			b.WriteString(text)
			return b.String(), notes
		}
		body := text[open+2:]
		if len(body) > maxNote {
			body = body[:maxNote]
		}
		end := strings.Index(body, ">>")
		if end < 0 || strings.Contains(body[:end], "<<") || strings.Contains(body[:end], "\n") {
			b.WriteString(text[:open+2])
			text = text[open+2:]
			continue
		}
		b.WriteString(text[:open])
		b.WriteByte(' ')
		notes = append(notes, body[:end])
		text = text[open+2+end+2:]
	}
}

// plainMath writes LaTeX fractions, operators and text groups as plain ones.
func plainMath(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return latex.Replace(groups(text))
}

// groups rewrites \frac{a}{b} as ((a)/(b)) and \text{a}, \boxed{a} as a, where a and b hold no braces.
func groups(text string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(text, '\\')
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at])
		text = text[at:]
		name, args, size := command(text)
		switch {
		case (name == "frac" || name == "dfrac" || name == "tfrac") && len(args) == 2:
			b.WriteString("((" + args[0] + ")/(" + args[1] + "))")
		case (name == "text" || name == "mathrm" || name == "textbf" || name == "boxed") && len(args) == 1:
			b.WriteString(args[0])
		default:
			size = min(2, len(text)) // an escaped backslash stays a pair
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
}

// command reads \name{..}{..}: its name, its arguments (at most two) and its size in bytes.
func command(s string) (name string, args []string, size int) {
	i := 1
	for i < len(s) && ('a' <= s[i] && s[i] <= 'z' || 'A' <= s[i] && s[i] <= 'Z') {
		i++
	}
	name = s[1:i]
	for len(args) < 2 && i < len(s) && s[i] == '{' {
		end := strings.IndexAny(s[i+1:min(len(s), i+maxNote)], "{}")
		if end < 0 || s[i+1+end] == '{' {
			break
		}
		args = append(args, s[i+1:i+1+end])
		i += end + 2
		if name == "text" || name == "mathrm" || name == "textbf" || name == "boxed" {
			break
		}
	}
	return name, args, i
}
