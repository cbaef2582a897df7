package pipeline

import (
	"math"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

func TestComparePreferences(t *testing.T) {
	pair := func(chosen, rejected float64) evaluate.Preference {
		return evaluate.Preference{ChosenSafe: true, Chosen: chosen, Rejected: rejected}
	}
	before := []evaluate.Preference{pair(-10, -8), pair(-10, -12)}          // margins -2, +2
	reference := []evaluate.Preference{pair(-9, -8), pair(-9, -12)}         // margins -1, +3
	after := []evaluate.Preference{pair(-8, -14), pair(-9, -16)}            // margins +6, +7; minus reference: 7, 4
	objective := bfpo.Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5} // target 10
	rows := comparePreferences(objective, before, reference, after).Rows
	want := []struct {
		name          string
		before, after float64
	}{
		{"moved towards its target", 0, 1}, // from -1 to 6 and from 3 to 7
		{"chosen answer is likelier", 0.5, 1},
		{"log p(chosen) − log p(rejected)", 0, 6.5},
		{"|margin − target|", 10, 4.5}, // (|7-10| + |4-10|) / 2
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, w := range want {
		r := rows[i]
		if r.Name != w.name || math.Abs(r.Before.Mean-w.before) > 1e-12 || math.Abs(r.After.Mean-w.after) > 1e-12 {
			t.Errorf("row %d: %s %v → %v, want %s %v → %v",
				i, r.Name, r.Before.Mean, r.After.Mean, w.name, w.before, w.after)
		}
	}

	// Where the target is negative, the objective asks for a lower log-ratio.
	for i := range before {
		before[i].ChosenSafe, reference[i].ChosenSafe, after[i].ChosenSafe = false, false, false
	}
	if r := comparePreferences(objective, after, after, before).Rows[0]; r.After.Mean != 1 || r.Change.Mean != 1 {
		t.Errorf("two unsafe answers: a share of %v moved down, want 1", r.After.Mean)
	}
	if r := comparePreferences(objective, after, after, after).Rows[0]; r.After.Mean != 0.5 || r.Change.Mean != 0 {
		t.Errorf("a share of %v moved, want 0.5 for pairs that did not move", r.After.Mean)
	}
	if r := comparePreferences(objective, after, after, before).Rows[2]; r.Better != report.LowerIsBetter {
		t.Errorf("log-ratio of two unsafe answers: better is %v, want lower", r.Better)
	}
	// SafeDPO moves towards the rejected answer if it alone is safe, and does not train on two unsafe ones.
	safeDPO := bfpo.Objective{Name: "safe_dpo", Beta: 0.1}
	if r := comparePreferences(safeDPO, after, after, before).Rows[0]; r.Better != report.NeitherIsBetter {
		t.Errorf("two unsafe answers: better is %v, want neither", r.Better)
	}
	for _, pairs := range [][]evaluate.Preference{before, reference, after} {
		for i := range pairs {
			pairs[i].RejectedSafe = true
		}
	}
	if r := comparePreferences(safeDPO, after, after, before).Rows[0]; r.After.Mean != 1 ||
		r.Better != report.HigherIsBetter || r.Name != "moved towards the rejected answer" {
		t.Errorf("a safe rejected answer: %+v", r)
	}
	dpo := bfpo.Objective{Name: "dpo", Beta: 0.1}
	if rows := comparePreferences(dpo, before, reference, after).Rows; len(rows) != 3 ||
		rows[0].Name != "moved towards the chosen answer" {
		t.Errorf("dpo has no target, but the rows %+v", rows)
	}
}
