package mistral_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// golden is an open file of recorded numbers.
type golden struct {
	*safetensors.File
	t *testing.T
}

// openGolden opens a recorded safetensors file.
func openGolden(t *testing.T, name string) golden {
	t.Helper()
	file, err := safetensors.Open(fixture.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return golden{file, t}
}

// rawWords returns the 32-bit elements of a tensor and its dimensions.
func (g golden) rawWords(name string) ([]uint32, []int) {
	g.t.Helper()
	data, err := g.Tensor(name)
	if err != nil {
		g.t.Fatal(err)
	}
	values := make([]uint32, len(data.Bytes)/4)
	for i := range values {
		values[i] = binary.LittleEndian.Uint32(data.Bytes[4*i:])
	}
	return values, data.Dims
}

func (g golden) floats(name string) []float32 {
	g.t.Helper()
	raw, _ := g.rawWords(name)
	values := make([]float32, len(raw))
	for i, bits := range raw {
		values[i] = math.Float32frombits(bits)
	}
	return values
}

func (g golden) ints(name string) []int32 {
	g.t.Helper()
	raw, _ := g.rawWords(name)
	values := make([]int32, len(raw))
	for i, bits := range raw {
		values[i] = int32(bits)
	}
	return values
}

// tensor returns a float32 tensor.
func (g golden) tensor(name string) *tensors.Tensor {
	g.t.Helper()
	_, dims := g.rawWords(name)
	return tensors.FromFlatDataAndDimensions(g.floats(name), dims...)
}

// weights returns all tensors whose names begin with prefix, without the prefix in their names.
func (g golden) weights(prefix string) *device.TensorSet {
	g.t.Helper()
	set := &device.TensorSet{}
	for _, name := range g.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			set.Add(rest, g.tensor(name))
		}
	}
	return set
}

// goldenConfigs reads the configs of the models in a file of recorded numbers, by variant.
func goldenConfigs(t *testing.T, name string) map[string]config.Config {
	t.Helper()
	var file struct {
		Meta map[string]struct{ Config map[string]any }
	}
	fixture.Read(t, &file, name)
	configs := map[string]config.Config{}
	for variant, meta := range file.Meta {
		keys := meta.Config
		if keys["architectures"] == nil {
			keys["architectures"], keys["model_type"] = []string{"MistralForCausalLM"}, "mistral"
		}
		data, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		if configs[variant], err = config.Parse(name, data); err != nil {
			t.Fatal(err)
		}
	}
	return configs
}

// rows is a recorded batch of token rows with one document each.
type rows struct {
	length                       int
	tokens, positions, attention []int32
}

// rows reads the input_ids of the case prefix and, if recorded, its attention_mask (else all ones) and position_ids
// (else 0, 1, 2, ...).
func (g golden) rows(prefix string) rows {
	g.t.Helper()
	raw, dims := g.rawWords(prefix + "input_ids")
	r := rows{length: dims[1], tokens: g.ints(prefix + "input_ids"),
		positions: make([]int32, len(raw)), attention: make([]int32, len(raw))}
	for i := range raw {
		r.positions[i], r.attention[i] = int32(i%dims[1]), 1
	}
	if _, err := g.Tensor(prefix + "attention_mask"); err == nil {
		r.attention = g.ints(prefix + "attention_mask")
	}
	if _, err := g.Tensor(prefix + "position_ids"); err == nil {
		r.positions = g.ints(prefix + "position_ids")
	}
	return r
}

// input returns tokens, positions and segments [B, S]. Tokens that the attention mask hides are padding, all others
// document 1.
func (r rows) input() []*tensors.Tensor {
	segments := make([]int32, len(r.attention))
	for i, visible := range r.attention {
		segments[i] = visible << graph.BranchBits
	}
	var in []*tensors.Tensor
	for _, values := range [][]int32{r.tokens, r.positions, segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, len(values)/r.length, r.length))
	}
	return in
}

func asInput(in []*Node) mistral.Input {
	return mistral.Input{Tokens: in[0], Positions: in[1], Segments: in[2]}
}

// run compiles a program and calls it once.
func run(t *testing.T, d *device.Device, build func(in [][]*Node) [][]*Node,
	groups ...[]*tensors.Tensor) [][]*tensors.Tensor {
	t.Helper()
	p := device.NewProgram(d, t.Name(), build)
	defer p.Close()
	results, err := p.Call(groups...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return results
}

func floats(t *testing.T, x *tensors.Tensor) []float32 {
	t.Helper()
	values, err := tensors.CopyFlatData[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// relativeError returns the Euclidean norm of got - want divided by the norm of want.
func relativeError(got, want []float32) float64 {
	var diff, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(diff / norm)
}
