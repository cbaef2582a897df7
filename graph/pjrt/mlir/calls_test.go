package mlir

import (
	"fmt"
	"strings"
	"testing"
)

func TestCallMarked(t *testing.T) {
	const (
		head  = "  func.func @main(%q: tensor<2x8x4x32xbf16>) -> tensor<2x8x128xbf16> {\n"
		mark  = "    %7 = \"stablehlo.constant\"() { value = dense<200870519> : tensor<i32> } : () -> tensor<i32>\n"
		slope = "    %7 = \"stablehlo.constant\"() { value = dense<200870520> : tensor<i32> } : () -> tensor<i32>\n"
		other = "    %7 = \"stablehlo.constant\"() { value = dense<2008705> : tensor<i32> } : () -> tensor<i32>\n"
		qkv   = "tensor<2x8x4x32xbf16>, tensor<2x8x2x32xbf16>, tensor<2x8x2x32xbf16>, tensor<2x8x8xi1>"
		y     = "tensor<2x8x128xbf16>"
		grads = "tensor<2x8x4x32xbf16>, tensor<2x8x2x32xbf16>, tensor<2x8x2x32xbf16>"
		use   = "    %20 = \"stablehlo.convert\"(%10) : (" + y + ") -> tensor<2x8x128xf32>\n"
	)
	forward := "    %10, %11, %12, %13, %14, %15 = \"stablehlo.optimization_barrier\"(%6, %q, %2, %3, %4, %7) : (" +
		y + ", " + qkv + ", tensor<i32>) -> (" +
		y + ", " + qkv + ", tensor<i32>)\n"
	call := "    %10 = \"stablehlo.custom_call\"(%q, %2, %3, %4) { call_target_name = \"bfpo_attention\", api_version " +
		"= 4 : i32 } : (" + qkv + ") -> (" + y + ")\n"
	backward := "    %10, %11, %12, %13, %14, %15, %16, %17, %18 = \"stablehlo.optimization_barrier\"(%30, %31, %32, " +
		"%q, %2, %3, %4, %33, %7) : (" + grads +
		", " + qkv + ", " + y + ", tensor<i32>) -> (" + grads + ", " + qkv + ", " + y + ", tensor<i32>)\n"
	callBackward := "    %10, %11, %12 = \"stablehlo.custom_call\"(%q, %2, %3, %4, %33) { call_target_name = " +
		"\"bfpo_attention_gradient\", api_version = 4 : i32 } : (" +
		qkv + ", " + y + ") -> (" + grads + ")\n"
	for name, c := range map[string]struct{ text, want string }{
		"forward":            {head + mark + forward + use, head + mark + call + use},
		"backward":           {head + slope + backward + use, head + slope + callBackward + use},
		"not a mark":         {head + other + forward + use, head + other + forward + use},
		"another function's": {head + mark + use + head + forward, head + mark + use + head + forward},
	} {
		t.Run(name, func(t *testing.T) {
			if got := callMarked(c.text, allKernels()); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if got := callMarked(c.text, nil); got != c.text {
				t.Errorf("without calls: got\n%s\nwant\n%s", got, c.text)
			}
		})
	}
}

func TestCallDecoder(t *testing.T) {
	const (
		head  = "  func.func @main(%x: tensor<1x1x32xf32>) -> tensor<1x1x32xf32> {\n"
		mark  = "    %7 = \"stablehlo.constant\"() { value = dense<200870521> : tensor<i32> } : () -> tensor<i32>\n"
		x     = "tensor<1x1x32xf32>"
		cache = "tensor<1x1x64x32xf32>, tensor<1x1x32x64xf32>"
		layer = cache + ", norm, q, k, v, o, norm, gate, up, down"
		in    = x + ", now, cos, sin, mask, tensor<f32>, " + layer + ", " + layer
		types = x + ", " + cache + ", " + cache + ", " + in + ", tensor<i32>"
	)
	names := func(first, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%%%d", first+i))
		}
		return strings.Join(all, ", ")
	}
	text := "    " + names(100, 34) + " = \"stablehlo.optimization_barrier\"(" + names(20, 33) + ", %7) : (" + types +
		") -> (" + types + ")\n"
	alias := "#stablehlo.output_operand_alias<output_tuple_indices = [%d], operand_index = %d, operand_tuple_indices " +
		"= []>"
	aliases := fmt.Sprintf(alias+", "+alias+", "+alias+", "+alias, 1, 6, 2, 7, 3, 17, 4, 18)
	call := "    " + names(100, 5) + " = \"stablehlo.custom_call\"(" + names(25, 28) +
		") { call_target_name = \"bfpo_decoder\", api_version = 4 : i32, " +
		"output_operand_aliases = [" + aliases + "] } : (" + in + ") -> (" + x + ", " + cache + ", " + cache + ")\n"
	if got := callMarked(head+mark+text, allKernels()); got != head+mark+call {
		t.Errorf("got\n%s\nwant\n%s", got, head+mark+call)
	}
	results := x + ", " + cache + ", " + cache
	barrier := "    " + names(100, 5) + " = \"stablehlo.optimization_barrier\"(" + names(20, 5) + ") : (" + results +
		") -> (" + results + ")\n"
	if got := callMarked(head+mark+text, nil); got != head+mark+barrier {
		t.Errorf("without calls: got\n%s\nwant\n%s", got, head+mark+barrier)
	}
}
