package pjrt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
)

// On a processor with AVX-512 and bfloat16, products of two matrices become calls of package kernels: those of bfloat16, also of several matrices at
// once, if they are large enough, single ones of float32, and those of a few rows with a large matrix, which XLA computes on one core. Programs on a
// mesh keep XLA's: it could not divide a call.

// The names of the custom calls.
const (
	productTarget = "bfpo_product"
	rowsTarget    = "bfpo_rows"
)

const (
	// productSide is the least number of rows and columns of a product of bfloat16 that is worth a call, and productSize of multiplications.
	// Those of float32 are called whatever their size, lest numbers depend on how many rows there are (but for few rows).
	productSide, productSize = 16, 1 << 20
	// fewRows is the most rows of which reading the matrix is what takes time; of bfloat16 it has fewSize numbers at least.
	fewRows, fewSize = 16, 1 << 18
)

// callProducts replaces the products of matrices in a program by calls. rounded tells that those of float32 may have rounded operands.
func callProducts(text string, rounded bool, selected Kernels) string {
	if !selected[productTarget] {
		return text
	}
	return rewriteDots(text, func(out *strings.Builder, lines []string, dot operation, _ definitions) {
		call, ok := productCall(lines, dot, rounded)
		if !ok {
			call = strings.Join(lines, "")
		}
		out.WriteString(call)
	})
}

// matrixProduct is a product of two matrices, or of many pairs of them.
type matrixProduct struct {
	many                 bool
	rows, columns, terms int
	across               int    // kernels.LeftAcross and RightAcross
	kinds                string // of numbers: left, right, result
	types                string // of operands and result, as text
}

// productCall returns the call that stands for a product, if it is one of matrices that is worth it.
func productCall(lines []string, dot operation, rounded bool) (call string, ok bool) {
	p, ok := parseProduct(lines)
	if !ok || len(dot.args) != 2 {
		return "", false
	}
	target := p.target()
	if target == "" {
		return "", false
	}
	how := p.across
	if rounded && target == productTarget && p.kinds == "f32f32f32" {
		how |= kernels.AsBF16x3
	}
	indent, rest, _ := strings.Cut(lines[0], "%")
	name, _, _ := strings.Cut(rest, " = ")
	return fmt.Sprintf("%[1]s%%%[2]s = \"stablehlo.custom_call\"(%[3]s) {\n%[1]s  call_target_name = %[4]q, api_version = 4 : i32, "+
		"backend_config = { how = %[5]d : i64 }\n%[1]s} : %[6]s\n", indent, name, strings.Join(dot.args, ", "), target, how, p.types), true
}

// target returns the name of the call that computes a product, or nothing.
func (p matrixProduct) target() string {
	float32s := p.kinds == "f32f32f32"
	switch {
	case !p.many && p.across == 0 && p.rows <= fewRows && p.columns >= productSide && (float32s || p.columns*p.terms >= fewSize):
		return rowsTarget
	case float32s && !p.many, !float32s && min(p.rows, p.columns) >= productSide && p.rows*p.columns*p.terms >= productSize:
		return productTarget
	}
	return ""
}

// parseProduct reads the lines of a product, if it is one of matrices of kinds that there are calls for.
func parseProduct(lines []string) (p matrixProduct, ok bool) {
	_, types, ok := strings.Cut(strings.TrimSpace(lines[len(lines)-1]), "} : ")
	a, b, c, apart := productTypes(types)
	if !ok || !apart {
		return p, false
	}
	left, kindA := tensorType(a)
	right, kindB := tensorType(b)
	_, kindC := tensorType(c)
	many := len(left) - 2
	if many < 0 || many > 1 || len(right) != len(left) || min(slices.Min(left), slices.Min(right)) < 1 {
		return p, false
	}
	axes := func(name string) string {
		for _, line := range lines {
			if value, found := strings.CutPrefix(strings.TrimSpace(line), name+"_dimensions = ["); found {
				value, _, _ = strings.Cut(value, "]")
				return value
			}
		}
		return ""
	}
	batch := []string{"", "0"}[many]
	l, r := number(axes("lhs_contracting"))-many, number(axes("rhs_contracting"))-many // of the last two axes, which is summed over
	if axes("lhs_batching") != batch || axes("rhs_batching") != batch || l < 0 || l > 1 || r < 0 || r > 1 {
		return p, false
	}
	p = matrixProduct{
		many: many > 0, rows: left[many+1-l], columns: right[many+1-r], terms: left[many+l], across: (1-l)*kernels.LeftAcross | (1-r)*kernels.RightAcross,
		kinds: kindA + kindB + kindC, types: types,
	}
	return p, p.kinds == "bf16bf16bf16" || p.kinds == "bf16bf16f32" || p.kinds == "f32f32f32"
}

// productTypes takes `(a, b) -> c` apart.
func productTypes(types string) (a, b, c string, ok bool) {
	operands, c, ok := strings.Cut(strings.TrimPrefix(types, "("), ") -> ")
	a, b, two := strings.Cut(operands, ", ")
	return a, b, c, ok && two
}

// tensorType reads a type such as tensor<4x8xf32>; of one that is none it finds no dimensions.
func tensorType(text string) (dims []int, kind string) {
	text, tensor := strings.CutPrefix(text, "tensor<")
	text, closed := strings.CutSuffix(text, ">")
	if !tensor || !closed {
		return nil, ""
	}
	parts := strings.Split(text, "x")
	for _, d := range parts[:len(parts)-1] {
		dims = append(dims, number(d))
	}
	return dims, parts[len(parts)-1]
}

// number is what a text of digits says; -1 is none that exists.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
