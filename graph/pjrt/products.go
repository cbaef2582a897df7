package pjrt

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// On a processor with AMX, products of two matrices become calls of package amx: those of bfloat16, also of several matrices at once, if they are
// large enough, single ones of float32 where that was asked for, and those of a few rows with a large matrix, which XLA computes on one core. Programs
// on a mesh keep XLA's: it could not divide a call.

// The names of the custom calls.
const (
	productTarget = "bfpo_product"
	rowsTarget    = "bfpo_rows"
)

const (
	// productSide is the least number of rows and columns of a product of bfloat16 that is worth a call, and productSize of multiplications.
	// Those of float32 are called whatever their size, lest numbers depend on how many rows there are (but for few rows, which are exact).
	productSide, productSize = 16, 1 << 20
	// fewRows is the most rows of which reading the matrix, of fewSize numbers at least, is what takes time.
	fewRows, fewSize = 16, 1 << 18
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

// matrixProduct is a product of two matrices, or of many pairs of them.
type matrixProduct struct {
	many                 bool
	rows, columns, terms int
	across               int    // bit 0: the left matrix lies as [terms, rows]; bit 1: the right one as [terms, columns]
	kinds                string // of numbers: left, right, result
	types                string // of operands and result, as text
}

// productCall returns the call that stands for a product, if it is one of matrices that is worth it.
func productCall(lines []string, dot operation, float32s bool) (call string, ok bool) {
	p, ok := parseProduct(lines)
	if !ok || len(dot.args) != 2 {
		return "", false
	}
	target := p.target(float32s)
	if target == "" {
		return "", false
	}
	indent, rest, _ := strings.Cut(lines[0], "%")
	name, _, _ := strings.Cut(rest, " = ")
	return fmt.Sprintf("%[1]s%%%[2]s = \"stablehlo.custom_call\"(%[3]s) {\n%[1]s  call_target_name = %[4]q, api_version = 4 : i32, "+
		"backend_config = { across = %[5]d : i64 }\n%[1]s} : %[6]s\n", indent, name, strings.Join(dot.args, ", "), target, p.across, p.types), true
}

// target returns the name of the call that computes a product, or nothing.
func (p matrixProduct) target(float32s bool) string {
	float32s = float32s && p.kinds == "f32f32f32" && !p.many
	switch {
	case !p.many && p.across == 0 && p.rows <= fewRows && p.columns >= productSide && p.columns*p.terms >= fewSize:
		return rowsTarget
	case float32s, p.kinds != "f32f32f32" && min(p.rows, p.columns) >= productSide && p.rows*p.columns*p.terms >= productSize:
		return productTarget
	}
	return ""
}

// parseProduct reads the lines of a product, if it is one of matrices of kinds that there are calls for.
func parseProduct(lines []string) (p matrixProduct, ok bool) {
	types := productTypes.FindStringSubmatch(lines[len(lines)-1])
	if types == nil {
		return p, false
	}
	left, right := dimensions(types[2]), dimensions(types[4])
	many := len(left) - 2
	if many < 0 || many > 1 || len(right) != len(left) || min(slices.Min(left), slices.Min(right)) < 1 {
		return p, false
	}
	axes := map[string]string{}
	for _, m := range productAxes.FindAllStringSubmatch(strings.Join(lines, ""), -1) {
		axes[m[1]+m[2]] = m[3]
	}
	batch := []string{"", "0"}[many]
	l, r := number(axes["lhscontracting"])-many, number(axes["rhscontracting"])-many // of the last two axes, which is summed over
	if axes["lhsbatching"] != batch || axes["rhsbatching"] != batch || l < 0 || l > 1 || r < 0 || r > 1 {
		return p, false
	}
	p = matrixProduct{
		many: many > 0, rows: left[many+1-l], columns: right[many+1-r], terms: left[many+l], across: 1 - l | (1-r)<<1,
		kinds: types[3] + types[5] + types[6], types: types[1],
	}
	return p, p.kinds == "bf16bf16bf16" || p.kinds == "bf16bf16f32" || p.kinds == "f32f32f32"
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
