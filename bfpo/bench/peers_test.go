package bench

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPeerLossesCompare(t *testing.T) {
	for _, p := range recordedPeers() {
		for _, run := range p.Runs {
			r := Result{Precision: "f32", Losses: slices.Clone(run.Losses[:])}
			if _, _, err := p.Compare(r); err != nil {
				t.Errorf("%s: its own losses: %v", run.Name, err)
			}
			for i, c := range []struct {
				precision string
				factor    float64
				ok        bool
			}{
				{"f32", 1 + 4e-5, true}, {"f32", 1 + 1.5e-4, false},
				{"bf16", 1 - 4.9e-3, true}, {"bf16", 1 - 5.2e-3, false}, {"bf16", math.NaN(), false},
			} {
				r := Result{Precision: c.precision, Losses: slices.Clone(run.Losses[:3])}
				r.Losses[2] *= c.factor
				_, _, err := p.Compare(r)
				if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "step 3") {
					t.Errorf("%s, case %d: %v", run.Name, i, err)
				}
			}
			r.Losses[0] *= 1 + 2e-5
			if _, _, err := p.Compare(r); err == nil {
				t.Errorf("%s: a first loss 2e-5 off is no error", run.Name)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "pairs.jsonl")
	if err := os.WriteFile(file, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := FindPeerLosses(Bench{Pairs: file, Batch: 1})
	if err == nil || !strings.Contains(err.Error(), "no peer's losses are known") {
		t.Error(err)
	}
}
