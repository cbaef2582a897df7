package pjrt

import (
	"fmt"
	"slices"
	"strings"
)

// tagMark separates a program's name from the number that tells its compilations apart.
const tagMark = "__bfpo"

// splitTag returns the program's text with the tag taken out of the module's name, the name, and the tag ("" if there is none).
// Text without tags is the same in each process, which the cache needs.
func splitTag(text string) (untagged, name, tag string) {
	const module = "module @"
	start := strings.Index(text, module)
	if start < 0 {
		return text, "", ""
	}
	start += len(module)
	length := strings.IndexAny(text[start:], " {\n")
	if length < 0 {
		return text, "", ""
	}
	name, tag = splitName(text[start : start+length])
	return text[:start+len(name)] + text[start+len(name)+len(tag):], name, tag
}

// splitName splits the tag off a name that carries one.
func splitName(tagged string) (name, tag string) {
	if mark := strings.LastIndex(tagged, tagMark); mark >= 0 {
		return tagged[:mark], tagged[mark:]
	}
	return tagged, ""
}

// markDonors gives the parameters of @main whose names begin with DonatedPrefix to the results: the first such parameter to the
// first result of its type, and so on. Left to itself XLA pairs parameters and results of one size as it likes, and then needs
// copies to untangle a state of several tensors of one shape. A donor that finds no result is only marked as free.
func markDonors(text string) string {
	const head = "func.func @main("
	start := strings.Index(text, head)
	if start < 0 {
		return text
	}
	start += len(head)
	end := start + closing(text[start:])
	if end < start {
		return text
	}
	results := resultTypes(text[end:])
	sharded := strings.Contains(text, "sdy.mesh")
	parameters := splitTop(text[start:end])
	for i, p := range parameters {
		p = strings.TrimSpace(p)
		_, typ, ok := strings.Cut(p, ": ")
		if !ok || !strings.HasPrefix(p, "%"+DonatedPrefix) {
			continue
		}
		attribute := "jax.buffer_donor = true"
		// Of several devices each must find its part of the result in its part of the parameter.
		if !sharded || strings.Contains(typ, "sdy.sharding") {
			if r := slices.Index(results, typ); r >= 0 {
				attribute = fmt.Sprintf("tf.aliasing_output = %d : i32", r)
				results[r] = "" // taken
			}
		}
		parameters[i] = withAttribute(p, attribute)
		if i > 0 {
			parameters[i] = " " + parameters[i]
		}
	}
	return text[:start] + strings.Join(parameters, ",") + text[end:]
}

// resultTypes reads the types of the results, with their attributes, from the text that begins with `) -> `.
func resultTypes(text string) []string {
	rest, ok := strings.CutPrefix(text, ") -> ")
	if !ok {
		return nil
	}
	if list, ok := strings.CutPrefix(rest, "("); ok {
		end := closing(list)
		if end < 0 {
			return nil
		}
		return splitList(list[:end])
	}
	single, _, _ := strings.Cut(rest, " {")
	return []string{single}
}

// withAttribute adds an attribute to a parameter `%name: type` or `%name: type { attributes }`.
func withAttribute(parameter, attribute string) string {
	if attributes, ok := strings.CutSuffix(parameter, "}"); ok {
		return strings.TrimSpace(attributes) + ", " + attribute + " }"
	}
	return parameter + " { " + attribute + " }"
}

// closing returns the index of the bracket that closes the list which text begins in, or -1.
func closing(text string) int {
	at := -1
	walkTop(text, func(i int, c byte) bool {
		if c == ')' {
			at = i
		}
		return c != ')'
	})
	return at
}

// splitTop splits text at the commas that stand in no bracket and no string.
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

// walkTop calls visit with each byte outside of strings and nested brackets, until visit returns false. Brackets come in MLIR's
// four kinds; the arrow -> closes none.
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
