package mlir

import "strings"

// simplifyDots removes two things from the dot_general operations on bfloat16 that go-xla adds on CPUs: an
// `algorithm` attribute that asks for float32 arithmetic, and a zero that depends on one operand and is added to
// the other, which keeps XLA from converting all weights to float32 at once. The plugin multiplies bfloat16
// matrices directly and accumulates in float32. It converts nothing, so both additions only cost time; and the
// zero, computed as 0*x, would turn an infinity in x into NaN in all results.
func simplifyDots(text string) string {
	if !strings.Contains(text, dotAlgorithm) {
		return text
	}
	return rewriteDots(text, writeSimpleDot)
}

// writeDot writes a dot_general with these lines, where known operations are defined before it.
type writeDot func(out *strings.Builder, lines []string, dot operation, known definitions)

// rewriteDots calls write for each dot_general of a program, with its lines and with the operations that its
// function defines before it.
func rewriteDots(text string, write writeDot) string {
	var out strings.Builder
	out.Grow(len(text))
	known := definitions{}
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		if strings.Contains(lines[i], "func.func ") {
			clear(known) // each function has its own names
		}
		name, op, ok := parseOperation(lines[i])
		if !ok {
			out.WriteString(lines[i])
			continue
		}
		known[name] = op
		if op.kind != "dot_general" {
			out.WriteString(lines[i])
			continue
		}
		end := i // the last line of the operation, which has its type
		for end < len(lines)-1 && !strings.HasPrefix(strings.TrimSpace(lines[end]), "} :") {
			end++
		}
		write(&out, lines[i:end+1], op, known)
		i = end
	}
	return out.String()
}

const dotAlgorithm = "algorithm = #stablehlo.dot_algorithm<"

// operation is one line `%name = "stablehlo.kind"(%args…) …`.
type operation struct {
	kind string
	args []string
	zero bool // it is a constant zero
}

// definitions are the operations of a function by the names of their results.
type definitions map[string]operation

// parseOperation parses a line; ok is false when the line defines no value.
func parseOperation(line string) (name string, op operation, ok bool) {
	name, rest, ok := strings.Cut(strings.TrimSpace(line), ` = "stablehlo.`)
	if !ok || !strings.HasPrefix(name, "%") {
		return "", operation{}, false
	}
	kind, rest, ok := strings.Cut(rest, `"(`)
	if !ok {
		return "", operation{}, false
	}
	args, rest, ok := strings.Cut(rest, ")")
	if !ok {
		return "", operation{}, false
	}
	op.kind = kind
	if args != "" {
		op.args = strings.Split(args, ", ")
	}
	op.zero = kind == "constant" && strings.Contains(rest, "dense<0.0>")
	return name, op, true
}

// writeSimpleDot writes the lines of a dot_general, without the additions if it has the attribute and bfloat16
// operands.
func writeSimpleDot(out *strings.Builder, lines []string, dot operation, known definitions) {
	skipFrom, skipTo := -1, -1
	for i, line := range lines {
		if skipFrom < 0 && strings.HasPrefix(strings.TrimSpace(line), dotAlgorithm) {
			skipFrom = i
		}
		if skipFrom >= 0 && skipTo < 0 && strings.HasSuffix(strings.TrimSpace(line), ">,") {
			skipTo = i
		}
	}
	if skipFrom < 0 || skipTo < 0 || len(dot.args) != 2 || !bfloat16Operands(lines[len(lines)-1]) {
		for _, line := range lines {
			out.WriteString(line)
		}
		return
	}
	left, right := dot.args[0], dot.args[1]
	if plain, ok := known.withoutZero(left, right); ok {
		left = plain
	} else if plain, ok := known.withoutZero(right, left); ok {
		right = plain
	}
	old := "(" + strings.Join(dot.args, ", ") + ")"
	out.WriteString(strings.Replace(lines[0], old, "("+left+", "+right+")", 1))
	for i, line := range lines[1:] {
		if i+1 < skipFrom || i+1 > skipTo {
			out.WriteString(line)
		}
	}
}

// bfloat16Operands reports whether both operands are bfloat16, from the last line of a dot_general:
// `} : (tensor<…xbf16>, tensor<…xbf16>) -> …`.
func bfloat16Operands(line string) bool {
	operands, _, ok := strings.Cut(line, ") -> ")
	return ok && strings.Count(operands, "xbf16>") == 2
}

// withoutZero returns x if value is x + broadcast(0 + 0*e), where e is an element of other.
func (known definitions) withoutZero(value, other string) (x string, ok bool) {
	sum, ok := known.find(value, "add", 2)
	if !ok {
		return "", false
	}
	broadcast, ok := known.find(sum.args[1], "broadcast_in_dim", 1)
	if !ok {
		return "", false
	}
	inner, ok := known.find(broadcast.args[0], "add", 2)
	if !ok || !known[inner.args[0]].zero {
		return "", false
	}
	product, ok := known.find(inner.args[1], "multiply", 2)
	if !ok || product.args[1] != inner.args[0] {
		return "", false
	}
	element := product.args[0]
	if reshape, ok := known.find(element, "reshape", 1); ok {
		element = reshape.args[0]
	}
	if slice, ok := known.find(element, "slice", 1); ok {
		element = slice.args[0]
	}
	return sum.args[0], element == other
}

// find returns the operation that defines a name; ok is false unless it has this kind and this number of arguments.
func (known definitions) find(name, kind string, args int) (operation, bool) {
	op := known[name]
	return op, op.kind == kind && len(op.args) == args
}
