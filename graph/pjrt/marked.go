package pjrt

import (
	"fmt"
	"regexp"
	"strings"
)

// On a processor with AVX-512 and bfloat16, attention, whole layers and the gradients of a gate and of a frozen head become calls of package kernels.
// A barrier tells what they are: its first results are those of its next operands, and its last operand is one of these marks. Where there is no call,
// the barrier stands, and what is before it is computed.
const (
	AttentionMark         int32 = 0x0bf90a77 // y, q, k, v, mask
	AttentionGradientMark int32 = 0x0bf90a78 // dq, dk, dv, q, k, v, mask, dy
	DecoderMark           int32 = 0x0bf90a79 // results and arguments of kernels.Decoder
	WeighedRowsMark       int32 = 0x0bf90a7a // result and arguments of kernels.WeighedRows
	GateGradientMark      int32 = 0x0bf90a7b // results and arguments of kernels.GateGradient
)

// CallWidth divides the widths that there are such calls for: of the heads of attention, and all widths of a decoder.
const CallWidth = 32

// The names of the custom calls.
const (
	attentionTarget         = "bfpo_attention"
	attentionGradientTarget = "bfpo_attention_gradient"
	decoderTarget           = "bfpo_decoder"
	weighedRowsTarget       = "bfpo_weighed_rows"
	gateGradientTarget      = "bfpo_gate_gradient"
)

// Numbers of arguments of a decoder: before those of the layers, of a layer, and of those the ones that are also results.
const decoderArguments, layerArguments, layerCache = 6, 11, 2

// callResults is how many of the operands of a barrier, without the mark, are results.
func callResults(target string, operands int) int {
	switch target {
	case attentionTarget, weighedRowsTarget:
		return 1
	case gateGradientTarget:
		return 2
	case attentionGradientTarget:
		return 3
	}
	return 1 + layerCache*((operands-1-decoderArguments)/(layerCache+layerArguments))
}

// callAttributes are what a call has besides its name and results: that those of a decoder lie where its arguments lie.
func callAttributes(target string, results int) string {
	if target != decoderTarget {
		return ""
	}
	var aliases []string
	for i := range results - 1 {
		aliases = append(aliases, fmt.Sprintf("#stablehlo.output_operand_alias<output_tuple_indices = [%d], operand_index = %d, operand_tuple_indices = []>",
			1+i, decoderArguments+i/layerCache*layerArguments+i%layerCache))
	}
	return ", output_operand_aliases = [" + strings.Join(aliases, ", ") + "]"
}

var (
	markConstant = regexp.MustCompile(`^\s*(%\w+) = "stablehlo\.constant"\(\) \{ value = dense<(\d+)> : tensor<i32> \}`)
	barrier      = regexp.MustCompile(`^(\s*)(%.*) = "stablehlo\.optimization_barrier"\((.*)\) : \((.*)\) -> \(.*\)\s*$`)
)

// callMarked replaces what is marked in a program by calls, if there are any. Where there are none, what goes into a decoder leaves its barrier: that would
// keep the old cache alive, and the new one would be a copy.
func callMarked(text string, selected Kernels) string {
	marks := map[string]string{fmt.Sprint(AttentionMark): attentionTarget, fmt.Sprint(AttentionGradientMark): attentionGradientTarget,
		fmt.Sprint(DecoderMark): decoderTarget, fmt.Sprint(WeighedRowsMark): weighedRowsTarget, fmt.Sprint(GateGradientMark): gateGradientTarget}
	targets := map[string]string{} // of constants
	var out strings.Builder
	out.Grow(len(text))
	for line := range strings.Lines(text) {
		switch { // before the expressions, which take their time
		case strings.Contains(line, "func.func "):
			clear(targets) // names are per function
		case strings.Contains(line, `"stablehlo.constant"`):
			if m := markConstant.FindStringSubmatch(line); m != nil && marks[m[2]] != "" {
				targets[m[1]] = marks[m[2]]
			}
		case strings.Contains(line, `"stablehlo.optimization_barrier"`):
			m := barrier.FindStringSubmatch(line)
			if m == nil {
				break
			}
			args := splitList(m[3])
			if target := targets[args[len(args)-1]]; target != "" && (selected[target] || target == decoderTarget) {
				line = call(target, selected[target], m[1], splitList(m[2]), args, splitList(m[4]))
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// call is the line of a call in place of a barrier with these results and operands, or if there are no calls, of a barrier of nothing but its results.
func call(target string, calls bool, indent string, names, args, types []string) string {
	last := len(args) - 1
	n := callResults(target, last)
	results, kept := strings.Join(names[:n], ", "), strings.Join(types[:n], ", ")
	if !calls {
		return fmt.Sprintf("%s%s = \"stablehlo.optimization_barrier\"(%s) : (%s) -> (%s)\n", indent, results, strings.Join(args[:n], ", "), kept, kept)
	}
	return fmt.Sprintf("%s%s = \"stablehlo.custom_call\"(%s) { call_target_name = %q, api_version = 4 : i32%s } : (%s) -> (%s)\n", indent, results,
		strings.Join(args[n:last], ", "), target, callAttributes(target, n), strings.Join(types[n:last], ", "), kept)
}

// splitList splits a list at its commas.
func splitList(text string) []string {
	parts := splitTop(text)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
