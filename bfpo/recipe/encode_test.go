package recipe

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Default()
		c.EvalSteps = 7
		c.ChatTemplate = "{{ x }}" + rapid.StringMatching(`[ -~\n\té☃]{0,40}`).Draw(r, "template")
		c.LearningRate = rapid.Float64Range(0, 1e-2).Draw(r, "rate")
		layers := rapid.SampledFrom([]string{"down_proj", "None", "true", "1e5", "null", "- a", "a: b", "~", "'"})
		c.SelectedLayers = rapid.SliceOf(layers).Draw(r, "layers")
		dataset := rapid.SampledFrom([]string{"a/b", "None", "x y", "no: ", "123"}).Draw(r, "name")
		c.DatasetMixer = Mixer{{dataset, rapid.Float64Range(0, 1).Draw(r, "fraction")}}
		c.GradientCheckpointing = rapid.SampledFrom([]Switch{On, Off, Auto}).Draw(r, "remat")
		c.ReportTo = rapid.SampledFrom([][]string{nil, {"tensorboard"}}).Draw(r, "report")
		text, err := c.YAML()
		if err != nil {
			r.Fatal(err)
		}
		again, err := Load(fstest.MapFS{"r.yaml": {Data: text}}, "r", nil)
		if diff := cmp.Diff(c, again, ignoreOrigins()); err != nil || diff != "" {
			r.Fatalf("%v\n%s\n%s", err, text, diff)
		}
	})
}

// Python would read 5e-07 as a string, and an unquoted no as false.
func TestPythonReadsSameValues(t *testing.T) {
	for x, want := range map[float64]string{5e-7: "5.0e-07", 1: "1.0", 0.25: "0.25", 1.5e-8: "1.5e-08", 0: "0.0"} {
		if got := floatNode(x).Value; got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
	for _, word := range []string{"no", "yes", "On", "OFF", "None"} {
		text, err := yaml.Marshal(stringNode(word))
		if err != nil || string(text) != `"`+word+"\"\n" {
			t.Errorf("%s is written %s (%v)", word, text, err)
		}
	}
}
