package bfpo

import (
	"strings"
	"testing"
)

// What becomes of a pair as the rows have it.
func TestPreferenceBy(t *testing.T) {
	for _, c := range []struct {
		by              string
		safe            [2]bool
		exchanges, uses bool
		direction       int
	}{
		{"", [2]bool{false, true}, false, true, 1},
		{ByHelpfulness, [2]bool{false, true}, false, true, 1},
		{BySafety, [2]bool{true, false}, false, true, 1},
		{BySafety, [2]bool{false, true}, true, true, -1},
		{BySafety, [2]bool{true, true}, false, false, 0},
		{BySafety, [2]bool{false, false}, false, false, 0},
		{BySafeFirst, [2]bool{true, false}, false, true, 1},
		{BySafeFirst, [2]bool{false, true}, true, true, -1},
		{BySafeFirst, [2]bool{true, true}, false, true, 1},
		{BySafeFirst, [2]bool{false, false}, false, true, 1},
	} {
		o := Objective{Name: "dpo", Beta: 0.2, PreferenceBy: c.by}
		exchanges, uses := o.Exchanges(c.safe[0], c.safe[1]), o.Uses(c.safe[0], c.safe[1])
		if direction := o.Direction(c.safe[0], c.safe[1]); exchanges != c.exchanges || uses != c.uses ||
			direction != c.direction {
			t.Errorf("%q %v: exchanges %t, uses %t, direction %d", c.by, c.safe, exchanges, uses, direction)
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
