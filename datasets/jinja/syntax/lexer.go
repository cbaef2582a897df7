package syntax

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Kinds of tokens beside operators, whose kind is their text.
const (
	kindData          = "data"
	kindName          = "name"
	kindString        = "string"
	kindInteger       = "integer"
	kindFloat         = "float"
	kindVariableBegin = "begin of print statement"
	kindVariableEnd   = "end of print statement"
	kindBlockBegin    = "begin of statement block"
	kindBlockEnd      = "end of statement block"
	kindEOF           = "end of template"
)

// token is a word of a template.
type token struct {
	line  int
	kind  string
	text  string
	value value.Value // of a number
}

// is reports whether the token is a certain name.
func (t token) is(name string) bool { return t.kind == kindName && t.text == name }

// describe returns the token for a message.
func (t token) describe() string {
	if t.kind == kindName {
		return t.text
	}
	return t.kind
}

// Options are how a source is read.
type Options struct {
	TrimBlocks          bool // the newline after a tag is dropped
	LStripBlocks        bool // blanks before a tag that begins a line are dropped
	KeepTrailingNewline bool // of the template
	LoopControls        bool // break and continue are tags
	Do                  bool // do is a tag
	Generation          bool // generation is a tag
}

// lexer splits a source into tokens.
type lexer struct {
	options      Options
	source       string // with \n as its only line end
	pos          int
	line         int
	tokens       []token
	lineStarting bool // the last match ended with a newline
}

// tokenize returns the tokens of a source; the last is of kindEOF.
func tokenize(source string, options Options) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	if !options.KeepTrailingNewline {
		source = strings.TrimSuffix(source, "\n")
	}
	l := &lexer{options: options, source: source, line: 1, lineStarting: true}
	for l.pos < len(l.source) {
		l.root()
	}
	l.emit(kindEOF, "", nil)
	return l.tokens
}

func (l *lexer) emit(kind, text string, v value.Value) {
	l.tokens = append(l.tokens, token{l.line, kind, text, v})
}

// advance moves to pos and counts the lines before it.
func (l *lexer) advance(pos int) {
	l.line += strings.Count(l.source[l.pos:pos], "\n")
	l.lineStarting = pos > l.pos && l.source[pos-1] == '\n'
	l.pos = pos
}

// root takes text up to the next tag, and the tag.
func (l *lexer) root() {
	rest := l.source[l.pos:]
	at := strings.IndexFunc(rest, func(r rune) bool { return r == '{' })
	for at >= 0 && (at+1 == len(rest) || strings.IndexByte("%#{", rest[at+1]) < 0) {
		next := strings.IndexByte(rest[at+1:], '{')
		if next < 0 {
			at = -1
			break
		}
		at += 1 + next
	}
	if at < 0 {
		l.emit(kindData, rest, nil)
		l.advance(len(l.source))
		return
	}
	kind := rest[at+1]
	if n := rawBegin(rest[at:]); n > 0 {
		l.text(rest[:at], signAt(rest, at+2), true)
		l.advance(l.pos + at + n)
		l.raw()
		return
	}
	sign := signAt(rest, at+2)
	l.text(rest[:at], sign, kind != '{')
	l.advance(l.pos + at + 2 + len(sign))
	switch kind {
	case '#':
		l.comment()
	case '%':
		l.emit(kindBlockBegin, "", nil)
		l.tag(kindBlockEnd)
	default:
		l.emit(kindVariableBegin, "", nil)
		l.tag(kindVariableEnd)
	}
}

// signAt returns the sign + or - at a place of a text, if there is one.
func signAt(text string, at int) string {
	if at < len(text) && (text[at] == '-' || text[at] == '+') {
		return text[at : at+1]
	}
	return ""
}

// text emits the text before a tag, less what the tag's sign or the option LStripBlocks takes away.
func (l *lexer) text(text, sign string, isBlock bool) {
	stripped := text
	switch {
	case sign == "-":
		stripped = strings.TrimRightFunc(text, value.IsSpace)
	case sign == "" && l.options.LStripBlocks && isBlock:
		begin := strings.LastIndexByte(text, '\n') + 1
		if (begin > 0 || l.lineStarting) && skipSpace(text[begin:]) == len(text)-begin {
			stripped = text[:begin]
		}
	}
	if stripped != "" {
		l.emit(kindData, stripped, nil)
	}
}

// skipSpace returns the length of the white space at the beginning of a text.
func skipSpace(text string) int { return len(text) - len(strings.TrimLeftFunc(text, value.IsSpace)) }

// rawBegin returns the length of the tag {% raw %} at the beginning of a text, or 0.
func rawBegin(text string) int {
	rest, found := strings.CutPrefix(text, "{%")
	if !found {
		return 0
	}
	rest = rest[len(signAt(rest, 0)):]
	rest, found = strings.CutPrefix(rest[skipSpace(rest):], "raw")
	if !found {
		return 0
	}
	rest = rest[skipSpace(rest):]
	if after, found := strings.CutPrefix(rest, "-%}"); found {
		return len(text) - len(after) + skipSpace(after)
	}
	if after, found := strings.CutPrefix(rest, "%}"); found {
		return len(text) - len(after)
	}
	return 0
}

