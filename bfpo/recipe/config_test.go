package recipe

import (
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

// A flag counts before a file, whichever of the two names the objective has.
func TestObjectiveAsFlag(t *testing.T) {
	for _, c := range []struct{ text, set, want string }{
		{"objective: bfpo\n", "loss_type=sigmoid", "dpo"}, {"loss_type: ipo\n", "objective=hinge", "hinge"},
		{"loss_type: ipo\n", "objective=ipo", "ipo"}, {"loss_type: ipo\n", "loss_type=hinge", "hinge"},
	} {
		got, err := Load(nil, recipeFile(t, c.text), []string{c.set})
		if err != nil || got.Objective != c.want {
			t.Errorf("%q and %s: %s, want %s; error %v", c.text, c.set, got.Objective, c.want, err)
		}
	}
	if _, err := Load(nil, recipeFile(t, ""), []string{"loss_type=ipo", "objective=dpo"}); err == nil {
		t.Error("two flags that contradict each other are accepted")
	}
}

func TestUnreadKeys(t *testing.T) {
	for text, want := range map[string][]string{
		"objective: dpo\nalpha: 0.5\nbeta: 0.1\n": {"alpha"}, "objective: sft\nalpha: 0.5\n": nil, "alpha: 0.5\n": nil,
		"loss_type: hinge\nb1: 3\nalpha: 0.5\ndiscopop_tau: 1\n": {"b1", "alpha", "discopop_tau"},
	} {
		c, err := Load(nil, recipeFile(t, text), nil)
		if got := c.UnreadKeys(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v; error %v", text, got, want, err)
		}
	}
}

func TestDTypes(t *testing.T) {
	for _, c := range []struct {
		config        Config
		fast          bool
		model         string
		compute, disk dtypes.DType
	}{
		{Config{}, true, "bfloat16", dtypes.Float32, dtypes.Float32},
		{Config{BF16: true}, false, "bfloat16", dtypes.BFloat16, dtypes.Float32},
		{Config{TorchDType: "bfloat16"}, false, "float32", dtypes.BFloat16, dtypes.BFloat16},
		{Config{TorchDType: "float32"}, true, "bfloat16", dtypes.Float32, dtypes.Float32},
		{Config{TorchDType: "auto"}, true, "float32", dtypes.BFloat16, dtypes.Float32},
		{Config{TorchDType: "auto"}, false, "bfloat16", dtypes.Float32, dtypes.BFloat16},
	} {
		compute, disk := c.config.ComputeDType(c.fast), c.config.ExportDType(c.model)
		if compute != c.compute || disk != c.disk {
			t.Errorf("%+v: computes in %s, writes %s; want %s and %s", c, compute, disk, c.compute, c.disk)
		}
	}
}
