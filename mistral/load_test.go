package mistral

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

func TestTrainable(t *testing.T) {
	c := openTinyModel(t).Config
	tests := []struct {
		patterns []string
		want     int
	}{
		{nil, 21}, {[]string{"down_proj"}, 2}, {[]string{"layers.1."}, 9}, {[]string{"layers.1.", "norm"}, 12},
		{[]string{"lm_head", "embed"}, 2}, {[]string{"weight"}, 21},
	}
	for _, test := range tests {
		got, err := Trainable(c, test.patterns)
		if err != nil || len(got) != test.want {
			t.Errorf("%v: %v, %v", test.patterns, got, err)
		}
	}
	for pattern, want := range map[string]string{
		"downproj": "nearest: down_proj", "lm_heads": "nearest: lm_head", "": "empty",
	} {
		if _, err := Trainable(c, []string{"norm", pattern}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestLoad(t *testing.T) {
	d := graphtest.GoDevice(t)
	c := openTinyModel(t)
	m, err := Load(d, c, dtypes.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i, spec := range c.Config.Tensors() {
		value := m.Base.Values[i]
		want := dtypes.BFloat16
		if len(spec.Dims) == 1 {
			want = dtypes.Float32
		}
		if m.Base.Names[i] != spec.Name || value.DType() != want || !slices.Equal(value.Shape().Dimensions, spec.Dims) {
			t.Errorf("%s: %s %s", spec.Name, m.Base.Names[i], value.Shape())
		}
		got, err := d.Download(value)
		if err != nil {
			t.Fatal(err)
		}
		source, _ := c.Tensor(spec.Name)
		if rounded, _ := pretrained.Convert(source, want, nil); string(got) != string(rounded) {
			t.Errorf("%s: the values are not those of the file", spec.Name)
		}
	}
	masters, err := LoadMasters(d, m, []string{config.LMHead, config.FinalNorm})
	if err != nil {
		t.Fatal(err)
	}
	defer masters.Finalize()
	got, err := d.Download(masters.Values[0])
	if source, _ := c.Tensor(config.LMHead); err != nil || string(got) != string(source.Bytes) {
		t.Errorf("the master is not the file's tensor in full precision (%v)", err)
	}
	if _, err := LoadMasters(d, m, []string{"w"}); err == nil {
		t.Error("Masters accepted a tensor that the model does not have")
	}
	if _, err := Load(d, c, dtypes.Int8); err == nil || !strings.Contains(err.Error(), "tensor") {
		t.Errorf("8-bit integers: %v", err)
	}
}

// openTinyModel opens the built-in model and closes it at the end of the test.
func openTinyModel(t testing.TB) *pretrained.Model {
	t.Helper()
	c, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
