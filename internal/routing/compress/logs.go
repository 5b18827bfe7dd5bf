package compress

import (
	"strings"
	"unicode"
)

// logLine reports whether a line is one of a log: it begins with a time stamp or has a level near its start.
func logLine(line string) bool {
	t := strings.TrimLeft(line, " \t[(\"")
	if len(t) > 19 && isDigit(t[0]) && (t[4] == '-' || t[4] == '/' || t[2] == ':') {
		return true
	}
	if len(t) > 16 && upper(t[0]) && month(t[:3]) && strings.Count(t[:16], ":") == 2 { // syslog
		return true
	}
	return levelOf(t) != ""
}

// levels are words that logs write in capitals at the start of a line.
var levels = map[string]bool{
	"ERROR": true, "FATAL": true, "PANIC": true, "CRITICAL": true, "SEVERE": true, "WARN": true, "WARNING": true, "INFO": true,
	"DEBUG": true, "TRACE": true, "NOTICE": true,
}

// bad are levels that tell of an error.
var bad = map[string]bool{"ERROR": true, "FATAL": true, "PANIC": true, "CRITICAL": true, "SEVERE": true}

// levelSpan is how far into a line its level may stand, in bytes.
const levelSpan = 64

// levelOf finds the level in the first part of a line; "" = none.
func levelOf(line string) string {
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) }
	for w := range strings.FieldsFuncSeq(line[:min(len(line), levelSpan)], notLetter) {
		if levels[w] {
			return w
		}
	}
	return ""
}

// openers begin a line by which programs, compilers and test runners tell of an error.
var openers = []string{
	"error:", "error ", "error[", "fatal:", "fatal error", "panic:", "traceback", "exception", "fail:", "fail\t", "failed",
	"--- fail", "e   ", "assertionerror", "caused by:", "undefined:", "cannot find", "exit code", "exit status", "err!",
}

// alarming reports whether a line of a tool's output or a document tells of an error. isLog: it is a line of a log.
func alarming(line string, isLog bool) bool {
	if isLog {
		return bad[levelOf(strings.TrimLeft(line, " \t[(\""))]
	}
	t := strings.TrimLeft(line, " \t[(")
	start := strings.ToLower(t[:min(len(t), 16)])
	for _, o := range openers {
		if strings.HasPrefix(start, o) {
			return true
		}
	}
	return false
}
