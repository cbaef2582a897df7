package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/edit"
)

const (
	maxWord    = 200  // bytes of a name that a message repeats
	maxMessage = 8000 // bytes of a message
	shownEnd   = 1000 // bytes of the end of a longer message that are shown, where the advice stands
)

// Word returns a name from a file, a flag or a server for a message: as it is, or quoted if it has characters that do
// not print, and shortened if it is long.
func Word(name string) string {
	if quoted := Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// Quote returns a text from a file, a flag or a server in quotes for a message, shortened if it is long.
func Quote(text string) string {
	if len(text) <= maxWord {
		return strconv.Quote(text)
	}
	end := maxWord
	for !utf8.RuneStart(text[end]) && end > maxWord-utf8.UTFMax {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(text[:end]), len(text))
}

// Clean makes a whole message safe for a terminal. Control characters other than new lines and tabs, and characters
// that change the direction of text, become escapes such as \x1b. A message that is too long loses its middle.
func Clean(message string) string {
	if len(message) > maxMessage {
		head, tail := message[:maxMessage-shownEnd], message[len(message)-shownEnd:]
		message = fmt.Sprintf("%s… (%d bytes left out) …%s", head, len(message)-maxMessage, tail)
	}
	var b strings.Builder
	for i, r := range message {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(message[i:], "\ufffd"): // not UTF-8
			fmt.Fprintf(&b, `\x%02x`, message[i])
		case r == '\n', r == '\t', strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// Argument returns an argument of a command for a message that shows the command: quoted if it has characters that mean
// something else to a shell.
func Argument(text string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-+./:@=,%", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(Word(text), "'", `'\''`) + "'"
}

// NearestFile returns the end of an error message about a file that does not exist: the name in its folder that is most
// like it, or "" where none is.
func NearestFile(path string) string {
	if _, err := os.Lstat(path); err == nil {
		return ""
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := edit.Nearest(filepath.Base(path), names); near != "" {
		return fmt.Sprintf("; did you mean %s?", Word(filepath.Join(filepath.Dir(path), near)))
	}
	return ""
}
