package mlir

import "strings"

// closingBracket returns the index of the bracket that closes the list whose first element text begins with, or -1.
func closingBracket(text string) int {
	at := -1
	walkTop(text, func(i int, c byte) bool {
		if c == ')' {
			at = i
		}
		return c != ')'
	})
	return at
}

// splitTop splits text at the commas outside of brackets and strings.
func splitTop(text string) []string {
	var parts []string
	from := 0
	walkTop(text, func(i int, c byte) bool {
		if c == ',' {
			parts = append(parts, text[from:i])
			from = i + 1
		}
		return true
	})
	return append(parts, text[from:])
}

// walkTop calls visit with each byte outside of strings and nested brackets, until visit returns false. MLIR has
// four kinds of brackets; the arrow -> closes none.
func walkTop(text string, visit func(i int, c byte) bool) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("([{<", c) >= 0:
			depth++
		case depth > 0 && strings.IndexByte(")]}>", c) >= 0:
			if c != '>' || text[i-1] != '-' {
				depth--
			}
		case depth == 0 && !visit(i, c):
			return
		}
	}
}

// splitList splits a list at its top-level commas and trims the elements.
func splitList(text string) []string {
	parts := splitTop(text)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
