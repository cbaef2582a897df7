package mlir

import (
	"fmt"
	"slices"
	"strings"
)

// DonatedPrefix begins the names of the parameters whose buffers XLA may reuse for results. Only parameters that
// every call donates should have it: XLA pairs a donor with a result when it compiles, and must copy the donor when
// a call keeps it.
const DonatedPrefix = "donated_"

// aliasDonors aliases the parameters of @main whose names begin with DonatedPrefix with results: the first such
// parameter of a type with the first result of that type, and so on. Without this XLA pairs parameters and results
// of equal size in any order, and copies tensors when a state has several of one shape. A donor without a matching
// result gets the attribute that lets XLA reuse its buffer.
func aliasDonors(text string) string {
	const head = "func.func @main("
	start := strings.Index(text, head)
	if start < 0 {
		return text
	}
	start += len(head)
	end := start + closingBracket(text[start:])
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
		// On a mesh a result can take a parameter's buffer only if both have the same sharding.
		if !sharded || strings.Contains(typ, "sdy.sharding") {
			if r := slices.Index(results, typ); r >= 0 {
				attribute = fmt.Sprintf("tf.aliasing_output = %d : i32", r)
				results[r] = "" // has its donor
			}
		}
		parameters[i] = withAttribute(p, attribute)
		if i > 0 {
			parameters[i] = " " + parameters[i]
		}
	}
	return text[:start] + strings.Join(parameters, ",") + text[end:]
}

// resultTypes returns the types of the results, with their attributes; text begins with `) -> `.
func resultTypes(text string) []string {
	rest, ok := strings.CutPrefix(text, ") -> ")
	if !ok {
		return nil
	}
	if list, ok := strings.CutPrefix(rest, "("); ok {
		end := closingBracket(list)
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
