package config

import (
	"errors"
	"math"
)

// Rotary scalings, by their names in config.json.
const (
	RopeLinear  = "linear"
	RopeDynamic = "dynamic"
	RopeYaRN    = "yarn"
	RopeLlama3  = "llama3"
)

// RopeScaling changes the rotary frequencies for long contexts.
type RopeScaling struct {
	Type   string  // "" (none) or one of the constants
	Factor float64 // by which the context is extended

	LowFreqFactor, HighFreqFactor float64 // bounds of the interpolation; llama3 only
	OriginalMaxPosition           int     // context length before the extension; yarn and llama3 only

	// The following are for yarn only.
	BetaFast, BetaSlow    float64 `json:",omitempty"` // bounds of the interpolation
	AttentionFactor       float64 `json:",omitempty"` // 0 = it follows from the others
	MScale, MScaleAllDim  float64 `json:",omitempty"` // 0 = not given
	KeepsFractionalBounds bool    `json:",omitempty"` // truncate is false
}

// The defaults of YaRN's bounds.
const (
	defaultBetaFast = 32
	defaultBetaSlow = 1
)

// AttentionScale returns the factor of the cosines and sines of the rotary tables: 1 except for yarn, for which it is
// AttentionFactor if that is given, else with m(f, s) = 0.1 s ln f + 1,
//
//	m(Factor, MScale) / m(Factor, MScaleAllDim)    if both are given
//	m(Factor, 1)                                   otherwise
func (s RopeScaling) AttentionScale() float64 {
	magnitude := func(scale float64) float64 {
		if s.Factor <= 1 {
			return 1
		}
		return 0.1*scale*math.Log(s.Factor) + 1
	}
	switch {
	case s.Type != RopeYaRN:
		return 1
	case s.AttentionFactor != 0:
		return s.AttentionFactor
	case s.MScale != 0 && s.MScaleAllDim != 0:
		return magnitude(s.MScale) / magnitude(s.MScaleAllDim)
	}
	return magnitude(1)
}

// leastRope is the least rope_theta and the least factor: a smaller one would make angles infinite.
const leastRope = 1e-20

// checkRope refuses a number of a position encoding that is not positive, or too small.
func checkRope(key string, v float64) error {
	switch {
	case !(v > 0) || math.IsInf(v, 0):
		return keyError(key, "%g must be a positive number", v)
	case v < leastRope:
		return keyError(key, "%g is too small: want %g at least", v, leastRope)
	}
	return nil
}

// supportedScalings is for messages.
const supportedScalings = "default, linear, dynamic, yarn, llama3"

// validate checks the numbers of a scaling. Errors name the key of config.json.
func (s RopeScaling) validate() error {
	positive := func(key string, v float64) error { return checkRope("rope_scaling."+key, v) }
	factor := positive("factor", s.Factor)
	switch s.Type {
	case "":
		return nil
	case RopeLinear, RopeDynamic:
		return factor
	case RopeYaRN:
		err := errors.Join(factor, positive("beta_fast", s.BetaFast), positive("beta_slow", s.BetaSlow),
			positive("original_max_position_embeddings", float64(s.OriginalMaxPosition)))
		if err == nil {
			err = positive("mscale", s.AttentionScale())
		}
		return err
	case RopeLlama3:
		err := errors.Join(factor, positive("low_freq_factor", s.LowFreqFactor),
			positive("high_freq_factor", s.HighFreqFactor),
			positive("original_max_position_embeddings", float64(s.OriginalMaxPosition)))
		if err == nil && s.HighFreqFactor <= s.LowFreqFactor {
			err = keyError("rope_scaling.high_freq_factor", "%g must be above low_freq_factor %g",
				s.HighFreqFactor, s.LowFreqFactor)
		}
		return err
	}
	return keyError("rope_scaling.rope_type", "%q is not supported (supported: %s)", s.Type, supportedScalings)
}
