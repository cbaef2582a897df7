package pjrt

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// On a processor with AMX, products of two matrices become calls of package amx: those of bfloat16, also of several matrices at once, if they are
// large enough, and single ones of float32 where that was asked for. Programs on a mesh keep XLA's: it could not divide a call.

// productTarget is the name of the custom call.
const productTarget = "bfpo_product"

const (
	// productSide is the least number of rows and columns of a product of bfloat16 that is worth a call, and productSize of multiplications.
	// Those of float32 are called whatever their size, lest numbers depend on how many rows there are.
	productSide, productSize = 16, 1 << 20
)

// callProducts replaces the products of matrices in a program by calls.
func callProducts(text string, float32s bool) string {
	return rewriteDots(text, func(out *strings.Builder, lines []string, dot operation, _ definitions) {
		call, ok := productCall(lines, dot, float32s)
		if !ok {
			call = strings.Join(lines, "")
		}
		out.WriteString(call)
	})
}

var (
	productAxes  = regexp.MustCompile(`(lhs|rhs)_(batching|contracting)_dimensions = \[([0-9, ]*)\]`)
	productTypes = regexp.MustCompile(`\} : (\(tensor<([0-9x]+)x(\w+)>, tensor<([0-9x]+)x(\w+)>\) -> tensor<[0-9x]+x(\w+)>)\s*$`)
)

// productCall returns the call that stands for a product, if it is one of two matrices, or of many of bfloat16, that is worth it.
func productCall(lines []string, dot operation, float32s bool) (call string, ok bool) {
	types := productTypes.FindStringSubmatch(lines[len(lines)-1])
	if types == nil || len(dot.args) != 2 {
		return "", false
	}
	left, right := dimensions(types[2]), dimensions(types[4])
	many := len(left) - 2
	if many < 0 || many > 1 || len(right) != len(left) || min(slices.Min(left), slices.Min(right)) < 1 {
		return "", false
	}
	switch types[3] + types[5] + types[6] {
	case "bf16bf16bf16", "bf16bf16f32":
		float32s = false
	case "f32f32f32":
		if !float32s || many > 0 {
			return "", false
		}
	default:
		return "", false
	}
	axes := map[string]string{}
	for _, m := range productAxes.FindAllStringSubmatch(strings.Join(lines, ""), -1) {
		axes[m[1]+m[2]] = m[3]
	}
	batch := []string{"", "0"}[many]
	l, r := number(axes["lhscontracting"])-many, number(axes["rhscontracting"])-many // of the last two axes, which is summed over
	if axes["lhsbatching"] != batch || axes["rhsbatching"] != batch || l < 0 || l > 1 || r < 0 || r > 1 {
		return "", false
	}
	rows, columns, terms := left[many+1-l], right[many+1-r], left[many+l]
	if !float32s && (min(rows, columns) < productSide || rows*columns*terms < productSize) {
		return "", false
	}
	indent, rest, _ := strings.Cut(lines[0], "%")
	name, _, _ := strings.Cut(rest, " = ")
	return fmt.Sprintf("%[1]s%%%[2]s = \"stablehlo.custom_call\"(%[3]s) {\n%[1]s  call_target_name = %[4]q, api_version = 4 : i32, "+
		"backend_config = { across = %[5]d : i64 }\n%[1]s} : %[6]s\n", indent, name, strings.Join(dot.args, ", "), productTarget, 1-l|(1-r)<<1, types[1]), true
}

// dimensions reads those of a type, such as 4x8.
func dimensions(text string) (dims []int) {
	for d := range strings.SplitSeq(text, "x") {
		dims = append(dims, number(d))
	}
	return dims
}

// number is what a text of digits says; -1 is none that exists.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
