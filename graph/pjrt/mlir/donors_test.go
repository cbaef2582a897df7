package mlir

import (
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

func TestRemoveTag(t *testing.T) {
	for _, c := range []struct{ text, untagged, name, tag string }{
		{"module @step__bfpo12 {\n}", "module @step {\n}", "step", "__bfpo12"},
		{"module @step__bfpo3 attributes {stablehlo.num_partitions = 4} {",
			"module @step attributes {stablehlo.num_partitions = 4} {", "step", "__bfpo3"},
		{"module @plain {", "module @plain {", "plain", ""},
		{"// no module", "// no module", "", ""},
		{"module @cut", "module @cut", "", ""},
	} {
		untagged, name, tag := RemoveTag(c.text)
		if untagged != c.untagged || name != c.name || tag != c.tag {
			t.Errorf("RemoveTag(%q) = %q, %q, %q", c.text, untagged, name, tag)
		}
	}
}

func TestAliasDonors(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"no donors", "func.func @main(%in0_0: tensor<2xf32>) -> tensor<2xf32> {",
			"func.func @main(%in0_0: tensor<2xf32>) -> tensor<2xf32> {"},
		{"one result",
			"func.func @main(%donated_a: tensor<4x8xf32>, %b: tensor<f32>) -> tensor<4x8xf32> {",
			"func.func @main(%donated_a: tensor<4x8xf32> { tf.aliasing_output = 0 : i32 }, %b: tensor<f32>) -> " +
				"tensor<4x8xf32> {"},
		{"results in the order of parameters, other types between",
			"func.func @main(%donated_a: tensor<2xf32>, %donated_b: tensor<2xf32>, %donated_c: tensor<2xbf16>) -> " +
				"(tensor<f32>, tensor<2xf32>, tensor<2xf32>) {",
			"func.func @main(%donated_a: tensor<2xf32> { tf.aliasing_output = 1 : i32 }, %donated_b: tensor<2xf32> { " +
				"tf.aliasing_output = 2 : i32 }, " +
				"%donated_c: tensor<2xbf16> { jax.buffer_donor = true }) -> (tensor<f32>, tensor<2xf32>, " +
				"tensor<2xf32>) {"},
		{"sharded alike",
			"sdy.mesh @mesh = <[\"x\"=4]>\nfunc.func @main(%donated_a: tensor<4x8xf32> { sdy.sharding = " +
				"#sdy.sharding<@mesh, [{\"x\"}, {}]> }, %b: tensor<4x8xf32>) -> (tensor<4x8xf32> { sdy.sharding = " +
				"#sdy.sharding<@mesh, [{\"x\"}, {}]> }) {",
			"sdy.mesh @mesh = <[\"x\"=4]>\nfunc.func @main(%donated_a: tensor<4x8xf32> { sdy.sharding = " +
				"#sdy.sharding<@mesh, [{\"x\"}, {}]>, tf.aliasing_output = 0 : i32 }, %b: tensor<4x8xf32>) -> " +
				"(tensor<4x8xf32> { sdy.sharding = #sdy.sharding<@mesh, [{\"x\"}, {}]> }) {"},
		{"sharded differently",
			"func.func @main(%donated_a: tensor<4xf32> { sdy.sharding = #sdy.sharding<@m, [{\"x\"}]> }) -> " +
				"(tensor<4xf32> { sdy.sharding = #sdy.sharding<@m, [{}]> }) {",
			"func.func @main(%donated_a: tensor<4xf32> { sdy.sharding = #sdy.sharding<@m, [{\"x\"}]>, " +
				"jax.buffer_donor = true }) -> (tensor<4xf32> { sdy.sharding = #sdy.sharding<@m, [{}]> }) {"},
		{"on several devices without a sharding",
			"sdy.mesh @m = <[\"x\"=2]>\nfunc.func @main(%donated_a: tensor<4xf32>) -> tensor<4xf32> {",
			"sdy.mesh @m = <[\"x\"=2]>\nfunc.func @main(%donated_a: tensor<4xf32> { jax.buffer_donor = true }) -> " +
				"tensor<4xf32> {"},
		{"brackets and commas in strings",
			"func.func @main(%a: tensor<2xf32> { note = \"a, b) -> (\\\"\" }, %donated_b: tensor<2xf32>) -> " +
				"tensor<2xf32> {",
			"func.func @main(%a: tensor<2xf32> { note = \"a, b) -> (\\\"\" }, %donated_b: tensor<2xf32> { " +
				"tf.aliasing_output = 0 : i32 }) -> tensor<2xf32> {"},
		{"not a whole program", "func.func @main(%donated_a: tensor<2xf32>",
			"func.func @main(%donated_a: tensor<2xf32>"},
	} {
		if got := aliasDonors(c.from); got != c.to {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.to)
		}
	}
}

