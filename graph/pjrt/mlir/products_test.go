package mlir

import (
	"fmt"
	"strings"
	"testing"
)

// productText returns a dot_general as go-xla writes it, with these contracted axes (of both operands) and batch axes.
func productText(left, right, result, axes, batch string) string {
	l, r, _ := strings.Cut(axes, " ")
	return fmt.Sprintf(`    %%7 = "stablehlo.dot_general"(%%a, %%b) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [%[4]s],
  rhs_batching_dimensions = [%[4]s],
  lhs_contracting_dimensions = [%[5]s],
  rhs_contracting_dimensions = [%[6]s]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<%[1]s>, tensor<%[2]s>) -> tensor<%[3]s>
`, left, right, result, batch, l, r)
}

func TestCallProducts(t *testing.T) {
	for _, c := range []struct {
		name, left, right, result, axes, batch string
		rounded                                bool
		how                                    int // -1: it stays
		target                                 string
	}{
		{"a layer", "128x256xbf16", "512x256xbf16", "128x512xbf16", "1 1", "", false, 0, "bfpo_product"},
		{"sums in float32", "128x256xbf16", "512x256xbf16", "128x512xf32", "1 1", "", false, 0, "bfpo_product"},
		{"the gradient of its input", "128x512xbf16", "512x256xbf16", "128x256xbf16", "1 0", "", false, 2,
			"bfpo_product"},
		{"the gradient of its weight", "128x512xbf16", "128x256xbf16", "512x256xbf16", "0 0", "", false, 3,
			"bfpo_product"},
		{"the left one across", "256x128xbf16", "512x256xbf16", "128x512xbf16", "0 1", "", false, 1, "bfpo_product"},
		{"heads", "4x128x64xbf16", "4x128x64xbf16", "4x128x128xf32", "2 2", "0", false, 0, "bfpo_product"},
		{"heads, mixed", "4x128x128xbf16", "4x128x64xbf16", "4x128x64xbf16", "1 1", "0", false, 3, "bfpo_product"},
		{"float32, rounded where that can be", "128x256xf32", "512x256xf32", "128x512xf32", "1 1", "", true, 4,
			"bfpo_product"},
		{"few of float32", "8x16xf32", "4x16xf32", "8x4xf32", "1 1", "", false, 0, "bfpo_product"},
		{"float32", "128x256xf32", "512x256xf32", "128x512xf32", "1 1", "", false, 0, "bfpo_product"},
		{"float32 heads", "4x128x64xf32", "4x128x64xf32", "4x128x128xf32", "2 2", "0", true, -1, ""},
		{"nothing", "0x16xf32", "4x16xf32", "0x4xf32", "1 1", "", true, -1, ""},
		{"no heads", "0x128x64xbf16", "0x128x64xbf16", "0x128x128xf32", "2 2", "0", false, -1, ""},
		{"of two types", "128x256xbf16", "512x256xf32", "128x512xf32", "1 1", "", true, -1, ""},
		{"float16", "128x256xf16", "512x256xf16", "128x512xf16", "1 1", "", true, -1, ""},
		{"few rows", "8x4096xbf16", "4096x4096xbf16", "8x4096xbf16", "1 1", "", false, 0, "bfpo_rows"},
		{"few rows of float32", "16x512xf32", "512x512xf32", "16x512xf32", "1 1", "", false, 0, "bfpo_rows"},
		{"few rows of float32, rounded elsewhere", "1x512xf32", "512x512xf32", "1x512xf32", "1 1", "", true, 0,
			"bfpo_rows"},
		{"few rows of a small matrix", "8x256xbf16", "512x256xbf16", "8x512xbf16", "1 1", "", false, -1, ""},
		{"few rows of a small matrix of float32", "8x256xf32", "512x256xf32", "8x512xf32", "1 1", "", false, 0,
			"bfpo_rows"},
		{"few rows, a matrix across", "8x512xf32", "512x1024xf32", "8x1024xf32", "1 0", "", false, 2, "bfpo_product"},
		{"a few columns", "8x4096xbf16", "15x4096xbf16", "8x15xbf16", "1 1", "", false, -1, ""},
		{"little work", "16x16xbf16", "16x16xbf16", "16x16xbf16", "1 1", "", false, -1, ""},
		{"heads of rows", "2x4x128x64xbf16", "2x4x128x64xbf16", "2x4x128x128xf32", "3 3", "0, 1", false, 0,
			"bfpo_product"},
		{"heads and rows exchanged", "2x4x128x64xbf16", "4x2x128x64xbf16", "2x4x128x128xf32", "3 3", "1, 0", false, -1,
			""},
		{"a batch behind", "128x4x64xbf16", "128x4x64xbf16", "4x128x128xf32", "2 2", "1", false, -1, ""},
		{"over two axes", "128x256xbf16", "128x256xbf16", "bf16", "0, 1 0, 1", "", false, -1, ""},
	} {
		text := productText(c.left, c.right, c.result, c.axes, c.batch)
		want := text
		if c.how >= 0 {
			want = fmt.Sprintf(`    %%7 = "stablehlo.custom_call"(%%a, %%b) {
      call_target_name = %q, api_version = 4 : i32, backend_config = { how = %d : i64 }
    } : (tensor<%s>, tensor<%s>) -> tensor<%s>
`, c.target, c.how, c.left, c.right, c.result)
		}
		const around = "    %8 = \"stablehlo.tanh\"(%7) : (tensor<f32>) -> tensor<f32>\n"
		if got := callProducts(around+text+around, allKernels(), c.rounded); got != around+want+around {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

// TestCallProductsAlone checks which products become calls if ProductTarget is the only kernel, as on processors
// without AVX-512.
func TestCallProductsAlone(t *testing.T) {
	selected := Kernels{ProductTarget: true}
	for _, c := range []struct {
		name, left, right, result string
		calls                     bool
	}{
		{"bfloat16", "128x256xbf16", "512x256xbf16", "128x512xbf16", true},
		{"few rows", "8x4096xbf16", "4096x4096xbf16", "8x4096xbf16", false},
		{"the most few rows", "16x4096xbf16", "4096x4096xbf16", "16x4096xbf16", false},
		{"a row more", "17x4096xbf16", "4096x4096xbf16", "17x4096xbf16", true},
		{"float32", "128x256xf32", "512x256xf32", "128x512xf32", false},
		{"few rows of float32", "16x512xf32", "512x512xf32", "16x512xf32", false},
	} {
		text := productText(c.left, c.right, c.result, "1 1", "")
		if got := callProducts(text, selected, false); strings.Contains(got, ProductTarget) != c.calls ||
			!c.calls && got != text {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
}
