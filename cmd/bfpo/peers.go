package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"

	"github.com/bfpo-go/bfpo/bfpo/bench"
)

// peerLosses are the losses of the first steps on one file of pairs by programs in PyTorch and JAX, in float32, each before its update.
// They are of the shared bench folder's model and of the settings of the recipe bench.
type peerLosses struct {
	Data  string
	Batch int
	Runs  []peerRun

	sha256 string // of the file of pairs
}

// peerRun is one program's losses.
type peerRun struct {
	Name   string
	Losses [bench.RecordedLosses]float64
}

// recordedPeers are the f32 rows of the shared bench folder's table.
func recordedPeers() []peerLosses {
	return []peerLosses{
		{Data: "fixed", Batch: 2, sha256: "d63eb8f809ae663c41dbc2f18479ce479c5b3bd49f07f014aadb3756e6175d3e", Runs: []peerRun{
			{"torch-fixed-f32-compile", [...]float64{10000.00, 9908.61, 9818.22, 9727.87, 9637.99}},
			{"jax-fixed-f32", [...]float64{10000.00, 9908.97, 9818.20, 9727.92, 9638.04}},
		}},
		{Data: "ragged", Batch: 4, sha256: "19c3fcc97cb89a5910c105d3fcca69dadc4bc68f6fa3d14e92da02de728e8b0d", Runs: []peerRun{
			{"torch-ragged-f32-sdpa", [...]float64{8125.00, 4374.13, 6250.90, 4374.91, 6250.53}},
			{"jax-ragged-f32", [...]float64{8125.00, 4374.12, 6250.90, 4374.90, 6250.54}},
		}},
	}
}

// findPeerLosses finds the peers' losses for a measurement by the content of its file.
func findPeerLosses(b bench.Bench) (peerLosses, error) {
	text, err := os.ReadFile(b.Pairs)
	if err != nil {
		return peerLosses{}, err
	}
	sum := sha256.Sum256(text)
	for _, p := range recordedPeers() {
		if p.sha256 != hex.EncodeToString(sum[:]) {
			continue
		}
		if p.Batch != b.Batch {
			return p, fmt.Errorf("%s: the peers' losses are of batches of %d pairs, not %d", b.Pairs, p.Batch, b.Batch)
		}
		return p, nil
	}
	return peerLosses{}, fmt.Errorf("%s: no peer's losses are known for this file; they are for pairs_fixed.jsonl and pairs_ragged.jsonl of the shared bench folder", b.Pairs)
}

// compare compares the losses of a result with those of every peer and returns the largest difference relative to the loss, and what is
// allowed. In f32 that is 1e-5 for the first loss, which hangs on the targets alone, and 1e-4 later; in bf16, whose peers
// spread as much among each other, 0.5 %. Beyond that the error names the step.
func (p peerLosses) compare(r bench.Result) (worst, allowed float64, err error) {
	allowed = 1e-4
	if r.Precision == "bf16" {
		allowed = 5e-3
	}
	for _, run := range p.Runs {
		for i, got := range r.Losses {
			bound := allowed
			if i == 0 && r.Precision == "f32" {
				bound = 1e-5
			}
			difference := math.Abs(got-run.Losses[i]) / run.Losses[i]
			worst = max(worst, difference)
			if err == nil && !(difference <= bound) {
				err = fmt.Errorf("the losses are not the peers': in step %d the loss is %.2f, that of %s %.2f; they may differ by %g of it, not by %.2g",
					i+1, got, run.Name, run.Losses[i], bound, difference)
			}
		}
	}
	return worst, allowed, err
}
