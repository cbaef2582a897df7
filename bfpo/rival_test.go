package bfpo

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The responses of the tests: their log-probabilities by the reference model, and their tokens.
const (
	chosenReference, rejectedReference = -20.0, -31.0
	chosenTokens, rejectedTokens       = 8.0, 9.0
)

// plainLosses writes the losses again, in float64 and without graphs. c and r are the log-ratios of the responses.
func plainLosses() map[string]func(o Objective, c, r float64, chosenSafe, rejectedSafe bool) float64 {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	type labels = bool
	return map[string]func(o Objective, c, r float64, chosenSafe, rejectedSafe labels) float64{
		"bfpo": func(o Objective, c, r float64, chosenSafe, rejectedSafe labels) float64 {
			s := map[[2]bool]float64{{true, true}: 0.5, {true, false}: 1, {false, true}: -1, {false, false}: -0.5}
			return math.Pow(c-r-s[[2]bool{chosenSafe, rejectedSafe}]/o.Beta, 2)
		},
		"dpo": func(o Objective, c, r float64, _, _ labels) float64 {
			h, e := o.Beta*(c-r), o.LabelSmoothing
			return -(1-e)*math.Log(sigmoid(h)) - e*math.Log(sigmoid(-h))
		},
		"ipo": func(o Objective, c, r float64, _, _ labels) float64 { return math.Pow(c-r-1/(2*o.Beta), 2) },
		"robust": func(o Objective, c, r float64, _, _ labels) float64 {
			h, e := o.Beta*(c-r), o.LabelSmoothing
			return (-(1-e)*math.Log(sigmoid(h)) + e*math.Log(sigmoid(-h))) / (1 - 2*e)
		},
		"hinge": func(o Objective, c, r float64, _, _ labels) float64 { return math.Max(0, 1-o.Beta*(c-r)) },
		"exo_pair": func(o Objective, c, r float64, _, _ labels) float64 {
			p, e := sigmoid(o.Beta*(c-r)), o.LabelSmoothing
			return p*math.Log(p/(1-e)) + (1-p)*math.Log((1-p)/e)
		},
		"nca_pair": func(o Objective, c, r float64, _, _ labels) float64 {
			c, r = o.Beta*c, o.Beta*r
			return -math.Log(sigmoid(c)) - math.Log(sigmoid(-c))/2 - math.Log(sigmoid(-r))/2
		},
		"bco_pair": func(o Objective, c, r float64, _, _ labels) float64 {
			return -math.Log(sigmoid(o.Beta*c)) - math.Log(sigmoid(-o.Beta*r))
		},
		"sppo_hard": func(o Objective, c, r float64, _, _ labels) float64 {
			return math.Pow(c-0.5/o.Beta, 2) + math.Pow(r+0.5/o.Beta, 2)
		},
		"apo_zero": func(o Objective, c, r float64, _, _ labels) float64 {
			return 1 - sigmoid(o.Beta*c) + sigmoid(o.Beta*r)
		},
		"apo_down": func(o Objective, c, r float64, _, _ labels) float64 {
			return sigmoid(o.Beta*c) + 1 - sigmoid(o.Beta*(c-r))
		},
		"safe_dpo": func(o Objective, c, r float64, chosenSafe, rejectedSafe labels) float64 {
			switch h := o.Beta * (c - r); {
			case chosenSafe == rejectedSafe:
				return -math.Log(sigmoid(h))
			case chosenSafe:
				return -math.Log(sigmoid(h - o.SafeDPODelta))
			default:
				return -math.Log(sigmoid(-h - o.SafeDPODelta))
			}
		},
		"modpo": func(o Objective, c, r float64, chosenSafe, rejectedSafe labels) float64 {
			m := float64(number(chosenSafe) - number(rejectedSafe))
			return -math.Log(sigmoid((o.Beta*(c-r) - o.MODPOWeight*m) / (1 - o.MODPOWeight)))
		},
		"simpo": func(o Objective, c, r float64, _, _ labels) float64 {
			c, r = (chosenReference+c)/chosenTokens, (rejectedReference+r)/rejectedTokens
			return -math.Log(sigmoid(o.Beta*(c-r) - o.SimPOGamma))
		},
		"orpo": func(o Objective, c, r float64, _, _ labels) float64 {
			odds := func(p float64) float64 { return p / (1 - p) }
			c, r = (chosenReference+c)/chosenTokens, (rejectedReference+r)/rejectedTokens
			return -c - o.Beta*math.Log(sigmoid(math.Log(odds(math.Exp(c))/odds(math.Exp(r)))))
		},
		"discopop": func(o Objective, c, r float64, _, _ labels) float64 {
			h := o.Beta * (c - r)
			m := sigmoid(h / o.DiscoPOPTau)
			return -(1-m)*math.Log(sigmoid(h)) + m*math.Exp(-h)
		},
	}
}

