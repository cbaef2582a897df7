package bfpo

import (
	"math"
	"strings"
	"testing"
)

// DPO that orders pairs by their labels is DPO on the pairs written in that order.
func TestPreferenceBy(t *testing.T) {
	ratios, swapped := [2]float64{3, -1}, [2]float64{-1, 3}
	for _, c := range []struct {
		by       string
		safe     [2]bool
		swaps    bool
		leftOut  bool
		wantSign int
	}{
		{"", [2]bool{false, true}, false, false, 1},
		{ByHelpfulness, [2]bool{false, true}, false, false, 1},
		{BySafety, [2]bool{true, false}, false, false, 1},
		{BySafety, [2]bool{false, true}, true, false, -1},
		{BySafety, [2]bool{true, true}, false, true, 0},
		{BySafety, [2]bool{false, false}, false, true, 0},
		{BySafeFirst, [2]bool{true, false}, false, false, 1},
		{BySafeFirst, [2]bool{false, true}, true, false, -1},
		{BySafeFirst, [2]bool{true, true}, false, false, 1},
		{BySafeFirst, [2]bool{false, false}, false, false, 1},
	} {
		o := Objective{Name: "dpo", Beta: 0.2, PreferenceBy: c.by}
		if got := o.Uses(c.safe[0], c.safe[1]); got == c.leftOut {
			t.Errorf("%q %v: uses %t", c.by, c.safe, got)
		}
		if got := o.Direction(c.safe[0], c.safe[1]); got != c.wantSign {
			t.Errorf("%q %v: direction %d, want %d", c.by, c.safe, got, c.wantSign)
		}
		got, want := lossInFloat64(o, ratios, c.safe), lossInFloat64(Objective{Name: "dpo", Beta: 0.2}, ratios, c.safe)
		if c.swaps {
			want = lossInFloat64(Objective{Name: "dpo", Beta: 0.2}, swapped, c.safe)
			want[1], want[2] = want[2], want[1]
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-12 {
				t.Errorf("%q %v: loss and slopes %v, want %v", c.by, c.safe, got, want)
			}
		}
	}
}

// SafeDPO without delta is DPO by safe_first on the pairs that it takes.
func TestSafeFirstIsSafeDPO(t *testing.T) {
	for _, safe := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		a := lossInFloat64(Objective{Name: "safe_dpo", Beta: 0.2}, [2]float64{3, -1}, safe)
		b := lossInFloat64(Objective{Name: "dpo", Beta: 0.2, PreferenceBy: BySafeFirst}, [2]float64{3, -1}, safe)
		if math.Abs(a[0]-b[0]) > 1e-12 {
			t.Errorf("%v: safe_dpo %v, dpo by safe_first %v", safe, a, b)
		}
	}
}

// The target of an objective with one margin changes its sign with the order of the pair.
func TestTargetBySafeFirst(t *testing.T) {
	o := Objective{Name: "ipo", Beta: 0.1, PreferenceBy: BySafeFirst}
	for _, c := range []struct {
		safe [2]bool
		want float64
	}{{[2]bool{true, false}, 5}, {[2]bool{false, true}, -5}, {[2]bool{false, false}, 5}} {
		if got, ok := o.Target(c.safe[0], c.safe[1]); !ok || got != c.want {
			t.Errorf("%v: target %v, want %v", c.safe, got, c.want)
		}
	}
}

// Averaging keeps the direction in which a pair moves, but no margin in nats is the target of all pairs.
func TestAverageLogProb(t *testing.T) {
	o := Objective{Name: "bfpo", Beta: 2, B1: 3, Alpha: 0.5, AverageLogProb: true}
	if _, ok := o.Target(false, true); ok || o.Direction(false, true) != -1 || o.Direction(true, false) != 1 {
		t.Errorf("target %t, directions %d and %d", ok, o.Direction(false, true), o.Direction(true, false))
	}
	for name, want := range map[string]string{
		"bfpo": "h = d_c − d_r,   d = (log π(y|x) − log π_ref(y|x)) / tokens of y", "nca_pair": "\nd = (log",
	} {
		o.Name = name
		if text := o.Equation(); !strings.Contains(text, want) || !strings.Contains(o.String(), ", average_log_prob") {
			t.Errorf("%s\n%s", o, text)
		}
	}
}
