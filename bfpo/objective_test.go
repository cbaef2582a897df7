package bfpo

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// pairNumbers is one pair in plain numbers: summed log-probabilities in nats, and labels.
type pairNumbers struct {
	piC, piR, refC, refR float32
	safeC, safeR         bool
}

// lossOf evaluates an objective for one pair, and its gradient by the policy's chosen log-probability.
func lossOf(t *testing.T, o Objective, p pairNumbers) (loss, slope float64) {
	t.Helper()
	out := MustExecOnceN(gobackend.GetBackend(), func(x *Node) []*Node {
		at := func(i int) *Node { return Reshape(Slice(x, AxisElem(i)), 1) }
		outcome := Outcome{Sub(at(0), at(2)), Sub(at(1), at(3)), at(4), at(5), DivScalar(at(0), chosenTokens),
			DivScalar(at(1), rejectedTokens)}
		loss := o.Loss(outcome)
		return []*Node{loss, Gradient(ReduceAllSum(loss), x)[0]}
	}, []float32{p.piC, p.piR, p.refC, p.refR, number(p.safeC), number(p.safeR)})
	return float64(tensors.MustCopyFlatData[float32](out[0])[0]), float64(tensors.MustCopyFlatData[float32](out[1])[0])
}

func number(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func TestObjectives(t *testing.T) {
	// Margin h = (-10 - -14) - (-11 - -12) = 3 nat in every row.
	pair := func(safeC, safeR bool) pairNumbers { return pairNumbers{-10, -14, -11, -12, safeC, safeR} }
	bfpo := Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5}
	tests := []struct {
		name        string
		o           Objective
		p           pairNumbers
		loss, slope float64
	}{
		{"bfpo safe safe: target +5", bfpo, pair(true, true), 4, -4},        // (3-5)^2, 2(3-5)
		{"bfpo safe unsafe: target +10", bfpo, pair(true, false), 49, -14},  // (3-10)^2
		{"bfpo unsafe safe: target -10", bfpo, pair(false, true), 169, 26},  // (3+10)^2
		{"bfpo unsafe unsafe: target -5", bfpo, pair(false, false), 64, 16}, // (3+5)^2
		{"ipo ignores labels", Objective{Name: "ipo", Beta: 0.1}, pair(false, true), 4, -4},
		{
			"dpo: -log sigmoid(0.3)",
			Objective{Name: "dpo", Beta: 0.1},
			pair(true, false),
			0.5543552444685272,
			-0.1 * 0.425557483188341,
		},
		{
			"b1 = 5, alpha = 0.25: s = 1.25 - 0.25 - 0.25",
			Objective{Name: "bfpo", Beta: 0.1, B1: 5, Alpha: 0.25},
			pair(true, true),
			20.25,
			-9,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loss, slope := lossOf(t, test.o, test.p)
			if math.Abs(loss-test.loss) > 1e-5*math.Abs(test.loss) || math.Abs(slope-test.slope) > 1e-5*math.Abs(test.slope) {
				t.Errorf("loss %v, slope %v; want %v, %v", loss, slope, test.loss, test.slope)
			}
		})
	}
}

func TestTargetIsWhereTheLossVanishes(t *testing.T) {
	objectives := []Objective{
		{Name: "bfpo", Beta: 0.01, B1: 3, Alpha: 0.5},
		{Name: "bfpo", Beta: 0.1, B1: 1.5, Alpha: 0.25},
		{Name: "ipo", Beta: 0.05},
		{Name: "exo_pair", Beta: 0.5, LabelSmoothing: 0.01},
	}
	for _, name := range Objectives() {
		objectives = append(objectives, objectiveOf(name))
	}
	have := map[string]bool{}
	for _, o := range objectives {
		for _, c := range []bool{true, false} {
			for _, r := range []bool{true, false} {
				target, ok := o.Target(c, r)
				if !ok {
					continue
				}
				have[o.Name] = true
				loss, _ := lossOf(t, o, pairNumbers{piC: float32(target), safeC: c, safeR: r})
				if loss > 1e-9*target*target {
					t.Errorf("%+v (%v, %v): loss at its target %v is %v", o, c, r, target, loss)
				}
			}
		}
	}
	if want := (map[string]bool{"bfpo": true, "ipo": true, "exo_pair": true}); !maps.Equal(have, want) {
		t.Errorf("objectives with a target: %v, want %v", have, want)
	}
}

// TestHyperparametersAreKnown finds a misspelt key in the table of objectives, and a hyperparameter that objectiveOf
// leaves at 0, so that no test would see it.
func TestHyperparametersAreKnown(t *testing.T) {
	for _, k := range kinds() {
		values := map[string]float64{}
		for _, p := range objectiveOf(k.name).hyperparameters() {
			values[p.key] = p.value
		}
		for _, key := range k.keys {
			if value, ok := values[key]; !ok {
				t.Errorf("%s reads %q, which hyperparameters does not list", k.name, key)
			} else if value == 0 {
				t.Errorf("objectiveOf(%q) gives %s no value", k.name, key)
			}
		}
	}
}

// The direction is the sign of -dL/dh at the reference model, where h is 0.
func TestDirectionIsThatOfTheGradient(t *testing.T) {
	for _, name := range Objectives() {
		o := objectiveOf(name)
		for _, safe := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
			if !o.Preference() || !o.Uses(safe[0], safe[1]) {
				continue
			}
			// The slope by h is half the difference of the slopes by the two log-ratios.
			slopes := lossInFloat64(o, [2]float64{0, 0}, safe)[1:]
			slope := (slopes[0] - slopes[1]) / 2
			if got := o.Direction(safe[0], safe[1]); got != 1 && got != -1 || float64(got)*slope >= 0 {
				t.Errorf("%s %v: direction %d, but the slope of the loss is %v", name, safe, got, slope)
			}
		}
	}
	if o := objectiveOf("safe_dpo"); o.Uses(false, false) || o.Direction(false, false) != 0 {
		t.Error("safe_dpo uses pairs of two unsafe answers")
	}
}