// dot is the text of a product as go-xla writes it; lines between %ALG marks are the attribute.
const dot = `    %7 = "stablehlo.dot_general"(%LEFT, %RIGHT) {
%ALG      algorithm = #stablehlo.dot_algorithm<
%ALG  lhs_precision_type = f32,
%ALG  accumulation_type = f32,
%ALG  allow_imprecise_accumulation = false>,
      dot_dimension_numbers = #stablehlo.dot<
  lhs_contracting_dimensions = [1],
  rhs_contracting_dimensions = [0]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<4x8xTYPE>, tensor<8x16xTYPE>) -> tensor<4x16xOUT>
    %8 = "stablehlo.tanh"(%7) : (tensor<4x16xOUT>) -> tensor<4x16xOUT>
`

// zero adds to %x a zero that depends on %DEP.
const zero = `    %0 = "stablehlo.constant"() { value = dense<0.0> : tensor<bf16> } : () -> tensor<bf16>
    %1 = "stablehlo.slice"(%DEP) {
      limit_indices = array<i64: 1, 1>
    } : (tensor<8x16xbf16>) -> tensor<1x1xbf16>
    %2 = "stablehlo.reshape"(%1) : (tensor<1x1xbf16>) -> tensor<bf16>
    %3 = "stablehlo.multiply"(%2, %0) : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
    %4 = "stablehlo.add"(%0, %3) : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
    %5 = "stablehlo.broadcast_in_dim"(%4) { broadcast_dimensions = array<i64> } : (tensor<bf16>) -> tensor<4x8xbf16>
    %6 = "stablehlo.add"(%x, %5) : (tensor<4x8xbf16>, tensor<4x8xbf16>) -> tensor<4x8xbf16>
`

func dotText(left, right, typ, out string, algorithm bool) string {
	mark := strings.NewReplacer("%LEFT", left, "%RIGHT", right, "TYPE", typ, "OUT", out)
	var text strings.Builder
	for line := range strings.Lines(mark.Replace(dot)) {
		if rest, ok := strings.CutPrefix(line, "%ALG"); !ok {
			text.WriteString(line)
		} else if algorithm {
			text.WriteString(rest)
		}
	}
	return text.String()
}

func zeroText(dependency string) string { return strings.ReplaceAll(zero, "%DEP", dependency) }

func TestSimplifyDots(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"barrier on the left", zeroText("%w") + dotText("%6", "%w", "bf16", "bf16", true), zeroText("%w") +
			dotText("%x", "%w", "bf16", "bf16", false)},
		{"barrier on the right", zeroText("%h") + dotText("%h", "%6", "bf16", "f32", true), zeroText("%h") +
			dotText("%h", "%x", "bf16", "f32", false)},
		{"no barrier", dotText("%h", "%w", "bf16", "bf16", true), dotText("%h", "%w", "bf16", "bf16", false)},
		{"a barrier on something else stays", zeroText("%other") + dotText("%6", "%w", "bf16", "bf16", true),
			zeroText("%other") + dotText("%6", "%w", "bf16", "bf16", false)},
		{"float32 stays", zeroText("%w") + dotText("%6", "%w", "f32", "f32", true), zeroText("%w") + dotText("%6",
			"%w", "f32", "f32", true)},
		{"no attribute stays", zeroText("%w") + dotText("%6", "%w", "bf16", "bf16", false), zeroText("%w") +
			dotText("%6", "%w", "bf16", "bf16", false)},
		{"names of another function do not count",
			zeroText("%w") + "  func.func @second(%6: tensor<4x8xbf16>, %w: tensor<8x16xbf16>) {\n" + dotText("%6",
				"%w", "bf16", "bf16", true),
			zeroText("%w") + "  func.func @second(%6: tensor<4x8xbf16>, %w: tensor<8x16xbf16>) {\n" + dotText("%6",
				"%w", "bf16", "bf16", false)},
		{"cut short", `    %7 = "stablehlo.dot_general"(%a, %b) {` + "\n      " + dotAlgorithm + "\n",
			`    %7 = "stablehlo.dot_general"(%a, %b) {` + "\n      " + dotAlgorithm + "\n"},
	} {
		if got := simplifyDots(c.from); got != c.to {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.to)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add("module @a__bfpo1 {\n  func.func @main(%donated_x: tensor<2xf32> { sdy.sharding = 1 }, %y: f32) -> " +
		"(tensor<2xf32>) {\n" +
		zeroText("%w") + dotText("%6", "%w", "bf16", "bf16", true))
	f.Add("func.func @main(\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			untagged, _, tag := RemoveTag(text)
			if len(untagged)+len(tag) != len(text) {
				t.Errorf("RemoveTag lost text of %q", text)
			}
			if got := aliasDonors(text); len(got) < len(text) && !strings.Contains(text, "%"+DonatedPrefix) {
				t.Errorf("aliasDonors lost text of %q", text)
			}
			if got := simplifyDots(text); !strings.Contains(text, dotAlgorithm) && got != text {
				t.Errorf("simplifyDots changed %q", text)
			}
			if got := callProducts(text, allKernels(), true); !strings.Contains(text, "dot_general") && got != text {
				t.Errorf("callProducts changed %q", text)
			}
		})
	})
}
