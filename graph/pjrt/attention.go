package pjrt

import (
	"fmt"
	"regexp"
	"strings"
)

// On a processor with AVX-512 and bfloat16, attention becomes calls of package kernels. A barrier tells what attention is: its first results are that of its
// next operands, and its last operand is one of these marks. Where there is no call, the barrier stands, and what is before it is computed.
const (
	AttentionMark         int32 = 0x0bf90a77 // y, q, k, v, mask
	AttentionGradientMark int32 = 0x0bf90a78 // dq, dk, dv, q, k, v, mask, dy
)

// AttentionWidth divides the width of heads that there are calls for.
const AttentionWidth = 32

// The names of the custom calls.
const (
	attentionTarget         = "bfpo_attention"
	attentionGradientTarget = "bfpo_attention_gradient"
)

var (
	markConstant = regexp.MustCompile(`^\s*(%\w+) = "stablehlo\.constant"\(\) \{ value = dense<(\d+)> : tensor<i32> \}`)
	barrier      = regexp.MustCompile(`^(\s*)(%.*) = "stablehlo\.optimization_barrier"\((.*)\) : \((.*)\) -> \(.*\)\s*$`)
)

// callAttention replaces what is marked in a program by calls.
func callAttention(text string) string {
	marks := map[string]string{fmt.Sprint(AttentionMark): attentionTarget, fmt.Sprint(AttentionGradientMark): attentionGradientTarget}
	results := map[string]int{attentionTarget: 1, attentionGradientTarget: 3}
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
			names, args, types := splitList(m[2]), splitList(m[3]), splitList(m[4])
			if target := targets[args[len(args)-1]]; target != "" {
				n, last := results[target], len(args)-1
				line = fmt.Sprintf("%s%s = \"stablehlo.custom_call\"(%s) { call_target_name = %q, api_version = 4 : i32 } : (%s) -> (%s)\n", m[1],
					strings.Join(names[:n], ", "), strings.Join(args[n:last], ", "), target, strings.Join(types[n:last], ", "), strings.Join(types[:n], ", "))
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// splitList splits a list at its commas.
func splitList(text string) []string {
	parts := splitTop(text)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
