package pjrt

import "strings"

// On CPUs go-xla computes a product of bfloat16 matrices in float32 (an `algorithm` attribute) and first adds to one operand a
// zero that depends on the other, lest XLA converts all weights to float32 at once. A plugin that multiplies bfloat16 itself, with
// float32 sums, converts nothing: there both only cost time, and the zero, made as 0*x, turns an infinity in x into NaN everywhere.

// freeDots takes the attribute and the added zero off the bfloat16 products of a program.
func freeDots(text string) string {
	if !strings.Contains(text, dotAlgorithm) {
		return text
	}
	return rewriteDots(text, writeDot)
}

// rewriteDots lets write write each product of a program, whose lines it is given, with the operations that stand before it in its function.
func rewriteDots(text string, write func(out *strings.Builder, lines []string, dot operation, known definitions)) string {
	var out strings.Builder
	out.Grow(len(text))
	known := definitions{}
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		if strings.Contains(lines[i], "func.func ") {
			clear(known) // names are per function
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
		end := i // of a product's lines; the first has no type
		for end < len(lines)-1 && !strings.HasPrefix(strings.TrimSpace(lines[end]), "} :") {
			end++
		}
		write(&out, lines[i:end+1], op, known)
		i = end
	}
	return out.String()
}

const dotAlgorithm = "algorithm = #stablehlo.dot_algorithm<"

// operation is what must be known of one line `%name = "stablehlo.kind"(%args…) …`.
type operation struct {
	kind string
	args []string
	zero bool // a constant zero
}

type definitions map[string]operation

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

// writeDot writes the lines of a product, freed if it has the attribute and bfloat16 operands.
func writeDot(out *strings.Builder, lines []string, dot operation, known definitions) {
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
	if free, ok := known.withoutZero(left, right); ok {
		left = free
	} else if free, ok := known.withoutZero(right, left); ok {
		right = free
	}
	old := "(" + strings.Join(dot.args, ", ") + ")"
	out.WriteString(strings.Replace(lines[0], old, "("+left+", "+right+")", 1))
	for i, line := range lines[1:] {
		if i+1 < skipFrom || i+1 > skipTo {
			out.WriteString(line)
		}
	}
}

// bfloat16Operands reads the last line of a product, `} : (tensor<…xbf16>, tensor<…xbf16>) -> …`.
func bfloat16Operands(line string) bool {
	operands, _, ok := strings.Cut(line, ") -> ")
	return ok && strings.Count(operands, "xbf16>") == 2
}

// withoutZero returns x when value is x + broadcast(zero + zero*element of other).
func (known definitions) withoutZero(value, other string) (x string, ok bool) {
	sum, ok := known.of(value, "add", 2)
	if !ok {
		return "", false
	}
	broadcast, ok := known.of(sum.args[1], "broadcast_in_dim", 1)
	if !ok {
		return "", false
	}
	inner, ok := known.of(broadcast.args[0], "add", 2)
	if !ok || !known[inner.args[0]].zero {
		return "", false
	}
	product, ok := known.of(inner.args[1], "multiply", 2)
	if !ok || product.args[1] != inner.args[0] {
		return "", false
	}
	element := product.args[0]
	if reshape, ok := known.of(element, "reshape", 1); ok {
		element = reshape.args[0]
	}
	if slice, ok := known.of(element, "slice", 1); ok {
		element = slice.args[0]
	}
	return sum.args[0], element == other
}

// of returns the operation that defines a name, if it is of this kind and has so many arguments.
func (known definitions) of(name, kind string, args int) (operation, bool) {
	op := known[name]
	return op, op.kind == kind && len(op.args) == args
}
