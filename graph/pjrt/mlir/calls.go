package mlir

import (
	"fmt"
	"regexp"
	"strings"
)

// A call marker is the last operand of an optimization_barrier and selects the custom call that can replace the
// barrier. The barrier's first operands are results that the program computes with XLA's own operations, and the next
// ones are the arguments that these results are computed from. If the call is not available, the barrier stays, and the
// program computes the results as written.
const (
	AttentionMarker         int32 = 0x0bf90a77 // y, q, k, v, mask
	AttentionGradientMarker int32 = 0x0bf90a78 // dq, dk, dv, q, k, v, mask, dy
	DecoderMarker           int32 = 0x0bf90a79 // results and arguments of kernels.Decoder
)

// CallWidth divides the widths that the kernels support: the width of attention heads, and all widths of a decoder.
const CallWidth = 32

// markedTargets returns the target of each marker, by the marker's decimal digits.
func markedTargets() map[string]string {
	return map[string]string{
		fmt.Sprint(AttentionMarker):         AttentionTarget,
		fmt.Sprint(AttentionGradientMarker): AttentionGradientTarget,
		fmt.Sprint(DecoderMarker):           DecoderTarget,
	}
}

// Arguments of the decoder: how many come before the layers, how many belong to one layer, and how many of these are
// results too.
const decoderArguments, layerArguments, layerCache = 6, 11, 2

// resultCount returns how many of a barrier's operands, without the marker, are results.
func resultCount(target string, operands int) int {
	switch target {
	case AttentionTarget:
		return 1
	case AttentionGradientTarget:
		return 3
	}
	return 1 + layerCache*((operands-1-decoderArguments)/(layerCache+layerArguments))
}

// callAttributes returns further attributes of a call: the decoder updates keys and values in place.
func callAttributes(target string, results int) string {
	if target != DecoderTarget {
		return ""
	}
	var aliases []string
	for i := range results - 1 {
		aliases = append(aliases, fmt.Sprintf(
			"#stablehlo.output_operand_alias<output_tuple_indices = [%d], operand_index = %d, operand_tuple_indices = "+
				"[]>",
			1+i, decoderArguments+i/layerCache*layerArguments+i%layerCache))
	}
	return ", output_operand_aliases = [" + strings.Join(aliases, ", ") + "]"
}

var (
	markerConstant = regexp.MustCompile(`^\s*(%\w+) = "stablehlo\.constant"\(\) \{ value = dense<(\d+)> : tensor<i32> ` +
		`\}`)
	barrier = regexp.MustCompile(`^(\s*)(%.*) = "stablehlo\.optimization_barrier"\((.*)\) : \((.*)\) -> ` +
		`\(.*\)\s*$`)
)

// callMarked replaces the barriers whose last operand is the marker of a selected kernel by calls. A decoder's
// barrier that no call replaces loses its arguments: they would keep the old cache alive, and XLA would copy it
// instead of updating it in place.
func callMarked(text string, selected Kernels) string {
	targets, byName := markedTargets(), map[string]string{} // by the names of constants
	var out strings.Builder
	out.Grow(len(text))
	for line := range strings.Lines(text) {
		switch { // cheap tests first: the regular expressions are slow
		case strings.Contains(line, "func.func "):
			clear(byName) // each function has its own names
		case strings.Contains(line, `"stablehlo.constant"`):
			if m := markerConstant.FindStringSubmatch(line); m != nil && targets[m[2]] != "" {
				byName[m[1]] = targets[m[2]]
			}
		case strings.Contains(line, `"stablehlo.optimization_barrier"`):
			line = replaceBarrier(line, byName, selected)
		}
		out.WriteString(line)
	}
	return out.String()
}

// replaceBarrier returns the line that replaces an optimization_barrier, or the line itself; byName has the targets
// of markers by their names.
func replaceBarrier(line string, byName map[string]string, selected Kernels) string {
	m := barrier.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	indent, names, args, types := m[1], splitList(m[2]), splitList(m[3]), splitList(m[4])
	last := len(args) - 1
	target := byName[args[last]]
	if target == "" || !selected[target] && target != DecoderTarget {
		return line
	}
	n := resultCount(target, last)
	list := func(items []string) string { return strings.Join(items, ", ") }
	if !selected[target] {
		return fmt.Sprintf("%s%s = \"stablehlo.optimization_barrier\"(%s) : (%s) -> (%s)\n", indent, list(names[:n]),
			list(args[:n]), list(types[:n]), list(types[:n]))
	}
	attributes := fmt.Sprintf("call_target_name = %q, api_version = 4 : i32%s", target, callAttributes(target, n))
	return fmt.Sprintf("%s%s = \"stablehlo.custom_call\"(%s) { %s } : (%s) -> (%s)\n", indent, list(names[:n]),
		list(args[n:last]), attributes, list(types[n:last]), list(types[:n]))
}