func TestUnlabelled(t *testing.T) {
	for _, c := range []struct {
		o    Objective
		want string
	}{
		{Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5}, "BFPO is IPO"},
		{Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.25}, "BFPO is IPO with beta 0.0667"}, // 0.1 / 1.5
		{Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 2},
			"BFPO is a squared distance of the margin from (1-alpha)/beta = -10"},
		{Objective{Name: "safe_dpo", Beta: 0.1}, "SafeDPO is DPO"},
		{Objective{Name: "modpo", Beta: 0.1, MODPOWeight: 0.5}, "MODPO is DPO with beta 0.2"},
		{Objective{Name: "ipo", Beta: 0.1, PreferenceBy: BySafety}, "no such pair is trained on"},
		{Objective{Name: "dpo", Beta: 0.1, PreferenceBy: BySafeFirst}, "the answer labelled chosen is the better one"},
		{Objective{Name: "dpo", Beta: 0.1}, ""},
	} {
		if got := c.o.Unlabelled(); got != c.want {
			t.Errorf("%s: %q, want %q", c.o, got, c.want)
		}
	}
}

func TestUnread(t *testing.T) {
	for name, want := range map[string][]string{
		"bfpo":  {"label_smoothing", "discopop_tau", "safe_dpo_delta", "simpo_gamma", "modpo_weight"},
		"hinge": {"b1", "alpha", "label_smoothing", "discopop_tau", "safe_dpo_delta", "simpo_gamma", "modpo_weight"},
	} {
		if got := (Objective{Name: name}).Unread(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestDPOStaysFiniteFarOut(t *testing.T) {
	for _, h := range []float32{-2000, 2000} {
		loss, slope := lossOf(t, Objective{Name: "dpo", Beta: 1}, pairNumbers{piC: h})
		if want := math.Max(0, float64(-h)); math.Abs(loss-want) > 1e-3 || math.IsNaN(slope) {
			t.Errorf("margin %v: loss %v, slope %v", h, loss, slope)
		}
	}
}

func TestObjectiveValidate(t *testing.T) {
	good := []Objective{
		{Name: "sft", LabelSmoothing: 0.1}, {Name: "dpo", Beta: 1}, {Name: "dpo", Beta: 1, LabelSmoothing: 0.2},
		{Name: "bfpo", Beta: 0.1, B1: 3}, {Name: "discopop", Beta: 1, DiscoPOPTau: 0.05},
		{Name: "exo_pair", Beta: 1, LabelSmoothing: 0.001}, {Name: "safe_dpo", Beta: 1},
		{Name: "ipo", Beta: 1, PreferenceBy: BySafety}, {Name: "modpo", Beta: 1}, {Name: "simpo", Beta: 1},
		{Name: "orpo", Beta: 1, PreferenceBy: BySafeFirst},
	}
	bad := []Objective{
		{Name: "kto", Beta: 1},
		{Name: "ipo"},
		{Name: "bfpo", Beta: 0.1, B1: 1},
		{Name: "dpo", Beta: math.NaN()},
		{Name: "dpo", Beta: 1, LabelSmoothing: 0.5},
		{Name: "robust", Beta: 1, LabelSmoothing: math.NaN()},
		{Name: "hinge", Beta: 1, LabelSmoothing: 0.1},
		{Name: "exo_pair", Beta: 1},
		{Name: "discopop", Beta: 1},
		{Name: "safe_dpo", Beta: 1, SafeDPODelta: -1},
		{Name: "safe_dpo", Beta: 1, SafeDPODelta: math.NaN()},
		{Name: "dpo", Beta: 1, PreferenceBy: "helpful"},
		{Name: "simpo", Beta: 1, AverageLogProb: true},
		{Name: "modpo", Beta: 1, MODPOWeight: 1},
		{Name: "simpo", Beta: 1, SimPOGamma: -1},
		{Name: "bfpo", Beta: 1, B1: 3, PreferenceBy: BySafeFirst},
	}
	for _, o := range good {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range bad {
		if o.Validate() == nil {
			t.Errorf("%+v: accepted", o)
		}
	}
}

// TestLossTable holds BFPOLoss against 64 rows computed by the reference implementation.
func TestLossTable(t *testing.T) {
	var rows []struct {
		Beta, B1, Alpha float64
		ChosenSafe      int     `json:"is_chosen_safe"`
		RejectedSafe    int     `json:"is_rejected_safe"`
		PiC             float32 `json:"pi_c"`
		PiR             float32 `json:"pi_r"`
		RefC            float32 `json:"ref_c"`
		RefR            float32 `json:"ref_r"`
		Loss            float64
	}
	fixture.Read(t, &rows, "bfpo_loss_table.json")
	for i, r := range rows {
		o := Objective{Name: "bfpo", Beta: r.Beta, B1: r.B1, Alpha: r.Alpha}
		loss, _ := lossOf(t, o, pairNumbers{r.PiC, r.PiR, r.RefC, r.RefR, r.ChosenSafe == 1, r.RejectedSafe == 1})
		if math.Abs(loss-r.Loss) > 1e-4*r.Loss {
			t.Errorf("row %d: loss %v, want %v", i, loss, r.Loss)
		}
	}
}
