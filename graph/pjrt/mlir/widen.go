package mlir

import (
	"fmt"
	"strings"
)

// widenDots computes the dot_general operations on bfloat16 matrices in float32: it converts the operands, and the
// result back if it is bfloat16. Processors without instructions for bfloat16 multiply float32 matrices faster, unless
// there are few rows (maxFewRows) and reading the other matrix takes most of the time. Results differ by rounding
// alone, since the plugin accumulates in float32 either way.
//
// A barrier stands before each conversion. Without it XLA would convert a matrix once for all its products, and keep
// the float32 copies of all weights for the backward pass.
func widenDots(text string) string {
	return rewriteDots(text, func(out *strings.Builder, lines []string, dot operation, _ definitions) {
		wide, ok := wideDot(lines, dot)
		if !ok {
			wide = strings.Join(lines, "")
		}
		out.WriteString(wide)
	})
}

// wideDot returns the operations that replace a dot_general; ok is false unless its operands are bfloat16 matrices
// with more than a few rows.
func wideDot(lines []string, dot operation) (wide string, ok bool) {
	last := lines[len(lines)-1]
	types, found := strings.CutPrefix(strings.TrimSpace(last), "} : ")
	left, right, result, split := splitProductTypes(types)
	if !found || !split || len(lines) < 2 || len(dot.args) != 2 || !bfloat16Operands(last) ||
		min(freeRows(left, axes(lines, "lhs_batching"), axes(lines, "lhs_contracting")),
			freeRows(right, axes(lines, "rhs_batching"), axes(lines, "rhs_contracting"))) <= maxFewRows {
		return "", false
	}
	indent, rest, _ := strings.Cut(lines[0], "%")
	name, rest, _ := strings.Cut(rest, " = ")
	_, attributes, _ := strings.Cut(rest, ")")
	attributes += strings.Join(lines[1:len(lines)-1], "") + indent + "}"
	convert := func(to, from, fromType, toType string) string {
		return fmt.Sprintf("%s%%%s = \"stablehlo.convert\"(%s) : (%s) -> %s\n", indent, to, from, fromType, toType)
	}
	wideLeft, wideRight, wideResult, sum := asFloat32(left), asFloat32(right), asFloat32(result), name
	if wideResult != result {
		sum = "sum_" + name
	}
	const barrier = "%[1]s%%bf16_%[2]s:2 = \"stablehlo.optimization_barrier\"(%[3]s) : (%[4]s) -> (%[4]s)\n"
	wide = fmt.Sprintf(barrier, indent, name, strings.Join(dot.args, ", "), left+", "+right) +
		convert("left_"+name, "%bf16_"+name+"#0", left, wideLeft) +
		convert("right_"+name, "%bf16_"+name+"#1", right, wideRight) +
		fmt.Sprintf("%s%%%s = \"stablehlo.dot_general\"(%%left_%[3]s, %%right_%[3]s)%[4]s : (%[5]s, %[6]s) -> %[7]s\n",
			indent, sum, name, attributes, wideLeft, wideRight, wideResult)
	if sum != name {
		wide += convert(name, "%"+sum, wideResult, result)
	}
	return wide, true
}

// freeRows returns the number of rows of an operand: the product of the sizes of its axes that are in neither of two
// lists.
func freeRows(tensorType, batching, contracting string) int {
	taken := map[int]bool{}
	for _, axis := range strings.Split(batching+", "+contracting, ", ") {
		taken[parseDim(axis)] = true
	}
	rows := 1
	dims, _ := parseTensorType(tensorType)
	for axis, size := range dims {
		if !taken[axis] {
			rows *= size
		}
	}
	return rows
}

// asFloat32 returns a tensor type with bfloat16 replaced by float32.
func asFloat32(tensorType string) string { return strings.Replace(tensorType, "bf16>", "f32>", 1) }
