package mlir

import (
	_ "embed"
	"strings"
	"testing"
)

// A program of four devices in two pairs: the whole of %w, its double summed and cut, and a sum that is read as a
// whole too.
//
//go:embed testdata/mesh.mlir
var meshProgram string

func TestFuseCollectives(t *testing.T) {
	got := fuseCollectives(meshProgram)
	for _, want := range []string{
		`%7 = "stablehlo.all_gather"(%w) { all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1], [2, 3]]> : ` +
			`tensor<2x2xi64> } : (tensor<2x3xf32>) -> tensor<4x3xf32>`,
		`%13 = "stablehlo.reduce_scatter"(%10) ({`,
		`}) { scatter_dimension = 0 : i64, replica_groups = dense<[[0, 2], [1, 3]]> : tensor<2x2xi64> } : ` +
			`(tensor<4x3xf32>) -> tensor<2x3xf32>`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("not once: %s", want)
		}
	}
	if strings.Contains(got, "all_reduce") || strings.Contains(got, `"stablehlo.dynamic_slice"`) || strings.Count(got,
		"stablehlo.add") != 2 {
		t.Errorf("what was replaced is still there:\n%s", got)
	}
}

// What is not exactly one of the two patterns stays as it is.
func TestFuseCollectivesKeeps(t *testing.T) {
	for what, text := range map[string]string{
		"no parts": strings.ReplaceAll(meshProgram, "%mesh_shard", "%number"),
		"laid in something else": strings.Replace(strings.Replace(meshProgram, "dense<0.0>", "dense<1.0>", 1),
			`"stablehlo.return"(%10, %13)`, `"stablehlo.return"(%11, %13)`, 1),
	} {
		if got := fuseCollectives(text); got != text {
			t.Errorf("%s: changed to\n%s", what, got)
		}
	}
}
