package graph

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// RotaryFrequencies returns the hd/2 angular frequencies of rotary embedding (Su et al. 2021, eq. 15), in radians per
// position:
//
//	theta_i = theta^(-2i/hd)
func RotaryFrequencies(headDim int, theta float64) []float64 {
	freqs := make([]float64, headDim/2)
	for i := range freqs {
		freqs[i] = math.Pow(theta, -2*float64(i)/float64(headDim))
	}
	return freqs
}

// LinearScaling divides all frequencies by factor: position p is rotated as position p/factor was before.
func LinearScaling(freqs []float64, factor float64) []float64 {
	scaled := make([]float64, len(freqs))
	for i, f := range freqs {
		scaled[i] = f / factor
	}
	return scaled
}

// Llama3Scaling returns the scaled frequencies of Llama 3.1's long context. With n = original*f/2pi, the number of
// turns that frequency f makes within the original context length,
//
//	f' = f             when n > high
//	f' = f/factor      when n < low
//	f' = (1-s)*f/factor + s*f,  s = (n - low)/(high - low)   between
func Llama3Scaling(freqs []float64, factor, low, high float64, original int) []float64 {
	scaled := make([]float64, len(freqs))
	for i, f := range freqs {
		turns := float64(original) * f / (2 * math.Pi)
		s := min(1, max(0, (turns-low)/(high-low)))
		scaled[i] = (1-s)*f/factor + s*f
	}
	return scaled
}

// YaRNScaling returns the frequencies of YaRN (Peng et al. 2023), which divides the low frequencies by factor, keeps
// the high ones and interpolates between two dimensions:
//
//	f_i' = r_i*f_i/factor + (1-r_i)*f_i,   r_i = (i - low)/(high - low) within [0, 1]
//	low = dim(fast), high = dim(slow),     dim(n) = hd ln(original/(2 pi n)) / (2 ln theta)
//
// dim(n) is where a frequency makes n turns within the original context length. Unless fractional is set, low is
// rounded down and high up.
func YaRNScaling(freqs []float64, theta, factor, fast, slow float64, original int, fractional bool) []float64 {
	width := float64(2 * len(freqs))
	dim := func(turns float64) float64 {
		return width * math.Log(float64(original)/(2*math.Pi*turns)) / (2 * math.Log(theta))
	}
	low, high := dim(fast), dim(slow)
	if !fractional {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, width-1)
	if low == high {
		high += 0.001
	}
	scaled := make([]float64, len(freqs))
	for i, f := range freqs {
		r := min(1, max(0, (float64(i)-low)/(high-low)))
		scaled[i] = r*f/factor + (1-r)*f
	}
	return scaled
}

// DivideFrequencies divides each frequency by its own factor.
func DivideFrequencies(freqs []float64, factors []float32) []float64 {
	scaled := make([]float64, len(freqs))
	for i, f := range freqs {
		scaled[i] = f / float64(factors[i])
	}
	return scaled
}

// Rotary holds the cosines and sines of rotary embedding for the positions of a batch. They are computed once per graph
// for all layers, and always in float32: bfloat16 cannot tell position 257 from 256.
type Rotary struct {
	Cos, Sin *Node // [B, S, 1, hd/2]
}

// NewRotary returns the tables for positions [B, S] (integers) and the frequencies [hd/2].
func NewRotary(positions *Node, freqs []float64) Rotary {
	return NewScaledRotary(positions, freqs, 1)
}

// NewScaledRotary is NewRotary with the cosines and sines multiplied by scale, which multiplies attention scores by its
// square.
func NewScaledRotary(positions *Node, freqs []float64, scale float64) Rotary {
	f32 := make([]float32, len(freqs))
	for i, f := range freqs {
		f32[i] = float32(f)
	}
	p := InsertAxes(ConvertDType(positions, dtypes.Float32), -1, -1) // [B, S, 1, 1]
	angles := Mul(p, Const(p.Graph(), [][][][]float32{{{f32}}}))     // [B, S, 1, hd/2]
	cos, sin := Cos(angles), Sin(angles)
	if scale != 1 {
		cos, sin = MulScalar(cos, scale), MulScalar(sin, scale)
	}
	tables := OptimizationBarriers(cos, sin) // otherwise XLA recomputes them in every layer
	return Rotary{Cos: tables[0], Sin: tables[1]}
}

// Apply rotates queries or keys x [B, S, H, hd] by their positions. It pairs component i with i + hd/2, as Hugging
// Face's checkpoints need it (the paper pairs 2i with 2i+1):
//
//	y_i        = x_i cos(p theta_i) - x_(i+hd/2) sin(p theta_i)
//	y_(i+hd/2) = x_(i+hd/2) cos(p theta_i) + x_i sin(p theta_i)
func (r Rotary) Apply(x *Node) *Node {
	half := r.Cos.Shape().Dimensions[3]
	if x.Rank() != 4 || x.Shape().Dimensions[3] != 2*half {
		exceptions.Panicf("rotary tables for heads of %d applied to %s", 2*half, x.Shape())
	}
	x32 := ConvertDType(x, dtypes.Float32)
	a := SliceAxis(x32, -1, AxisRangeFromStart(half)) // [B, S, H, hd/2]
	b := SliceAxis(x32, -1, AxisRangeToEnd(half))     // [B, S, H, hd/2]
	y := Concatenate([]*Node{
		Sub(Mul(a, r.Cos), Mul(b, r.Sin)),
		Add(Mul(b, r.Cos), Mul(a, r.Sin)),
	}, -1) // [B, S, H, hd]
	return ConvertDType(y, x.DType())
}