// objectiveOf returns an objective with hyperparameters that count in it: all that it reads are above 0.
func objectiveOf(name string) Objective {
	o := Objective{Name: name, Beta: 0.2, B1: 3, Alpha: 0.5, DiscoPOPTau: 0.7, SafeDPODelta: 1.5, SimPOGamma: 0.3,
		MODPOWeight: 0.4}
	if slices.Contains(o.kind().keys, "label_smoothing") {
		o.LabelSmoothing = 0.1
	}
	return o
}

// TestLossesInFloat64 compares the losses, and their gradients by both log-ratios, with plain formulas and their finite
// differences.
func TestLossesInFloat64(t *testing.T) {
	plain := plainLosses()
	for _, name := range Objectives() {
		o := objectiveOf(name)
		if !o.Preference() {
			continue
		}
		if plain[name] == nil {
			t.Errorf("%s has no formula in plainLosses", name)
			continue
		}
		for _, ratios := range [][2]float64{{3, -1}, {-2.5, 0.5}, {0, 0}, {7, 1.5}, {-4, -6}} {
			for _, safe := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
				c, r := ratios[0], ratios[1]
				f := func(c, r float64) float64 { return plain[name](o, c, r, safe[0], safe[1]) }
				const step = 1e-4
				want := []float64{
					f(c, r), (f(c+step, r) - f(c-step, r)) / (2 * step), (f(c, r+step) - f(c, r-step)) / (2 * step),
				}
				for i, got := range lossInFloat64(o, ratios, safe) {
					if math.Abs(got-want[i]) > 1e-6*math.Max(1, math.Abs(want[i])) {
						t.Errorf("%s at %v, %v: %s is %v, want %v", o, ratios, safe,
							[]string{"the loss", "its slope by chosen", "its slope by rejected"}[i], got, want[i])
					}
				}
			}
		}
	}
}

// lossInFloat64 returns the loss of a pair and its derivatives by the two log-ratios.
func lossInFloat64(o Objective, ratios [2]float64, safe [2]bool) (values []float64) {
	out := MustExecOnceN(gobackend.GetBackend(), func(x *Node) []*Node {
		at := func(i int) *Node { return Reshape(Slice(x, AxisElem(i)), 1) }
		perToken := func(i int, reference, tokens float64) *Node { return DivScalar(AddScalar(at(i), reference), tokens) }
		loss := o.Loss(Outcome{at(0), at(1), at(2), at(3), perToken(0, chosenReference, chosenTokens),
			perToken(1, rejectedReference, rejectedTokens)})
		return []*Node{loss, Slice(Gradient(ReduceAllSum(loss), x)[0], AxisRange(0, 2))}
	}, []float64{ratios[0], ratios[1], float64(number(safe[0])), float64(number(safe[1]))})
	for _, o := range out {
		values = append(values, tensors.MustCopyFlatData[float64](o)...)
	}
	return values
}

// TestLossesAreNumbers checks that no loss is NaN, and no slope, at the margins of a run that has gone astray.
func TestLossesAreNumbers(t *testing.T) {
	for _, name := range Objectives() {
		o := objectiveOf(name)
		o.Beta, o.DiscoPOPTau = 1, 0.05
		for _, h := range []float32{-2000, 2000} {
			if o.Preference() {
				if loss, slope := lossOf(t, o, pairNumbers{piC: h}); math.IsNaN(loss) || math.IsNaN(slope) {
					t.Errorf("%s, margin %v: loss %v, slope %v", name, h, loss, slope)
				}
			}
		}
	}
}

func TestEquations(t *testing.T) {
	for _, name := range Objectives() {
		o := objectiveOf(name)
		if text := o.Equation(); !strings.HasPrefix(text, "L = ") || strings.Contains(text, "ε") != (o.LabelSmoothing > 0) {
			t.Errorf("%s: %q", name, text)
		}
	}
	o := Objective{Name: "hinge", Beta: 0.5, B1: 3}
	want := "L = max(0, 1 − β h)\nh = (log π(y_c|x) − log π(y_r|x)) − (log π_ref(y_c|x) − log π_ref(y_r|x))\nβ = 0.5"
	if got := o.Equation(); got != want || o.String() != "hinge, beta 0.5" || o.Unit() != "β × nat" {
		t.Errorf("%s: %q in %s, want %q", o, got, o.Unit(), want)
	}
}
