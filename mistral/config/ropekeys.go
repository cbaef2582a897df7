package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// ropeKeys are the keys of rope_scaling (transformers 4) and of rope_parameters (transformers 5).
type ropeKeys struct {
	RopeType        string   `json:"rope_type"`
	Type            string   `json:"type"` // the older name of rope_type
	Theta           *float64 `json:"rope_theta"`
	Factor          float64  `json:"factor"`
	LowFreqFactor   float64  `json:"low_freq_factor"`
	HighFreqFactor  float64  `json:"high_freq_factor"`
	Original        *int     `json:"original_max_position_embeddings"`
	Partial         *float64 `json:"partial_rotary_factor"`
	BetaFast        float64  `json:"beta_fast"`
	BetaSlow        float64  `json:"beta_slow"`
	AttentionFactor *float64 `json:"attention_factor"`
	MScale          float64  `json:"mscale"`
	MScaleAllDim    float64  `json:"mscale_all_dim"`
	Truncate        *bool    `json:"truncate"`

	// Finetuned is written by the authors of YaRN; it changes nothing for this type.
	Finetuned *bool `json:"finetuned"`
}

// knownRopeKeys lists the keys that ropeKeys reads. Another key is refused: it would change the computation, or it
// is the name of a kind of layer, each with parameters of its own.
func knownRopeKeys() []string {
	return []string{"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
		"original_max_position_embeddings", "partial_rotary_factor", "beta_fast", "beta_slow", "attention_factor",
		"mscale", "mscale_all_dim", "truncate", "finetuned"}
}

// readRope reads the rotary base and the rotary scaling in both layouts. A base inside the object counts before the
// key rope_theta.
func (r *keyReader) readRope(c *Config) {
	theta := r.number("rope_theta", DefaultRopeTheta)
	c.RopeTheta = theta
	read := false
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		var keys map[string]json.RawMessage
		if !r.decode(key, &keys) || len(keys) == 0 {
			continue
		}
		before := *c
		c.RopeTheta = theta
		c.RopeScaling = r.readScaling(key, *c, keys, &c.RopeTheta)
		if read && (before.RopeScaling != c.RopeScaling || before.RopeTheta != c.RopeTheta) {
			r.fail("rope_parameters", "it does not agree with rope_scaling: remove one of the two")
		}
		read = true
	}
}

// readScaling reads one object of rotary parameters, which the file has under key. It sets theta if the object has it.
func (r *keyReader) readScaling(key string, c Config, keys map[string]json.RawMessage, theta *float64) RopeScaling {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(knownRopeKeys(), name) {
			r.fail(key+"."+name, "is not supported (supported: %s)", strings.Join(knownRopeKeys(), ", "))
			return RopeScaling{}
		}
	}
	var k ropeKeys
	if !r.decode(key, &k) {
		return RopeScaling{}
	}
	if k.Theta != nil {
		*theta = *k.Theta
	}
	if k.Partial != nil && *k.Partial != 1 {
		r.fail(key+".partial_rotary_factor", "%g is not supported (only 1)", *k.Partial)
	}
	kind := k.RopeType
	if kind == "" {
		kind = k.Type
	}
	s := RopeScaling{Type: kind, Factor: k.Factor}
	switch kind {
	case "", "default":
		return RopeScaling{}
	case RopeLinear, RopeDynamic:
	case RopeYaRN:
		s.OriginalMaxPosition = r.originalLength(k, c)
		if raw := string(keys["factor"]); raw == "" || raw == "null" { // as transformers derives it
			s.Factor = float64(c.MaxPositionEmbeddings) / float64(max(1, s.OriginalMaxPosition))
		}
		r.readYaRN(key, k, &s)
	case RopeLlama3:
		s.OriginalMaxPosition = r.originalLength(k, c)
		s.LowFreqFactor, s.HighFreqFactor = k.LowFreqFactor, k.HighFreqFactor
	default:
		r.fail(key+".rope_type", "%q is not supported (supported: %s)", kind, supportedScalings)
	}
	return s
}

// originalLength returns the context length before the extension. As in transformers, a key of the file itself counts
// before the one in the object of rotary parameters, and without both it is the present context length.
func (r *keyReader) originalLength(k ropeKeys, c Config) int {
	length := c.MaxPositionEmbeddings
	if k.Original != nil {
		length = *k.Original
	}
	return r.integer("original_max_position_embeddings", length)
}

// readYaRN reads what only yarn has.
func (r *keyReader) readYaRN(key string, k ropeKeys, s *RopeScaling) {
	s.BetaFast, s.BetaSlow, s.MScale, s.MScaleAllDim = k.BetaFast, k.BetaSlow, k.MScale, k.MScaleAllDim
	if s.BetaFast == 0 {
		s.BetaFast = defaultBetaFast
	}
	if s.BetaSlow == 0 {
		s.BetaSlow = defaultBetaSlow
	}
	if k.AttentionFactor != nil {
		if s.AttentionFactor = *k.AttentionFactor; !(s.AttentionFactor > 0) {
			r.fail(key+".attention_factor", "%g must be a positive number", s.AttentionFactor)
		}
	}
	s.KeepsFractionalBounds = k.Truncate != nil && !*k.Truncate
}
