package mlir

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseKernels(t *testing.T) {
	all := []string{AttentionTarget, AttentionGradientTarget, DecoderTarget, ProductTarget,
		RowsTarget}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", all},
		{"off", nil},
		{"products", []string{ProductTarget, RowsTarget}},
		{"attention,products", []string{AttentionTarget, AttentionGradientTarget, ProductTarget, RowsTarget}},
	} {
		selected, err := parseKernels(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if got := slices.Sorted(maps.Keys(selected)); !slices.Equal(got, c.want) {
			t.Errorf("%q selects %v, want %v", c.text, got, c.want)
		}
	}
	for _, text := range []string{"all", "product", "products,", "off,products", " products", "Products"} {
		if selected, err := parseKernels(text); err == nil || !strings.Contains(err.Error(), EnvKernels) {
			t.Errorf("%q selects %v, error %v: want an error that names %s", text, selected, err, EnvKernels)
		}
	}
}

// allKernels selects all custom calls.
func allKernels() Kernels {
	selected, err := parseKernels("")
	if err != nil {
		panic(err)
	}
	return selected
}
