package gguf

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// ropeFactorsTensor has a factor for each rotary frequency, by which the frequency is divided. Files of Llama 3.1 and
// later have it.
const ropeFactorsTensor = "rope_freqs.weight"

// readRopeFactors reads the rope factors for heads of the given width. It returns nil if the file has none, or if all
// are 1.
func readRopeFactors(file *gguf.File, reader *gguf.Reader, width int) (factors []float32, err error) {
	info, ok := file.GetTensorInfo(ropeFactorsTensor)
	if !ok {
		return nil, nil
	}
	dtype, dims := info.GoMLXShape()
	if dtype != dtypes.Float32 || !slices.Equal(dims, []int{width / 2}) {
		return nil, fmt.Errorf("tensor %s: %s %v, want float32 [%d]", ropeFactorsTensor, dtype, dims, width/2)
	}
	value, err := reader.ReadTensor(nil, ropeFactorsTensor)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", ropeFactorsTensor, err)
	}
	plain := true
	for i, f := range value.Value().([]float32) {
		if !(f > 0) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("tensor %s: factor %d is %g, want a positive number", ropeFactorsTensor, i, f)
		}
		factors = append(factors, f)
		plain = plain && f == 1
	}
	if plain {
		return nil, nil
	}
	return factors, nil
}

// ropeScaling returns rope_scaling for config.json, nil for none. The keys have the meaning that they have in
// llama.cpp, where a file that names no type and has a factor is scaled linearly. Factors that are those of Llama 3.1
// become a scaling too, since that is what they were computed from.
func (m *metadataReader) ropeScaling(factors []float32, theta float64) config.Object {
	const at = "llama.rope.scaling."
	kind, factor := readValue(m, at+"type", "linear"), m.number(at+"factor", m.number("llama.rope.scale_linear", 0))
	if factor == 0 {
		factor = 1
	}
	attention := m.number(at+"attn_factor", 1) * m.number(at+"yarn_attn_factor", 1)
	blend := m.number(at+"yarn_ext_factor", -1) // below 0: what the type asks for
	var scaling config.Object
	switch {
	case kind != "none" && kind != "linear" && kind != "yarn":
		m.fail(at+"type", "%q is not supported (supported: none, linear, yarn)", kind)
	case kind == "yarn":
		scaling = m.yarnScaling(at, factor, attention, blend)
	case attention != 1:
		m.fail(at+"attn_factor", "%g is not supported with scaling type %s", attention, kind)
	case blend > 0:
		m.fail(at+"yarn_ext_factor", "%g is not supported with scaling type %s", blend, kind)
	case kind == "linear" && factor != 1:
		scaling = config.Object{"rope_type": config.RopeLinear, "factor": factor}
	}
	if factors == nil {
		return scaling
	}
	if scaling != nil {
		m.fail(at+"type", "%s together with the tensor %s is not supported", kind, ropeFactorsTensor)
	}
	return llama3Scaling(factors, theta)
}

// yarnScaling returns rope_scaling for type yarn. llama.cpp always multiplies its attention factor by 0.1 ln f + 1.
func (m *metadataReader) yarnScaling(at string, factor, attention, blend float64) config.Object {
	if factor < 1 {
		m.fail(at+"factor", "%g is not supported for yarn (want 1 or more)", factor)
	}
	if blend >= 0 && blend != 1 {
		m.fail(at+"yarn_ext_factor", "%g is not supported (only 1)", blend)
	}
	if f := m.number(at+"yarn_log_multiplier", 0); f != 0 {
		m.fail(at+"yarn_log_multiplier", "%g is not supported (only 0)", f)
	}
	out := config.Object{
		"rope_type": config.RopeYaRN, "factor": factor,
		"original_max_position_embeddings": m.integer(at+"original_context_length", m.contextLength()),
		"beta_fast":                        m.number(at+"yarn_beta_fast", 32), "beta_slow": m.number(at+"yarn_beta_slow", 1),
	}
	if attention != 1 {
		out["attention_factor"] = attention * (0.1*math.Log(factor) + 1)
	}
	return out
}

// llama3Scaling returns the scaling of Llama 3.1 that gives the file's factors, or nil. Models of
// this family differ in the factor and the original length only. The factors in files are rounded to float32 at every
// step of their computation, which moves the smallest of them by up to 1e-5.
func llama3Scaling(factors []float32, theta float64) config.Object {
	const low, high, tolerance = 1.0, 4.0, 1e-5
	factor := float64(factors[len(factors)-1])
	for original := 1 << 10; original <= 1<<20; original *= 2 {
		matches := true
		for i, f := range factors {
			turns := float64(original) * math.Pow(theta, -float64(i)/float64(len(factors))) / (2 * math.Pi)
			s := min(1, max(0, (turns-low)/(high-low)))
			want := 1 / ((1-s)/factor + s)
			matches = matches && math.Abs(float64(f)-want) <= tolerance*want
		}
		if matches {
			return config.Object{
				"rope_type": config.RopeLlama3, "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
				"original_max_position_embeddings": original,
			}
		}
	}
	return nil
}
