package mlir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bits of the attribute of a call of ProductTarget, as enum product_attribute in kernels/handler.h has them.
const (
	leftTransposed  = 1 << iota // the left matrix is stored as [K, M]
	rightTransposed             // the right matrix is stored as [K, N]
	// allowBF16x3 lets float32 numbers be multiplied as sums of two bfloat16 numbers where the processor has AMX.
	// Such a sum has 16 of the 24 bits, and a product with an infinity is NaN.
	allowBF16x3
)

const (
	// minProductSide is the smallest number of rows and columns, and minProductSize the smallest number of
	// multiplications, at which a call beats XLA's own product of bfloat16 matrices. All products of float32 matrices
	// become calls, or none does (see target): which routine computes a row must not depend on how many other rows
	// there are, except for few rows, see maxFewRows.
	minProductSide, minProductSize = 16, 1 << 20
	// maxFewRows is the number of rows up to which reading the right matrix takes most of the time. A bfloat16
	// matrix must have at least minFewSize numbers.
	maxFewRows, minFewSize = 16, 1 << 18
)

// callProducts replaces matrix products by the selected custom calls. bf16x3 allows BF16x3 for products of
// float32 matrices.
func callProducts(text string, selected Kernels, bf16x3 bool) string {
	if !selected[ProductTarget] {
		return text
	}
	return rewriteDots(text, func(out *strings.Builder, lines []string, dot operation, _ definitions) {
		call, ok := productCall(lines, dot, selected, bf16x3)
		if !ok {
			call = strings.Join(lines, "")
		}
		out.WriteString(call)
	})
}

// matrixProduct is a product of two matrices, or of a batch of pairs of matrices along leading axes.
type matrixProduct struct {
	batched              bool
	rows, columns, terms int    // of one product: [rows, terms] times [terms, columns]
	layout               int    // leftTransposed | rightTransposed as they apply
	dtypes               string // of the left operand, the right operand and the result, concatenated
	types                string // of operands and result, as the text has them
}

// productCall returns the custom call that replaces a dot_general; ok is false if the operation stays.
func productCall(lines []string, dot operation, selected Kernels, bf16x3 bool) (call string, ok bool) {
	p, ok := parseProduct(lines)
	if !ok || len(dot.args) != 2 {
		return "", false
	}
	target := p.target(selected)
	if target == "" {
		return "", false
	}
	attribute := p.layout
	if bf16x3 && target == ProductTarget && p.dtypes == "f32f32f32" {
		attribute |= allowBF16x3
	}
	indent, rest, _ := strings.Cut(lines[0], "%")
	name, _, _ := strings.Cut(rest, " = ")
	const format = "%[1]s%%%[2]s = \"stablehlo.custom_call\"(%[3]s) {\n" +
		"%[1]s  call_target_name = %[4]q, api_version = 4 : i32, backend_config = { how = %[5]d : i64 }\n%[1]s} : " +
		"%[6]s\n"
	return fmt.Sprintf(format, indent, name, strings.Join(dot.args, ", "), target, attribute, p.types), true
}

// target returns the name of the custom call for a product, or "" if XLA's own product is as fast or no selected kernel
// has it. Without RowsTarget all products of float32 matrices stay XLA's: those of few rows do, and the number of rows
// must not decide which routine computes a row.
func (p matrixProduct) target(selected Kernels) string {
	float32s := p.dtypes == "f32f32f32"
	fewRows := !p.batched && p.layout == 0 && p.rows <= maxFewRows && p.columns >= minProductSide
	large := min(p.rows, p.columns) >= minProductSide && p.rows*p.columns*p.terms >= minProductSize
	target := ""
	switch {
	case fewRows && (float32s || p.columns*p.terms >= minFewSize):
		target = RowsTarget
	case float32s && !p.batched, !float32s && large:
		target = ProductTarget
	}
	if !selected[target] || float32s && !selected[RowsTarget] {
		return ""
	}
	return target
}

// parseProduct parses the lines of a dot_general; ok is false unless it is a product of matrices of dtypes that the
// kernels have.
func parseProduct(lines []string) (p matrixProduct, ok bool) {
	_, types, ok := strings.Cut(strings.TrimSpace(lines[len(lines)-1]), "} : ")
	a, b, c, split := splitProductTypes(types)
	if !ok || !split {
		return p, false
	}
	left, dtypeA := parseTensorType(a)
	right, dtypeB := parseTensorType(b)
	_, dtypeC := parseTensorType(c)
	batchAxes := len(left) - 2
	if batchAxes < 0 || len(right) != len(left) || min(slices.Min(left), slices.Min(right)) < 1 {
		return p, false
	}
	batch := leadingAxes(batchAxes)
	// Which of an operand's last two axes is contracted.
	l, r := parseDim(axes(lines, "lhs_contracting"))-batchAxes, parseDim(axes(lines, "rhs_contracting"))-batchAxes
	if axes(lines, "lhs_batching") != batch || axes(lines, "rhs_batching") != batch || l < 0 || l > 1 || r < 0 || r > 1 {
		return p, false
	}
	p = matrixProduct{
		batched: batchAxes > 0, rows: left[batchAxes+1-l], columns: right[batchAxes+1-r], terms: left[batchAxes+l],
		layout: (1-l)*leftTransposed | (1-r)*rightTransposed, dtypes: dtypeA + dtypeB + dtypeC, types: types,
	}
	return p, slices.Contains([]string{"bf16bf16bf16", "bf16bf16f32", "f32f32f32"}, p.dtypes)
}

// leadingAxes returns the list of the first n axes as axes returns it.
func leadingAxes(n int) string {
	var list []string
	for axis := range n {
		list = append(list, strconv.Itoa(axis))
	}
	return strings.Join(list, ", ")
}

// axes returns the text of the list of axes with this name in the lines of a dot_general.
func axes(lines []string, name string) string {
	for _, line := range lines {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+"_dimensions = ["); found {
			value, _, _ = strings.Cut(value, "]")
			return value
		}
	}
	return ""
}

// splitProductTypes splits `(a, b) -> c`.
func splitProductTypes(types string) (a, b, c string, ok bool) {
	operands, c, ok := strings.Cut(strings.TrimPrefix(types, "("), ") -> ")
	a, b, two := strings.Cut(operands, ", ")
	return a, b, c, ok && two
}

// parseTensorType parses a type such as tensor<4x8xf32>; it returns no dimensions if text is no such type.
func parseTensorType(text string) (dims []int, dtype string) {
	text, tensor := strings.CutPrefix(text, "tensor<")
	text, closed := strings.CutSuffix(text, ">")
	if !tensor || !closed {
		return nil, ""
	}
	parts := strings.Split(text, "x")
	for _, d := range parts[:len(parts)-1] {
		dims = append(dims, parseDim(d))
	}
	return dims, parts[len(parts)-1]
}

// parseDim parses a dimension or the number of an axis; it returns -1 for anything else, such as a dynamic
// dimension.
func parseDim(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