// tagEnd returns the length of a tag's end at the beginning of a text, with the white space that it takes, or 0.
func (l *lexer) tagEnd(text, end string) int {
	sign := signAt(text, 0)
	if sign == "+" && end == "}}" || !strings.HasPrefix(text[len(sign):], end) {
		return 0
	}
	n := len(sign) + len(end)
	switch {
	case sign == "-":
		return n + skipSpace(text[n:])
	case sign == "" && end != "}}" && l.options.TrimBlocks && strings.HasPrefix(text[n:], "\n"):
		return n + 1
	}
	return n
}

// comment skips a comment, whose beginning is behind.
func (l *lexer) comment() {
	rest := l.source[l.pos:]
	if rest == "" {
		return // Jinja takes a comment's beginning at the very end for a comment
	}
	at := strings.Index(rest, "#}")
	if at < 0 {
		fail(l.line, "Missing end of comment tag")
	}
	if at > 0 && signAt(rest, at-1) != "" {
		at--
	}
	l.advance(l.pos + at + l.tagEnd(rest[at:], "#}"))
}

// raw emits the text up to {% endraw %}.
func (l *lexer) raw() {
	rest := l.source[l.pos:]
	for from := 0; ; {
		at := strings.Index(rest[from:], "{%")
		if at < 0 {
			break
		}
		at += from
		sign := signAt(rest, at+2)
		tag := rest[at+2+len(sign):]
		if after, found := strings.CutPrefix(tag[skipSpace(tag):], "endraw"); found {
			after = after[skipSpace(after):]
			if n := l.tagEnd(after, "%}"); n > 0 {
				l.text(rest[:at], sign, true)
				l.advance(l.pos + len(rest) - len(after) + n)
				return
			}
		}
		from = at + 2
	}
	if rest != "" {
		fail(l.line, "Missing end of raw directive")
	}
}

// The words of tags.
var (
	floatWord = regexp.MustCompile(`^(?i:([0-9]+_)*[0-9]+((\.([0-9]+_)*[0-9]+)?e[+\-]?([0-9]+_)*[0-9]+|` +
		`\.([0-9]+_)*[0-9]+))`)
	integerWord = regexp.MustCompile(`^(?i:0b(_?[0-1])+|0o(_?[0-7])+|0x(_?[0-9a-f])+|[1-9](_?[0-9])*|0(_?0)*)`)
	operators   = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
		">", "<", "=", ".", ":", "|", ",", ";"}
)

// tag emits the tokens of a tag up to its end.
func (l *lexer) tag(end string) {
	mark := "%}"
	if end == kindVariableEnd {
		mark = "}}"
	}
	var open []string // closing brackets that are missing
	for l.pos < len(l.source) {
		rest := l.source[l.pos:]
		if n := l.tagEnd(rest, mark); n > 0 && len(open) == 0 {
			l.emit(end, "", nil)
			l.advance(l.pos + n)
			return
		}
		if n := skipSpace(rest); n > 0 {
			l.advance(l.pos + n)
			continue
		}
		n, isOperator := l.word(rest)
		if isOperator {
			open = l.bracket(open, rest[:n])
		}
		l.advance(l.pos + n)
	}
}

// word emits one token of a tag and returns its length.
func (l *lexer) word(rest string) (n int, isOperator bool) {
	afterDot := l.pos > 0 && l.source[l.pos-1] == '.'
	if n := len(floatWord.FindString(rest)); n > 0 && !afterDot {
		l.emit(kindFloat, rest[:n], float(l.line, rest[:n]))
		return n, false
	}
	if n := len(integerWord.FindString(rest)); n > 0 {
		l.emit(kindInteger, rest[:n], number(l.line, rest[:n]))
		return n, false
	}
	isWord := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	if n := len(rest) - len(strings.TrimLeftFunc(rest, isWord)); n > 0 {
		if !value.IsIdentifier(rest[:n]) {
			fail(l.line, "Invalid character in identifier")
		}
		l.emit(kindName, rest[:n], nil)
		return n, false
	}
	if n := stringLength(rest); n > 0 {
		l.emit(kindString, unescape(l.line, rest[1:n-1]), nil)
		return n, false
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(op, op, nil)
			return len(op), true
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	fail(l.line, "unexpected char %q", r)
	return 0, false
}

// stringLength returns the length of the string literal at the beginning of a text, or 0.
func stringLength(text string) int {
	quote := text[0]
	if quote != '\'' && quote != '"' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return 0
}

// bracket keeps account of the brackets that are open.
func (l *lexer) bracket(open []string, op string) []string {
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}
	if want, ok := closing[op]; ok {
		return append(open, want)
	}
	if !slices.Contains([]string{")", "]", "}"}, op) {
		return open
	}
	if len(open) == 0 {
		fail(l.line, "unexpected '%s'", op)
	}
	if last := open[len(open)-1]; last != op {
		fail(l.line, "unexpected '%s', expected '%s'", op, last)
	}
	return open[:len(open)-1]
}
